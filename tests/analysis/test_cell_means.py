"""Means of cells over replicates and over adapter seeds."""

import numpy as np
from changes_frame import changes_frame, ts_frame

from xltransfer.analysis.cell_means import averaged_seeds, cell_means, replicate_means
from xltransfer.analysis.score_tables import score_tables

NAN = float("nan")


def test_means_over_the_replicates_that_are_there() -> None:
    values = np.array([[[1.0, 2.0, NAN], [3.0, NAN, NAN]]])
    np.testing.assert_array_equal(replicate_means(values), [[2.0, 2.0, NAN]])
    (table,) = score_tables(changes_frame(values, transfer=["b01"]))
    np.testing.assert_array_equal(cell_means(table), [[2.0, 2.0]])
    np.testing.assert_array_equal(cell_means(table, include_self=False), [[2.0, NAN]])


def test_seeds_are_averaged_over_the_cells_in_the_aggregates() -> None:
    frame = ts_frame(np.array([[[1.0, 10.0]], [[3.0, 20.0]]]), transfer=["b01"])
    frame.loc[(frame["adapter_seed"] == 1) & (frame["target"] == "b00"), "aggregated"] = False
    assert averaged_seeds(frame)["ts"].tolist() == [1.0, 15.0]
    assert averaged_seeds(frame, include_self=False)["target"].tolist() == ["b00"]
