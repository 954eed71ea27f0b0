"""The heatmap's artists hold the frame, its marks are where they belong, its labels can be read at 38 × 125."""

import time

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from xltransfer.figures import transfer_heatmap
from xltransfer.figures.colours import UNSEEN
from xltransfer.figures.heatmap_cells import WORDS
from xltransfer.figures.places import Places


def squares(figure, kind):
    """Return the collection of one kind of cell, and the (row, column) and side of each of its squares."""
    (found,) = (c for c in figure.axes[0].collections if isinstance(c, PolyCollection) and c.get_label() == WORDS[kind])
    corners = [path.vertices[:4] for path in found.get_paths()]
    middles = [tuple(np.rint(square.mean(axis=0)[::-1]).astype(int)) for square in corners]
    return found, middles, [np.ptp(square[:, 0]) for square in corners]


def drawn_values(figure):
    """Return {(transfer label, target label): (value, full)} as the artists have it."""
    rows, columns = ([label.get_text() for label in labels] for labels in _labels(figure))
    found = {}
    for kind in ("separable", "marked"):
        collection, middles, _ = squares(figure, kind)
        for (row, column), value in zip(middles, collection.get_array(), strict=True):
            found[rows[row], columns[column].removesuffix(" *")] = (value, kind == "separable")
    return found


def _labels(figure):
    return figure.axes[0].get_yticklabels(), figure.axes[0].get_xticklabels()


def expected_values(cells, languages):
    places = Places(languages)
    return {
        (places[row.transfer].label, places[row.target].label): (row.estimate, row.separable)
        for row in cells.itertuples()
    }


def test_every_value_stands_where_its_languages_are(large, make_cells):
    cells = make_cells(large)
    assert 0.05 < cells["separable"].mean() < 0.95
    assert drawn_values(transfer_heatmap(cells, large.languages)) == expected_values(cells, large.languages)


def test_row_order_does_not_matter(small, make_cells):
    cells = make_cells(small)
    shuffled = cells.sample(frac=1, random_state=1)
    assert drawn_values(transfer_heatmap(shuffled, small.languages)) == expected_values(cells, small.languages)


def test_small_squares_are_exactly_the_cells_not_separable_from_0(large, make_cells):
    figure = transfer_heatmap(make_cells(large), large.languages)
    _, full, full_sides = squares(figure, "separable")
    _, marked, small_sides = squares(figure, "marked")
    assert not set(full) & set(marked) and len(full) + len(marked) == 38 * 125
    assert np.allclose(full_sides, 1.0) and np.ptp(small_sides) < 1e-9 and 0.3 < small_sides[0] < 0.7


def test_colours_are_centred_and_follow_the_values(large, make_cells):
    cells = make_cells(large)
    figure = transfer_heatmap(cells, large.languages)
    for kind in ("separable", "marked"):
        collection, _, _ = squares(figure, kind)
        assert collection.norm.vmin == -collection.norm.vmax
        figure.canvas.draw()
        red, blue = collection.get_facecolors()[:, 0], collection.get_facecolors()[:, 2]
        clear = np.abs(collection.get_array()) > 0.2 * collection.norm.vmax
        assert ((blue > red) == (collection.get_array() > 0))[clear].all()


def test_colour_bar_says_where_it_is_cut(large, make_cells):
    cells = make_cells(large)
    figure = transfer_heatmap(cells, large.languages)
    bar = figure.axes[1]
    limit = squares(figure, "marked")[0].norm.vmax
    assert np.percentile(cells["estimate"].abs(), 98) <= limit < cells["estimate"].abs().max()
    assert bar.get_ylabel().replace("\n", " ") == f"ts (% of baseline), colours end at ±{limit:g}"
    assert any("Values lie between −" in text.get_text() for text in figure.texts)
    whole = transfer_heatmap(cells, large.languages, limit=100)
    assert whole.axes[1].get_ylabel() == "ts (% of baseline)"


@pytest.mark.parametrize(
    "scale, label", [("delta", "Δ accuracy (points)"), ("logit_delta", "Δ log odds (natural log)")]
)
def test_unit_of_the_scale(small, make_cells, scale, label):
    figure = transfer_heatmap(make_cells(small, scale=scale), small.languages)
    assert figure.axes[1].get_ylabel().replace("\n", " ") == label


