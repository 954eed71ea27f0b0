"""Recipient map: values, groups, expectations, families, and panels that fill up."""

import numpy as np
import pytest

from xltransfer.figures import recipient_map
from xltransfer.figures.places import Places
from xltransfer.figures.recipients import MARKS


def shown_targets(figure):
    """Return {label: (percent, words of its group)} over all panels."""
    found = {}
    for axes in figure.axes:
        labels = [label.get_text() for label in axes.get_yticklabels()]
        for points in axes.collections:
            if points.get_label() in {words for _, words in MARKS.values()}:
                for x, y in points.get_offsets():
                    found[labels[round(y)]] = (x, points.get_label())
    return found


def test_every_target_has_its_percent_and_group(large, make_recipients):
    recipients = make_recipients(large)
    places = Places(large.languages)
    expected = {
        places[row.target].label: (pytest.approx(row.percent_positive), MARKS[row.group][1])
        for row in recipients.itertuples()
    }
    assert shown_targets(recipient_map(recipients, large.languages)) == expected


def test_the_expectation_is_drawn_for_every_target(large, make_recipients):
    recipients = make_recipients(large).assign(percent_if_no_effect=np.linspace(20, 50, 125))
    figure = recipient_map(recipients, large.languages)
    drawn = [x for axes in figure.axes for points in axes.collections if points.get_label() == "expected"
             for x, _ in points.get_offsets()]  # fmt: skip
    assert sorted(drawn) == pytest.approx(np.linspace(20, 50, 125))


def test_families_are_headed_and_panels_are_even(large, make_recipients):
    figure = recipient_map(make_recipients(large), large.languages)
    places = Places(large.languages)
    families = {places[code].family for code in large.targets}
    texts = [[label for label in axes.get_yticklabels()] for axes in figure.axes]
    bold = [label.get_text() for labels in texts for label in labels if label.get_fontweight() == "bold"]
    assert {text.removesuffix(" (continued)") for text in bold} == families
    assert all(labels[0].get_fontweight() == "bold" and labels[-1].get_fontweight() == "normal" for labels in texts)
    assert len({axes.get_ylim() for axes in figure.axes}) == 1 and max(map(len, texts)) <= 44
    order = [label.get_text() for labels in texts for label in labels if label.get_fontweight() == "normal"]
    assert order == [places[code].label for code in sorted(large.targets, key=lambda code: places[code].order)]


def test_undefined_is_written_and_not_a_point(small, make_recipients):
    recipients = make_recipients(small)
    recipients.loc[recipients["target"] == "wol", ["percent_positive", "group"]] = [np.nan, ""]
    figure = recipient_map(recipients, small.languages)
    assert set(shown_targets(figure)) == {"Finnish", "Hungarian"}
    assert [text.get_text() for text in figure.axes[0].texts] == ["undefined"]


def test_caption_counts(small, make_recipients):
    figure = recipient_map(make_recipients(small), small.languages)
    caption = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "3 targets, 3 transfer entries. never: 1, 90–99 %: 1, universal: 1." in caption
    assert figure.axes[0].get_xlabel() == "transfer languages with ts > 0 (%)"


def test_errors(small, make_recipients):
    recipients = make_recipients(small)
    with pytest.raises(ValueError, match="recipients has the group 'always'; expected one of 'never', '', "):
        recipient_map(recipients.replace({"group": {"never": "always"}}), small.languages)
    with pytest.raises(ValueError, match="recipients has no defined percent_positive here"):
        recipient_map(recipients.assign(percent_positive=np.nan, group=""), small.languages)
    with pytest.raises(ValueError, match="recipients has no rows"):
        recipient_map(recipients.iloc[:0], small.languages)
