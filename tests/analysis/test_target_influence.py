"""Influence of single targets: statsmodels' DFBETAS, aggregates recomputed without the target, and rankings."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.target_influence import ranking_influence, target_influence

NAN = float("nan")


def test_standardised_influence_is_dfbetas_of_a_constant() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 9))
    found = target_influence(changes_frame(values))
    for name, part in found.groupby("transfer"):
        cells = values[int(name[1:])].mean(axis=0)
        reference = sm.OLS(cells, np.ones(9)).fit().get_influence().dfbetas.ravel()
        np.testing.assert_allclose(part["standardised"], reference)


def test_aggregates_without_a_target_are_those_of_the_others() -> None:
    values = np.random.default_rng(1).normal(size=(2, 3, 5))
    values[0, :, 3] = NAN
    found = target_influence(changes_frame(values)).set_index(["transfer", "target"])
    assert len(found) == 9 and found.loc["a00", "n_targets"].eq(4).all()
    others = values[0][:, [0, 1, 4]].mean()
    row = found.loc[("a00", "b02")]
    assert row["without"] == pytest.approx(others)
    assert row["aggregate"] == pytest.approx(values[0][:, [0, 1, 2, 4]].mean())
    assert row["change"] == pytest.approx(row["aggregate"] - others)
    assert row["share"] == pytest.approx(row["change"] / abs(row["aggregate"]))
    assert (found["change"].groupby("transfer").sum().abs() < 1e-12).all()


def test_a_target_that_carries_the_sign_is_told() -> None:
    found = target_influence(changes_frame(np.array([[[10.0, -1.0, -2.0, -1.5]]]))).set_index("target")
    assert found["flips"].tolist() == [True, False, False, False]
    assert found.loc["b00", "standardised"] > 5.0


def test_few_targets_and_none_that_vary() -> None:
    assert math.isnan(target_influence(changes_frame(np.ones((1, 2, 1)))).iloc[0]["without"])
    assert target_influence(changes_frame(np.array([[[1.0, 2.0]]])))["standardised"].isna().all()
    assert target_influence(changes_frame(np.full((1, 2, 4), 0.3)))["standardised"].isna().all()
    zero = target_influence(changes_frame(np.zeros((1, 2, 4))))
    assert zero["share"].isna().all() and not zero["flips"].any()


def test_the_ranking_without_each_target() -> None:
    values = np.random.default_rng(2).normal(size=(6, 2, 7))
    values[:, :, 4] += 8.0 * np.array([0.0, 0.0, 3.0, 0.0, 1.0, 2.0])[:, None]
    cells = values.mean(axis=1)
    found = ranking_influence(changes_frame(values))
    assert found["target"].iloc[0] == "b04" and found["place"].tolist() == list(range(1, 8))
    for row in found.to_dict("records"):
        others = np.delete(cells, int(row["target"][1:]), axis=1).mean(axis=1)
        assert row["spearman"] == pytest.approx(stats.spearmanr(cells.mean(axis=1), others).statistic)
        assert row["first_without"] == f"a0{others.argmax()} (text-a0{others.argmax()})"
        assert row["first_changes"] == (others.argmax() != cells.mean(axis=1).argmax())
    assert found["first"].eq("a02 (text-a02)").all()


def test_ties_share_the_first_place_and_self_transfer_can_go() -> None:
    values = np.array([[[1.0, 2.0]], [[2.0, 1.0]]])
    found = ranking_influence(changes_frame(values)).set_index("target")
    assert found["first"].eq("a00 (text-a00), a01 (text-a01)").all()
    assert found.loc["b00", "first_without"] == "a00 (text-a00)"
    own = target_influence(changes_frame(values, transfer=["b00", "zho"]), include_self=False)
    assert own[["transfer", "target"]].to_numpy().tolist() == [["b00", "b01"], ["zho", "b00"], ["zho", "b01"]]
