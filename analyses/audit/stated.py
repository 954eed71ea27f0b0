"""Numbers, lists and claims of a paper's running text, from its table ``stated_numbers``, and how each is compared."""

from collections.abc import Iterable
from fractions import Fraction

import pandas as pd

from audit.comparison import AGREES, DIFFERS, Finding, Value, not_recomputable, number, shown, text, verdict


class Stated:
    """What one paper states in words.

    Parameters
    ----------
    table
        Columns key, place, quote, value (several separated by ``; ``) and unit.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._rows = {row["key"]: row for row in table.to_dict("records")}

    def value(self, key: str) -> Value:
        """Return a stated number, to compute with."""
        return Value.printed(self._rows[key]["value"], Fraction(self._rows[key]["unit"]))

    def number(self, key: str, recomputed: Value, note: str = "") -> Finding:
        """Compare a stated number."""
        row = self._rows[key]
        return number(row["place"], row["quote"], row["value"], recomputed, note, row["unit"])

    def count(self, key: str, recomputed: int, note: str = "") -> Finding:
        """Compare a stated count."""
        return self.number(key, Value.exact(recomputed), note)

    def names(self, key: str, recomputed: Iterable[str], note: str = "") -> Finding:
        """Compare a stated list, whatever its order."""
        row = self._rows[key]
        published = "; ".join(sorted(row["value"].split("; ")))
        return text(row["place"], row["quote"], published, "; ".join(sorted(recomputed)), note)

    def included(self, key: str, those: Iterable[str], note: str = "") -> Finding:
        """Compare a stated list of examples: it agrees if all of them are among ``those``; `recomputed` has these."""
        row = self._rows[key]
        published = sorted(row["value"].split("; "))
        found = sorted(set(published) & set(those))
        return text(row["place"], row["quote"], "; ".join(published), "; ".join(found), note)

    def nearest_names(self, key: str, nearest: Iterable[str], note: str) -> Finding:
        """State a list that rests on numbers not printed, with the nearest list that can be had."""
        row = self._rows[key]
        published = "; ".join(sorted(row["value"].split("; ")))
        return not_recomputable(row["place"], row["quote"], published, "; ".join(sorted(nearest)), note)

    def more_than(self, key: str, recomputed: Value, note: str = "") -> Finding:
        """Compare the claim that something is above a stated number."""
        return self._claim(key, "more than ", recomputed, recomputed.nominal > self.value(key).nominal, note)

    def at_most(self, key: str, recomputed: Value, note: str = "") -> Finding:
        """Compare the claim that something is at most a stated number."""
        return self._claim(key, "at most ", recomputed, recomputed.nominal <= self.value(key).nominal, note)

    def _claim(self, key: str, words: str, recomputed: Value, holds: bool, note: str) -> Finding:
        row = self._rows[key]
        answer = shown(recomputed.nominal, Fraction(row["unit"]))
        return Finding(row["place"], row["quote"], words + row["value"], answer, AGREES if holds else DIFFERS, "", note)

    def ends(self, key: str) -> tuple[Fraction, Fraction]:
        """Return the two ends of a stated range such as ``2-5``."""
        low, high = self._rows[key]["value"].split("-")
        return Fraction(low), Fraction(high)

    def within(self, key: str, recomputed: Iterable[Value], note: str = "") -> Finding:
        """Compare a stated range: each number must lie in it or round to one of its ends."""
        row = self._rows[key]
        low, high = self.ends(key)
        step = Fraction(row["unit"])
        numbers = list(recomputed)
        nearest = [min(max(value.nominal, low), high) for value in numbers]
        found = {verdict(Value.exact(end), value, step) for end, value in zip(nearest, numbers, strict=True)}
        worst = max(found, key=(AGREES, "rounding", DIFFERS).index)
        listed = "; ".join(shown(value.nominal, step) for value in numbers)
        return Finding(row["place"], row["quote"], row["value"], listed, worst, "", note)

    def most(self, key: str, count: int, of: int, note: str = "") -> Finding:
        """Compare the claim that something holds for more than half."""
        row = self._rows[key]
        holds = AGREES if 2 * count > of else DIFFERS
        return Finding(row["place"], row["quote"], "most", f"{count} of {of}", holds, "", note)
