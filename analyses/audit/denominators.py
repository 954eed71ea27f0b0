"""Which number of equal parts makes printed percentages possible: 31.58 is 36 of 114, and no share of 100."""

from collections.abc import Sequence
from fractions import Fraction

from audit.comparison import Value, unit


def nearest_share(printed: str, parts: int) -> Value:
    """Return the multiple of 100/``parts`` nearest to a printed percentage."""
    number = Fraction(printed)
    return Value.exact(Fraction(100 * round(number * parts / 100), parts))


def is_share(printed: str, parts: int) -> bool:
    """Say whether a printed percentage is a rounded multiple of 100/``parts``."""
    return abs(nearest_share(printed, parts).nominal - Fraction(printed)) <= unit(printed) / 2


def best_fitting(cells: Sequence[str], candidates: Sequence[int]) -> tuple[list[int], int]:
    """Return the candidates of which most printed percentages are shares, in their order, and how many those are."""
    fits = {n: sum(is_share(cell, n) for cell in cells) for n in candidates}
    most = max(fits.values())
    return [n for n in candidates if fits[n] == most], most