def test_undefined_cells_are_grey_and_missing_ones_hatched(small, make_cells):
    cells = make_cells(small)
    undefined = (cells["transfer"] == "fin") & (cells["target"] == "wol")
    cells.loc[undefined, ["estimate", "low", "high", "p", "p_bh"]] = np.nan
    cells.loc[undefined, ["separable", "aggregated", "why"]] = [False, False, "undefined baseline"]
    cells = cells[~((cells["transfer"] == "wol") & (cells["target"] == "hun"))]
    figure = transfer_heatmap(cells, small.languages)
    # Order: Wolof (Niger-Congo), Finnish, Hungarian.
    assert squares(figure, "undefined")[1] == [(1, 0)]
    assert squares(figure, "missing")[1] == [(0, 2)]
    assert squares(figure, "missing")[0].get_hatch() and not squares(figure, "undefined")[0].get_hatch()
    assert (1, 0) not in squares(figure, "marked")[1] + squares(figure, "separable")[1]
    assert legend(figure) >= {"undefined", "not measured"}
    assert any(
        "1 of 8 without interval (undefined baseline: 1)" in text.get_text().replace("\n", " ") for text in figure.texts
    )


def legend(figure):
    return {text.get_text() for text in figure.legends[0].get_texts()}


def test_the_legend_holds_what_occurs_only(small, make_cells):
    cells = make_cells(small).assign(separable=True, self_transfer=False)
    languages = small.languages.assign(seen=pd.array([None] * len(small.languages), dtype="boolean"))
    assert legend(transfer_heatmap(cells, languages)) == {WORDS["separable"]}


def test_self_transfer_is_outlined(small, make_cells):
    assert squares(transfer_heatmap(make_cells(small), small.languages), "own")[1] == [(0, 0), (1, 1), (2, 2)]


def test_targets_outside_the_aggregates_have_an_asterisk(small, make_cells):
    cells = make_cells(small)
    cells.loc[cells["target"] == "hun", "aggregated"] = False
    cells.loc[(cells["target"] == "fin") & (cells["transfer"] == "wol"), "aggregated"] = False
    figure = transfer_heatmap(cells, small.languages)
    assert [label.get_text() for label in _labels(figure)[1]] == ["Wolof", "Finnish", "Hungarian *"]
    assert [label.get_text() for label in _labels(figure)[0]] == ["Wolof", "Finnish", "Hungarian"]
    assert any("* outside the aggregates" in text.get_text().replace("\n", " ") for text in figure.texts)


def test_unseen_languages_have_their_colour_and_families_stand_together(large, make_cells):
    figure = transfer_heatmap(make_cells(large), large.languages)
    by_label = {place.label: place for place in map(Places(large.languages).__getitem__, large.languages["code"])}
    for labels in _labels(figure):
        members = [by_label[label.get_text()] for label in labels]
        assert [place.order for place in members] == sorted(place.order for place in members)
        assert [to_hex(label.get_color()).upper() == UNSEEN for label in labels] == [
            not place.seen for place in members
        ]
    names = [text.get_text() for text in figure.texts]
    assert names.count("Indo-European") == 2 and names.count("Altaic") == 1, "above and at the right"


def test_two_corpora_are_two_rows_and_two_treebanks_two_columns(small, make_cells):
    cells = make_cells(small)
    bible = cells[cells["transfer"] == "fin"].assign(corpus="bible", estimate=9.0)
    other = cells[cells["target"] == "wol"].assign(dataset="wtf", estimate=5.0)
    figure = transfer_heatmap(pd.concat([cells, bible, other]), small.languages)
    rows, columns = ([label.get_text() for label in labels] for labels in _labels(figure))
    assert rows == ["Wolof", "Finnish · bible", "Finnish · wiki", "Hungarian"]
    assert columns == ["Wolof · ud", "Wolof · wtf", "Finnish", "Hungarian"]
    assert drawn_values(figure)["Finnish · bible", "Hungarian"][0] == 9.0
    assert drawn_values(figure)["Hungarian", "Wolof · wtf"][0] == 5.0


