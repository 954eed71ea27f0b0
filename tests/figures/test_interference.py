"""The plane of language interaction holds the frame's points and ellipses, and can be read at 38 languages."""

import io
import itertools
import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Ellipse

from xltransfer.analysis.interference_projection import interference_projections
from xltransfer.figures.interference import interference_plane
from xltransfer.figures.interference_labels import Box, beside_points
from xltransfer.figures.places import Places

KEY = {"base": "mbert", "task": "pos", "metric": "accuracy", "fusion": "trained", "control": "same", "dead_zone": 0.0,
       "order": "listed"}  # fmt: skip


def projections(codes, seed=1, sizes=(2, 3), **more) -> pd.DataFrame:
    """Points of languages that gain and give with probabilities of their own, some of them always."""
    rng = np.random.default_rng(seed)
    rows = []
    for size in sizes:
        for code in codes:
            share = rng.choice([0.0, 0.2, 0.5, 0.9, 1.0], size)
            others = [other for other in codes if other != code]
            for partners in itertools.combinations(others, size - 1):
                signs = np.where(rng.random(size) < share, "+", "-")
                pattern = "".join(f"{sign}{letter}" for sign, letter in zip(signs, "ABC", strict=False))
                pattern = "tie" if rng.random() < 0.1 else pattern
                second, third = (*partners, "")[:2]
                rows.append({**KEY, "size": size, "language": code, "second": second, "third": third,
                             "pattern": pattern})  # fmt: skip
    return interference_projections(pd.DataFrame(rows).assign(**more))


@pytest.fixture(scope="module")
def twelve(large):
    return projections(large.transfers[:12])


def of(axes, kind, label):
    return [artist for artist in axes.get_children() if isinstance(artist, kind) and artist.get_label() == label]


def test_points_stand_at_their_coordinates(twelve, large):
    figure = interference_plane(twelve, large.languages)
    for size, axes in zip((2, 3), figure.axes[:2], strict=True):
        own = twelve[twelve["size"] == size]
        (points,) = of(axes, PathCollection, "languages")
        assert points.get_offsets().tolist() == own[["x", "y"]].to_numpy().tolist()
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        "Two languages: [AB]", "Three languages: [ABC]"
    ]  # fmt: skip


def test_ellipses_are_the_frames_and_bars_stand_in_for_missing_ones(twelve, large):
    figure = interference_plane(twelve, large.languages)
    for size, axes in zip((2, 3), figure.axes[:2], strict=True):
        own = twelve[twelve["size"] == size]
        drawn = own[own["half_major"].notna()]
        ellipses = of(axes, Ellipse, "ellipse")
        found = [(*e.center, e.width / 2, e.height / 2, e.angle) for e in ellipses]
        assert np.allclose(found, drawn[["x", "y", "half_major", "half_minor", "angle"]].to_numpy())
        bars = [bar.get_segments()[0] for bar in of(axes, LineCollection, "interval")]
        rest = own[own["half_major"].isna()]
        wanted = []
        for row in rest.itertuples():
            wanted += [[[row.x_low, row.y], [row.x_high, row.y]], [[row.x, row.y_low], [row.x, row.y_high]]]
        assert np.allclose(bars, wanted) and len(rest)


def test_an_ellipse_has_its_angle_from_the_x_axis(large):
    # Gains of both go together: the long axis points up to the right.
    signs = ["+A+B"] * 6 + ["-A-B"] * 5 + ["+A-B"]
    codes = large.transfers[:13]
    rows = [{**KEY, "size": 2, "language": codes[0], "second": code, "third": "", "pattern": sign}
            for code, sign in zip(codes[1:], signs, strict=True)]  # fmt: skip
    figure = interference_plane(interference_projections(pd.DataFrame(rows)), large.languages)
    (ellipse,) = of(figure.axes[0], Ellipse, "ellipse")
    assert ellipse.width > ellipse.height and 30 < ellipse.angle < 60


def test_the_third_language_is_the_colour_and_seen_languages_are_told_apart_in_pairs(twelve, large):
    figure = interference_plane(twelve, large.languages)
    places = Places(large.languages)
    pairs, threes = (of(axes, PathCollection, "languages")[0].get_facecolors() for axes in figure.axes[:2])
    codes = twelve.loc[twelve["size"] == 2, "language"]
    assert [to_hex(colour).upper() for colour in pairs] == [places[code].fill for code in codes]
    z = twelve.loc[twelve["size"] == 3, "z"].to_numpy()
    blueness = threes[:, 2] - threes[:, 0]
    assert (np.sign(blueness[np.abs(z) > 0.2]) == np.sign(z[np.abs(z) > 0.2])).all()
    assert figure.axes[2].get_ylabel() == "z: C, the third language"


def test_with_both_orders_colour_would_say_y_again(large):
    both = projections(large.transfers[:6], order="both")
    figure = interference_plane(both, large.languages)
    assert len(figure.axes) == 2
    assert "z equals y" in " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert figure.axes[1].get_ylabel().startswith("y: B or C")


def test_axes_say_what_is_compared_with_what(twelve, large):
    axes = interference_plane(twelve, large.languages).axes[0]
    assert axes.get_xlabel() == "x: A, the language itself, against [A]"
    assert axes.get_ylabel() == "y: B, fused with it, against [B]"
    other = interference_plane(twelve.assign(control="second_adapter"), large.languages).axes[0]
    assert other.get_ylabel() == "y: B, fused with it, against [BB′]"


