"""Masked-LM corruption: which positions are predicted and what stands there. NumPy, so the same on every device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Vocabulary:
    """What masking needs to know of a tokenizer: its size, the mask's id, and the ids that are never masked."""

    size: int
    mask: int
    special: tuple[int, ...]


@dataclass(frozen=True)
class Masked:
    """Corrupted tokens and what stood there.

    Attributes
    ----------
    ids
        [batch, token], corrupted.
    positions
        Flat indices (row · token + column) of the positions to predict, ascending.
    labels
        The original ids at ``positions``.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]


def mask_tokens(ids: NDArray[np.integer], vocabulary: Vocabulary, share: float, rng: np.random.Generator) -> Masked:
    """Choose ``share`` of the non-special positions; 80 % become the mask, 10 % a random token, 10 % stay.

    Each position is chosen independently, as in the published scripts. ``ids`` is [batch, token] and is not changed.
    """
    chosen = (rng.random(ids.shape) < share) & ~np.isin(ids, vocabulary.special)
    how = rng.random(ids.shape)
    random_ids = rng.integers(0, vocabulary.size, ids.shape)
    corrupted = np.where(chosen & (how < 0.8), vocabulary.mask, ids)
    corrupted = np.where(chosen & (how >= 0.9), random_ids, corrupted).astype(np.int64)
    positions = np.flatnonzero(chosen)
    return Masked(corrupted, positions, ids.reshape(-1)[positions].astype(np.int64))
