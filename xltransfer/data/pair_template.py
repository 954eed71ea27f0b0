"""Two texts in one row: the special tokens around them, their types, and the cut when they are too long."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.data.tokenizer import untruncated
from xltransfer.errors import ModelError

Ids = NDArray[np.integer]


@dataclass(frozen=True)
class Template:
    """What a tokenizer puts around two texts: BERT ``[CLS] A [SEP] B [SEP]``, XLM-R ``<s> A </s></s> B </s>``.

    Attributes
    ----------
    before, between, after
        Ids of the special tokens.
    types
        Token types of ``before``, the first text, ``between``, the second text and ``after``.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int]

    @property
    def specials(self) -> int:
        """Special tokens of a row."""
        return len(self.before) + len(self.between) + len(self.after)

    def ids(self, first: Ids, second: Ids) -> Ids:
        """Return the ids of a row."""
        return np.concatenate((self.before, first, self.between, second, self.after)).astype(np.int64)

    def token_types(self, first: int, second: int) -> Ids:
        """Return the types of a row of two texts of these lengths."""
        return np.repeat(self.types, (len(self.before), first, len(self.between), second, len(self.after)))


def pair_template(tokenizer: Any) -> Template:
    """Return the template of a tokenizer, read off what its own post-processor makes of two texts.

    Raises
    ------
    ModelError
        If that marks neither the beginning nor what stands between the texts.
    """
    backend = untruncated(tokenizer)
    parts = [backend.encode(text, add_special_tokens=False) for text in ("a", "b")]
    first, second = (len(part.ids) for part in parts)
    row = backend.post_process(*parts, add_special_tokens=True)
    own = np.flatnonzero(np.asarray(row.special_tokens_mask) == 0)
    if len(own) != first + second or own[0] == 0 or own[first] == own[first - 1] + 1:
        raise ModelError(
            f"the tokenizer {tokenizer.name_or_path!r} does not say how two texts stand in one row; give its "
            "tokenizer.json a post-processor with a template for pairs"
        )
    begin, middle, end = int(own[0]), int(own[first - 1]) + 1, int(own[-1]) + 1
    ids, types = row.ids, row.type_ids
    after = types[end] if end < len(types) else types[end - 1]
    return Template(
        tuple(ids[:begin]),
        tuple(ids[middle : int(own[first])]),
        tuple(ids[end:]),
        (types[0], types[begin], types[middle], types[int(own[first])], after),
    )


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Return the lengths that two texts keep where ``room`` tokens are left: the longer one is cut first.

    The rule of Hugging Face's fast tokenizers: a text of at most half the room stays whole; if both are longer, the
    shorter one (the first of two equal ones) gets half the room, rounded down.
    """
    if first + second <= room:
        return first, second
    short = min(first, second)
    kept = short if short <= room // 2 else room // 2
    return (kept, room - kept) if first <= second else (room - kept, kept)