def test_a_language_without_pattern_has_no_point_and_is_counted(twelve, large):
    numbers = ["x", "y", "z", "half_major", "half_minor", "angle"]
    rows = twelve.copy()
    rows.loc[0, numbers] = math.nan
    rows.loc[0, ["n", "n_tie", "n_missing", "why"]] = [0, 0, 11, "no composition has a pattern"]
    figure = interference_plane(rows, large.languages, show="code")
    (points,) = of(figure.axes[0], PathCollection, "languages")
    assert len(points.get_offsets()) == 11
    words = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "no composition has a pattern: 1" in words and "Missing: 1 % of 792" in words
    assert rows["language"].iloc[0] not in {text.get_text() for text in figure.axes[0].texts}


@pytest.mark.parametrize("show", ["code", "name"])
@pytest.mark.parametrize("count", [3, 12, 38])
def test_labels_can_be_read_at_print_size(count, show, large, assert_readable):
    figure = interference_plane(projections(large.transfers[:count]), large.languages, show=show)
    assert figure.get_figwidth() <= 7.2
    assert_readable(figure)


@pytest.mark.parametrize("sizes", [(2,), (3,)])
def test_one_panel_is_enough(sizes, small, hard, assert_readable):
    assert_readable(interference_plane(projections(small.transfers, sizes=sizes), small.languages))
    assert_readable(interference_plane(projections(hard.transfers, sizes=sizes), hard.languages, show="name"))


def test_many_languages_at_one_point_have_a_label_each(large, assert_readable):
    rows = [{**KEY, "size": 2, "language": a, "second": b, "third": "", "pattern": "+A+B"}
            for a, b in itertools.permutations(large.transfers[:14], 2)]  # fmt: skip
    figure = interference_plane(interference_projections(pd.DataFrame(rows)), large.languages)
    texts = {text.text for text in assert_readable(figure)}
    assert set(large.transfers[:14]) <= texts


def test_what_to_show_must_be_clear(twelve, large):
    two = pd.concat([twelve, twelve.assign(task="ner", metric="f1")])
    with pytest.raises(ValueError, match=r"several values of task \(ner, pos\)"):
        interference_plane(two, large.languages)
    assert interference_plane(two, large.languages, task="ner").axes
    with pytest.raises(ValueError, match="did you mean 'same'"):
        interference_plane(twelve, large.languages, control="sam")
    with pytest.raises(ValueError, match="two rows for"):
        interference_plane(pd.concat([twelve, twelve[:1]]), large.languages)
    with pytest.raises(ValueError, match="no defined x here"):
        interference_plane(twelve.assign(x=math.nan), large.languages)
    with pytest.raises(ValueError, match="projections lacks the columns half_major"):
        interference_plane(twelve.drop(columns="half_major"), large.languages)
    with pytest.raises(ValueError, match="no row for the code"):
        interference_plane(twelve, large.languages[:3])
    with pytest.raises(ValueError, match="size"):
        interference_plane(twelve, large.languages, size=(2.0, 2.0))


def test_labels_stand_beside_their_points_and_touch_nothing():
    rng = np.random.default_rng(2)
    points = [tuple(point) for point in rng.random((30, 2)) * 150]
    taken = [Box(60, 60, 30, 30)]
    boxes = beside_points(points, [(18.0, 8.0)] * 30, (150.0, 150.0), 2.5, taken)
    for one, other in itertools.combinations([*boxes, *taken], 2):
        assert not one.touches(other)
    for box in boxes:
        assert 0 <= box.left and box.left + box.across <= 150 and 0 <= box.bottom and box.bottom + box.up <= 150
        for x, y in points:
            assert not (box.left < x < box.left + box.across and box.bottom < y < box.bottom + box.up)
    assert boxes == beside_points(points, [(18.0, 8.0)] * 30, (150.0, 150.0), 2.5, taken)
    (alone,) = beside_points([(50.0, 50.0)], [(18.0, 8.0)], (150.0, 150.0), 2.5)
    assert alone.left == pytest.approx(53.5) and alone.middle[1] == pytest.approx(50.0)


def test_labels_without_room_are_refused():
    with pytest.raises(ValueError, match="size is too small for 3 labels"):
        beside_points([(5.0, 5.0)] * 3, [(18.0, 8.0)] * 3, (20.0, 20.0), 2.5)


def test_a_panel_may_be_empty(twelve, large, assert_readable):
    without = twelve["size"] == 3
    numbers = ["x", "y", "z", "half_major", "half_minor", "angle"]
    figure = interference_plane(twelve.assign(**{n: twelve[n].where(~without) for n in numbers}), large.languages)
    assert_readable(figure)
    assert len(of(figure.axes[1], PathCollection, "languages")[0].get_offsets()) == 0


def test_the_callers_settings_do_not_matter_and_svg_is_the_same_twice(twelve, large):
    files = []
    for settings in ({}, {"font.size": 30, "axes.grid": True, "font.family": "serif"}):
        with mpl.rc_context(settings):
            before = dict(mpl.rcParams)
            figure = interference_plane(twelve, large.languages)
            assert dict(mpl.rcParams) == before
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        files.append(file.getvalue())
    assert files[0] == files[1] and b"<svg" in files[0]


def test_frames_are_left_alone(twelve, large):
    before = twelve.copy()
    interference_plane(twelve, large.languages)
    assert twelve.equals(before)
