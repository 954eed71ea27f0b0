"""A paragraph that is too long for one row is read in windows that overlap: where they lie, and which hold an answer.

Everything here is in subwords of the paragraph. A subword belongs to an answer if they share a character.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xltransfer.data.question import Question

Span = tuple[int, int]
"""First and last subword, both included."""


@dataclass(frozen=True)
class Window:
    """Subwords ``start`` to ``stop`` (behind the last) of a paragraph.

    Attributes
    ----------
    holds
        Whether the answer lies in it whole.
    chosen
        Whether the answer's likelihood is that in this window: of those that hold it, the one where the smaller of the
        two contexts beside it is largest, the first of equal ones.
    """

    start: int
    stop: int
    holds: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Reading:
    """How the paragraph of a question is read.

    Attributes
    ----------
    windows
        None where the question cannot be asked, see `cut_windows`; it is not scored then.
    answer
        The answer that trains and has a likelihood: the first that a window holds whole, else the first that stands at
        its offset; None where none does.
    """

    windows: Sequence[Window]
    answer: Span | None

    @property
    def unheld(self) -> bool:
        """Whether the question is scored and has answers in the paragraph, but no window holds one of them whole."""
        return bool(self.windows) and self.answer is not None and not self.held

    @property
    def held(self) -> bool:
        """Whether a window holds the answer whole."""
        return any(window.holds for window in self.windows)


def answer_spans(question: Question, offsets: NDArray[np.int64]) -> tuple[Span, ...]:
    """Return the subwords of each answer that stands at its offset, in the order of the answers.

    Parameters
    ----------
    question
        With its answers.
    offsets
        [subword, 2]: first character of each subword of the context, and the character behind its last one.
    """
    spans = []
    for answer in question.answers:
        if answer.start is not None:
            end = answer.start + len(answer.text.rstrip())
            inside = np.flatnonzero((offsets[:, 1] > answer.start) & (offsets[:, 0] < end))
            if len(inside):
                spans.append((int(inside[0]), int(inside[-1])))
    return tuple(spans)


def all_longer(answers: Sequence[Span], longest: int) -> bool:
    """Return whether there are answers and all of them have more than ``longest`` subwords."""
    return bool(answers) and all(last - first >= longest for first, last in answers)


def read_windows(length: int, room: int, stride: int, answers: Sequence[Span]) -> Reading:
    """Return the windows of a paragraph and which of its answers counts; parameters as `cut_windows`."""
    for answer in answers:
        reading = Reading(cut_windows(length, room, stride, answer), answer)
        if reading.held:
            return reading
    first = answers[0] if answers else None
    return Reading(cut_windows(length, room, stride, first), first)


def cut_windows(length: int, room: int, stride: int, answer: Span | None) -> Sequence[Window]:
    """Return windows of ``room`` subwords over ``length``, each sharing ``stride`` with the next, the last one shorter.

    One window where all of it has room. None where it has not and windows would not move on (``room`` is not above
    ``stride``), or the paragraph has no subword.
    """
    if not length or (length > room and room <= stride):
        return ()
    starts = [0]
    while starts[-1] + room < length:
        starts.append(starts[-1] + room - stride)
    stops = [min(start + room, length) for start in starts]
    if answer is None:
        return [Window(*ends) for ends in zip(starts, stops, strict=True)]
    held = [start <= answer[0] and answer[1] < stop for start, stop in zip(starts, stops, strict=True)]
    beside = [min(answer[0] - start, stop - 1 - answer[1]) for start, stop in zip(starts, stops, strict=True)]
    best = max((number for number, there in enumerate(held) if there), key=lambda number: beside[number], default=None)
    return [
        Window(start, stop, there, number == best)
        for number, (start, stop, there) in enumerate(zip(starts, stops, held, strict=True))
    ]
