"""Reader of SQuAD v1.1's JSON (XQuAD, TyDiQA-GoldP, MLQA): articles, paragraphs, questions, answers with offsets.

JSON has no lines that mean anything, so messages name the question's id, or its place in the lists of the file. Source
of the format: Rajpurkar et al. (2016).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xltransfer.data.lines import read_text
from xltransfer.data.parallel import parallel_name
from xltransfer.data.question import Answer, Question
from xltransfer.data.records import Record
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
        If the file is no JSON of this form, a value is missing or of another type, a question has no text, no context
        or no answer, an id occurs twice, there is no question, or more than one in a hundred has an answer that does
        not stand at its offset (the first twenty are listed).
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as err:
        raise DataError(f"{path}:{err.lineno}: no JSON ({err.msg})") from err
    except RecursionError as err:
        raise DataError(f"{path}: nested too deeply to be read; {_FORM}") from err
    return questions(str(path), list(_records(path, content)), language, parallel)


_FORM = "expected the form of SQuAD v1.1: data, paragraphs, context, qas, id, question, answers, text, answer_start"


@dataclass(frozen=True)
class _Row:
    """A question whose values have the right types."""

    id: str
    question: str
    context: str
    answers: Sequence[tuple[str, int]]


def questions(name: str, records: Sequence[Record], language: str, parallel: str | None = None) -> list[Question]:
    """Make questions of rows with ``id``, ``question``, ``context`` and ``answers``.

    Answers are a list of objects with ``text`` and ``answer_start``, or an object with a list of either, as datasets
    keep them.

    Raises
    ------
    DataError
        As :func:`read_squad`.
    """
    paragraphs: dict[str, str] = {}
    found: list[Question] = []
    seen: set[str] = set()
    for row in map(_typed, records):
        own = row.id
        if own in seen:
            raise DataError(f"{name}: question id {own!r} occurs twice; ids must be unique")
        seen.add(own)
        paragraph = paragraphs.setdefault(row.context, own)
        if parallel is not None:
            own, paragraph = parallel_name(parallel, own), parallel_name(parallel, paragraph)
        answers = tuple(_answer(row.context, text, start) for text, start in row.answers)
        question = Question(own, paragraph, language, row.question, row.context, answers)
        _refuse_empty(f"{name}: question {row.id!r}", question)
        found.append(question)
    if not found:
        raise DataError(f"{name}: holds no question")
    _refuse_misplaced(name, found)
    return found


def _typed(record: Record) -> _Row:
    """Return a row's values; refuses those of another type with their place."""
    own = record.get("id")
    if isinstance(own, bool) or not isinstance(own, str | int) or own == "":
        raise _unexpected(record, "id", own, "text or a whole number")
    texts = {name: record.get(name) for name in ("question", "context")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise _unexpected(record, name, text, "text")
    return _Row(str(own), answers=[_parts(record, each) for each in _listed(record)], **texts)


def _listed(record: Record) -> Sequence[Any]:
    """Return a row's answers as a list, in whichever of the two forms they are kept."""
    answers = record.get("answers")
    if isinstance(answers, list):
        return answers
    parts = answers if isinstance(answers, Mapping) else {}
    texts, starts = parts.get("text"), parts.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise _unexpected(record, "answers", answers, "a list of text and answer_start, or two lists of one length")
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def _parts(record: Record, answer: Any) -> tuple[str, int]:
    """Return text and offset of one answer."""
    if not isinstance(answer, Mapping):
        raise _unexpected(record, "an answer", answer, "an object with text and answer_start")
    text, start = answer.get("text"), answer.get("answer_start")
    if not isinstance(text, str):
        raise _unexpected(record, "the text of an answer", text, "text")
    if isinstance(start, bool) or not isinstance(start, int):
        raise _unexpected(record, f"answer_start of {text!r}", start, "a whole number of code points, from 0")
    return text, start


def _unexpected(record: Record, what: str, value: Any, expected: str) -> DataError:
    return DataError(f"{record.place}: {what} is {repr(value)[:80]}, expected {expected}; correct it, or drop the row")


def _answer(context: str, text: str, start: int) -> Answer:
    """Return an answer, without its offset if the text does not stand there."""
    right = start >= 0 and context[start : start + len(text)] == text
    return Answer(text, start) if right else Answer(text, None, start)


def _refuse_empty(place: str, question: Question) -> None:
    if not question.question.strip() or not question.context.strip():
        raise DataError(f"{place}: has no {'context' if question.question.strip() else 'text'}")
    if not question.answers or not all(answer.text.strip() for answer in question.answers):
        raise DataError(
            f"{place}: has no answer; SQuAD v1.1 answers every question (v2's unanswerable ones do not fit)"
        )


def _refuse_misplaced(name: str, found: Sequence[Question]) -> None:
    """List answers that do not stand at their offsets, where they are too many."""
    wrong = [question for question in found if question.misplaced]
    if len(wrong) <= MISPLACED_REFUSED * len(found):
        return
    more = [f"... and {len(wrong) - _LISTED} more"] if len(wrong) > _LISTED else []
    share = f"{100 * len(wrong) / len(found):.3g} %, above {100 * MISPLACED_REFUSED:.0f} %"
    raise DataError(
        "\n".join(
            [
                f"{name}: {len(wrong)} of {len(found)} questions ({share}) have an answer that does not stand at its "
                "offset (in code points, from 0); correct the offsets, or drop these questions:",
                *map(_misplaced, wrong[:_LISTED]),
                *more,
            ]
        )
    )


def _misplaced(question: Question) -> str:
    """Return one line on a question's first misplaced answer."""
    answer = next(each for each in question.answers if each.start is None)
    return f"  {question.id}: answer {answer.text!r} at {answer.given}, where {question.there(answer)!r} stands"


def _records(path: Path, content: Any) -> Iterator[Record]:
    """Yield one row a question."""
    try:
        for a, article in enumerate(content["data"]):
            for p, paragraph in enumerate(article["paragraphs"]):
                for q, question in enumerate(paragraph["qas"]):
                    fields = {name: question[name] for name in ("id", "question", "answers")}
                    place = f"{path}: data[{a}].paragraphs[{p}].qas[{q}]"
                    yield Record(place, fields | {"context": paragraph["context"]})
    except (KeyError, TypeError) as err:
        raise DataError(f"{path}: not the form of SQuAD v1.1 ({type(err).__name__}: {err}); {_FORM}") from err
