"""How a printed number is compared with what other printed numbers make of it.

A printed number stands for every number that rounds to it, so it is an interval: half a unit of its last digit to both
sides. Arithmetic on :class:`Value` carries the interval along in exact fractions. The rule for a verdict:

agrees
    The recomputation rounds to the printed digits (a tie may go either way), or the printed number lies inside the
    interval that the rounding of the inputs allows.
rounding
    It lies outside that interval by less than one unit of its last digit: rounded the wrong way, cut off, or rounded
    twice. For a yes/no flag: only digits that are not printed can explain it.
differs
    Otherwise.
not recomputable from print
    It rests on numbers that are not printed; `recomputed` then holds the nearest recomputation, if there is one.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import pandas as pd

AGREES, ROUNDING, DIFFERS, NOT_RECOMPUTABLE = "agrees", "rounding", "differs", "not recomputable from print"
VERDICTS = (AGREES, ROUNDING, DIFFERS, NOT_RECOMPUTABLE)

Read = Callable[[str], pd.DataFrame]
"""Gives a table of the paper by its name, every cell as printed."""

NUMBER = re.compile(r"([+-]?\d+)(?:\.(\d+))?([kKM]?)")
FACTORS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}


def unit(printed: str) -> Fraction:
    """Return the worth of one step of the last digit: 1/100 for ``0.40``, 10,000 for ``8.25M``."""
    _, decimals, suffix = _parts(printed)
    return Fraction(FACTORS[suffix], 10 ** len(decimals))


def _parts(printed: str) -> tuple[str, str, str]:
    """Return the digits before the point, those after it, and the suffix."""
    match = NUMBER.fullmatch(printed.strip())
    if match is None:
        raise ValueError(f"{printed!r} is no printed number; expected digits such as 0.40, -12 or 8.25M")
    return match[1], match[2] or "", match[3]


@dataclass(frozen=True)
class Value:
    """A number as far as print tells it.

    Attributes
    ----------
    low, high
        Smallest and largest number that the rounding of the inputs allows.
    nominal
        What the printed digits themselves give.
    """

    low: Fraction
    nominal: Fraction
    high: Fraction

    @classmethod
    def printed(cls, text: str, step: Fraction | None = None) -> Self:
        """Return a printed number; ``step`` is the worth of its last digit where the digits do not show it."""
        whole, decimals, suffix = _parts(text)
        nominal = Fraction(f"{whole}.{decimals or 0}") * FACTORS[suffix]
        half = (unit(text) if step is None else step) / 2
        return cls(nominal - half, nominal, nominal + half)

    @classmethod
    def exact(cls, number: int | Fraction) -> Self:
        """Return a count or a constant."""
        return cls(Fraction(number), Fraction(number), Fraction(number))

    def __add__(self, other: "Value") -> "Value":
        return Value(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __neg__(self) -> "Value":
        return Value(-self.high, -self.nominal, -self.low)

    def __sub__(self, other: "Value") -> "Value":
        return self + -other

    def __mul__(self, factor: int | Fraction) -> "Value":
        ends = sorted((self.low * factor, self.high * factor))
        return Value(ends[0], self.nominal * factor, ends[1])

    def __truediv__(self, other: "Value") -> "Value":
        if other.low <= 0:
            raise ValueError(f"cannot divide by {float(other.nominal)}: expected a number that is surely positive")
        ends = [top / bottom for top in (self.low, self.high) for bottom in (other.low, other.high)]
        return Value(min(ends), self.nominal / other.nominal, max(ends))


def values(cells: Iterable[str]) -> list[Value]:
    """Return printed cells as values."""
    return [Value.printed(cell) for cell in cells]


def total(parts: Iterable[Value]) -> Value:
    """Return the sum."""
    return sum(parts, start=Value.exact(0))


def mean(parts: Iterable[Value]) -> Value:
    """Return the unweighted mean."""
    parts = list(parts)
    return total(parts) * Fraction(1, len(parts))


def share(count: int, of: int) -> Value:
    """Return a share in percent."""
    return Value.exact(Fraction(100 * count, of))


@dataclass(frozen=True)
class Finding:
    """One printed number beside its recomputation; a row of the audit.

    Attributes
    ----------
    item
        Table, figure or section.
    what
        Which number of it.
    published, recomputed
        As text; lists are separated by spaces.
    verdict
        One of `VERDICTS`.
    difference
        Published minus recomputed, as text; empty where these are no numbers.
    note
        How it was recomputed, where that is not obvious.
    """

    item: str
    what: str
    published: str
    recomputed: str
    verdict: str
    difference: str = ""
    note: str = ""


def verdict(published: Value, recomputed: Value, step: Fraction) -> str:
    """Return the verdict on a printed number whose last digit is worth ``step``; see the module's docstring."""
    printed = published.nominal
    if recomputed.low <= printed <= recomputed.high or abs(printed - recomputed.nominal) <= step / 2:
        return AGREES
    outside = max(recomputed.low - printed, printed - recomputed.high)
    return ROUNDING if outside < step else DIFFERS


def number(item: str, what: str, published: str, recomputed: Value, note: str = "", step: str = "") -> Finding:
    """Return the finding on a printed number; ``step`` is the worth of its last digit where that is not printed."""
    worth = Fraction(step) if step else unit(published)
    value = Value.printed(published, worth)
    found = verdict(value, recomputed, worth)
    difference = value.nominal - recomputed.nominal
    return Finding(item, what, published, shown(recomputed.nominal, worth), found, shown(difference, worth), note)


def text(item: str, what: str, published: str, recomputed: str, note: str = "") -> Finding:
    """Return the finding on a label or list, which agrees or differs."""
    return Finding(item, what, published, recomputed, AGREES if published == recomputed else DIFFERS, "", note)


def flag(item: str, what: str, published: str, gain: Value, note: str = "") -> Finding:
    """Return the finding on a ``yes`` or ``no`` that says whether ``gain`` is above zero."""
    recomputed = "yes" if gain.nominal > 0 else "no"
    possible = gain.high > 0 if published == "yes" else gain.low <= 0
    found = AGREES if published == recomputed else ROUNDING if possible else DIFFERS
    return Finding(
        item, what, published, recomputed, found, "", note or f"gain {shown(gain.nominal, Fraction(1, 100))}"
    )


def not_recomputable(item: str, what: str, published: str, nearest: str = "", note: str = "") -> Finding:
    """Return the finding on a number whose inputs are not printed."""
    return Finding(item, what, published, nearest, NOT_RECOMPUTABLE, "", note)


def shown(number: Fraction, step: Fraction) -> str:
    """Return ``number`` with two digits more than ``step`` has, without trailing zeros."""
    decimals = max(0, len(str(Fraction(1) / min(step, Fraction(1)))) - 1) + 2
    plain = f"{float(number):.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain
