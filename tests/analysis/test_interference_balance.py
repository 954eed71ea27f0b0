"""Shares of gains, what a control removes, kinds of fusion, and where ellipses lie: counted and worked by hand."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.interference_balance import interference_balance
from xltransfer.analysis.interference_compared import control_effect, fusion_differences
from xltransfer.analysis.interference_regions import regions
from xltransfer.analysis.language_jackknife import over_languages

PAIRS = list(itertools.combinations("abcd", 2))
CELLS = [("+".join(pair), language) for pair in PAIRS for language in pair]


def differences(values: list[float], **more: Any) -> pd.DataFrame:
    """A frame of the twelve members of six pairs, each with its difference; NaN is not measured."""
    fixed: dict[str, Any] = {"base": "b", "task": "pos", "metric": "accuracy", "fusion": "trained", "control": "same",
                             "dead_zone": 0.0, "size": 2}  # fmt: skip
    frame = pd.DataFrame(CELLS, columns=["members", "language"]).assign(difference=values, **(fixed | more))
    return frame.assign(sign=np.sign(frame["difference"]), score=50.0 + frame["difference"])


MIXED = [1.0, -2.0, 0.5, 0.0, 3.0, math.nan, 1.0, -1.0, 2.0, 0.0, 4.0, -0.5]


def test_gains_are_counted_beside_what_no_effect_gives() -> None:
    (row,) = interference_balance(differences(MIXED)).to_dict("records")
    assert [row[f"n_{name}"] for name in ("cells", "gain", "loss", "tie", "missing", "compositions", "languages")] == [
        11, 6, 3, 2, 1, 6, 4
    ]  # fmt: skip
    assert row["estimate"] == pytest.approx(100 * 6 / 11)
    assert row["percent_if_no_effect"] == pytest.approx(100 * (11 - 2) / 22)
    assert row["excess"] == pytest.approx(row["estimate"] - row["percent_if_no_effect"])
    known = [value for value in MIXED if not math.isnan(value)]
    assert row["mean"] == pytest.approx(sum(known) / 11)
    assert 0.0 <= row["low"] < row["estimate"] < row["high"] <= 100.0
    assert row["mean_low"] < row["mean"] < row["mean_high"]


def test_p_is_of_the_excess_not_of_the_share() -> None:
    frame = differences(MIXED)
    (row,) = interference_balance(frame).to_dict("records")
    kept = frame[frame["sign"].notna()]
    held = [each.split("+") for each in kept["members"]]
    expected = over_languages(50.0 * kept[["sign"]].to_numpy(), held).intervals("ts", 0.95)["p"].item()
    assert row["p"] == pytest.approx(expected)
    (turned,) = interference_balance(differences([-value for value in MIXED])).to_dict("records")
    assert turned["p"] == pytest.approx(expected) and turned["excess"] == pytest.approx(-row["excess"])


def test_conditions_stand_apart() -> None:
    both = pd.concat([differences(MIXED), differences([1.0] * 12, control="second_adapter")], ignore_index=True)
    table = interference_balance(both).set_index("control")
    assert table.loc["second_adapter", "n_gain"] == 12 and table.loc["same", "n_gain"] == 6
    assert table.loc["second_adapter", "why"] == "nothing varies"


def test_what_the_control_removes() -> None:
    published = [2.0, 3.0, 2.5, 2.0, 3.0, math.nan, 2.0, 3.5, 2.0, 3.0, 2.5, 2.0]
    controlled = [0.5, 1.0, -0.5, 0.0, 1.0, 1.0, 0.5, 1.5, 0.0, -1.0, 0.5, 0.5]
    frames = [differences(published), differences(controlled, control="second_adapter")]
    (row,) = control_effect(pd.concat(frames, ignore_index=True)).to_dict("records")
    kept = [(a, b) for a, b in zip(published, controlled, strict=True) if not math.isnan(a)]
    means = [sum(column) / 11 for column in zip(*kept, strict=True)]
    assert (row["n_cells"], row["n_gain"], row["n_kept"]) == (11, 11, 7)
    assert (row["published"], row["controlled"]) == pytest.approx(tuple(means))
    assert row["removed"] == pytest.approx(means[0] - means[1])
    assert row["percent_removed"] == pytest.approx(100 * (means[0] - means[1]) / means[0])


def test_no_share_is_removed_of_a_gain_that_may_be_nothing() -> None:
    frames = [differences(MIXED[::-1]), differences(MIXED, control="second_adapter")]
    (row,) = control_effect(pd.concat(frames, ignore_index=True)).to_dict("records")
    assert row["published_low"] < 0 < row["published_high"] and math.isnan(row["percent_removed"])
    assert control_effect(differences(MIXED)).empty


def test_kinds_of_fusion_are_compared_where_both_were_measured() -> None:
    one, two = differences(MIXED), differences([0.5] * 12, fusion="uniform")
    (row,) = fusion_differences(pd.concat([two, one], ignore_index=True)).to_dict("records")
    known = [value for value in MIXED if not math.isnan(value)]
    assert (row["fusion"], row["other"], row["n_cells"]) == ("trained", "uniform", 11)
    assert row["estimate"] == pytest.approx(sum(known) / 11 - 0.5)
    assert row["n_same"] == 6
    losses = [frame.assign(metric="nll") for frame in (one, two)]
    (turned,) = fusion_differences(pd.concat(losses, ignore_index=True)).to_dict("records")
    assert turned["estimate"] == pytest.approx(-row["estimate"])
    assert fusion_differences(one).empty


def ellipse(x: float, y: float, major: float, minor: float, angle: float) -> dict[str, float]:
    bounds = {"x_low": x - 0.1, "x_high": x + 0.1, "y_low": y - 0.5, "y_high": y + 0.5, "z_low": math.nan,
              "z_high": math.nan}  # fmt: skip
    return {"x": x, "y": y, "half_major": major, "half_minor": minor, "angle": angle} | bounds


def test_an_ellipse_leaves_the_origin_out_where_its_outline_does_not_go_round_it() -> None:
    rng = np.random.default_rng(2)
    rows, expected = [], []
    for _ in range(200):
        major, minor = sorted(rng.uniform(0.05, 1.0, 2), reverse=True)
        x, y, angle = *rng.uniform(-1, 1, 2), rng.uniform(0, 180)
        rows.append(ellipse(x, y, major, minor, angle))
        # How often the outline turns round the origin: the sum of the angles between neighbouring points of it.
        t = np.linspace(0, 2 * np.pi, 2001)
        turn = np.exp(1j * np.radians(angle))
        outline = complex(x, y) + turn * (major * np.cos(t) + 1j * minor * np.sin(t))
        turns = np.angle(outline[1:] / outline[:-1]).sum() / (2 * np.pi)
        expected.append(round(abs(turns)) == 0)
    found = regions(pd.DataFrame(rows))
    assert found["leaves_origin"].tolist() == expected and 20 < sum(expected) < 180


def test_sides_and_what_has_no_ellipse() -> None:
    rows = [ellipse(0.5, 0.2, 4.0, 3.0, 30.0), ellipse(-0.5, 0.9, math.nan, math.nan, math.nan),
            ellipse(0.5, 0.5, 0.7, 0.0, 45.0), ellipse(0.6, 0.5, 0.9, 0.0, 45.0)]  # fmt: skip
    found = regions(pd.DataFrame(rows))
    assert found["side_x"].tolist() == [1, -1, 1, 1] and found["side_y"].tolist() == [0, 1, 0, 0]
    assert found["side_z"].isna().all()
    assert found["leaves_origin"].isna().tolist() == [False, True, False, False]
    # A line that goes on to just short of the origin, or past it, and one beside it.
    assert found["leaves_origin"].dropna().tolist() == [False, True, True]
    assert found["covers_plane"].dropna().tolist() == [True, False, False]
