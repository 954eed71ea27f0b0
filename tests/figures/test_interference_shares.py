"""Bars of improvement: heights and whiskers are the frame's, in the order of steps and compositions."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from xltransfer.analysis.interference_gains import improvement_shares
from xltransfer.figures.interference_shares import improvement_bars

SETTINGS = ["k1000", "any", "k1", "a1", "a3", "k10", "a2"]
TASKS = [("dep", "las"), ("ner", "f1"), ("pos", "accuracy")]


@pytest.fixture(scope="module")
def shares() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frames = []
    for task, metric in TASKS:
        for setting in SETTINGS:
            values = rng.random(30) < rng.random()
            frame = pd.DataFrame({"language": [f"l{i}" for i in range(30)], "improves": values})
            frames.append(frame.assign(base="mbert", task=task, metric=metric, setting=setting))
    return improvement_shares(pd.concat(frames).astype({"improves": "boolean"}))


def test_bars_and_whiskers_are_the_frames(shares):
    axes = improvement_bars(shares).axes[0]
    order = ["k1", "k10", "k1000", "a1", "a2", "a3", "any"]
    ordered = shares.set_index(["setting", "task"]).loc[[(s, task) for s in order for task, _ in TASKS]]
    bars = [bar for group in axes.containers for bar in group]
    assert [bar.get_height() for bar in bars] == ordered["percent"].tolist()
    whiskers = [c.get_segments()[0] for c in axes.collections if isinstance(c, LineCollection)]
    assert [[ends[0][1], ends[1][1]] for ends in whiskers] == ordered[["low", "high"]].to_numpy().tolist()
    middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    assert np.allclose(middles, [ends[0][0] for ends in whiskers])
    assert [round(middle) for middle in middles] == [0, 1, 2] * len(order)
    first = [middle for middle in middles if round(middle) == 0]
    assert first == sorted(first)


def test_legend_and_tasks_say_what_is_what(shares, assert_readable):
    figure = improvement_bars(shares)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["k = 1", "k = 10", "k = 1,000", "[A]", "[AB], mean", "[ABC], mean", "any of [A], [AB], [ABC]",
                     "95 % interval"]  # fmt: skip
    ticks = [text.get_text().replace("\n", " ") for text in figure.axes[0].get_xticklabels()]
    assert ticks == ["dep LAS (30 languages)", "ner F1 (30 languages)", "pos accuracy (30 languages)"]
    assert_readable(figure)
    assert figure.get_figwidth() <= 7.2


def test_colours_of_settings_differ(shares):
    axes = improvement_bars(shares).axes[0]
    assert len({group[0].get_facecolor() for group in axes.containers[:: len(TASKS)]}) == len(SETTINGS)


def test_a_task_without_a_setting_has_a_gap_and_an_undefined_share_no_bar(shares, assert_readable):
    rows = shares[~((shares["task"] == "ner") & (shares["setting"] == "any"))].copy()
    rows.loc[(rows["task"] == "dep") & (rows["setting"] == "a1"), ["percent", "low", "high"]] = math.nan
    rows.loc[(rows["task"] == "dep") & (rows["setting"] == "a1"), "n_languages"] = 0
    figure = improvement_bars(rows)
    assert sum(len(group) for group in figure.axes[0].containers) == 3 * 7 - 2
    assert figure.axes[0].get_xticklabels()[0].get_text().replace("\n", " ") == "dep LAS (0 to 30 languages)"
    assert_readable(figure)


def test_one_bar_is_a_figure(shares, assert_readable):
    figure = improvement_bars(shares[:1])
    assert_readable(figure)
    assert "chance" not in " ".join(text.get_text() for text in figure.texts)


def test_what_to_show_must_be_clear(shares):
    with pytest.raises(ValueError, match="several values of base"):
        improvement_bars(pd.concat([shares, shares.assign(base="xlmr")]))
    with pytest.raises(ValueError, match="two rows for"):
        improvement_bars(pd.concat([shares, shares[:1]]))
    with pytest.raises(ValueError, match="setting 'step1'; expected k and a number of steps, or one of"):
        improvement_bars(shares.replace({"setting": {"k1": "step1"}}))
    with pytest.raises(ValueError, match="no defined percent"):
        improvement_bars(shares.assign(percent=math.nan))
