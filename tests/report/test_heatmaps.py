"""What the page draws of a heatmap: which cell of the table stands where, and how it is marked."""

import numpy as np
import pandas as pd

from xltransfer.figures.colours import UNDEFINED
from xltransfer.figures.places import Places
from xltransfer.report.heatmaps import colours, heatmap_spec
from xltransfer.report.names import labels_of

LANGUAGES = pd.DataFrame({
    "code": ["aaa", "bbb"], "name": ["Zulu", "$x$"], "family": ["B", "A"], "genus": "g", "script": "Latn",
    "seen": pd.array([True, False], dtype="boolean"),
})  # fmt: skip


def cells() -> pd.DataFrame:
    rows = [("aaa", "aaa", 2.0, True, True), ("aaa", "bbb", np.nan, False, False), ("bbb", "aaa", -1.0, False, True)]
    frame = pd.DataFrame(rows, columns=["transfer", "target", "estimate", "separable", "aggregated"], index=[7, 8, 9])
    return frame.assign(corpus="c", dataset="d", self_transfer=frame["transfer"] == frame["target"], scale="ts",
                        metric="accuracy", level=0.9)  # fmt: skip


def test_cells_stand_in_the_order_of_the_languages_and_are_marked() -> None:
    spec = heatmap_spec(cells(), Places(LANGUAGES), labels_of(LANGUAGES))
    # Family A first: bbb, aaa.
    assert [row["text"] for row in spec["rows"]] == ["$x$", "Zulu"]
    assert [column["text"] for column in spec["columns"]] == ["$x$ *", "Zulu"]
    assert spec["columns"][1]["name"] == "Zulu (aaa), d"
    assert spec["at"] == [None, 9, 8, 7]
    assert spec["marks"] == "0102"
    assert (spec["level"], spec["short"], spec["digits"]) == (90, "%", 2)
    assert spec["limit"] == 2.0
    unseen, seen = spec["rows"]
    assert unseen["ink"] != seen["ink"]


def test_colours_are_those_of_the_figure_from_worst_to_best() -> None:
    found = colours()
    assert found["undefined"] == UNDEFINED
    shades = [tuple(int(shade[k : k + 2], 16) for k in (1, 3, 5)) for shade in found["diverging"]]
    assert shades[0][0] > shades[0][2] and shades[-1][2] > shades[-1][0]
    assert min(shades[len(shades) // 2]) > 240
