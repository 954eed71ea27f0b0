"""Planted slopes come out, row and column effects do not, and the p-value is honest."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from xltransfer.analysis.alignment_predicts import POINTS, RESULT, alignment_predicts, prediction_points, regress

LANGUAGES = [f"l{i:02}" for i in range(12)]


def matrices(
    slope: float, noise: float, seed: int = 0, rows: list[str] = LANGUAGES[:8], columns: list[str] = LANGUAGES
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A change with row and column effects, and ts = large row and column effects + slope · change + noise."""
    rng = np.random.default_rng(seed)
    shape = len(rows), len(columns)
    change = 0.02 * rng.normal(size=shape) + 0.05 * rng.normal(size=(shape[0], 1)) + 0.05 * rng.normal(size=shape[1])
    change = pd.DataFrame(change, index=rows, columns=columns)
    for name in rows:
        if name in columns:
            change.loc[name, name] = np.nan
    effects = 3 * rng.normal(size=(shape[0], 1)) + 3 * rng.normal(size=shape[1])
    ts = effects + slope * np.nan_to_num(change.to_numpy()) + noise * rng.normal(size=shape)
    return pd.DataFrame(ts, index=rows, columns=columns), change


def found(ts: pd.DataFrame, change: pd.DataFrame, permutations: int = 199, seed: int = 0) -> dict[str, float]:
    return regress(ts, change, rng=np.random.default_rng(seed), permutations=permutations)


@pytest.mark.parametrize("slope", [40.0, -40.0])
def test_a_planted_slope_without_noise_comes_out_exactly(slope: float) -> None:
    own = found(*matrices(slope, 0.0))
    assert own["slope"] == pytest.approx(slope)
    assert abs(own["correlation"]) == pytest.approx(1)
    assert own["p"] == pytest.approx(1 / 200)
    assert (own["n_pairs"], own["n_transfers"], own["n_targets"]) == (8 * 12 - 8, 8, 12)


def test_the_slope_is_that_of_a_regression_with_dummies() -> None:
    ts, change = matrices(10.0, 1.0)
    ts.iloc[3, 10] = np.nan
    cells = [(a, b) for a in ts.index for b in ts.columns if a != b and np.isfinite(ts.loc[a, b] + change.loc[a, b])]
    dummies = pd.get_dummies(pd.DataFrame(cells, columns=["a", "b"]), drop_first=True, dtype=float)
    design = sm.add_constant(dummies.assign(change=[change.loc[cell] for cell in cells]))
    fitted = sm.OLS(np.array([ts.loc[cell] for cell in cells]), design).fit()
    assert found(ts, change)["slope"] == pytest.approx(fitted.params["change"])


def test_row_and_column_effects_are_no_evidence() -> None:
    rng = np.random.default_rng(1)
    ts, change = matrices(0.0, 1.0)
    shared_rows, shared_columns = rng.normal(size=(8, 1)), rng.normal(size=12)
    plain = found(ts, change)
    loaded = found(ts + 50 * shared_rows + 50 * shared_columns, change + shared_rows + shared_columns)
    assert loaded["slope"] == pytest.approx(plain["slope"], rel=1e-6)


def test_self_pairs_take_no_part() -> None:
    ts, change = matrices(10.0, 1.0)
    before = found(ts, change)
    for name in ts.index:
        ts.loc[name, name], change.loc[name, name] = 1000.0, -5.0
    assert found(ts, change) == before


def test_the_interval_holds_the_planted_slope_and_p_is_uniform_where_there_is_none() -> None:
    inside, p = [], []
    for seed in range(150):
        own = found(*matrices(20.0, 0.5, seed), permutations=1, seed=seed)
        inside.append(own["low"] <= 20.0 <= own["high"])
        p.append(found(*matrices(0.0, 0.5, seed), permutations=99, seed=seed)["p"])
    assert np.mean(inside) > 0.9
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1
    assert 0.4 < np.mean(p) < 0.6


def test_few_languages_are_permuted_in_all_ways() -> None:
    own = found(*matrices(5.0, 0.1, rows=LANGUAGES[:3], columns=LANGUAGES[3:7]), permutations=200)
    assert own["exact"] and own["n_permutations"] == 6 * 24


def test_no_slope_has_a_reason() -> None:
    ts, change = matrices(5.0, 0.1)
    two = found(ts.iloc[:2], change.iloc[:2])
    assert np.isnan(two["slope"]) and "fewer than 3" in str(two["why"])
    # Of three languages six pairs are left: any of them is needed, and r can only be 1 or -1.
    three = found(*matrices(5.0, 1.0, rows=LANGUAGES[:3], columns=LANGUAGES[:3]))
    assert np.isnan([three[name] for name in ("slope", "se", "low", "high", "correlation", "p")]).all()
    assert three["n_pairs"] == 6 and "without some of them there is no slope" in str(three["why"])
    four = found(*matrices(5.0, 1.0, rows=LANGUAGES[:4], columns=LANGUAGES[:4]))
    assert np.isfinite([four[name] for name in ("slope", "se", "low", "high", "correlation", "p")]).all()
    flat = found(ts, change * 0.0)
    assert np.isnan(flat["slope"]) and "row and column effects" in str(flat["why"])
    assert found(ts, change.iloc[:0])["n_pairs"] == 0