def test_without_any_interval_the_caption_says_so(small, make_cells):
    cells = make_cells(small).assign(low=np.nan, high=np.nan, p=np.nan, why="one replicate", separable=False)
    figure = transfer_heatmap(cells, small.languages)
    assert any("No intervals (one replicate: 9)." in text.get_text() for text in figure.texts)
    assert len(squares(figure, "marked")[1]) == 9


def test_a_task_without_adapter_seed_and_all_values_zero(small, make_cells):
    cells = make_cells(small).assign(adapter_seed=pd.NA, estimate=0.0, task="mlm", metric="nll")
    figure = transfer_heatmap(cells.astype({"adapter_seed": "Int64"}), small.languages)
    assert squares(figure, "marked")[0].norm.vmax == 1.0


def test_labels_at_18_by_8_inches(large, make_cells, assert_readable):
    cells = make_cells(large)
    cells.loc[cells["target"].isin(large.targets[::9]), "aggregated"] = False
    figure = transfer_heatmap(cells, large.languages, size=(18, 8))
    assert tuple(figure.get_size_inches()) == (18, 8)
    texts = [text.text for text in assert_readable(figure)]
    places = Places(large.languages)
    for code in large.targets:
        label = places[code].label
        assert sum(text in (label, f"{label} *") for text in texts) >= (2 if code in large.transfers else 1)
    families = {places[code].family for code in large.targets}
    assert families <= set(texts), "every family is named"
    assert {"target language", "transfer language"} <= set(texts)
    figure.set_dpi(200)
    assert_readable(figure)


def test_largest_heatmap_is_fast(large, make_cells, tmp_path):
    """The target is 10 s on one core; it takes about 1 s, so a loaded machine passes too."""
    cells = make_cells(large)
    start = time.process_time()
    transfer_heatmap(cells, large.languages, size=(18, 8)).savefig(tmp_path / "largest.png", dpi=200)
    assert time.process_time() - start < 10


def test_more_columns_make_a_wider_figure(large, small, make_cells):
    wide = transfer_heatmap(make_cells(large), large.languages).get_size_inches()
    narrow = transfer_heatmap(make_cells(small), small.languages).get_size_inches()
    assert wide[0] > 2 * narrow[0] and wide[1] > 1.5 * narrow[1]


def test_a_size_that_is_too_small_names_one_that_is_enough(large, make_cells, assert_readable):
    cells = make_cells(large)
    with pytest.raises(ValueError, match=r"38 rows and 125 columns .* give at least \(") as error:
        transfer_heatmap(cells, large.languages, size=(8, 4))
    width, height = map(float, str(error.value).split("at least (")[1].split(")")[0].split(", "))
    assert_readable(transfer_heatmap(cells, large.languages, size=(width, height)))
    with pytest.raises(ValueError, match="too small"):
        transfer_heatmap(cells, large.languages, size=(width - 0.5, height))


def test_errors(small, make_cells):
    cells = make_cells(small)
    with pytest.raises(ValueError, match="cells has no rows"):
        transfer_heatmap(cells.iloc[:0], small.languages)
    with pytest.raises(ValueError, match="cells lacks the columns separable"):
        transfer_heatmap(cells.drop(columns="separable"), small.languages)
    with pytest.raises(ValueError, match=r"several values of steps \(1, 10\); name one with steps="):
        transfer_heatmap(pd.concat([cells, cells.assign(steps=1)]), small.languages)
    with pytest.raises(ValueError, match=r"several values of adapter_seed \(0, 1\)"):
        transfer_heatmap(pd.concat([cells, cells.assign(adapter_seed=1)]), small.languages)
    with pytest.raises(ValueError, match="cells holds two rows for {'transfer': 'fin'"):
        transfer_heatmap(pd.concat([cells, cells]), small.languages)
    with pytest.raises(ValueError, match="languages has no row for the code 'wol'"):
        transfer_heatmap(cells, small.languages[small.languages["code"] != "wol"])
    with pytest.raises(ValueError, match="setting='nudge' is not among the known values: random_sign"):
        transfer_heatmap(cells.assign(setting="random_sign"), small.languages)
    assert transfer_heatmap(cells.assign(setting="random_sign"), small.languages, setting="random_sign")
