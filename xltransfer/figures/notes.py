"""What stands above and below every figure: its title, the legend and the caption, in lines that fit.

matplotlib's constrained layout does not keep a legend and a caption of the whole figure apart, so their heights are
computed here from the font sizes and kept free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D, Transform

from xltransfer.figures.look import SMALL, SOFT, TITLE
from xltransfer.figures.text import LINE, width, wrapped

GAP = 4.0
"""Points of air between the parts of a figure."""

_HANDLE = 23.0  # points that the handle of a legend entry and the air around it take
_ENTRY = 1.75 * SMALL  # points from one row of the legend to the next
_LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "handlelength": 1.2,
    "handletextpad": 0.5,
    "columnspacing": 1.4,
    "borderaxespad": 0.0,
    "borderpad": 0.2,
    "labelspacing": 0.4,
}


def points(figure: Figure) -> Transform:
    """Return the transform from points, counted from the lower left corner of the figure."""
    return Affine2D().scale(1 / 72) + figure.dpi_scale_trans


@dataclass(frozen=True)
class Notes:
    """Title, caption and legend, fitted to the width of a figure.

    Attributes
    ----------
    title, caption
        Broken into lines.
    legend
        Handles with labels.
    columns
        How many entries of the legend stand side by side.
    """

    title: str
    caption: str
    legend: tuple[Artist, ...]
    columns: int

    @classmethod
    def fitted(cls, title: str, caption: str, legend: Sequence[Artist], across: float) -> Self:
        """Return the notes for a figure that is ``across`` points wide."""
        room = across - 3 * GAP
        columns = _legend_columns([str(handle.get_label()) for handle in legend], room)
        return cls(wrapped(title, TITLE, room), wrapped(caption, SMALL, room), tuple(legend), columns)

    @property
    def above(self) -> float:
        """Points that the title takes."""
        return 2 * GAP + LINE * TITLE * _lines(self.title)

    @property
    def below(self) -> float:
        """Points that legend and caption take."""
        return self._lift + (_ENTRY * -(-len(self.legend) // self.columns) + GAP if self.legend else 0.0)

    @property
    def _lift(self) -> float:
        """Points from the lower edge to the legend."""
        return 2 * GAP + LINE * SMALL * _lines(self.caption)

    def write(self, figure: Figure) -> None:
        """Write all of it on the figure."""
        height = 72 * figure.get_figheight()
        place: dict[str, Any] = {"ha": "left", "transform": points(figure), "in_layout": False}
        figure.text(GAP, height - GAP, self.title, size=TITLE, va="top", **place)
        figure.text(GAP, GAP, self.caption, size=SMALL, va="bottom", color=SOFT, linespacing=1.1, **place)
        if self.legend:
            anchor = (GAP / (72 * figure.get_figwidth()), self._lift / height)
            legend = figure.legend(handles=list(self.legend), bbox_to_anchor=anchor, ncols=self.columns, **_LEGEND)
            legend.set_in_layout(False)


def entitle(figure: Figure, title: str, caption: str, legend: Sequence[Artist] = ()) -> Notes:
    """Write the notes of a figure with constrained layout, keep their room free and return them."""
    across, height = 72 * figure.get_size_inches()
    notes = Notes.fitted(title, caption, legend, across)
    notes.write(figure)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, notes.below / height, 1, 1 - (notes.above + notes.below) / height))
    return notes


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _legend_columns(labels: Sequence[str], room: float) -> int:
    """Return how many columns of entries fit into ``room`` points; matplotlib fills column after column."""
    for columns in range(len(labels), 1, -1):
        filled = np.array_split([width(label, SMALL) for label in labels], columns)
        if sum(float(column.max()) + _HANDLE for column in filled) <= room:
            return columns
    return 1
