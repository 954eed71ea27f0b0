"""Reader of SQuAD v1.1's JSON (XQuAD, TyDiQA-GoldP, MLQA): articles, paragraphs, questions, answers with offsets.

JSON has no lines that mean anything, so messages name the question's id. Source of the format: Rajpurkar et al. (2016).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xltransfer.data.lines import read_text
from xltransfer.data.parallel import parallel_name
from xltransfer.data.question import Answer, Question
from xltransfer.errors import DataError

MISPLACED_REFUSED = 0.01
"""Share of questions with an answer that does not stand at its offset, above which a file is refused."""

_LISTED = 20


def read_squad(path: Path, language: str, parallel: str | None = None) -> list[Question]:
    """Read every question of a file.

    Parameters
    ----------
    path
        The file, UTF-8 JSON.
    language
        Code of the questions' language.
    parallel
        Collection of translations whose ids these are, or None.

    Raises
    ------
    DataError
        If the file is no JSON of this form, a question has no text, no context or no answer, an id occurs twice, there
        is no question, or more than one in a hundred has an answer that does not stand at its offset (all are listed).
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as err:
        raise DataError(f"{path}:{err.lineno}: no JSON ({err.msg})") from err
    return questions(str(path), list(_rows(path, content)), language, parallel)


def questions(
    name: str, rows: Sequence[Mapping[str, Any]], language: str, parallel: str | None = None
) -> list[Question]:
    """Make questions of rows with ``id``, ``question``, ``context`` and ``answers`` (texts and offsets).

    Raises
    ------
    DataError
        As :func:`read_squad`.
    """
    paragraphs: dict[str, str] = {}
    found: list[Question] = []
    seen: set[str] = set()
    for row in rows:
        own = str(row["id"])
        if own in seen:
            raise DataError(f"{name}: question id {own!r} occurs twice; ids must be unique")
        seen.add(own)
        paragraph = paragraphs.setdefault(row["context"], own)
        if parallel is not None:
            own, paragraph = parallel_name(parallel, own), parallel_name(parallel, paragraph)
        answers = tuple(_answer(row["context"], text, start) for text, start in row["answers"])
        question = Question(own, paragraph, language, row["question"], row["context"], answers)
        _refuse_empty(f"{name}: question {row['id']!r}", question)
        found.append(question)
    if not found:
        raise DataError(f"{name}: holds no question")
    _refuse_misplaced(name, found, rows)
    return found


def _answer(context: str, text: str, start: int) -> Answer:
    """Return an answer, without its offset if the text does not stand there."""
    return Answer(text, start if start >= 0 and context[start : start + len(text)] == text else None)


def _refuse_empty(place: str, question: Question) -> None:
    if not question.question.strip() or not question.context.strip():
        raise DataError(f"{place}: has no {'context' if question.question.strip() else 'text'}")
    if not question.answers or not all(answer.text.strip() for answer in question.answers):
        raise DataError(
            f"{place}: has no answer; SQuAD v1.1 answers every question (v2's unanswerable ones do not fit)"
        )


def _refuse_misplaced(name: str, found: Sequence[Question], rows: Sequence[Mapping[str, Any]]) -> None:
    """List answers that do not stand at their offsets, where they are too many."""
    wrong = [number for number, question in enumerate(found) if question.misplaced]
    if len(wrong) <= MISPLACED_REFUSED * len(found):
        return
    listed = [_misplaced(found[number], rows[number]) for number in wrong[:_LISTED]]
    more = [f"... and {len(wrong) - _LISTED} more"] if len(wrong) > _LISTED else []
    share = f"{100 * len(wrong) / len(found):.3g} %, above {100 * MISPLACED_REFUSED:.0f} %"
    raise DataError(
        "\n".join(
            [
                f"{name}: {len(wrong)} of {len(found)} questions ({share}) have an answer that does not stand at its "
                "offset (in code points, from 0):",
                *listed,
                *more,
            ]
        )
    )


def _misplaced(question: Question, row: Mapping[str, Any]) -> str:
    """Return one line on a question's first misplaced answer."""
    answer, (_, start) = next(
        pair for pair in zip(question.answers, row["answers"], strict=True) if pair[0].start is None
    )
    there = question.context[max(start, 0) : max(start, 0) + len(answer.text)]
    return f"  {row['id']}: answer {answer.text!r} at {start}, where {there!r} stands"


def _rows(path: Path, content: Any) -> Iterator[dict[str, Any]]:
    """Yield one row a question."""
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    answers = [(str(each["text"]), int(each["answer_start"])) for each in question["answers"]]
                    yield {
                        "id": question["id"],
                        "question": str(question["question"]),
                        "context": str(paragraph["context"]),
                        "answers": answers,
                    }
    except (KeyError, TypeError, ValueError) as err:
        raise DataError(
            f"{path}: not the form of SQuAD v1.1 ({type(err).__name__}: {err}); expected data, paragraphs, context, "
            "qas, id, question, answers, text, answer_start"
        ) from err
