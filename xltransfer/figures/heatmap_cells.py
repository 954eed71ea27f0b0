"""How a cell of the heatmap looks: full, small, grey, hatched or outlined, and what each of these means."""

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from xltransfer.figures.colours import DIVERGING, UNDEFINED, Centred
from xltransfer.figures.heatmap_grid import Grid
from xltransfer.figures.look import INK, SOFT

WORDS = {
    "separable": "separable from 0",
    "marked": "not separable from 0",
    "undefined": "undefined",
    "missing": "not measured",
    "own": "self-transfer",
}
"""What the kinds of cells are called in the legend, and as labels of their collections."""

_INSET = 0.24
"""How far a small square stays inside each edge of its cell, in cells."""

_HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": "#B0B0B0", "hatch": "//////", "linewidth": 0.0}


def cell_legend(cell_grid: Grid) -> list[Artist]:
    """Return a legend entry for each kind of cell that occurs."""
    square: dict[str, Any] = {"linestyle": "", "marker": "s", "color": SOFT, "markeredgewidth": 0}
    handles: list[tuple[NDArray[np.bool_], Artist]] = [
        (cell_grid.separable, Line2D([], [], markersize=7, label=WORDS["separable"], **square)),
        (cell_grid.marked, Line2D([], [], markersize=7 * (1 - 2 * _INSET), label=WORDS["marked"], **square)),
        (cell_grid.undefined, Patch(facecolor=UNDEFINED, label=WORDS["undefined"])),
        (~cell_grid.measured, Patch(**_HATCHED, label=WORDS["missing"])),
        (cell_grid.own, Patch(facecolor="none", edgecolor=INK, linewidth=0.8, label=WORDS["own"])),
    ]
    return [handle for where, handle in handles if where.any()]


def draw_cells(axes: Axes, cell_grid: Grid, colours: Centred) -> None:
    """Draw values, undefined and missing cells, and outlines; each kind is one collection with its words as label."""
    plain: dict[str, Any] = {"facecolor": UNDEFINED, "linewidth": 0}
    axes.add_collection(PolyCollection(_squares(~cell_grid.measured), label=WORDS["missing"], **_HATCHED))
    axes.add_collection(PolyCollection(_squares(cell_grid.undefined), label=WORDS["undefined"], **plain))
    for where, inset, words in ((cell_grid.separable, 0.0, "separable"), (cell_grid.marked, _INSET, "marked")):
        squares = PolyCollection(_squares(where, inset), cmap=DIVERGING, norm=colours.norm, linewidth=0)
        squares.set(array=cell_grid.values[where], label=WORDS[words])
        axes.add_collection(squares)
    outline: dict[str, Any] = {"facecolor": "none", "edgecolor": INK, "linewidth": 0.6}
    axes.add_collection(PolyCollection(_squares(cell_grid.own, 0.06), label=WORDS["own"], **outline))


def _squares(where: NDArray[np.bool_], inset: float = 0.0) -> list[NDArray[np.float64]]:
    """Return the corners [4, 2] of each cell where it is true."""
    y, x = np.nonzero(where)
    half = 0.5 - inset
    corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    return list(np.stack([x, y], axis=1)[:, None, :] + corners)
