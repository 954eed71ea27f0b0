"""The transfer score against hand-worked frames and against properties that any percent change has."""

import math

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis import rank_transfer_languages, transfer_scores
from xltransfer.analysis.frames import CELL


def _five_rows(measure):
    return measure(
        {"setting": "baseline", "target": "wol", "score": 50.0},
        {"setting": "baseline", "target": "fin", "score": 80.0},
        {"transfer": "fin", "target": "wol", "replicate": 0, "score": 51.0},
        {"transfer": "fin", "target": "wol", "replicate": 1, "score": 52.0},
        {"transfer": "fin", "target": "fin", "replicate": 0, "score": 76.0},
    )


def test_five_rows_worked_by_hand(measure):
    ts = transfer_scores(_five_rows(measure)).set_index("target")
    assert ts.loc["wol", "ts"] == pytest.approx(3.0)  # (51.5 - 50) / 50
    assert ts.loc["wol", "ts_sd"] == pytest.approx(math.sqrt(2.0))  # of 2 % and 4 %
    assert ts.loc["wol", "n_replicates"] == 2
    assert ts.loc["wol", "score"] == pytest.approx(51.5)
    assert ts.loc["wol", "reference"] == pytest.approx(50.0)
    assert ts.loc["fin", "ts"] == pytest.approx(-5.0)
    assert math.isnan(ts.loc["fin", "ts_sd"]), "one replicate has no standard deviation"
    assert ts["self_transfer"].to_dict() == {"fin": True, "wol": False}
    assert ts["aggregated"].all()


def test_lower_is_better_turns_the_sign(measure):
    ts = transfer_scores(
        measure(
            {"setting": "baseline", "task": "mlm", "metric": "nll", "adapter_seed": None, "score": 4.0},
            {"transfer": "fin", "task": "mlm", "metric": "nll", "adapter_seed": None, "score": 3.0},
            {"setting": "baseline", "metric": "nll[NOUN]", "score": 2.0},
            {"transfer": "fin", "metric": "nll[NOUN]", "score": 2.5},
            {"setting": "baseline", "metric": "accuracy", "score": 50.0},
        )
    ).set_index("metric")
    assert ts.loc["nll", "ts"] == pytest.approx(25.0)
    assert ts.loc["nll[NOUN]", "ts"] == pytest.approx(-25.0)
    assert pd.isna(ts.loc["nll", "adapter_seed"]), "a task without adapter keeps its missing seed"


@pytest.mark.parametrize("reference", [0.0, float("nan"), None])
def test_zero_or_missing_baseline_is_nan_and_not_aggregated(measure, reference):
    rows = [{"transfer": "fin", "score": 3.0}]
    if reference is not None:
        rows.append({"setting": "baseline", "score": reference})
    (row,) = transfer_scores(measure(*rows)).to_dict("records")
    assert math.isnan(row["ts"])
    assert not row["aggregated"]
    assert row["score"] == 3.0, "the score itself is still shown"


def test_undefined_replicate_makes_the_cell_undefined(measure):
    frame = measure(
        {"setting": "baseline", "score": 50.0},
        {"transfer": "fin", "replicate": 0, "score": 51.0},
        {"transfer": "fin", "replicate": 1, "score": float("nan")},
    )
    assert math.isnan(transfer_scores(frame)["ts"].item())


def test_equal_scores_give_exactly_zero(measure):
    third = 100.0 * 7 / 11
    frame = measure(
        {"setting": "baseline", "score": third},
        *[{"setting": "zero_steps", "transfer": "fin", "steps": 0, "replicate": r, "score": third} for r in range(7)],
    )
    assert transfer_scores(frame)["ts"].item() == 0.0


def test_a_row_meets_only_its_own_baseline(measure):
    frame = measure(
        {"setting": "baseline", "device": "cpu", "score": 50.0},
        {"setting": "baseline", "device": "cuda", "score": 40.0},
        {"setting": "baseline", "base": "other", "score": 10.0},
        {"setting": "baseline", "adapter_seed": 1, "score": 20.0},
        {"transfer": "fin", "device": "cpu", "replicate": 0, "score": 55.0},
        {"transfer": "fin", "device": "cuda", "replicate": 1, "score": 42.0},
        {"transfer": "fin", "base": "other", "score": 10.0},
        {"transfer": "fin", "adapter_seed": 1, "score": 25.0},
        {"transfer": "fin", "adapter_seed": 2, "score": 25.0},
    )
    ts = transfer_scores(frame).set_index(["base", "adapter_seed"])["ts"]
    assert ts["b", 0] == pytest.approx(7.5)  # mean of 10 % on cpu and 5 % on cuda
    assert ts["other", 0] == 0.0
    assert ts["b", 1] == pytest.approx(25.0)
    assert math.isnan(ts["b", 2]), "no baseline with this adapter seed"


def _random_study(measure, rng):
    rows = [{"setting": "baseline", "target": b, "score": rng.uniform(20, 90)} for b in ("wol", "fin", "zul")]
    for a in ("wol", "fin"):
        for b in ("wol", "fin", "zul"):
            rows += [{"transfer": a, "target": b, "replicate": r, "score": rng.uniform(20, 90)} for r in range(3)]
    return measure(*rows)


