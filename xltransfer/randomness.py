"""Named child streams of one seed.

Every random choice belongs to a stream that is named by what it is for (``"replicate", "wol", 3``), never by the order
in which it was asked for. Adding a language, a replicate or a task therefore leaves all other draws as they were.
"""

import hashlib

import numpy as np


def child_seed(seed: int, *names: str | int) -> int:
    """Return the seed of the child stream ``names`` of ``seed``: 63 bits of SHA-256, the same on every machine."""
    text = "\x1f".join([str(int(seed)), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator for the child stream ``names`` of ``seed``."""
    return np.random.default_rng(child_seed(seed, *names))
