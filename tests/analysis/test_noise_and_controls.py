"""The noise floor and the controls, worked by hand."""

import math

import pytest

from xltransfer.analysis import controls, noise_floor


def test_noise_floor_by_hand(measure):
    frame = measure(
        {"setting": "baseline", "target": "wol", "score": 50.0},
        {"setting": "baseline", "target": "fin", "score": 80.0},
        {"setting": "noise_batching", "target": "wol", "score": 50.0},
        {"setting": "noise_batching", "target": "fin", "score": 79.2},
        {"setting": "noise_precision", "target": "wol", "score": 50.5},
        {"setting": "noise_precision", "target": "fin", "score": 80.4},
    )
    floor = noise_floor(frame).set_index("setting")
    assert floor.loc["noise_batching", ["n_cells", "max_difference", "mean_difference"]].tolist() == pytest.approx(
        [2, 0.8, 0.4]
    )
    assert floor.loc["noise_batching", ["max_ts", "mean_ts"]].tolist() == pytest.approx([1.0, 0.5])
    assert floor.loc["noise_precision", ["max_ts", "mean_ts"]].tolist() == pytest.approx([1.0, 0.75])


def test_noise_without_baseline_is_not_counted(measure):
    frame = measure(
        {"setting": "baseline", "score": 0.0},
        {"setting": "noise_batching", "score": 1.0},
        {"setting": "noise_batching", "target": "fin", "score": 1.0},
    )
    row = noise_floor(frame).iloc[0]
    assert row["n_cells"] == 1
    assert row["max_difference"] == 1.0
    assert math.isnan(row["max_ts"])


def _controlled(measure):
    rows = []
    for target, base, nudged, control in (
        ("wol", 50.0, 51.0, 49.0),
        ("fin", 40.0, 42.0, 40.0),
        ("zul", 80.0, 80.0, 80.8),
    ):
        common = {"transfer": "eng", "target": target}
        rows += [
            {"setting": "baseline", "target": target, "score": base},
            {**common, "score": nudged},
            {**common, "setting": "random_sign", "score": control},
            {**common, "setting": "zero_steps", "steps": 0, "score": base},
        ]
    return measure(*rows)


def test_controls_by_hand(measure):
    table = controls(_controlled(measure)).set_index("setting")
    zero, random = table.loc["zero_steps"], table.loc["random_sign"]
    assert zero["max_abs_ts"] == 0.0
    assert zero["exact"]
    assert math.isnan(zero["difference"])
    # ts of the nudge: 2, 5, 0; of random signs: -2, 0, 1; differences 4, 5, -1.
    assert random["aggregated_ts"] == pytest.approx(-1 / 3)
    assert random["nudge_ts"] == pytest.approx(7 / 3)
    assert random["difference"] == pytest.approx(8 / 3)
    assert random["difference_se"] == pytest.approx(math.sqrt((16 / 9 + 49 / 9 + 121 / 9) / 2 / 3))
    assert random["max_abs_ts"] == pytest.approx(2.0)
    assert random["n_targets"] == 3
    assert not random["exact"]


def test_last_bit_of_zero_steps_is_seen_even_where_ts_is_undefined(measure):
    frame = _controlled(measure)
    changed = (frame["setting"] == "zero_steps") & (frame["target"] == "wol")
    frame.loc[changed, "score"] = math.nextafter(50.0, 51.0)
    assert not controls(frame).set_index("setting").loc["zero_steps", "exact"]
    zero_baseline = measure(
        {"setting": "baseline", "score": 0.0},
        {"setting": "zero_steps", "transfer": "eng", "steps": 0, "score": 0.1},
    )
    row = controls(zero_baseline).iloc[0]
    assert not row["exact"]
    assert row["n_cells"] == 0


def test_a_study_without_controls(measure):
    assert controls(measure({"setting": "baseline", "score": 5.0}, {"transfer": "fin", "score": 5.0})).empty
