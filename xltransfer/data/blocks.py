"""Transfer text as blocks of equal length, and corpora cut to equal numbers of blocks.

As the published script does it (faisal2024 §2, ``group_texts`` of ``run_mlm.py``): every line gets its special tokens,
all lines are concatenated, the stream is cut, the incomplete last block is dropped. Masking is not done here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xltransfer.data.tokenizer import untruncated
from xltransfer.errors import DataError

_CHUNK = 4096
Tokens = Literal["equal", "all"] | int


def token_stream(lines: Sequence[str], tokenizer: Any) -> NDArray[np.int32]:
    """Return the ids of all lines, each with its special tokens, concatenated: int32 [token]."""
    backend = untruncated(tokenizer)
    ids: list[int] = []
    for start in range(0, len(lines), _CHUNK):
        for encoding in backend.encode_batch_fast(list(lines[start : start + _CHUNK]), add_special_tokens=True):
            ids.extend(encoding.ids)
    return np.asarray(ids, dtype=np.int32)


def blocks(lines: Sequence[str], tokenizer: Any, block: int, name: str = "the text") -> NDArray[np.int32]:
    """Cut text into blocks of ``block`` tokens.

    Parameters
    ----------
    lines
        Lines of one corpus.
    tokenizer
        A fast tokenizer.
    block
        Tokens a block, special tokens included.
    name
        The corpus, for the error message.

    Returns
    -------
    int32 [n_blocks, block]

    Raises
    ------
    DataError
        If the text is shorter than one block.
    ValueError
        If ``block`` is below 1.
    """
    if block < 1:
        raise ValueError(f"block={block}; expected at least one token a block")
    stream = token_stream(lines, tokenizer)
    n_blocks = stream.size // block
    if n_blocks == 0:
        raise DataError(
            f"{name}: {stream.size} tokens in {len(lines)} lines are shorter than one block of {block}; add text or "
            "set a smaller block"
        )
    return stream[: n_blocks * block].reshape(n_blocks, block)


def blocks_used(available: Mapping[str, int], tokens: Tokens, block: int) -> dict[str, int]:
    """Return how many blocks of every corpus a study uses.

    Parameters
    ----------
    available
        Blocks that each corpus has.
    tokens
        ``equal``: as many as the smallest corpus has. ``all``: each its own number. An integer: that many tokens,
        rounded down to whole blocks; a shorter corpus gives what it has (the audit marks it).
    block
        Tokens a block.

    Raises
    ------
    ValueError
        If an integer ``tokens`` is less than one block.
    """
    if tokens == "all":
        return dict(available)
    if tokens == "equal":
        limit = min(available.values(), default=0)
    else:
        limit = int(tokens) // block
        if limit < 1:
            raise ValueError(f"tokens={tokens} is less than one block of {block}; give at least {block}")
    return {name: min(limit, n_blocks) for name, n_blocks in available.items()}


def cut_corpora(corpora: Mapping[str, NDArray[np.int32]], tokens: Tokens) -> dict[str, NDArray[np.int32]]:
    """Cut every corpus [n_blocks, block] to the blocks that :func:`blocks_used` gives it.

    The kept blocks are spread evenly over the corpus, so that a corpus made of several sources keeps all of them.
    """
    block = next((array.shape[1] for array in corpora.values()), 1)
    used = blocks_used({name: len(array) for name, array in corpora.items()}, tokens, block)
    return {name: array[np.arange(used[name]) * len(array) // max(used[name], 1)] for name, array in corpora.items()}
