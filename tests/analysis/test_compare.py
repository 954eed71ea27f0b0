"""Two base models: cells side by side, differences of aggregates, and the correlation of the rankings."""

import math

import numpy as np
import pandas as pd
import pytest
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.compare import base_correlation, compare_bases, paired_bases

NAN = float("nan")


def bases(x: np.ndarray, y: np.ndarray, **columns) -> pd.DataFrame:
    first = changes_frame(x, base="mbert", reference=60.0)
    return pd.concat([first, changes_frame(y, base="xlmr", reference=80.0, **columns)], ignore_index=True)


def test_cells_side_by_side() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    found = paired_bases(bases(x, y, target=["b00", "b01", "b02", "zul"]))
    assert len(found) == 6 and found[["base_x", "base_y"]].drop_duplicates().to_numpy().tolist() == [["mbert", "xlmr"]]
    row = found.query("transfer == 'a01' and target == 'b02'").iloc[0]
    assert (row["reference_x"], row["reference_y"]) == (60.0, 80.0)
    assert (row["ts_x"], row["ts_y"]) == (pytest.approx(x[1, :, 2].mean()), pytest.approx(y[1, :, 2].mean()))
    assert row["score_y"] == pytest.approx(80.0 + y[1, :, 2].mean())
    assert row["aggregated"] and not row["self_transfer"]


def test_an_undefined_replicate_leaves_a_cell_undefined() -> None:
    x, y = np.ones((2, 1, 2, 2))
    frame = bases(x, y)
    place = frame.index[(frame["base"] == "xlmr") & (frame["target"] == "b01")][0]
    frame.loc[place, "ts"] = NAN
    frame.loc[place, "aggregated"] = False
    found = paired_bases(frame).set_index("target")
    assert math.isnan(found.loc["b01", "ts_y"]) and not found.loc["b01", "aggregated"]
    assert found.loc["b01", "delta_y"] == 1.0 and found.loc["b00", "ts_y"] == 1.0


def test_differences_of_aggregates_are_paired_by_target() -> None:
    rng = np.random.default_rng(1)
    shared = 30.0 * rng.normal(size=9)
    x, y = (np.tile(shared + rng.normal(size=(3, 1, 9)), (1, 4, 1)) for _ in range(2))
    found = compare_bases(bases(x, y)).set_index("transfer")
    for place, name in enumerate(("a00", "a01", "a02")):
        reference = stats.ttest_rel(y[place, 0], x[place, 0])
        assert found.loc[name, "estimate"] == pytest.approx(y[place].mean() - x[place].mean())
        assert found.loc[name, "p"] == pytest.approx(reference.pvalue)
        assert found.loc[name, ["aggregate_x", "aggregate_y"]].tolist() == pytest.approx(
            [x[place].mean(), y[place].mean()]
        )
    whole = found.loc[""]
    assert whole["estimate"] == pytest.approx(y.mean() - x.mean())
    assert whole[["n_transfers", "n_targets", "reference_x", "reference_y"]].tolist() == [3, 9, 60.0, 80.0]


def test_only_what_both_bases_have_is_compared() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 3, 2, 4))
    x[0, :, 1] = NAN
    found = compare_bases(bases(x, y, target=["b01", "b02", "b03", "zul"])).set_index("transfer")
    assert found.loc["a00", "n_targets"] == 2 and found.loc["a01", "n_targets"] == 3
    assert found.loc["a00", "estimate"] == pytest.approx(y[0][:, 1:3].mean() - x[0][:, 2:].mean())


def test_correlation_of_the_rankings() -> None:
    rng = np.random.default_rng(3)
    level = rng.normal(size=(12, 1, 1))
    x, y = (level + 0.3 * rng.normal(size=(12, 3, 5)) for _ in range(2))
    (row,) = base_correlation(bases(x, y), 0).to_dict("records")
    assert row["estimate"] == pytest.approx(stats.spearmanr(x.mean(axis=(1, 2)), y.mean(axis=(1, 2))).statistic)
    assert row["low"] < row["estimate"] < row["high"] and row["p"] < 0.01
    assert (row["n_transfers"], row["n_targets"], row["estimand"]) == (12, 5, "this_test_set")
    assert base_correlation(bases(x[:2], y[:2]), 0)["why"].tolist() == ["fewer than three transfer entries"]


def test_two_base_models_are_needed() -> None:
    values = np.ones((1, 2, 2))
    three = pd.concat([bases(values, values), changes_frame(values, base="glot500")], ignore_index=True)
    with pytest.raises(ValueError, match="two base models, found glot500, mbert, xlmr"):
        compare_bases(three)
    named = compare_bases(three, bases=("xlmr", "glot500"))
    assert named[["base_x", "base_y"]].drop_duplicates().to_numpy().tolist() == [["xlmr", "glot500"]]
    for wrong in (("xlmr", "xlmr"), ("xlmr", "roberta")):
        with pytest.raises(ValueError, match="expected the base models"):
            compare_bases(three, bases=wrong)
    for frame, found in ((changes_frame(values), "b"), (changes_frame(values)[:0], "none")):
        with pytest.raises(ValueError, match=f"found {found};"):
            paired_bases(frame)


def test_a_scale_that_is_undefined_leaves_nothing_to_compare() -> None:
    frame = bases(*np.random.default_rng(4).normal(size=(2, 3, 2, 4))).assign(logit_delta=NAN)
    found = compare_bases(frame, scale="logit_delta")
    assert found["why"].eq("undefined baseline").all() and found["n_targets"].eq(0).all()
    assert found[["estimate", "reference_x", "reference_y", "aggregate_x", "aggregate_y"]].isna().all(axis=None)
