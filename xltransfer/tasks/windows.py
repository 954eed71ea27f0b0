"""Questions and the windows of their paragraphs as rows.

Positions in a row, subwords of a paragraph and characters of a text are three counts; offsets lead from one to the
other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.config.task import TaskSpec
from xltransfer.data.pair_template import pair_template
from xltransfer.data.question import Question
from xltransfer.data.tokenizer import special_ids, token_ids, token_offsets
from xltransfer.data.windows import Span, Window, answer_spans, read_windows
from xltransfer.errors import DataError
from xltransfer.tasks.encoded import IGNORED, Encoded, ragged

ELSEWHERE = -1
"""Gold position in a window that does not hold the answer whole."""


@dataclass(frozen=True)
class Windows(Encoded):
    """Questions ready to be scored or trained on; a row is a window, an item a question.

    The gold layers have one number a row: ``start`` and ``end``, positions of the answer's first and last subword
    (`ELSEWHERE` where the window does not hold it whole, `IGNORED` where no offset is known); ``chosen``, 1 for the
    window whose likelihood counts; ``begin`` and ``stop``, the positions of the context (``stop`` behind it).

    Attributes
    ----------
    questions
        All of them, in the order of the items.
    offsets
        First character, and character behind the last one, of each subword of each question's context.
    first
        [row]: number of the context's subword at ``begin``.
    """

    questions: tuple[Question, ...] = ()
    offsets: tuple[NDArray[np.int64], ...] = ()
    first: NDArray[np.int64] | None = None

    def text(self, row: int, start: int, end: int) -> str:
        """Return what stands between two positions of a row, both included."""
        assert self.first is not None
        item = int(self.kept[row])
        shift = int(self.first[row]) - int(self.gold["begin"].values[row])
        offsets = self.offsets[item]
        return self.questions[item].context[offsets[start + shift, 0] : offsets[end + shift, 1]].strip()


def encode_questions(name: str, questions: Sequence[Question], tokenizer: Any, spec: TaskSpec) -> Windows:
    """Tokenise questions and paragraphs and cut the paragraphs into windows.

    A question so long that its paragraph does not fit beside it and windows could not move on (at most ``stride``
    subwords are left for the context) stays an item and is not scored.

    Raises
    ------
    DataError
        When no question can be scored.
    """
    template = pair_template(tokenizer)
    asked = token_ids(tokenizer, [each.question.strip() for each in questions])
    found = token_offsets(tokenizer, [each.context for each in questions])
    room = spec.max_length - template.specials
    readings = [
        read_windows(len(offsets), room - len(own), spec.stride, answer_spans(each, offsets))
        for each, own, (_, offsets) in zip(questions, asked, found, strict=True)
    ]
    rows = [(item, window) for item, reading in enumerate(readings) for window in reading.windows]
    if not rows:
        raise DataError(
            f"{name}: none of {len(questions)} questions leaves more than stride={spec.stride} of "
            f"max_length={spec.max_length} subwords for its context"
        )
    before = len(template.before) + len(template.between)
    gold = [_gold(window, readings[item].answer, before + len(asked[item])) for item, window in rows]
    parts = [(asked[item], found[item][0][window.start : window.stop]) for item, window in rows]
    return Windows(
        name=name,
        items=tuple(each.id for each in questions),
        clusters=tuple(each.cluster for each in questions),
        kept=np.array([item for item, _ in rows], dtype=np.int64),
        tokens=ragged([template.ids(*pair) for pair in parts]),
        word_starts=ragged([(0, 1)] * len(rows)),
        gold={layer: ragged([(each[layer],) for each in gold]) for layer in gold[0]},
        sentences=(),
        pad=special_ids(tokenizer).pad,
        token_types=ragged([template.token_types(len(a), len(b)) for a, b in parts]),
        questions=tuple(questions),
        offsets=tuple(offsets for _, offsets in found),
        first=np.array([window.start for _, window in rows], dtype=np.int64),
    )


def _gold(window: Window, answer: Span | None, begin: int) -> dict[str, int]:
    """Return the gold numbers of a row whose context begins at position ``begin``."""
    start, end = (IGNORED, IGNORED) if answer is None else (ELSEWHERE, ELSEWHERE)
    if answer is not None and window.holds:
        start, end = (begin + place - window.start for place in answer)
    stop = begin + window.stop - window.start
    return {"start": start, "end": end, "chosen": int(window.chosen), "begin": begin, "stop": stop}
