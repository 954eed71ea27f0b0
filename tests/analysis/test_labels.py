"""Changes of gold labels: means, adjusted p by statsmodels, labels without ts, and labels that moved."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from xltransfer.analysis.labels import label_changes

NAN = float("nan")
NO_FLAGS = pd.DataFrame({"task": ["pos"], "dataset": ["ud"], "target": ["b00"], "small": [False]})


def measurements(scores: dict[str, np.ndarray], baseline: dict[str, float]) -> pd.DataFrame:
    """Rows of nudged scores [A, R, T] and of a baseline that is the same on every target, by metric."""
    rows = []
    for metric, table in scores.items():
        for (a, r, t), score in np.ndenumerate(table):
            rows.append(("nudge", f"a{a:02d}", f"text-a{a:02d}", 10, r, f"b{t:02d}", metric, score))
        for t in range(table.shape[2]):
            rows.append(("baseline", "", "", None, None, f"b{t:02d}", metric, baseline[metric]))
    names = ["setting", "transfer", "corpus", "steps", "replicate", "target", "metric", "score"]
    frame = pd.DataFrame(rows, columns=names).dropna(subset="score")
    fixed = {
        "base": "b",
        "device": "cpu",
        "adapter_seed": 0,
        "task": "pos",
        "dataset": "ud",
        "n_items": 9,
        "n_scored": 9,
    }
    return frame.assign(**fixed).astype({"steps": "Int64", "replicate": "Int64", "adapter_seed": "Int64"})


def noisy(rng: np.random.Generator, level: float) -> np.ndarray:
    return level + rng.normal(size=(4, 3, 6))


def test_labels_that_moved_are_told_from_those_that_did_not() -> None:
    rng = np.random.default_rng(0)
    scores = {"accuracy[NOUN]": noisy(rng, 60.0), "accuracy[VERB]": noisy(rng, 40.0), "accuracy[X]": noisy(rng, 40.0)}
    frame = measurements(scores, {"accuracy[NOUN]": 50.0, "accuracy[VERB]": 40.0, "accuracy[X]": 40.0})
    found = label_changes(frame, NO_FLAGS).set_index("label")
    assert found["metric"].eq("accuracy").all() and found["transfer"].eq("").all()
    assert found.loc["NOUN", "estimate"] == pytest.approx(2.0 * (scores["accuracy[NOUN]"].mean() - 50.0))
    assert found.loc["NOUN", ["reference", "n_transfers", "n_targets", "n_cells"]].tolist() == [50.0, 4, 6, 24]
    assert found.loc["NOUN", "p_holm"] < 0.001 < 0.2 < found.loc[["VERB", "X"], "p_holm"].min()
    np.testing.assert_allclose(found["p_holm"], multipletests(found["p"], method="holm")[1])


def test_labels_without_an_interval_are_no_test() -> None:
    rng = np.random.default_rng(4)
    scores = {
        "accuracy[NOUN]": noisy(rng, 60.0),
        "accuracy[VERB]": noisy(rng, 40.5),
        "accuracy[X]": np.full((4, 3, 6), 50.0),
    }
    found = label_changes(
        measurements(scores, {"accuracy[NOUN]": 50.0, "accuracy[VERB]": 40.0, "accuracy[X]": 40.0}), NO_FLAGS
    )
    p = dict(zip(found["label"], found["p"], strict=True))
    assert np.isnan(p["X"]) and found.set_index("label").loc["X", "why"] == "nothing varies"
    # Two tests are left: the smaller p counts twice, the larger once but no less than that.
    adjusted = [2.0 * p["NOUN"], max(2.0 * p["NOUN"], p["VERB"]), NAN]
    assert found["p_holm"].tolist() == pytest.approx(adjusted, nan_ok=True)


def test_a_label_that_is_never_right_has_only_a_delta() -> None:
    rng = np.random.default_rng(1)
    frame = measurements({"accuracy[X]": np.abs(rng.normal(size=(3, 2, 4)))}, {"accuracy[X]": 0.0})
    assert label_changes(frame, NO_FLAGS).empty
    (row,) = label_changes(frame, NO_FLAGS, scale="delta").to_dict("records")
    assert row["n_cells"] == 12 and row["estimate"] > 0.0 and row["reference"] == 0.0


def test_a_row_for_each_transfer_entry() -> None:
    rng = np.random.default_rng(2)
    tables = {"accuracy[NOUN]": noisy(rng, 60.0), "accuracy[VERB]": noisy(rng, 40.0)}
    tables["accuracy[VERB]"][1, :, 2:] = NAN
    found = label_changes(
        measurements(tables, {"accuracy[NOUN]": 50.0, "accuracy[VERB]": 40.0}), NO_FLAGS, by_transfer=True
    )
    assert len(found) == 10
    row = found.query("label == 'VERB' and transfer == 'a01'").iloc[0]
    assert row["estimate"] == pytest.approx(2.5 * (tables["accuracy[VERB]"][1, :, :2].mean() - 40.0))
    assert (row["n_transfers"], row["n_targets"], row["n_cells"]) == (1, 2, 2)
    for _, part in found.groupby("transfer"):
        np.testing.assert_allclose(part["p_holm"], multipletests(part["p"], method="holm")[1])


def test_flagged_targets_stay_out_and_labels_are_needed() -> None:
    rng = np.random.default_rng(3)
    frame = measurements({"accuracy[NOUN]": noisy(rng, 60.0), "accuracy": noisy(rng, 60.0)},
                         {"accuracy[NOUN]": 50.0, "accuracy": 50.0})  # fmt: skip
    flags = NO_FLAGS.assign(small=True)
    (row,) = label_changes(frame, flags).to_dict("records")
    assert (row["label"], row["n_targets"]) == ("NOUN", 5)
    with pytest.raises(ValueError, match="no metric of a label"):
        label_changes(frame[frame["metric"] == "accuracy"], flags)
    with pytest.raises(ValueError, match="did you mean 'delta'"):
        label_changes(frame, flags, scale="detla")
