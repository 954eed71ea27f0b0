"""Masked-LM corruption: its shares within binomial bounds, and what it never touches."""

import math

import numpy as np
import pytest

from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens

VOCABULARY = Vocabulary(size=5000, mask=4, special=(0, 1, 2, 3, 4))
SHARE = 0.15


@pytest.fixture(scope="module")
def text() -> np.ndarray:
    ids = np.random.default_rng(0).integers(5, 5000, (400, 128))
    ids[:, ::16] = 2
    return ids


@pytest.fixture(scope="module")
def masked(text: np.ndarray) -> Masked:
    return mask_tokens(text, VOCABULARY, SHARE, np.random.default_rng(1))


def within(count: float, n: int, p: float) -> bool:
    """Whether a binomial count lies within five standard deviations."""
    return abs(count - n * p) < 5 * math.sqrt(n * p * (1 - p))


def test_shares(text: np.ndarray, masked: Masked) -> None:
    ordinary = int((~np.isin(text, VOCABULARY.special)).sum())
    n = len(masked.positions)
    assert within(n, ordinary, SHARE)
    now = masked.ids.reshape(-1)[masked.positions]
    assert within((now == VOCABULARY.mask).sum(), n, 0.8)
    assert within((now == masked.labels).sum(), n, 0.1)
    assert within(((now != masked.labels) & (now != VOCABULARY.mask)).sum(), n, 0.1)


def test_special_tokens_and_all_other_positions_stay(text: np.ndarray, masked: Masked) -> None:
    was, now = text.reshape(-1), masked.ids.reshape(-1)
    assert not np.isin(was[masked.positions], VOCABULARY.special).any()
    others = np.setdiff1d(np.arange(was.size), masked.positions)
    assert (now[others] == was[others]).all()
    assert (masked.labels == was[masked.positions]).all()
    assert (np.diff(masked.positions) > 0).all()


def test_callers_array_is_not_changed(text: np.ndarray) -> None:
    before = text.copy()
    mask_tokens(text, VOCABULARY, 0.9, np.random.default_rng(2))
    assert (text == before).all()


def test_same_seed_same_masks(text: np.ndarray) -> None:
    one, two = (mask_tokens(text, VOCABULARY, SHARE, np.random.default_rng(7)) for _ in range(2))
    assert (one.ids == two.ids).all() and (one.positions == two.positions).all()