def test_row_order_and_scale_do_not_matter(measure):
    rng = np.random.default_rng(0)
    frame = _random_study(measure, rng)
    ts = transfer_scores(frame)
    shuffled = transfer_scores(frame.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(ts, shuffled)
    scaled = transfer_scores(frame.assign(score=frame["score"] * 0.01))
    np.testing.assert_allclose(scaled["ts"], ts["ts"])
    np.testing.assert_allclose(scaled["ts_sd"], ts["ts_sd"])


def test_categorical_columns_give_the_same_answer(measure):
    frame = _random_study(measure, np.random.default_rng(4))
    text = [name for name in frame.columns if pd.api.types.is_string_dtype(frame[name])]
    categorical = frame.astype(dict.fromkeys(text, "category"))
    assert "transfer" in text
    ts, other = transfer_scores(frame), transfer_scores(categorical)
    pd.testing.assert_frame_equal(ts, other)
    again = ts.astype({"transfer": "category", "target": "category"})
    pd.testing.assert_frame_equal(rank_transfer_languages(again), rank_transfer_languages(ts))


def test_the_caller_keeps_his_frame(measure):
    frame = _random_study(measure, np.random.default_rng(2))
    before = frame.copy()
    transfer_scores(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_formula_as_a_loop(measure):
    frame = _random_study(measure, np.random.default_rng(3))
    baseline = frame[frame["setting"] == "baseline"].set_index("target")["score"]
    for row in transfer_scores(frame).itertuples():
        chosen = frame[(frame["transfer"] == row.transfer) & (frame["target"] == row.target)]
        expected = 100 * (chosen["score"].mean() - baseline[row.target]) / baseline[row.target]
        assert row.ts == pytest.approx(expected)


def test_against_random_sign(measure):
    frame = measure(
        {"setting": "baseline", "score": 50.0},
        {"transfer": "fin", "replicate": 0, "score": 48.0},
        {"transfer": "fin", "replicate": 1, "score": 50.0},
        {"setting": "random_sign", "transfer": "fin", "replicate": 0, "score": 39.0},
        {"setting": "random_sign", "transfer": "fin", "replicate": 1, "score": 41.0},
        {"setting": "random_sign", "transfer": "fin", "steps": 1, "replicate": 1, "score": 1.0},
        {"transfer": "zul", "replicate": 0, "score": 48.0},
    )
    against = transfer_scores(frame, against="random_sign").set_index("transfer")
    assert set(against["setting"]) == {"nudge"}
    assert against.loc["fin", "ts"] == pytest.approx(22.5)  # 49 against 40
    assert math.isnan(against.loc["zul", "ts"]), "the control was not run for this language"
    plain = transfer_scores(frame)
    assert set(plain["setting"]) == {"nudge", "random_sign"}


def test_flags_leave_the_aggregates_and_stay_visible(measure):
    flags = pd.DataFrame(
        {
            "task": "pos",
            "dataset": "ud",
            "target": ["wol", "fin"],
            "at_floor": [True, False],
            "unknown_tokens": [False, True],
        }
    )
    ts = transfer_scores(_five_rows(measure), out_of_aggregates=flags).set_index("target")
    assert not ts["aggregated"].any()
    assert ts["at_floor"].to_dict() == {"fin": False, "wol": True}
    assert ts["unknown_tokens"].to_dict() == {"fin": True, "wol": False}
    assert not ts["small"].any()
    assert ts["ts"].notna().all()


def test_no_rows_give_an_empty_frame(measure):
    ts = transfer_scores(measure({"setting": "baseline", "score": 50.0}))
    assert ts.empty
    assert set(CELL) < set(ts.columns)
    assert transfer_scores(measure()).empty


def test_errors(measure):
    frame = _five_rows(measure)
    with pytest.raises(ValueError, match="measurements lacks the columns score; expected the frame that run.meas"):
        transfer_scores(frame.drop(columns="score"))
    with pytest.raises(ValueError, match=r"against='random_sgn' is not among .* did you mean 'random_sign'"):
        transfer_scores(frame, against="random_sgn")
    with pytest.raises(ValueError, match="metric 'acuracy' is unknown, .* did you mean 'accuracy'"):
        transfer_scores(frame.assign(metric=["accuracy", "accuracy", "acuracy", "accuracy", "accuracy"]))
    with pytest.raises(ValueError, match="two different baseline scores for .*'target': 'wol'"):
        transfer_scores(pd.concat([frame, measure({"setting": "baseline", "score": 49.0})]))
    with pytest.raises(ValueError, match="a replicate twice: .*'replicate': 0"):
        transfer_scores(pd.concat([frame, measure({"transfer": "fin", "score": 49.0})]))
    with pytest.raises(ValueError, match="out_of_aggregates lacks the columns dataset"):
        transfer_scores(frame, out_of_aggregates=pd.DataFrame({"task": ["pos"], "target": ["wol"]}))
