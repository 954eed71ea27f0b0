"""Four blocks: each number stands in its block, and bold where its interval excludes 0."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.figures import seen_unseen_blocks

TASKS = (("dep", "las"), ("pos", "accuracy"))
STEPS = (1, 10, 1000)


def test_every_number_stands_in_its_block(make_blocks):
    frame = make_blocks(TASKS, STEPS).sample(frac=1, random_state=0)
    figure = seen_unseen_blocks(frame)
    panels = {(i, j): figure.axes[2 * i + j] for i in (0, 1) for j in (0, 1)}
    for row in frame.itertuples():
        axes = panels[int(not row.transfer_seen), int(not row.target_seen)]
        at = TASKS.index((row.task, row.metric)), STEPS.index(row.steps)
        mesh = axes.collections[0]
        assert mesh.get_array().reshape(2, 3)[at] == pytest.approx(row.estimate)
        assert mesh.norm.vmin == -mesh.norm.vmax == figure.axes[0].collections[0].norm.vmin
        (text,) = (t for t in axes.texts if t.get_position() == (at[1] + 0.5, at[0] + 0.5))
        estimate, interval, count = text.get_text().replace("−", "-").split("\n")
        assert float(estimate) == pytest.approx(row.estimate, abs=0.006)
        assert [float(end) for end in interval.split(" to ")] == pytest.approx([row.low, row.high], abs=0.006)
        assert count == "n = 1,234"
        assert (text.get_fontweight() == "bold") == (row.low > 0 or row.high < 0)


def test_labels(make_blocks):
    figure = seen_unseen_blocks(make_blocks(TASKS, STEPS))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["to seen targets", "to unseen targets"]
    assert [figure.axes[i].get_ylabel() for i in (0, 2)] == ["from seen", "from unseen"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["k = 1", "k = 10", "k = 1,000"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["dep LAS", "pos accuracy"]
    assert figure.axes[-1].get_ylabel() == "ts (% of baseline)"


def test_undefined_missing_and_without_interval(make_blocks):
    frame = make_blocks(TASKS[:1], (10,))
    frame.loc[0, ["estimate", "low", "high", "why"]] = [np.nan, np.nan, np.nan, "undefined baseline"]
    frame.loc[1, ["low", "high", "why"]] = [np.nan, np.nan, "one target"]
    figure = seen_unseen_blocks(frame.drop(index=2))
    texts = [axes.texts[0].get_text() for axes in figure.axes[:4]]
    assert texts[0] == "undefined\nn = 1,234" and texts[1].split("\n")[1] == "no interval" and texts[2] == "not given"
    assert any(
        "2 of 3 without interval (one target: 1; undefined baseline: 1)" in t.get_text().replace("\n", " ")
        for t in figure.texts
    )


def test_errors(make_blocks):
    frame = make_blocks(TASKS, STEPS)
    with pytest.raises(ValueError, match="blocks has no rows"):
        seen_unseen_blocks(frame.iloc[:0])
    with pytest.raises(ValueError, match=r"several values of scale \(delta, ts\)"):
        seen_unseen_blocks(pd.concat([frame, frame.assign(scale="delta")]))
    with pytest.raises(ValueError, match="blocks lacks the columns transfer_seen"):
        seen_unseen_blocks(frame.drop(columns="transfer_seen"))
