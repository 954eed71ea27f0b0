"""Violins: order, variance and colours; points where there are few targets."""

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_hex

from xltransfer.figures import transfer_violins
from xltransfer.figures.colours import SEEN, UNSEEN
from xltransfer.figures.places import Places
from xltransfer.figures.violins import FEW


def lines(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def printed(figure):
    beside = figure.axes[0].child_axes[0]
    return [label.get_text() for label in beside.get_yticklabels()]


def points(figure):
    return [c for c in figure.axes[0].collections if c.get_label() == "targets"]


def bodies(figure):
    return [c for c in figure.axes[0].collections if isinstance(c, FillBetweenPolyCollection)]


def test_sorted_by_variance_which_is_printed(large, make_ts):
    ts = make_ts(large)
    figure = transfer_violins(ts, large.languages)
    places = Places(large.languages)
    variance = ts.groupby("transfer")["ts"].apply(lambda values: np.var(values, ddof=1)).sort_values(ascending=False)
    assert lines(figure) == [places[code].label for code in variance.index]
    assert [float(text.split(" ")[0]) for text in printed(figure)] == pytest.approx(list(variance), rel=0.01)
    assert all(text.endswith("(125)") for text in printed(figure))


def test_points_are_the_targets_and_the_mean_is_theirs(large, make_ts):
    ts = make_ts(large)
    figure = transfer_violins(ts, large.languages)
    by_label = {Places(large.languages)[code].label: rows["ts"] for code, rows in ts.groupby("transfer")}
    (means,) = (c for c in figure.axes[0].collections if c.get_label() == "mean")
    for index, label in enumerate(lines(figure)):
        offsets = points(figure)[index].get_offsets()
        assert sorted(offsets[:, 0]) == pytest.approx(sorted(by_label[label]))
        assert np.allclose(offsets[:, 1], index)
        assert tuple(means.get_offsets()[index]) == pytest.approx((by_label[label].mean(), index))


def test_unseen_languages_are_coloured(large, make_ts):
    figure = transfer_violins(make_ts(large), large.languages)
    by_label = {place.label: place for place in map(Places(large.languages).__getitem__, large.transfers)}
    assert len(bodies(figure)) == 38
    for body in bodies(figure):
        middle = round(float(body.get_paths()[0].vertices[:, 1].mean()))
        place = by_label[lines(figure)[middle]]
        assert to_hex(body.get_facecolor()[0]).upper() == (SEEN if place.seen else UNSEEN)


def test_violins_span_their_data(large, make_ts):
    ts = make_ts(large)
    figure = transfer_violins(ts, large.languages)
    widest = max(np.ptp(body.get_paths()[0].vertices[:, 0]) for body in bodies(figure))
    ranges = ts.groupby("transfer")["ts"].apply(np.ptp)
    assert widest == pytest.approx(ranges.max())


def test_few_targets_are_points_only(small, make_ts):
    assert len(small.targets) < FEW
    figure = transfer_violins(make_ts(small), small.languages)
    assert bodies(figure) == [] and [len(c.get_offsets()) for c in points(figure)] == [3, 3, 3]
    heights = np.concatenate([c.get_offsets()[:, 1] - line for line, c in enumerate(points(figure))])
    assert np.abs(heights).max() < 0.3 and np.ptp(heights) > 0, "apart from each other, and inside their line"


def test_equal_values_have_no_violin_and_one_target_no_variance(large, make_ts):
    ts = make_ts(large)
    ts.loc[ts["transfer"] == "fin", "ts"] = 0.5
    ts = ts[(ts["transfer"] != "wol") | (ts["target"] == "wol")]
    figure = transfer_violins(ts, large.languages)
    assert len(bodies(figure)) == 36
    assert lines(figure)[-1] == "Wolof" and printed(figure)[-1] == "– (1)", "no variance stands last"
    assert lines(figure)[-2] == "Finnish" and printed(figure)[-2] == "0.00 (125)"


def test_targets_outside_the_aggregates_are_left_out_and_counted(large, make_ts):
    ts = make_ts(large)
    ts.loc[ts["target"].isin(["wol", "fin"]), "aggregated"] = False
    figure = transfer_violins(ts, large.languages)
    assert all(text.endswith("(123)") for text in printed(figure))
    assert any("2 of 125 targets are at their floor" in text.get_text() for text in figure.texts)


def test_an_entry_of_which_nothing_is_aggregated_keeps_its_line(small, make_ts):
    ts = make_ts(small)
    ts.loc[ts["transfer"] == "fin", ["ts", "aggregated"]] = [np.nan, False]
    figure = transfer_violins(ts, small.languages)
    assert lines(figure)[-1] == "Finnish" and printed(figure)[-1] == "– (0)"


def test_errors(small, make_ts):
    ts = make_ts(small)
    with pytest.raises(ValueError, match="ts has no rows"):
        transfer_violins(ts.iloc[:0], small.languages)
    with pytest.raises(ValueError, match="ts has no aggregated row here; expected at least one target"):
        transfer_violins(ts.assign(aggregated=False), small.languages)
    with pytest.raises(ValueError, match="metric='las' is not among the known values: accuracy"):
        transfer_violins(ts, small.languages, metric="las")
