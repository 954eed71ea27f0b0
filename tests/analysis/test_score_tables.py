"""Arrays of replicate changes: every value where it belongs, NaN everywhere else."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.scales import SCALES
from xltransfer.analysis.score_tables import score_tables


def changes(rows: list[tuple[str, str, int, int, float]]) -> pd.DataFrame:
    """Rows (transfer, target, replicate, adapter seed, ts) as a frame of changes; other scales hold ts plus 1, 2, 3."""
    frame = pd.DataFrame(rows, columns=["transfer", "target", "replicate", "adapter_seed", "ts"])
    more = {scale: frame["ts"] + place for place, scale in enumerate(SCALES)}
    fixed = {"base": "b", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 10, "dataset": "ud"}
    own = frame["transfer"] == frame["target"]
    return frame.assign(**more, **fixed, corpus="text-" + frame["transfer"], self_transfer=own, aggregated=True)


def test_values_lie_at_transfer_replicate_target() -> None:
    rows = [(a, b, r, 0, 100.0 * i + 10.0 * r + j)
            for i, a in enumerate(("ewe", "wol")) for r in range(3) for j, b in enumerate(("bam", "wol"))]  # fmt: skip
    (table,) = score_tables(changes(rows).sample(frac=1.0, random_state=0))
    assert table.transfers["transfer"].tolist() == ["ewe", "wol"]
    assert table.targets["target"].tolist() == ["bam", "wol"]
    i, r, j = np.meshgrid(range(2), range(3), range(2), indexing="ij")
    np.testing.assert_array_equal(table.values, 100.0 * i + 10.0 * r + j)
    np.testing.assert_array_equal(table.self_transfer, [[False, False], [False, True]])
    assert table.key == {"base": "b", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 10}


def test_adapter_seeds_are_averaged_and_gaps_stay_nan() -> None:
    rows = [("ewe", "bam", 0, 0, 1.0), ("ewe", "bam", 0, 1, 3.0), ("ewe", "bam", 1, 0, 5.0), ("wol", "bam", 0, 0, 7.0)]
    (table,) = score_tables(changes(rows))
    np.testing.assert_array_equal(table.values[:, :, 0], [[2.0, 5.0], [7.0, np.nan]])


def test_what_is_out_of_the_aggregates_is_left_out_unless_asked_for() -> None:
    frame = changes([("ewe", "bam", 0, 0, 1.0), ("ewe", "kin", 0, 0, 2.0)])
    frame["aggregated"] = frame["target"] == "bam"
    (kept,), (whole,) = score_tables(frame), score_tables(frame, aggregated_only=False)
    assert kept.targets["target"].tolist() == ["bam"]
    assert whole.targets["target"].tolist() == ["bam", "kin"]


def test_a_scale_is_chosen_by_name() -> None:
    (table,) = score_tables(changes([("ewe", "bam", 0, 0, 1.0)]), scale="log_ratio")
    assert table.values.item() == 3.0
    with pytest.raises(ValueError, match="delta"):
        list(score_tables(changes([("ewe", "bam", 0, 0, 1.0)]), scale="detla"))
