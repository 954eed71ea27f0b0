"""Progression: lines and whiskers are the frame's, k = 0 has a place, labels at the ends keep apart."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from xltransfer.figures import progression
from xltransfer.figures.places import Places


def data_lines(axes):
    return [line for line in axes.lines if line.get_label() != "family" and len(line.get_xdata()) > 2]


def test_a_panel_per_transfer_language_and_a_line_per_task(large, make_progression):
    frame = make_progression(large).sample(frac=1, random_state=0)
    figure = progression(frame, large.languages)
    by_label = {Places(large.languages)[code].label: code for code in large.transfers}
    titles = [axes.get_title() for axes in figure.axes]
    assert set(titles) == set(by_label) and len(titles) == 38
    orders = [Places(large.languages)[by_label[title]].order for title in titles]
    assert orders == sorted(orders)
    for axes in figure.axes:
        own = frame[frame["transfer"] == by_label[axes.get_title()]].sort_values("steps")
        for line, task in zip(data_lines(axes), ["dep", "ner", "pos"], strict=True):
            expected = own[own["task"] == task]
            assert line.get_xdata().tolist() == [0, 1, 10, 100, 1000]
            assert line.get_ydata() == pytest.approx(expected["estimate"].tolist())
        whiskers = np.array(axes.collections[0].get_segments())
        assert np.allclose(whiskers[:, :, 1], own[own["task"] == "dep"][["low", "high"]])
    assert [text.get_text() for text in figure.legends[0].get_texts()][:3] == ["dep LAS", "ner F1", "pos accuracy"]


def test_a_panel_per_task_and_a_line_per_transfer_language(small, make_progression):
    frame = make_progression(small)
    figure = progression(frame, small.languages, lines="transfer")
    places = Places(small.languages)
    assert [axes.get_title() for axes in figure.axes] == ["dep LAS", "ner F1", "pos accuracy"]
    for axes, task in zip(figure.axes, ["dep", "ner", "pos"], strict=True):
        for line, code in zip(data_lines(axes), ["wol", "fin", "hun"], strict=True):
            own = frame[(frame["transfer"] == code) & (frame["task"] == task)]
            assert line.get_ydata() == pytest.approx(own["estimate"].tolist())
            assert to_hex(line.get_color()).upper() == places[code].colour
        assert {text.get_text() for text in axes.texts} == {"Wolof", "Finnish", "Hungarian"}


def test_end_labels_are_in_the_order_of_the_ends(large, make_progression):
    frame = make_progression(large)
    figure = progression(frame, large.languages, lines="transfer")
    last = frame[(frame["task"] == "ner") & (frame["steps"] == 1000)].sort_values("estimate")
    placed = sorted(figure.axes[1].texts, key=lambda text: text.xyann[1])
    assert [text.get_text() for text in placed] == [Places(large.languages)[code].label for code in last["transfer"]]


def test_zero_steps_stand_left_of_the_first_step(small, make_progression):
    axes = progression(make_progression(small), small.languages).axes[0]
    place = axes.transData.transform([(k, 0) for k in (0, 1, 10, 100, 1000)])[:, 0]
    assert axes.bbox.x0 < place[0] and place[-1] < axes.bbox.x1
    gaps = np.diff(place)
    assert (gaps > 10).all() and gaps[1:] == pytest.approx(gaps[1], rel=0.05)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "10", "100", "1,000"]


@pytest.mark.parametrize("steps", [(0,), (10,), (1, 2, 3, 5, 8, 13, 21, 34, 55, 1000, 1001)])
def test_other_steps(small, make_progression, assert_readable, steps):
    for lines in ("task", "transfer"):
        assert_readable(progression(make_progression(small, steps), small.languages, lines=lines))


def test_undefined_estimates_are_gaps_and_missing_intervals_have_no_whisker(small, make_progression):
    frame = make_progression(small)
    where = (frame["transfer"] == "wol") & (frame["task"] == "dep") & (frame["steps"] == 100)
    frame.loc[where, ["estimate", "low", "high", "why"]] = [np.nan, np.nan, np.nan, "undefined baseline"]
    figure = progression(frame, small.languages)
    assert np.isnan(data_lines(figure.axes[0])[0].get_ydata()).tolist() == [False] * 3 + [True, False]
    assert any("1 of 45 without interval (undefined baseline: 1)" in text.get_text() for text in figure.texts)
    with pytest.raises(ValueError, match="estimates has no defined estimate here"):
        progression(frame[where], small.languages)
    gone = frame[~((frame["transfer"] == "wol") & (frame["task"] == "dep") & ~where)]
    labels = [text.get_text() for text in progression(gone, small.languages, lines="transfer").axes[0].texts]
    assert labels == ["Finnish", "Hungarian"], "a line without a point has no label"


def test_no_two_tasks_look_alike(small, make_progression):
    frame = make_progression(small)
    many = pd.concat([frame[frame["task"] == "pos"].assign(task=f"task {number}") for number in range(9)])
    lines = data_lines(progression(many, small.languages).axes[0])
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == len(lines) == 9


def test_all_transfer_languages_together(small, make_progression):
    frame = make_progression(small)
    together = frame[frame["transfer"] == "fin"].assign(transfer="", corpus="")
    figure = progression(pd.concat([frame, together]), small.languages)
    assert [axes.get_title() for axes in figure.axes] == ["all transfer languages", "Wolof", "Finnish", "Hungarian"]
    assert (
        progression(together, small.languages, lines="transfer").axes[0].texts[0].get_text() == "all transfer languages"
    )


def test_the_metric_is_on_the_axis_if_there_is_one_only(small, make_progression):
    frame = make_progression(small).assign(scale="delta")
    assert progression(frame, small.languages).axes[0].get_ylabel() == "Δ score (points, or nats for NLL)"
    one = frame[frame["task"] == "dep"]
    assert progression(one, small.languages).axes[0].get_ylabel() == "Δ LAS (points)"


def test_errors(small, large, make_progression):
    frame = make_progression(small)
    with pytest.raises(ValueError, match="estimates has no rows"):
        progression(frame.iloc[:0], small.languages)
    with pytest.raises(ValueError, match="lines='tasks' is not among .* did you mean 'task'"):
        progression(frame, small.languages, lines="tasks")
    with pytest.raises(ValueError, match="estimates holds two rows for"):
        progression(pd.concat([frame, frame]), small.languages)
    with pytest.raises(ValueError, match="size is too low for 38 lines .* inches higher"):
        progression(make_progression(large), large.languages, lines="transfer", size=(12, 3))
