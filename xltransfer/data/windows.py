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


def answer_span(question: Question, offsets: NDArray[np.int64]) -> Span | None:
    """Return the subwords of the first answer that stands at its offset; None where there is none.

    Parameters
    ----------
    question
        With its answers.
    offsets
        [subword, 2]: first character of each subword of the context, and the character behind its last one.
    """
    for answer in question.answers:
        if answer.start is not None:
            end = answer.start + len(answer.text.rstrip())
            inside = np.flatnonzero((offsets[:, 1] > answer.start) & (offsets[:, 0] < end))
            if len(inside):
                return int(inside[0]), int(inside[-1])
    return None


def cut_windows(length: int, room: int, stride: int, answer: Span | None) -> Sequence[Window]:
    """Return windows of ``room`` subwords over ``length``, each sharing ``stride`` with the next, the last one shorter.

    None where the question leaves no room in which windows would move on (``room`` is not above ``stride``), or the
    paragraph has no subword.
    """
    if room <= stride or not length:
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
