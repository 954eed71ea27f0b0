"""Uniform draws of one stream, taken one at a time at the speed of a list."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")
BUFFER = 256


class Draws:
    """Small random decisions from a NumPy generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._buffer: list[float] = []

    def uniform(self) -> float:
        """Return a draw in [0, 1)."""
        if not self._buffer:
            self._buffer = self._rng.random(BUFFER).tolist()
        return self._buffer.pop()

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.uniform() < probability

    def below(self, number: int) -> int:
        """Return an integer from 0 to ``number`` - 1, all alike."""
        return int(self.uniform() * number)

    def one_of(self, choices: Sequence[Choice]) -> Choice:
        """Return one of ``choices``, all alike."""
        return choices[self.below(len(choices))]
