"""Questions on a paragraph with their answers: what qa takes."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """A gold answer.

    Attributes
    ----------
    text
        As the source gives it.
    start
        First character in the context (code points, from 0); None where the text does not stand at the offset that
        the source gives: such an answer is scored by its text, but trains nothing and has no likelihood.
    given
        The source's offset where the text does not stand there; else None.
    """

    text: str
    start: int | None
    given: int | None = field(default=None, compare=False)

    @property
    def end(self) -> int | None:
        """Character behind the answer."""
        return None if self.start is None else self.start + len(self.text)


@dataclass(frozen=True)
class Question:
    """A question, the paragraph that answers it, and the answers.

    Attributes
    ----------
    id
        Id of the source, unique within one file; equal for translations where the manifest says so.
    cluster
        The paragraph: the id of the first question on the same text. Equal for translations likewise.
    language
        Code, which decides the articles that scoring passes over.
    question, context
        As in the source.
    answers
        At least one.
    """

    id: str
    cluster: str
    language: str
    question: str
    context: str
    answers: tuple[Answer, ...]

    @property
    def misplaced(self) -> bool:
        """Whether an answer does not stand at its offset."""
        return any(answer.start is None for answer in self.answers)

    def there(self, answer: Answer) -> str:
        """Return what stands at the offset that the source gives a misplaced answer."""
        start = max(answer.given or 0, 0)
        return self.context[start : start + len(answer.text)]
