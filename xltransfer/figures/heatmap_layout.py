"""The geometry of a heatmap in points: how large letters can be so that every row and column keeps a readable label.

Labels are measured first and the cells get what is left, instead of drawing and hoping. One size of letters serves
all labels; it is the largest at which a line of text is no higher than a row and no wider than a column.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist

from xltransfer.figures.heatmap_grid import Group
from xltransfer.figures.look import SMALLEST, TEXT
from xltransfer.figures.notes import GAP, Notes
from xltransfer.figures.places import family_label
from xltransfer.figures.text import LINE, width

TICK, STRIP, BAR = 4.0, 3.0, 9.0
"""Points: labels to cells, thickness of the family strip, width of the colour bar."""

AXIS = LINE * TEXT
"""Points: a line of text of an axis."""

_LARGEST = 8.0
_SMALLEST_CELLS = (150.0, 110.0)  # points; the colour bar needs a height to write beside


@dataclass(frozen=True)
class Texts:
    """Everything that is written around the cells."""

    rows: Sequence[str]
    columns: Sequence[str]
    row_groups: Sequence[Group]
    column_groups: Sequence[Group]
    title: str
    caption: str
    legend: Sequence[Artist]


@dataclass(frozen=True)
class Layout:
    """Where the parts lie, in points from the lower left corner.

    Attributes
    ----------
    width, height
        Of the figure.
    font
        Size of all row, column and family labels.
    left, bottom, across, up
        The cells: lower left corner, width and height.
    family_right, bar
        Left edges of the row families' names and of the colour bar.
    notes
        Title, caption and legend.
    """

    width: float
    height: float
    font: float
    left: float
    bottom: float
    across: float
    up: float
    family_right: float
    bar: float
    notes: Notes


def layout(texts: Texts, size: tuple[float, float] | None) -> Layout:
    """Return the layout for a figure of ``size`` inches, or of the size that the labels ask for.

    Raises
    ------
    ValueError
        In ``size`` the labels would be smaller than 5 points; the message says which size is enough.
    """
    if size is None:
        wanted = min(7.0, _pitch(len(texts.columns)) / LINE, _pitch(len(texts.rows)) / LINE)
        return _with_font(texts, wanted, _enough(texts, wanted, _pitch(len(texts.columns)), _pitch(len(texts.rows))))
    for font in (_LARGEST - step / 4 for step in range(int(4 * (_LARGEST - SMALLEST)) + 1)):
        found = _with_font(texts, font, (72.0 * size[0], 72.0 * size[1]))
        if min(found.across / len(texts.columns), found.up / len(texts.rows)) >= LINE * font:
            return found
    across, up = _enough(texts, SMALLEST, LINE * SMALLEST, LINE * SMALLEST)
    raise ValueError(
        f"size={size!r} is too small for {len(texts.rows)} rows and {len(texts.columns)} columns with labels of "
        f"{SMALLEST:g} points; give at least ({across / 72 + 0.05:.1f}, {up / 72 + 0.05:.1f}) inches or no size"
    )


def horizontal(group: Group, pitch: float, font: float) -> bool:
    """Return whether a column family's name fits over its columns; otherwise it is written upwards."""
    return width(family_label(group.family), font) + 2.0 <= (group.stop - group.start) * pitch


def _pitch(count: int) -> float:
    """Points per row or column where no size is asked for: few rows are high, many are as high as a line of text."""
    return min(24.0, max(8.6, 400.0 / count))


def _with_font(texts: Texts, font: float, size: tuple[float, float]) -> Layout:
    """Return the layout for letters of one size in a figure of ``size`` points; cells may come out too small."""
    across_figure, up_figure = size
    left = GAP + AXIS + GAP + _widest(texts.rows, font) + TICK
    family_right = GAP + STRIP + GAP
    bar = family_right + _widest([family_label(group.family) for group in texts.row_groups], font) + 2.5 * GAP
    right = bar + BAR + 32.0 + 2 * AXIS + GAP  # numbers of the bar, and its label in up to two lines
    across = max(across_figure - left - right, 1.0)
    notes = Notes.fitted(texts.title, texts.caption, texts.legend, across_figure)
    above = notes.above + _families_above(texts, font, across / len(texts.columns)) + GAP + STRIP + GAP / 2
    below = notes.below + GAP + AXIS + GAP + _widest(texts.columns, font) + TICK
    up = max(up_figure - above - below, 1.0)
    edge = left + across
    return Layout(across_figure, up_figure, font, left, below, across, up, edge + family_right, edge + bar, notes)


def _enough(texts: Texts, font: float, column: float, row: float) -> tuple[float, float]:
    """Return the width and height in points that give every column and row so many points."""
    tight = _with_font(texts, font, (1e4, 1e4))
    across = 1e4 - tight.across + max(column * len(texts.columns), _SMALLEST_CELLS[0])
    tight = _with_font(texts, font, (across, 1e4))
    return across, 1e4 - tight.up + max(row * len(texts.rows), _SMALLEST_CELLS[1])


def _families_above(texts: Texts, font: float, pitch: float) -> float:
    """Height of the column families' names."""
    return max(
        LINE * font if horizontal(group, pitch, font) else width(family_label(group.family), font)
        for group in texts.column_groups
    )


def _widest(labels: Sequence[str], font: float) -> float:
    return max(width(label, font) for label in labels)
