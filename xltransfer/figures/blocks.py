"""Blocks of coloured cells with text in them: task correlations, and effects by task and steps."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from xltransfer.figures.colours import DIVERGING, UNDEFINED
from xltransfer.figures.look import INK, SMALL


def text_blocks(
    axes: Axes,
    values: NDArray[np.float64],
    texts: NDArray[np.object_],
    norm: Normalize,
    bold: NDArray[np.bool_] | None = None,
) -> None:
    """Draw values [rows, columns] as coloured cells with one text each; cells that are NaN are grey.

    Texts are lines joined by newlines, dark on light colours and light on dark ones; those where ``bold`` is true
    are bold.
    """
    height, across = values.shape
    axes.set(xlim=(0, across), ylim=(height, 0))
    axes.pcolormesh(np.ma.masked_invalid(values), cmap=DIVERGING, norm=norm, edgecolors="white", linewidth=1.0)
    for row, column in np.argwhere(np.isnan(values)):
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=UNDEFINED, edgecolor="white", linewidth=1.0))
    for (row, column), text in np.ndenumerate(texts):
        strong = abs(values[row, column]) > 0.62 * float(norm.vmax or 1.0)
        axes.text(
            column + 0.5, row + 0.5, text, ha="center", va="center", size=SMALL, linespacing=1.25,
            color="white" if strong else "black", weight="bold" if bold is not None and bold[row, column] else "normal",
        )  # fmt: skip
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def label_blocks(axes: Axes, rows: list[str], columns: list[str]) -> None:
    """Label the rows at the left and the columns above."""
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, rotation=0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=0)
    axes.tick_params(axis="x", labelbottom=False, labeltop=True)
    axes.tick_params(labelcolor=INK, labelsize=SMALL)
