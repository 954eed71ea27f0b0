"""Changes per replicate: four scales by hand, undefined values, and agreement with the transfer score."""

import math

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.changes import replicate_changes
from xltransfer.analysis.scores import transfer_scores

SCALES = ["ts", "delta", "log_ratio", "logit_delta"]


def rows(*cells: tuple) -> pd.DataFrame:
    """Measurements of one target: (setting, replicate, metric, score)."""
    made = [
        {"unit": f"u{place}", "base": "b", "device": "cpu", "setting": setting, "transfer": "" if r is None else "wol",
         "corpus": "" if r is None else "text-wol", "steps": None if r is None else 1, "replicate": r,
         "adapter_seed": 0, "task": "pos", "dataset": "ud", "target": "bam", "metric": metric, "score": score,
         "n_items": 50, "n_scored": 50}
        for place, (setting, r, metric, score) in enumerate(cells)
    ]  # fmt: skip
    frame = pd.DataFrame(made)
    return frame.astype({"steps": "Int64", "replicate": "Int64", "adapter_seed": "Int64"})


NO_FLAGS = pd.DataFrame({"task": ["pos"], "dataset": ["ud"], "target": ["bam"], "small": [False]})


def test_all_scales_of_one_replicate_worked_by_hand() -> None:
    frame = rows(("baseline", None, "accuracy", 50.0), ("nudge", 0, "accuracy", 60.0))
    (row,) = replicate_changes(frame, out_of_aggregates=NO_FLAGS).to_dict("records")
    assert row["ts"] == pytest.approx(20.0)
    assert row["delta"] == pytest.approx(10.0)
    assert row["log_ratio"] == pytest.approx(math.log(1.2))
    assert row["logit_delta"] == pytest.approx(math.log(1.5))
    assert row["aggregated"]


def test_lower_nll_is_an_improvement_on_every_scale_that_nats_have() -> None:
    frame = rows(("baseline", None, "nll", 4.0), ("nudge", 0, "nll", 3.0), ("baseline", None, "accuracy", 50.0))
    changes = replicate_changes(frame, out_of_aggregates=NO_FLAGS)
    (row,) = changes[changes["metric"] == "nll"].to_dict("records")
    assert row["ts"] == pytest.approx(25.0)
    assert row["delta"] == pytest.approx(1.0)
    assert row["log_ratio"] == pytest.approx(math.log(4.0 / 3.0))
    assert math.isnan(row["logit_delta"])


def test_a_baseline_of_zero_leaves_only_the_difference() -> None:
    frame = rows(("baseline", None, "accuracy", 0.0), ("nudge", 0, "accuracy", 2.0))
    (row,) = replicate_changes(frame, out_of_aggregates=NO_FLAGS).to_dict("records")
    assert row["delta"] == pytest.approx(2.0)
    assert all(math.isnan(row[scale]) for scale in ("ts", "log_ratio", "logit_delta"))
    assert not row["aggregated"]


def test_a_score_of_a_hundred_has_no_log_odds() -> None:
    frame = rows(("baseline", None, "accuracy", 50.0), ("nudge", 0, "accuracy", 100.0))
    (row,) = replicate_changes(frame, out_of_aggregates=NO_FLAGS).to_dict("records")
    assert math.isnan(row["logit_delta"])
    assert np.isfinite([row["ts"], row["log_ratio"]]).all()


def test_replicates_average_to_the_transfer_score() -> None:
    frame = rows(("baseline", None, "accuracy", 40.0), *(("nudge", r, "accuracy", 40.0 + r) for r in range(4)))
    changes = replicate_changes(frame, out_of_aggregates=NO_FLAGS)
    ts = transfer_scores(frame, out_of_aggregates=NO_FLAGS)
    assert changes["ts"].mean() == pytest.approx(ts["ts"].iloc[0])
    assert changes["ts"].std(ddof=1) == pytest.approx(ts["ts_sd"].iloc[0])
    assert changes["replicate"].tolist() == [0, 1, 2, 3]
