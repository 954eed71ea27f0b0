"""Common top: each rank stands in its row and column, filled where it is in the top, most common entries first."""

import pandas as pd
import pytest

from xltransfer.figures import common_top_ranks
from xltransfer.figures.places import Places


def test_ranks_and_tops(large, make_top_ranks):
    frame = make_top_ranks(large, "dep", "ner", "pos").sample(frac=1, random_state=0)
    axes = common_top_ranks(frame, large.languages).axes[0]
    entries = [label.get_text() for label in axes.get_yticklabels()]
    tasks = [label.get_text() for label in axes.get_xticklabels()]
    assert tasks == ["dep", "ner", "pos"]
    drawn = {(entries[round(t.get_position()[1])], tasks[round(t.get_position()[0])]): t.get_text() for t in axes.texts
             if t.get_text() != "tasks"}  # fmt: skip
    places = Places(large.languages)
    assert drawn == {(places[row.transfer].label, row.task): f"{row.rank:.0f}" for row in frame.itertuples()}
    filled = axes.images[0].get_array()
    for row in frame.itertuples():
        assert bool(filled[entries.index(places[row.transfer].label), tasks.index(row.task)]) == row.in_top
    counts = [int(label.get_text()) for label in axes.child_axes[0].get_yticklabels()]
    assert counts == sorted(counts, reverse=True)
    by_label = {places[row.transfer].label: row.n_tops for row in frame.itertuples()}
    assert counts == [by_label[entry] for entry in entries]


def test_markup_in_task_names_is_text(small, make_top_ranks, assert_readable):
    figure = common_top_ranks(make_top_ranks(small, "$x$ and a long name of a task", "pos"), small.languages)
    assert figure.axes[0].get_xticklabels()[0].get_text().replace("\n", " ") == r"\$x\$ and a long name of a task"
    assert_readable(figure)


def test_errors(small, make_top_ranks):
    frame = make_top_ranks(small, "pos")
    with pytest.raises(ValueError, match="ranks has no rows"):
        common_top_ranks(frame.iloc[:0], small.languages)
    with pytest.raises(ValueError, match="several values of steps"):
        common_top_ranks(pd.concat([frame, frame.assign(steps=1)]), small.languages)
