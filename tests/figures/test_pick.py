"""A figure asks where a frame holds several conditions, and says what it expected where there is none."""

import pandas as pd
import pytest

from xltransfer.figures.pick import pick, require_some, require_unique

FRAME = pd.DataFrame({"task": ["pos", "pos", "dep"], "steps": [1, 10, 10], "seed": None, "x": [1.0, 2.0, 3.0]}).astype(
    {"steps": "Int64", "seed": "Int64"}
)


def test_named_and_only_values():
    rows, key = pick(FRAME, "frame", task="pos", steps=10, seed=None)
    assert rows["x"].tolist() == [2.0] and rows.index.tolist() == [0]
    assert key == {"task": "pos", "steps": 10, "seed": None}
    assert pick(FRAME, "frame", task="dep", steps=None)[1] == {"task": "dep", "steps": 10}


def test_the_frame_is_left_alone_and_categories_become_text():
    frame = FRAME.astype({"task": "category"})
    before = frame.copy()
    rows, _ = pick(frame, "frame", task="pos")
    pd.testing.assert_frame_equal(frame, before)
    assert not isinstance(rows["task"].dtype, pd.CategoricalDtype)


def test_errors():
    with pytest.raises(ValueError, match=r"frame holds several values of steps \(1, 10\); name one with steps="):
        pick(FRAME, "frame", task="pos", steps=None)
    with pytest.raises(ValueError, match="task='pso' is not among the known values: dep, pos; did you mean 'pos'"):
        pick(FRAME, "frame", task="pso")
    with pytest.raises(ValueError, match="steps=10 is not among the known values: 1"):
        pick(FRAME.iloc[:1], "frame", task="pos", steps=10)
    with pytest.raises(ValueError, match="frame has no rows; expected at least one"):
        pick(FRAME.iloc[:0], "frame", task=None)
    with pytest.raises(ValueError, match="frame lacks the columns base"):
        pick(FRAME, "frame", base=None)
    with pytest.raises(ValueError, match="frame holds two rows for {'task': 'pos'}"):
        require_unique(FRAME, ["task"], "frame")


def test_nothing_defined_is_nothing_to_show():
    require_some(pd.DataFrame({"x": [None, 1.0]}), "x", "frame")
    with pytest.raises(ValueError, match="frame has no defined x here; expected at least one, so there is nothing"):
        require_some(pd.DataFrame({"x": [float("nan")] * 2}), "x", "frame")
