"""Numbers as text: the one place where the report rounds, for sentences, LaTeX and (in its columns' digits) the page.

A minus is a minus sign (U+2212), undefined is a dash, and what is not zero does not look like zero; what only rounding
keeps from zero is zero.
"""

import math
from typing import Any, Final

import pandas as pd

from xltransfer.analysis.frames import TIE

UNDEFINED: Final = "–"
MINUS: Final = "\u2212"
SMALLEST_P: Final = 0.001

_WORDS: Final = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def is_undefined(value: Any) -> bool:
    """Return whether a value is None, NA, NaN or infinite."""
    return value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value))


def number(value: Any, digits: int = 2, signed: bool = False) -> str:
    """Return a number with ``digits`` decimals, more where it would look like zero.

    Parameters
    ----------
    value
        A number; None, NA and NaN are the dash.
    digits
        Decimals.
    signed
        Also mark positive numbers by a plus.
    """
    if is_undefined(value):
        return UNDEFINED
    value = float(value) if abs(value) > TIE else 0.0
    shown = f"{abs(value):,.{digits}f}"
    if value != 0 and not shown.strip("0.,"):
        exponent = -math.floor(math.log10(abs(value)))
        shown = f"{abs(value):.{exponent}f}" if exponent <= 6 else f"{abs(value):.0e}"
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return sign + shown


def percent(value: Any, digits: int = 2, signed: bool = True) -> str:
    """Return a number in percent: ``+1.23 %``, with a space that does not break."""
    return UNDEFINED if is_undefined(value) else f"{number(value, digits, signed)}\u00a0%"


def p_value(value: Any) -> str:
    """Return a p-value with three decimals, or that it is below 0.001."""
    if is_undefined(value):
        return UNDEFINED
    return f"< {SMALLEST_P}" if float(value) < SMALLEST_P else f"{float(value):.3f}"


def in_words(n: int) -> str:
    """Return a count: ``none``, ``one`` to ``ten``, ``11``, ``1,234``."""
    return _WORDS[n] if 0 <= n < len(_WORDS) else f"{n:,}"


def count(n: int, one: str, many: str | None = None) -> str:
    """Return how many there are: ``no cells``, ``one cell``, ``12 cells``, ``1,234 cells``."""
    return f"{in_words(n) if n else 'no'} {one if n == 1 else many or one + 's'}"


def listed(parts: list[str], joint: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {joint} {parts[-1]}" if parts else ""


def size(n_bytes: int) -> str:
    """Return a number of bytes in kB or MB of 1,000."""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{max(1, round(n_bytes / 1e3)):,} kB"
