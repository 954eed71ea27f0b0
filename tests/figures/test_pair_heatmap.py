"""The heatmap of a pair feature holds the frame, shows what is undefined, and can be read."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba

from xltransfer.analysis import language_pairs
from xltransfer.figures import pair_heatmap
from xltransfer.figures.colours import UNDEFINED
from xltransfer.figures.places import Places


@pytest.fixture(scope="module")
def pairs():
    found = language_pairs(["fin", "wol", "lav"], ["hun", "wol", "fin"])
    lost = (found["transfer"] == "lav") & (found["feature"] == "syntax_average")
    return found.assign(value=found["value"].mask(lost), why=found["why"].mask(lost, "no vector"))


def drawn(figure):
    """Values by the labels of row and column, as the mesh has them."""
    axes = figure.axes[0]
    (mesh,) = (artist for artist in axes.collections if isinstance(artist, QuadMesh))
    rows, columns = (
        [text.get_text() for text in labels] for labels in (axes.get_yticklabels(), axes.get_xticklabels())
    )
    values = mesh.get_array().reshape(len(rows), len(columns))
    return {(a, b): values[i, j] for i, a in enumerate(rows) for j, b in enumerate(columns)}


@pytest.mark.parametrize("feature", ["syntax_average", "kilometres", "same_family"])
def test_every_value_stands_where_its_languages_are(pairs, small, feature):
    found = drawn(pair_heatmap(pairs, small.languages, feature=feature))
    places = Places(small.languages)
    for row in pairs[pairs["feature"] == feature].itertuples():
        value = found[places[row.transfer].label, places[row.target].label]
        assert np.ma.is_masked(value) if np.isnan(row.value) else value == row.value


def test_undefined_pairs_are_grey_and_counted_with_their_reason(pairs, small):
    figure = pair_heatmap(pairs, small.languages, feature="syntax_average")
    assert to_rgba(figure.axes[0].get_facecolor()) == to_rgba(UNDEFINED)
    assert any("3 of 9 undefined (no vector: 3)." in text.get_text() for text in figure.texts)
    assert {text.get_text() for text in figure.legends[0].get_texts()} >= {"undefined", "the language itself"}
    whole = pair_heatmap(pairs, small.languages, feature="same_script")
    assert "undefined" not in {text.get_text() for text in whole.legends[0].get_texts()}


def test_the_bar_names_feature_and_kind_and_limits_can_be_given(pairs, small):
    figure = pair_heatmap(pairs, small.languages, feature="syntax_knn", limits=(0.0, 1.0))
    assert figure.axes[1].get_ylabel() == "syntax_knn (similarity)" and figure.axes[1].get_ylim() == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"limits=\(1, 0\)"):
        pair_heatmap(pairs, small.languages, feature="syntax_knn", limits=(1, 0))


def test_a_pair_of_a_language_with_itself_is_outlined(pairs, small):
    figure = pair_heatmap(pairs, small.languages, feature="syntax_knn")
    axes = figure.axes[0]
    rows, columns = (
        [text.get_text() for text in labels] for labels in (axes.get_yticklabels(), axes.get_xticklabels())
    )
    middles = {(round(p.get_y() + p.get_height() / 2), round(p.get_x() + p.get_width() / 2)) for p in axes.patches}
    assert {(rows[i], columns[j]) for i, j in middles} == {("Wolof", "Wolof"), ("Finnish", "Finnish")}


def test_what_to_show_must_be_clear(pairs, small):
    with pytest.raises(ValueError, match="pairs holds several values of feature"):
        pair_heatmap(pairs, small.languages)
    with pytest.raises(ValueError, match="did you mean 'syntax_knn'"):
        pair_heatmap(pairs, small.languages, feature="syntax_kn")
    with pytest.raises(ValueError, match="no defined value"):
        pair_heatmap(pairs.assign(value=np.nan), small.languages, feature="syntax_knn")
    twice = pd.concat([pairs, pairs[:1]])
    with pytest.raises(ValueError, match="two rows for"):
        pair_heatmap(twice, small.languages, feature="syntax_average")


def test_labels_can_be_read_at_38_by_125(large, assert_readable):
    known = pd.MultiIndex.from_product([large.transfers, large.targets], names=["transfer", "target"]).to_frame(False)
    rng = np.random.default_rng(0)
    rows = known.assign(feature="f", kind="distance", value=rng.random(len(known)), why="")
    rows["self_transfer"] = rows["transfer"] == rows["target"]
    assert_readable(pair_heatmap(rows, large.languages))
