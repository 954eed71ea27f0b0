"""A language has one place and one look, whatever a figure shows."""

import pandas as pd
import pytest

from xltransfer.figures.colours import FAMILY, OTHER_FAMILY, SEEN, UNKNOWN, UNSEEN
from xltransfer.figures.places import Places, family_label, family_legend, ink_legend, seen_legend


def _languages(*rows):
    frame = pd.DataFrame(rows, columns=["code", "name", "family", "genus", "seen"])
    return frame.astype({"seen": "boolean"})


WORKED = _languages(
    ("zul", "Zulu", "Niger-Congo", "Bantu", False),
    ("fin", "Finnish", "Uralic", "Finnic", True),
    ("est", "Estonian", "Uralic", "Finnic", None),
    ("hun", "Hungarian", "Uralic", "Ugric", True),
    ("pcm", "Nigerian Pidgin", "other", "Creoles", False),
    ("wol", "Wolof", "niger-congo", "Wolof", False),
    ("qaa", "Nobody", "", "", True),
)


def test_order_by_family_genus_name_with_leftovers_last(large):
    places = Places(WORKED)
    assert sorted(WORKED["code"], key=lambda code: places[code].order) == [
        "zul",
        "wol",
        "est",
        "fin",
        "hun",
        "qaa",
        "pcm",
    ]
    everything = Places(large.languages)
    order = sorted(large.languages["code"], key=lambda code: everything[code].order)
    families = [everything[code].family for code in order]
    runs = [family for index, family in enumerate(families) if index == 0 or families[index - 1] != family]
    assert len(runs) == len(set(families)) and runs[-1] == "other"


def test_row_order_of_the_frame_does_not_matter(large):
    one, two = Places(large.languages), Places(large.languages.iloc[::-1])
    assert all(one[code] == two[code] for code in large.languages["code"])


def test_largest_families_have_the_colours(large):
    places = Places(large.languages)
    sizes = large.languages["family"].value_counts().drop("other")
    coloured = {place.family: place.colour for place in map(places.__getitem__, large.languages["code"])}
    assert set(coloured) - set(sizes.index) == {"other"} and coloured["other"] == OTHER_FAMILY
    assert {family for family, colour in coloured.items() if colour != OTHER_FAMILY} == set(
        sizes.head(len(FAMILY)).index
    )
    assert coloured["Indo-European"] == FAMILY[0]
    assert len({colour for colour in coloured.values()}) == len(FAMILY) + 1


def test_seen_unseen_and_not_known():
    places = Places(WORKED)
    assert [places[code].seen for code in ("fin", "zul", "est")] == [True, False, None]
    assert [places[code].fill for code in ("fin", "zul", "est")] == [SEEN, UNSEEN, UNKNOWN]
    assert places["zul"].ink == UNSEEN != places["est"].ink == places["fin"].ink
    labels = [handle.get_label() for handle in seen_legend([places["fin"], places["est"]])]
    assert labels == ["seen by the base model", "not known whether seen"]
    assert ink_legend([places["fin"], places["est"]]) == [] and len(ink_legend([places["zul"]])) == 1


def test_names_give_way_to_codes_where_they_cannot_be_drawn_or_are_shared():
    rows = _languages(
        ("zho", "中文", "S", "", True), ("abc", "Same", "S", "", True), ("abd", "Same", "S", "", True),
        ("abe", "  ", "S", "", True), ("abf", None, "S", None, True), ("abg", "$x$", "S", "", True),
        ("abh", "L" * 40 + "a" + "L" * 20, "S", "", True), ("abi", "L" * 40 + "b" + "L" * 20, "S", "", True),
    )  # fmt: skip
    places = Places(rows)
    assert [places[code].label for code in ("zho", "abc", "abd", "abe", "abf", "abg")] == [
        "zho", "abc", "abd", "abe", "abf", r"\$x\$",
    ]  # fmt: skip
    assert [places["abh"].label, places["abi"].label] == ["abh", "abi"], "shortened names would be the same"
    assert Places(rows, show="code")["abg"].label == "abg"


def test_entries_are_sorted_and_told_apart():
    places = Places(WORKED)
    entries = places.sorted([("hun", "b"), ("fin", "x"), ("hun", "a"), ("zul", "x"), ("hun", "b")])
    assert entries == [("zul", "x"), ("fin", "x"), ("hun", "a"), ("hun", "b")]
    assert places.labels(entries) == ["Zulu", "Finnish", "Hungarian · a", "Hungarian · b"]


def test_family_legend_keeps_the_order_and_collects_the_rest():
    places = Places(WORKED)
    assert [handle.get_label() for handle in family_legend(map(places.__getitem__, ["pcm", "hun", "zul", "fin"]))] == [
        "Niger-Congo", "Uralic", "other families",
    ]  # fmt: skip
    assert family_label("") == "no family given"


def test_errors():
    places = Places(WORKED)
    with pytest.raises(ValueError, match="languages has no row for the code 'xyz'; add one"):
        places["xyz"]
    with pytest.raises(ValueError, match="languages holds the code 'fin' twice"):
        Places(pd.concat([WORKED, WORKED.iloc[[1]]]))
    with pytest.raises(ValueError, match="languages lacks the columns seen"):
        Places(WORKED.drop(columns="seen"))
    with pytest.raises(ValueError, match="show='names' is not among .* did you mean 'name'"):
        Places(WORKED, show="names")
