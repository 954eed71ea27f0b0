"""Forest plot: order, whiskers, rank sets, and what has no interval or no value."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from xltransfer.figures import forest
from xltransfer.figures.colours import SEEN, UNKNOWN, UNSEEN
from xltransfer.figures.places import Places

NO_RANKS = pd.array([pd.NA] * 3, dtype="Int64")


def collection(axes, label):
    (found,) = (c for c in axes.collections if c.get_label() == label)
    return found


def lines(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


@pytest.fixture
def drawn(large, make_aggregates, make_rank_sets):
    aggregates = make_aggregates(large).sample(frac=1, random_state=0)
    return aggregates, forest(aggregates, make_rank_sets(aggregates), large.languages)


def test_estimates_and_whiskers_are_the_frames_in_falling_order(drawn, large):
    aggregates, figure = drawn
    expected = aggregates.sort_values("estimate", ascending=False)
    places = Places(large.languages)
    assert lines(figure) == [places[code].label for code in expected["transfer"]]
    estimates = collection(figure.axes[0], "estimate").get_offsets()
    assert np.allclose(estimates, np.column_stack([expected["estimate"], range(38)]))
    whiskers = np.array(collection(figure.axes[0], "interval").get_segments())
    assert np.allclose(whiskers[:, :, 0], expected[["low", "high"]])
    assert np.allclose(whiskers[:, :, 1], np.arange(38)[:, None])


def test_unseen_languages_are_coloured(drawn, large):
    aggregates, figure = drawn
    codes = aggregates.sort_values("estimate", ascending=False)["transfer"]
    seen = [Places(large.languages)[code].seen for code in codes]
    fills = [to_hex(colour).upper() for colour in collection(figure.axes[0], "estimate").get_facecolors()]
    assert fills == [SEEN if known else UNSEEN for known in seen]
    assert [to_hex(patch.get_facecolor()).upper() for patch in figure.axes[1].containers[0]] == fills


def test_rank_sets_are_drawn_and_printed(drawn):
    aggregates, figure = drawn
    bars = figure.axes[1].containers[0]
    spans = [
        (bar.get_x() + 0.4, bar.get_x() + bar.get_width() - 0.4, bar.get_y() + bar.get_height() / 2) for bar in bars
    ]
    printed = [label.get_text() for label in figure.axes[1].child_axes[0].get_yticklabels()]
    for line, (low, high, y) in enumerate(spans):
        rank = line + 1
        assert (low, high, y) == pytest.approx((max(rank - 4, 1), min(rank + 6, 38), line))
        assert printed[line] == f"{rank} ({low:.0f}–{high:.0f})"
    ranks = collection(figure.axes[1], "rank").get_offsets()
    assert ranks[:, 0].tolist() == list(range(1, 39))


def test_there_is_a_line_at_zero_and_a_caption(drawn):
    _, figure = drawn
    assert any(np.all(np.asarray(line.get_xdata()) == 0) for line in figure.axes[0].lines)
    caption = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert (
        "Means over 125 targets, weighting macro, self-transfer included. 95 % intervals for new target languages."
        in caption
    )
    assert figure.axes[0].get_xlabel() == "aggregated ts (% of baseline)"


def test_no_interval_is_hollow_and_no_value_stands_last(small, make_aggregates, make_rank_sets):
    aggregates = make_aggregates(small)
    ranks = make_rank_sets(aggregates)
    aggregates.loc[aggregates["transfer"] == "fin", ["low", "high", "why"]] = [np.nan, np.nan, "one target"]
    aggregates.loc[aggregates["transfer"] == "hun", ["estimate", "low", "high", "why"]] = [np.nan] * 3 + [
        "undefined baseline"
    ]
    ranks.loc[ranks["transfer"] == "hun", ["rank", "rank_low", "rank_high"]] = pd.NA
    figure = forest(aggregates, ranks, small.languages)
    assert lines(figure)[-1] == "Hungarian"
    fills = {
        name: to_hex(colour)
        for name, colour in zip(lines(figure), collection(figure.axes[0], "estimate").get_facecolors(), strict=True)
    }
    assert fills["Finnish"] == "#ffffff" != fills["Wolof"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["undefined"]
    assert [label.get_text() for label in figure.axes[1].child_axes[0].get_yticklabels()][-1] == "–"
    assert "no interval" in [text.get_text() for text in figure.legends[0].get_texts()]
    caption = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "2 of 3 without interval (one target: 1; undefined baseline: 1)" in caption


def test_languages_of_which_it_is_not_known_whether_they_were_seen(small, make_aggregates):
    languages = small.languages.assign(seen=pd.array([None] * len(small.languages), dtype="boolean"))
    figure = forest(make_aggregates(small), None, languages)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["not known whether seen", "Uralic", "other families"]
    fills = {to_hex(colour).upper() for colour in collection(figure.axes[0], "estimate").get_facecolors()}
    assert fills == {UNKNOWN}


def test_without_rank_sets_there_is_one_panel(small, make_aggregates):
    assert len(forest(make_aggregates(small), None, small.languages).axes) == 1


def test_another_weighting_without_self_transfer(small, make_aggregates):
    aggregates = make_aggregates(small)
    other = aggregates.assign(weighting="family", include_self=False, estimate=7.0)
    both = pd.concat([aggregates, other])
    figure = forest(both, None, small.languages, weighting="family", include_self=False)
    assert set(collection(figure.axes[0], "estimate").get_offsets()[:, 0]) == {7.0}
    assert any("weighting family, self-transfer left out" in text.get_text() for text in figure.texts)


def test_ranks_of_another_number_of_steps_are_not_used(small, make_aggregates, make_rank_sets):
    aggregates = make_aggregates(small)
    ranks = make_rank_sets(aggregates)
    with pytest.raises(ValueError, match="steps=10 is not among the known values: 1"):
        forest(aggregates, ranks.assign(steps=1), small.languages)
    mixed = pd.concat([ranks, ranks.assign(steps=1, rank=9)])
    figure = forest(aggregates, mixed, small.languages)
    assert sorted(collection(figure.axes[1], "rank").get_offsets()[:, 0]) == [1, 2, 3]
    mixed = pd.concat([ranks, ranks.assign(scale="delta", rank=9)])
    figure = forest(aggregates, mixed, small.languages)
    assert sorted(collection(figure.axes[1], "rank").get_offsets()[:, 0]) == [1, 2, 3]


def test_ranks_without_sets(small, make_aggregates, make_rank_sets):
    aggregates = make_aggregates(small)
    ranks = make_rank_sets(aggregates).assign(rank_low=NO_RANKS, rank_high=NO_RANKS)
    figure = forest(aggregates, ranks, small.languages)
    assert [label.get_text() for label in figure.axes[1].child_axes[0].get_yticklabels()] == ["1", "2", "3"]
    assert any(text.get_text().endswith("No rank sets.") for text in figure.texts)


def test_errors(small, make_aggregates):
    aggregates = make_aggregates(small)
    with pytest.raises(ValueError, match="aggregates has no rows"):
        forest(aggregates.iloc[:0], None, small.languages)
    with pytest.raises(ValueError, match="aggregates has no defined estimate here"):
        forest(aggregates.assign(estimate=np.nan), None, small.languages)
    with pytest.raises(ValueError, match="weighting='word' is not among the known values: macro"):
        forest(aggregates, None, small.languages, weighting="word")
    with pytest.raises(ValueError, match="rank_sets lacks the columns"):
        forest(aggregates, aggregates, small.languages)
