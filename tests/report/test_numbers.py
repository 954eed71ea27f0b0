"""Numbers as text against texts written by hand."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.report.numbers import count, in_words, listed, number, p_value, percent, size


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234.567, 1, "1,234.6"), (-0.5, 2, "\u22120.50"), (0.0, 2, "0.00"), (-0.0, 2, "0.00"), (float("nan"), 2, "–"),
        (None, 2, "–"), (pd.NA, 2, "–"), (float("inf"), 2, "–"), (np.float64(2.005), 1, "2.0"), (7, 0, "7"),
        (0.004, 2, "0.004"), (-0.00034, 2, "\u22120.0003"), (2e-9, 2, "2e-09"), (0.3, 0, "0.3"), (12345, 0, "12,345"),
    ],
)  # fmt: skip
def test_a_number_is_rounded_and_what_is_not_zero_does_not_look_like_it(value: object, digits: int, text: str) -> None:
    assert number(value, digits) == text


def test_signs_and_units() -> None:
    assert percent(1.234) == "+1.23\u00a0%"
    assert percent(1.234, signed=False) == "1.23\u00a0%"
    assert percent(0.0) == "0.00\u00a0%"
    assert percent(float("nan")) == "–"
    assert [p_value(p) for p in (0.0004, 0.001, 0.0456, 1.0, np.nan)] == ["< 0.001", "0.001", "0.046", "1.000", "–"]


def test_counts_agree_with_their_nouns() -> None:
    assert [count(n, "cell") for n in (0, 1, 2, 11, 1234)] == [
        "no cells",
        "one cell",
        "two cells",
        "11 cells",
        "1,234 cells",
    ]
    assert count(3, "corpus", "corpora") == "three corpora"
    assert [in_words(n) for n in (0, 10, 11)] == ["none", "ten", "11"]
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_sizes_in_the_units_of_a_file_manager() -> None:
    assert [size(n) for n in (10, 1500, 999_400, 12_345_678)] == ["1 kB", "2 kB", "999 kB", "12.3 MB"]


def test_what_only_rounding_keeps_from_zero_is_zero() -> None:
    assert number(-3e-15) == "0.00"
    assert number(-3e-8) == "\u22123e-08"
