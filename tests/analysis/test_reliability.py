"""Reliability: Shrout and Fleiss's table, statsmodels' analysis of variance, and known components."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.reliability import icc, reliability, stepped

NAN = float("nan")

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.float64
)
"""Six targets by four judges: Shrout and Fleiss 1979, Table 2."""


def test_published_example() -> None:
    # Shrout and Fleiss 1979, Table 4: ICC(1,1) = .17, ICC(1,4) = .44; intervals as psych::ICC and pingouin print them.
    found = icc(SHROUT_FLEISS)
    assert found["icc_single"]["estimate"] == pytest.approx(0.17, abs=0.005)
    assert found["icc_mean"]["estimate"] == pytest.approx(0.44, abs=0.005)
    assert (found["icc_single"]["low"], found["icc_single"]["high"]) == (
        pytest.approx(-0.13, abs=0.005),
        pytest.approx(0.72, abs=0.005),
    )
    assert (found["icc_mean"]["low"], found["icc_mean"]["high"]) == (
        pytest.approx(-0.88, abs=0.005),
        pytest.approx(0.91, abs=0.005),
    )
    assert found["icc_single"]["p"] == pytest.approx(stats.f_oneway(*SHROUT_FLEISS).pvalue)


def test_unequal_numbers_of_replicates() -> None:
    values = SHROUT_FLEISS.copy()
    values[0, 2:] = values[3, 3] = NAN
    long = pd.DataFrame({"y": values.ravel(), "unit": np.repeat(range(6), 4)}).dropna()
    table = sm.stats.anova_lm(smf.ols("y ~ C(unit)", long).fit())["mean_sq"]
    counts = np.array([2, 4, 4, 3, 4, 4])
    size = (21 - (counts**2).sum() / 21) / 5
    expected = (table.iloc[0] - table.iloc[1]) / (table.iloc[0] + (size - 1) * table.iloc[1])
    assert icc(values)["icc_single"]["estimate"] == pytest.approx(expected)


def test_stepping_up_a_single_replicate_gives_the_mean() -> None:
    found = icc(SHROUT_FLEISS)
    assert stepped(found["icc_single"]["estimate"], 4) == pytest.approx(found["icc_mean"]["estimate"])
    assert stepped(found["icc_single"]["low"], 4) == pytest.approx(found["icc_mean"]["low"])


@pytest.mark.parametrize("clustered", [False, True])
def test_coverage_of_the_intervals(clustered: bool) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        # Units of one cluster share the replicates' noise; the share between units is 1/2 either way.
        between, shared, own = rng.normal(size=(20, 5, 1)), rng.normal(size=(20, 1, 4)), rng.normal(size=(20, 5, 4))
        values = between + (math.sqrt(0.8) * shared + math.sqrt(0.2) * own if clustered else own)
        clusters = np.repeat(np.arange(20), 5) if clustered else None
        found = icc(values.reshape(100, 4), clusters=clusters)["icc_single"]
        held += found["low"] <= 0.5 <= found["high"]
    assert 0.92 <= held / 300 <= 0.985


def test_components_are_recovered_for_aggregates_and_cells() -> None:
    rng = np.random.default_rng(1)
    entry, pair = rng.normal(size=(300, 1, 1)), 2.0 * rng.normal(size=(300, 1, 8))
    values = entry + pair + rng.normal(size=(300, 4, 1)) + rng.normal(size=(300, 4, 8))
    found = reliability(changes_frame(values), 0).set_index(["unit", "statistic"])
    # Aggregates: between entries 1 + 4/8, within 1 + 1/8. Cells: between 1 + 4, within 1 + 1.
    assert found.loc[("aggregate", "icc_single"), "estimate"] == pytest.approx(1.5 / 2.625, abs=0.05)
    assert found.loc[("aggregate", "icc_mean"), "estimate"] == pytest.approx(1.5 / (1.5 + 1.125 / 4), abs=0.03)
    assert found.loc[("cell", "icc_single"), "estimate"] == pytest.approx(5.0 / 7.0, abs=0.03)
    assert found.loc[("cell", "split_half_pearson"), "estimate"] == pytest.approx(5.0 / 6.0, abs=0.03)
    assert found.loc[("cell", "split_half_spearman"), "estimate"] == pytest.approx(0.82, abs=0.04)
    assert found.loc[("cell", "spearman_brown"), "estimate"] == pytest.approx(5.0 / 5.5, abs=0.03)
    assert found["n_units"].tolist() == [300] * 5 + [2400] * 5


def test_split_halves_of_four_replicates_by_hand() -> None:
    values = np.random.default_rng(2).normal(size=(6, 4, 3)) + np.arange(6.0)[:, None, None]
    means = values.mean(axis=2)
    pairs = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])]
    halves = [(means[:, a].mean(axis=1), means[:, b].mean(axis=1)) for a, b in pairs]
    found = reliability(changes_frame(values), 0).set_index(["unit", "statistic"])["estimate"]
    pearson = np.mean([np.corrcoef(x, y)[0, 1] for x, y in halves])
    assert found["aggregate", "split_half_pearson"] == pytest.approx(pearson)
    assert found["aggregate", "split_half_spearman"] == pytest.approx(
        np.mean([stats.spearmanr(x, y).statistic for x, y in halves])
    )
    assert found["aggregate", "spearman_brown"] == pytest.approx(2 * pearson / (1 + pearson))


def test_what_cannot_be_known_says_why() -> None:
    rng = np.random.default_rng(3)
    three = reliability(changes_frame(rng.normal(size=(5, 3, 4))), 0)
    halved = three["statistic"].str.startswith("s")
    assert (
        three.loc[halved, "why"].eq("fewer than four replicates").all() and three.loc[halved, "estimate"].isna().all()
    )
    assert three.loc[~halved, "low"].notna().all()
    one = reliability(changes_frame(rng.normal(size=(5, 1, 4))), 0)
    assert one.loc[one["statistic"].eq("icc_mean"), "why"].eq("one replicate").all()
    still = reliability(changes_frame(np.zeros((5, 4, 4))), 0)
    assert still["why"].eq("nothing varies").all() and still["estimate"].isna().all()
    undefined = reliability(changes_frame(rng.normal(size=(5, 4, 4))).assign(delta=NAN), 0, "delta")
    assert undefined.loc[undefined["statistic"].eq("icc_mean"), "why"].eq("undefined baseline").all()
    assert undefined["estimate"].isna().all() and undefined["n_units"].eq(0).all()
    single = reliability(changes_frame(rng.normal(size=(1, 4, 4))), 0).iloc[0]
    assert single["why"] == "one transfer entry"
