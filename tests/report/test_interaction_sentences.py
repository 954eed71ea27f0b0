"""Sentences about interaction: every number is the row's own, and what the noise hides is not claimed."""

import math
from typing import Any

import pandas as pd

from xltransfer.report.interaction import sentences as say
from xltransfer.report.sentences import Words

WORDS = Words("pos", "accuracy", "delta", {})
BALANCE: dict[str, Any] = {
    "size": 2, "control": "second_adapter", "n_cells": 20, "n_gain": 14, "n_loss": 5, "n_tie": 1, "n_missing": 2,
    "estimate": 70.0, "low": 52.0, "high": 88.0, "percent_if_no_effect": 47.5, "excess": 22.5, "p": 0.02,
    "mean": 0.5, "mean_low": 0.125, "mean_high": 0.875, "level": 0.95, "why": "",
}  # fmt: skip
EFFECT: dict[str, Any] = {
    "size": 3, "published": 1.0, "published_low": 0.5, "published_high": 1.5, "controlled": 0.25,
    "controlled_low": -0.25, "controlled_high": 0.75, "percent_removed": 75.0, "n_gain": 12, "n_kept": 1, "why": "",
}  # fmt: skip


def spaced(text: str | None) -> str:
    """Plain spaces, and no isolates."""
    assert text is not None
    return text.replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "")


def test_balance_says_more_fewer_or_nothing() -> None:
    text = spaced(say.balance(BALANCE, WORDS))
    assert text == (
        "In pairs, against [AA′], 14 of 20 members gain, five lose and one ties (two not measured). 70 % gain; without "
        "any effect it would be 48 % (95 % interval 52 to 88, for other languages): this is more (p = 0.020); the mean "
        "difference is +0.50 points (+0.12 to +0.88)."
    )
    assert "this cannot be told from it (p = 0.300)" in spaced(say.balance(BALANCE | {"p": 0.3}, WORDS))
    assert "this is fewer" in spaced(say.balance(BALANCE | {"excess": -20.0}, WORDS))
    without = BALANCE | {"low": math.nan, "p": math.nan, "why": "nothing varies"}
    assert "(no interval: nothing varies)" in spaced(say.balance(without, WORDS))
    assert say.balance(BALANCE | {"n_cells": 0}, WORDS).endswith("no member has been measured.")


def test_capacity_says_what_disappears_only_of_a_clear_gain() -> None:
    text = spaced(say.capacity(EFFECT, WORDS))
    assert text == (
        "In threes, [ABC] − [A] is +1.00 points on average (+0.50 to +1.50); +0.25 points (−0.25 to +0.75) are left "
        "against [AA′]: 75 % of the gain disappears under the capacity control. Counted, one of 12 gains against [A] "
        "is also a gain against [AA′]."
    )
    unclear = EFFECT | {"percent_removed": math.nan, "published_low": -0.1}
    assert "no clear gain of which the capacity control could remove a part (its interval holds 0)" in spaced(
        say.capacity(unclear, WORDS)
    )
    assert "of the loss disappears" in spaced(say.capacity(EFFECT | {"published": -1.0}, WORDS))


def test_places_counts_ellipses_and_names_languages_off_an_axis() -> None:
    rows = pd.DataFrame(
        [("fin", 0.9, 1, 0, True), ("wol", -0.9, -1, -1, False), ("yor", 0.1, 0, 0, False), ("eng", 0.2, 0, 1, None)],
        columns=["language", "x", "side_x", "side_y", "leaves_origin"],
    ).astype({"leaves_origin": "boolean"})
    rows["why"] = ["", "", "", "all partners agree on y"]
    text = spaced(say.places(rows, 2, "same", {"fin": "Finnish (fin)"}))
    assert text == (
        "In the plane of pairs against [A], one of 3 ellipses leaves the origin out; about 0.2 would by chance (one "
        "language without ellipse). Shown by the interval of an axis: Finnish (fin) receives more than it loses; wol "
        "loses more than it receives; eng is good for its partners; wol is bad for its partners."
    )
    none = spaced(say.places(rows[rows["language"] == "eng"].assign(side_y=0), 2, "same", {}))
    assert "none of one language has an ellipse (all partners agree on y). No interval of an axis leaves out 0." in none
    assert say.places(rows.assign(x=math.nan), 2, "same", {}) is None


def test_sampling_fusions_and_improvement() -> None:
    rows = pd.DataFrame({"in_se_same": [2.5, -3.0, 1.0, math.nan, *[0.0] * 17]})
    assert spaced(say.sampling(rows, "same")) == (
        "Against [A], two of 20 differences exceed two item standard errors; about 1 would if there were nothing but "
        "the choice of sentences."
    )
    assert say.sampling(pd.DataFrame({"in_se_same": [math.nan]}), "same") is None
    row = {"size": 2, "fusion": "trained", "other": "uniform", "estimate": 0.2, "low": -0.1, "high": 0.5, "why": "",
           "n_same": 15, "n_cells": 20}  # fmt: skip
    assert spaced(say.fusions(row, WORDS)) == (
        "In pairs, trained fusions score +0.20 points (−0.10 to +0.50) beside uniform ones on the same compositions, "
        "which may be nothing; both give the same sign against [A] in 15 of 20."
    )
    assert "which may be nothing" not in spaced(say.fusions(row | {"low": 0.1}, WORDS))
    shares = pd.DataFrame(
        [("a1", 1, 5, 1.0, 72.0), ("a2", 2, 5, 5.0, 85.0)],
        columns=["setting", "n_improved", "n_languages", "low", "high"],
    )
    assert spaced(say.improved(shares)) == (
        "Languages that score higher than under the task adapter alone, [T]: 1 of 5 under their own adapter [A] "
        "(interval 1 to 72 %) and 2 of 5 in the mean of their pairs [AB] (interval 5 to 85 %)."
    )
    assert say.improved(shares[:0]) is None
