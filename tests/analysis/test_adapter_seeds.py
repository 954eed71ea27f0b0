"""Variance components of cells and adapter seeds: by hand, at known limits, and recovered from a simulation."""

import math

import numpy as np
import pytest

from xltransfer.analysis import adapter_seed_share


def _table(scored, values, **more):
    rows = [
        {"target": f"q{i:03d}", "adapter_seed": j, "ts": value, **more}
        for i, row in enumerate(values)
        for j, value in enumerate(row)
    ]
    return scored(*rows)


def test_two_by_two_by_hand(scored):
    row = adapter_seed_share(_table(scored, [[1.0, 3.0], [5.0, 11.0]], ts_sd=math.sqrt(3.0))).iloc[0]
    # Mean squares: cell 36, seed 16, rest 4; replicates' noise 3/3 = 1.
    assert row[["cell", "seed", "interaction", "replicate"]].tolist() == pytest.approx([16.0, 6.0, 3.0, 1.0])
    assert row["share"] == pytest.approx(9 / 26)
    assert row["share_main"] == pytest.approx(6 / 26)
    assert (row["n_seeds"], row["n_cells"], row["n_incomplete"]) == (2, 2, 0)


def test_known_limits(scored):
    only_cells = adapter_seed_share(_table(scored, [[1.0, 1.0], [4.0, 4.0], [9.0, 9.0]])).iloc[0]
    only_seeds = adapter_seed_share(_table(scored, [[1.0, 4.0], [1.0, 4.0], [1.0, 4.0]])).iloc[0]
    assert only_cells["share"] == 0.0
    assert only_seeds["share"] == pytest.approx(1.0)
    nothing = adapter_seed_share(_table(scored, [[2.0, 2.0], [2.0, 2.0]])).iloc[0]
    assert math.isnan(nothing["share"])


def test_components_are_recovered(scored):
    rng = np.random.default_rng(0)
    values = rng.normal(0, 3, (150, 1)) + rng.normal(0, 2, (1, 12)) + rng.normal(0, 1, (150, 12))
    row = adapter_seed_share(_table(scored, values, ts_sd=0.5 * math.sqrt(3.0))).iloc[0]
    assert row["cell"] == pytest.approx(9.0, rel=0.3)
    assert row["seed"] == pytest.approx(4.0, rel=0.8)
    assert row["interaction"] == pytest.approx(0.75, rel=0.2)
    assert row["replicate"] == pytest.approx(0.25)


def test_one_seed_one_replicate_and_missing_cells(scored):
    assert math.isnan(adapter_seed_share(_table(scored, [[1.0], [2.0]])).iloc[0]["share"])
    single = adapter_seed_share(_table(scored, [[1.0, 3.0], [5.0, 11.0]], n_replicates=1, ts_sd=float("nan"))).iloc[0]
    assert math.isnan(single["share"])
    assert single["share_main"] == pytest.approx(6 / 26)
    frame = _table(scored, [[1.0, 3.0], [5.0, 11.0], [7.0, 7.0]]).iloc[:-1]
    assert adapter_seed_share(frame).iloc[0]["n_incomplete"] == 1
    without_adapter = _table(scored, [[1.0], [2.0]]).assign(adapter_seed=None)
    assert adapter_seed_share(without_adapter).iloc[0]["n_seeds"] == 1