def frames(slope: float = 30.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tidy frames of both runs: two tasks and two k; a change is stored under either order of its languages."""
    ts_rows, change_rows = [], []
    for k, own in ((1, 0.0), (10, slope)):
        ts, change = matrices(own, 0.05, seed=k)
        for a in ts.index:
            for b in ts.columns:
                key = {"base": "m", "setting": "nudge", "transfer": a, "corpus": f"text-{a}", "steps": k}
                for task, metric, sign in (("pos", "accuracy", 1.0), ("mlm", "nll", -1.0)):
                    scored = key | {"task": task, "metric": metric, "target": b, "dataset": b, "adapter_seed": 0}
                    ts_rows.append(scored | {"ts": sign * ts.loc[a, b], "aggregated": True})
                if a == b:
                    continue
                source, target = sorted((a, b))
                for middle, permuted, value in (
                    (True, False, change.loc[a, b]),
                    (False, False, 9.0),
                    (True, True, 0.1),
                ):
                    pair = key | {"task": "pud", "source": source, "target": target, "metric": "cls_cosine"}
                    change_rows.append(pair | {"middle": middle, "permuted": permuted, "estimate": value})
    return pd.DataFrame(ts_rows), pd.DataFrame(change_rows)


def test_a_row_per_task_and_k_from_the_frames_of_both_runs() -> None:
    ts, changes = frames()
    table = alignment_predicts(ts, changes, seed=3, permutations=99)
    assert table.columns.tolist() == RESULT
    assert table[["task", "metric", "steps"]].to_numpy().tolist() == [
        ["mlm", "nll", 1], ["mlm", "nll", 10], ["pos", "accuracy", 1], ["pos", "accuracy", 10]
    ]  # fmt: skip
    slopes = table.set_index(["task", "steps"]).slope
    assert slopes["pos", 10] == pytest.approx(30, abs=2)
    assert slopes["mlm", 10] == pytest.approx(-30, abs=2)
    assert abs(slopes["pos", 1]) < 2
    again = alignment_predicts(ts.sample(frac=1, random_state=0), changes.sample(frac=1, random_state=1), seed=3,
                               permutations=99)  # fmt: skip
    pd.testing.assert_frame_equal(table, again)


def test_the_permuted_change_is_there_to_compare_with() -> None:
    ts, changes = frames()
    table = alignment_predicts(ts, changes, seed=3, permuted=True, permutations=9)
    assert table.permuted.all() and table.slope.isna().all()


def test_several_sets_unknown_predictors_and_bad_options_are_refused() -> None:
    ts, changes = frames()
    with pytest.raises(ValueError, match="several sets of texts"):
        alignment_predicts(ts, pd.concat([changes, changes.assign(task="xnli")]), seed=1)
    with pytest.raises(ValueError, match="predictor='cls_cosin'.*cls_cosine"):
        alignment_predicts(ts, changes, seed=1, predictor="cls_cosin")
    with pytest.raises(ValueError, match="permutations=0"):
        alignment_predicts(ts, changes, seed=1, permutations=0)
    with pytest.raises(ValueError, match="changes lacks the columns middle"):
        alignment_predicts(ts, changes.drop(columns="middle"), seed=1)


def test_points_are_the_pairs_behind_the_slope() -> None:
    ts, changes = frames()
    fits = alignment_predicts(ts, changes, seed=3, permutations=9).set_index(["task", "steps"])
    points = prediction_points(ts, changes)
    assert points.columns.tolist() == POINTS
    assert not (points.transfer == points.target).any()
    for (task, steps), own in points.groupby(["task", "steps"]):
        fit = fits.loc[(task, steps)]
        assert len(own) == fit.n_pairs
        assert np.polyfit(own.change_centred, own.ts_centred, 1) == pytest.approx([fit.slope, 0], abs=1e-9)
        assert np.corrcoef(own.change_centred, own.ts_centred)[0, 1] == pytest.approx(fit.correlation)
        for name in ("change_centred", "ts_centred"):
            for side in ("transfer", "target"):
                assert own.groupby(side)[name].mean().abs().max() < 1e-9
    pair = points[(points.task == "pos") & (points.steps == 10) & (points.transfer == "l00") & (points.target == "l03")]
    stored = ts[(ts.task == "pos") & (ts.steps == 10) & (ts.transfer == "l00") & (ts.target == "l03")]
    assert pair.ts.item() == pytest.approx(stored.ts.item())


def test_a_pair_that_lacks_a_corpus_takes_no_part() -> None:
    """A language of two corpora: its change is the mean of both, and of neither where one was not measured."""
    ts, changes = frames()
    own = changes.transfer == "l00"
    second = changes[own].assign(corpus="second", estimate=changes.estimate[own] + 1.0)
    both = pd.concat([changes, second], ignore_index=True)
    whole = prediction_points(ts, both).query("task == 'pos' and steps == 10").set_index(["transfer", "target"])
    first = prediction_points(ts, changes).query("task == 'pos' and steps == 10").set_index(["transfer", "target"])
    assert (whole.change - first.change).round(9).groupby("transfer").unique().map(list).to_dict() == {
        name: [0.5 if name == "l00" else 0.0] for name in LANGUAGES[:8]
    }
    lacking = (both.corpus == "second") & ((both.target == "l03") | (both.source == "l03"))
    for part in (both[~lacking], both.assign(estimate=both.estimate.mask(lacking))):
        left = prediction_points(ts, part).query("task == 'pos' and steps == 10").set_index(["transfer", "target"])
        assert set(whole.index) - set(left.index) == {("l00", "l03")}


def test_no_points_where_nothing_is_shared() -> None:
    ts, changes = frames()
    assert prediction_points(ts, changes.assign(steps=7)).empty
