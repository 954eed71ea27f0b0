"""Texts and pairs of texts as rows with one label each."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from xltransfer.data.labelled import Labelled
from xltransfer.data.pair_template import Ids, longest_first, pair_template
from xltransfer.data.tokenizer import special_ids, token_ids
from xltransfer.errors import DataError
from xltransfer.tasks.encoded import Encoded, ragged

TooLong = Literal["truncate", "leave_out"]


def encode_texts(
    name: str, examples: Sequence[Labelled], gold: Sequence[int], tokenizer: Any, max_length: int, too_long: TooLong
) -> Encoded:
    """Tokenise texts, or pairs where they have a second text.

    A blank one stays an item and is not scored; nor is one over ``max_length`` (special tokens included) where
    ``too_long`` is ``leave_out``.

    Raises
    ------
    DataError
        When nothing is left to score.
    """
    shown = [number for number, each in enumerate(examples) if not each.blank]
    first = token_ids(tokenizer, [examples[number].text for number in shown])
    pairs = any(each.second is not None for each in examples)
    second = token_ids(tokenizer, [examples[number].second or "" for number in shown]) if pairs else None
    tokens, types, whole = _rows(tokenizer, first, second, max_length)
    rows = [row for row in range(len(shown)) if too_long == "truncate" or whole[row]]
    if not rows:
        raise DataError(
            f"{name}: none of {len(examples)} texts can be scored; {len(examples) - len(shown)} are blank, the others "
            f"have over max_length={max_length} subwords"
        )
    return Encoded(
        name=name,
        items=tuple(each.id for each in examples),
        clusters=tuple(each.cluster for each in examples),
        kept=np.array([shown[row] for row in rows], dtype=np.int64),
        tokens=ragged([tokens[row] for row in rows]),
        word_starts=ragged([(0, 1)] * len(rows)),
        gold={"label": ragged([(gold[shown[row]],) for row in rows])},
        sentences=(),
        pad=special_ids(tokenizer).pad,
        token_types=None if types is None else ragged([types[row] for row in rows]),
    )


def _rows(
    tokenizer: Any, first: Sequence[Ids], second: Sequence[Ids] | None, max_length: int
) -> tuple[list[Ids], list[Ids] | None, list[bool]]:
    """Return ids and types of each row, cut to ``max_length``, and whether it did not have to be cut."""
    if second is None:
        special = special_ids(tokenizer)
        room = max_length - 2
        ids: list[Ids] = [np.concatenate(([special.start], own[:room], [special.end])).astype(int) for own in first]
        return ids, None, [len(own) <= room for own in first]
    template = pair_template(tokenizer)
    room = max_length - template.specials
    cuts = [longest_first(len(a), len(b), room) for a, b in zip(first, second, strict=True)]
    rows = [template.ids(a[:i], b[:j]) for a, b, (i, j) in zip(first, second, cuts, strict=True)]
    whole = [len(a) + len(b) <= room for a, b in zip(first, second, strict=True)]
    return rows, [template.token_types(i, j) for i, j in cuts], whole
