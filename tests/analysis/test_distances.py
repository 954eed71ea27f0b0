"""Correlations with several distances, against scipy on the pairs taken by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from xltransfer.analysis.distances import distance_correlations

CODES = list("abcdef")


@pytest.fixture
def ts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"base": "b", "setting": setting, "task": "mlm", "metric": "nll", "steps": steps, "transfer": a, "target": b}
        | {"corpus": f"text-{a}", "dataset": "text", "adapter_seed": None}
        | {"ts": rng.normal(), "aggregated": not (steps == 100 and b == "f")}
        for setting, steps in (("nudge", 10), ("nudge", 100), ("random_sign", 10))
        for a, b in itertools.product(CODES, CODES)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def distances() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    found = {}
    for name in ("near", "far"):
        half = rng.random((6, 6))
        found[name] = pd.DataFrame(half + half.T, index=CODES, columns=CODES)
    return found


def test_rho_is_spearmans_over_the_pairs_of_two_languages(ts, distances):
    table = distance_correlations(ts, distances, seed=1, permutations=99)
    assert table[["steps", "distance"]].to_numpy().tolist() == [[10, "near"], [10, "far"], [100, "near"], [100, "far"]]
    for row in table.itertuples():
        mine = ts[(ts["setting"] == "nudge") & (ts["steps"] == row.steps) & ts["aggregated"]]
        mine = mine[mine["transfer"] != mine["target"]]
        far = [distances[row.distance].loc[a, b] for a, b in zip(mine["transfer"], mine["target"], strict=True)]
        assert row.rho == pytest.approx(spearmanr(mine["ts"], far).statistic)
        assert row.n_pairs == len(mine) == (30 if row.steps == 10 else 25)


def test_a_row_does_not_change_when_others_are_added(ts, distances):
    whole = distance_correlations(ts, distances, seed=1, permutations=99)
    part = distance_correlations(ts[ts["steps"] == 100], {"far": distances["far"]}, seed=1, permutations=99)
    pd.testing.assert_frame_equal(part, whole.iloc[[3]].reset_index(drop=True))


def test_a_cell_without_an_aggregated_target_has_no_row(ts, distances):
    kept = distance_correlations(ts.assign(aggregated=ts["steps"] == 10), distances, seed=1, permutations=9)
    assert set(kept["steps"]) == {10}
    none = distance_correlations(ts.assign(aggregated=False), distances, seed=1)
    assert none.empty and {"distance", "rho", "p", "n_pairs"} <= set(none.columns)


def test_missing_columns_and_languages_are_named(ts, distances):
    with pytest.raises(ValueError, match="aggregated"):
        distance_correlations(ts.drop(columns="aggregated"), distances, seed=1)
    with pytest.raises(ValueError, match="y has no distance for f"):
        distance_correlations(ts, {"near": distances["near"].drop(index="f")}, seed=1)
