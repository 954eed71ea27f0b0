"""Tests of ts against pair features: against mantel and scipy by hand, planted effects found, nothing tested twice."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from statsmodels.stats.multitest import multipletests

from xltransfer.analysis.mantel import mantel
from xltransfer.analysis.matrix import transfer_matrix
from xltransfer.analysis.typology_tests import CENTRED_OUT, CONSTANT, NO_VALUE, NOT_AGGREGATED, typology_tests
from xltransfer.randomness import stream

TRANSFERS, TARGETS = list("abcdefgh"), list("abcdefxyz")


def frame_of(features):
    rows = [
        {"transfer": a, "target": b, "feature": name, "kind": kind, "value": values[i, j]}
        for name, (kind, values) in features.items()
        for (i, a), (j, b) in itertools.product(enumerate(TRANSFERS), enumerate(TARGETS))
    ]
    return pd.DataFrame(rows)


def ts_of(values, **cell):
    where = {"base": "m", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 10, "aggregated": True}
    where |= {"dataset": "ud", "adapter_seed": 0}
    rows = [
        {**where, "transfer": a, "corpus": f"text-{a}", "target": b, "ts": values[i, j], **cell}
        for (i, a), (j, b) in itertools.product(enumerate(TRANSFERS), enumerate(TARGETS))
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def near():
    return np.random.default_rng(0).random((8, 9))


@pytest.fixture(scope="module")
def pairs(near):
    rng = np.random.default_rng(1)
    some = np.where(rng.random((8, 9)) < 0.3, np.nan, rng.random((8, 9)))
    side = np.repeat(rng.random((8, 1)), 9, axis=1)
    own = np.full((8, 9), np.nan)
    np.fill_diagonal(own[:6, :6], 1.0)  # a value of a language with itself is no pair of two languages
    return frame_of(
        {
            "near": ("similarity", near),
            "far": ("distance", -near),
            "some": ("similarity", some),
            "side": ("one_sided", side),
            "one": ("similarity", np.ones((8, 9))),
            "none": ("similarity", own),
        }
    )


@pytest.fixture(scope="module")
def ts(near):
    """What a language does to all targets hides what it does to near ones."""
    rng = np.random.default_rng(2)
    effects = rng.normal(0, 5, (8, 1)) + rng.normal(0, 5, (1, 9)) + 4 * near + rng.normal(0, 0.5, (8, 9))
    return pd.concat([ts_of(effects), ts_of(rng.normal(size=(8, 9)), task="ner", steps=100)], ignore_index=True)


@pytest.fixture(scope="module")
def tests(ts, pairs):
    return typology_tests(ts, pairs, seed=5, permutations=199)


def test_one_row_per_cell_feature_and_centring(tests):
    assert len(tests) == 2 * 6 * 2 and not tests.duplicated(["task", "feature", "centred"]).any()
    assert tests.groupby("feature")["kind"].first().to_dict() == {
        "near": "similarity", "far": "distance", "some": "similarity", "side": "one_sided", "one": "similarity",
        "none": "similarity",
    }  # fmt: skip


def test_rho_is_spearmans_over_the_pairs_of_two_languages(tests, ts, pairs):
    for row in tests[~tests["centred"] & (tests["why"] == "")].itertuples():
        mine = ts[ts["task"] == row.task].merge(pairs[pairs["feature"] == row.feature], on=["transfer", "target"])
        mine = mine[(mine["transfer"] != mine["target"]) & mine["value"].notna()]
        assert row.n_pairs == len(mine)
        assert row.rho == pytest.approx(spearmanr(mine["ts"], mine["value"]).statistic)


def test_every_number_is_that_of_mantel(tests, ts, pairs):
    matrix = transfer_matrix(ts, "pos", "accuracy", 10)
    wide = pairs[pairs["feature"] == "near"].pivot(index="transfer", columns="target", values="value")
    for centred in (False, True):
        rng = stream(5, "mantel", "m", "pos", "accuracy", 10, "near")
        expected = mantel(matrix, wide, rng=rng, permutations=199, centred=centred)
        (row,) = tests[
            (tests["task"] == "pos") & (tests["feature"] == "near") & (tests["centred"] == centred)
        ].itertuples()
        for field in expected.__dataclass_fields__:
            assert getattr(row, field) == getattr(expected, field), field


def test_centring_uncovers_the_planted_effect_and_only_that(tests):
    found = {(row.task, row.feature, row.centred): row for row in tests.itertuples()}
    near = found["pos", "near", True]
    assert near.rho > 0.8 and near.p_holm < 0.05 and abs(found["pos", "near", False].rho) < 0.5
    assert found["pos", "far", True].rho == pytest.approx(-near.rho)
    assert (tests.loc[tests["task"] == "ner", "p_holm"].dropna() > 0.05).all()


def test_what_cannot_be_tested_says_why(tests):
    why = tests.set_index(["feature", "centred"])["why"]
    assert set(why.loc[[("side", True)]]) == {CENTRED_OUT} and set(why.loc[[("side", False)]]) == {""}
    assert set(why.loc["none"]) == {NO_VALUE} and set(why.loc["one"]) == {CONSTANT}
    out = tests[tests["why"] != ""]
    assert out[["rho", "p", "p_holm", "low", "high"]].isna().all(axis=None)
    assert (out.loc[out["feature"] != "one", ["n_pairs", "n_permutations"]] == 0).all(axis=None)


def test_holm_is_over_the_features_of_one_cell_and_centring(tests):
    for _, part in tests.groupby(["task", "centred"]):
        tested = part.dropna(subset="p")
        assert tested["p_holm"].to_numpy() == pytest.approx(multipletests(tested["p"], method="holm")[1])


def test_named_features_alone_are_tested_and_corrected_for(ts, pairs, tests):
    part = typology_tests(ts, pairs, ["near", "some"], seed=5, permutations=199)
    same = tests[tests["feature"].isin(["near", "some"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.drop(columns="p_holm"), same.drop(columns="p_holm"))
    assert (part["p_holm"] <= same["p_holm"]).all() and (part["p_holm"] < same["p_holm"]).any()
    with pytest.raises(ValueError, match="feature='nearr' is not in pairs"):
        typology_tests(ts, pairs, ["nearr"], seed=5)


def test_a_feature_unknown_of_the_languages_of_one_task_is_not_tested_there(ts, near):
    values = near.copy()
    values[:, :4] = np.nan
    kept = ts[(ts["task"] == "pos") | ts["target"].isin(list("abcd"))]
    found = typology_tests(kept, frame_of({"near": ("similarity", values)}), seed=1, permutations=49)
    why = found.set_index(["task", "centred"])["why"]
    assert why["ner"].tolist() == [NO_VALUE, NO_VALUE] and why["pos"].tolist() == ["", ""]


def test_what_is_not_aggregated_has_its_rows_and_says_why(ts, pairs, tests):
    none = typology_tests(ts.assign(aggregated=False), pairs, seed=1)
    assert none.columns.tolist() == tests.columns.tolist() and len(none) == len(tests)
    assert set(none["why"]) == {NOT_AGGREGATED} and none[["rho", "p", "p_holm"]].isna().all(axis=None)
    some = typology_tests(ts.assign(aggregated=ts["task"] == "pos"), pairs, seed=1, permutations=99)
    why = some.groupby("task")["why"].agg(set)
    assert why["ner"] == {NOT_AGGREGATED} and why["pos"] == {"", CENTRED_OUT, CONSTANT, NO_VALUE}


def test_nothing_to_test_says_so(ts, pairs):
    only = typology_tests(ts, pairs[pairs["feature"] == "none"], seed=1)
    assert set(only["why"]) == {NO_VALUE}


def test_a_language_without_pairs_and_a_missing_column_are_refused(ts, pairs):
    with pytest.raises(ValueError, match="no distance for h"):
        typology_tests(ts, pairs[pairs["transfer"] != "h"], seed=1, permutations=9)
    with pytest.raises(ValueError, match="pairs lacks the columns kind"):
        typology_tests(ts, pairs.drop(columns="kind"), seed=1)
