"""Extreme targets: agreement with the counts of the ranking, ties, and what is out of the aggregates."""

import numpy as np
import pandas as pd

from xltransfer.analysis.extremes import extreme_targets
from xltransfer.analysis.ranking import rank_transfer_languages


def ts_frame(values: np.ndarray) -> pd.DataFrame:
    """A ts frame of shape [transfer, target], one adapter seed."""
    rows = [(f"a{i}", f"b{j}", value) for i, row in enumerate(values) for j, value in enumerate(row)]
    frame = pd.DataFrame(rows, columns=["transfer", "target", "ts"])
    fixed = {"base": "m", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 1, "dataset": "ud",
             "adapter_seed": 0, "n_replicates": 3, "ts_sd": 1.0}  # fmt: skip
    return frame.assign(**fixed, corpus=frame["transfer"], self_transfer=False, aggregated=frame["ts"].notna())


def test_the_rows_of_an_entry_are_its_counts_in_the_ranking() -> None:
    values = np.random.default_rng(0).integers(-3, 4, size=(6, 40)).astype(float)  # many ties
    ts = ts_frame(values)
    counts = extreme_targets(ts).groupby(["transfer", "extreme"]).size().unstack("extreme", fill_value=0)
    ranking = rank_transfer_languages(ts).set_index("transfer")
    for name in ("max", "min"):
        pd.testing.assert_series_equal(
            counts[name].reindex(ranking.index, fill_value=0), ranking[f"n_{name}"], check_names=False
        )


def test_ties_are_credited_to_all_and_undefined_cells_to_nobody() -> None:
    frame = extreme_targets(ts_frame(np.array([[2.0, np.nan], [2.0, np.nan], [-1.0, 5.0]])))
    first = frame[(frame["target"] == "b0") & (frame["extreme"] == "max")]
    assert first["transfer"].tolist() == ["a0", "a1"]
    assert first["n_tied"].tolist() == [2, 2]
    second = frame[frame["target"] == "b1"]  # one entry has both extremes
    assert second[["extreme", "transfer"]].values.tolist() == [["max", "a2"], ["min", "a2"]]
