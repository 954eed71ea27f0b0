"""Shrinkage: statsmodels' tau² and I², the eight schools by hand, and whether it does what it is for."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from xltransfer.analysis.shrinkage import paule_mandel, shrunk

NAN = float("nan")
STUDY = {"base": "b", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 10}


def estimates(y, se, **columns) -> pd.DataFrame:
    return pd.DataFrame({"estimate": y, "se": se}).assign(**{**STUDY, **columns})


@pytest.mark.parametrize("tau", [0.0, 0.6, 4.0])
def test_tau2_and_i2_are_those_of_statsmodels(tau: float) -> None:
    rng = np.random.default_rng(3)
    se = rng.uniform(0.2, 1.5, size=25)
    y = 2.0 + rng.normal(size=25) * np.hypot(se, tau)
    reference = combine_effects(y, se**2, method_re="iterated")
    found = shrunk(estimates(y, se)).iloc[0]
    assert found["tau2"] == pytest.approx(reference.tau2, abs=1e-7)
    assert found["i2"] == pytest.approx(max(reference.i2, 0.0))
    if tau:
        assert found["mean"] == pytest.approx(reference.mean_effect_re)


def test_the_weighted_sum_of_squares_is_its_expectation_at_tau2() -> None:
    y, variance = np.array([1.0, 3.0, 8.0, -4.0]), np.array([1.0, 2.0, 0.5, 3.0])
    total = variance + paule_mandel(y, variance)
    mean = (y / total).sum() / (1.0 / total).sum()
    assert ((y - mean) ** 2 / total).sum() == pytest.approx(3.0)


def test_one_group_worked_by_hand() -> None:
    # Equal standard errors of 1: tau² + 1 is the variance of the estimates, 10/3, and B = (1/3) · 1/(10/3) = 0.1.
    y = np.array([-2.0, -1.0, 1.0, 2.0])
    found = shrunk(estimates(y, 1.0))
    variance = 1.0 - 0.75 * 0.1 + 2.0 * 0.1**2 * 1.0 * y**2
    assert found["tau2"].tolist() == pytest.approx([7.0 / 3.0] * 4)
    assert found["shrunk"].tolist() == pytest.approx((0.9 * y).tolist())
    assert found["shrunk_se"].tolist() == pytest.approx(np.sqrt(variance).tolist())
    assert (found["shrunk_high"] - found["shrunk"]).tolist() == pytest.approx((1.959964 * np.sqrt(variance)).tolist())


def test_equal_estimates_are_shrunk_to_their_mean_and_precise_ones_hardly() -> None:
    alike = shrunk(estimates([1.0, 1.1, 0.9, 1.0, 1.05], 2.0)).iloc[0]
    assert (alike["tau2"], alike["i2"]) == (0.0, 0.0)
    far = shrunk(estimates([-30.0, 10.0, 0.0, 30.0, 20.0], [0.1, 0.1, 0.1, 0.1, 10.0]))
    pull = (far["estimate"] - far["shrunk"]).abs() / (far["estimate"] - far["mean"]).abs()
    assert pull.iloc[:4].max() < 0.001 < 0.05 < pull.iloc[4]


@pytest.mark.parametrize("tau", [0.0, 0.4, 2.0])
def test_it_is_nearer_to_the_truth_and_its_intervals_hold_it(tau: float) -> None:
    rng = np.random.default_rng(7)
    shrunken, plain, inside = [], [], []
    for _ in range(150):
        truth, se = 1.0 + tau * rng.normal(size=12), rng.uniform(0.4, 1.2, size=12)
        found = shrunk(estimates(truth + rng.normal(size=12) * se, se))
        shrunken.append(((found["shrunk"] - truth) ** 2).mean())
        plain.append(((found["estimate"] - truth) ** 2).mean())
        inside.append(found["shrunk_low"].le(truth).mul(found["shrunk_high"].ge(truth)).mean())
    assert np.mean(shrunken) < np.mean(plain)
    assert np.mean(inside) > 0.935


def test_intervals_use_the_degrees_of_freedom_of_the_row() -> None:
    y = np.array([-2.0, -1.0, 1.0, 2.0])
    normal, few = shrunk(estimates(y, 1.0)), shrunk(estimates(y, 1.0, df=[2.0, 5.0, 9.0, 1e9]))
    ratio = (few["shrunk_high"] - few["shrunk"]) / (normal["shrunk_high"] - normal["shrunk"])
    assert ratio.tolist() == pytest.approx([stats.t.ppf(0.975, df) / 1.959964 for df in (2.0, 5.0, 9.0, 1e9)], rel=1e-5)


def test_rows_without_a_standard_error_stay_and_take_no_part() -> None:
    y, se = [-2.0, -1.0, 1.0, 2.0, 90.0, NAN], [1.0, 1.0, 1.0, 1.0, NAN, 1.0]
    frame = estimates(y, se, transfer=list("abcdef")).set_index("transfer", drop=False)
    before = frame.copy()
    found = shrunk(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert found.index.tolist() == list("abcdef")
    assert found["n_shrunk"].eq(4).all()
    assert found["shrunk"].isna().tolist() == [False] * 4 + [True] * 2
    assert found["tau2"].iloc[0] == pytest.approx(7.0 / 3.0)


def test_groups_and_versions_are_shrunk_apart_and_three_are_too_few() -> None:
    parts = [
        estimates([-2.0, -1.0, 1.0, 2.0], 1.0, include_self=True),
        estimates([8.0, 9.0, 11.0, 12.0], 1.0, include_self=False),
        estimates([1.0, 2.0, 3.0], 1.0, include_self=True, steps=1),
    ]
    found = shrunk(pd.concat(parts, ignore_index=True))
    assert found["mean"].iloc[:8].tolist() == pytest.approx([0.0] * 4 + [10.0] * 4)
    assert found["shrunk"].iloc[8:].isna().all() and found["n_shrunk"].iloc[8] == 3
    with pytest.raises(ValueError, match="se"):
        shrunk(found.drop(columns="se"))
    assert math.isnan(found["tau2"].iloc[8])
