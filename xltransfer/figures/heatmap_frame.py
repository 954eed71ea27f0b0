"""What stands around the cells of a heatmap of languages: labels, families with their strips, the colour bar, notes."""

from dataclasses import dataclass
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xltransfer.figures.heatmap_grid import Group
from xltransfer.figures.heatmap_layout import BAR, STRIP, TICK, Layout, Texts, horizontal, layout
from xltransfer.figures.look import FAINT, TEXT, new_figure
from xltransfer.figures.notes import GAP, points
from xltransfer.figures.places import Place, family_label
from xltransfer.figures.text import wrapped

_BETWEEN: dict[str, Any] = {"color": FAINT, "linewidth": 0.6, "zorder": 0.5}


@dataclass(frozen=True, eq=False)
class Framed:
    """A figure with everything but its cells and its colour bar.

    Attributes
    ----------
    figure, axes
        Cell (row, column) is the unit square around (column, row); row 0 is at the top.
    plan
        Where the parts lie.
    """

    figure: Figure
    axes: Axes
    plan: Layout


def framed(
    texts: Texts,
    rows: list[Place],
    columns: list[Place],
    size: tuple[float, float] | None,
    sides: tuple[str, str] = ("transfer language", "target language"),
) -> Framed:
    """Return the figure around the cells of ``rows`` by ``columns``.

    Parameters
    ----------
    texts
        What is written.
    rows, columns
        The language of each row and column.
    size
        Width and height in inches; None for what the labels ask for.
    sides
        What rows and columns are.

    Raises
    ------
    ValueError
        ``size`` is too small for labels of 5 points.
    """
    plan = layout(texts, size)
    figure = new_figure((plan.width / 72, plan.height / 72), layout=None)
    axes = figure.add_axes(_rectangle(plan, plan.left, plan.bottom, plan.across, plan.up))
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    _label_axes(axes, texts, rows, columns, plan, sides)
    _draw_families(figure, axes, texts, plan)
    plan.notes.write(figure)
    return Framed(figure, axes, plan)


def draw_bar(frame: Framed, norm: Normalize, palette: str, label: str, extend: Any = "neither") -> None:
    """Draw the colour bar beside the cells, with arrows where colours are cut (``extend``)."""
    plan = frame.plan
    height = min(plan.up, 180.0)
    axes = frame.figure.add_axes(_rectangle(plan, plan.bar, plan.bottom + (plan.up - height) / 2, BAR, height))
    bar = frame.figure.colorbar(ScalarMappable(norm, colormaps[palette]), cax=axes, extend=extend)
    bar.outline.set_visible(False)
    bar.set_label(wrapped(label, TEXT, height))


def _rectangle(plan: Layout, x: float, y: float, across: float, up: float) -> tuple[float, float, float, float]:
    """Return a rectangle in points as shares of the figure."""
    return x / plan.width, y / plan.height, across / plan.width, up / plan.height


def _label_axes(
    axes: Axes, texts: Texts, rows: list[Place], columns: list[Place], plan: Layout, sides: tuple[str, str]
) -> None:
    """Write the languages at the left and below, those unseen by the base in their colour."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=TICK - 1, labelsize=plan.font)
    axes.set_xticks(range(len(columns)), texts.columns, rotation=90)
    axes.set_yticks(range(len(rows)), texts.rows)
    for labels, members in ((axes.get_xticklabels(), columns), (axes.get_yticklabels(), rows)):
        for label, place in zip(labels, members, strict=True):
            label.set_color(place.ink)
    axes.set_ylabel(sides[0], labelpad=GAP)
    axes.set_xlabel(sides[1], labelpad=GAP)


def _draw_families(figure: Figure, axes: Axes, texts: Texts, plan: Layout) -> None:
    """Draw the families' strips and names above and at the right, and faint lines between them."""
    column, row = plan.across / len(texts.columns), plan.up / len(texts.rows)
    top, right = plan.bottom + plan.up, plan.left + plan.across
    for group in texts.column_groups:
        start, length = plan.left + group.start * column, (group.stop - group.start) * column
        _strip(figure, group, (start + 0.5, top + GAP / 2), (length - 1, STRIP))
        turned: dict[str, Any] = {"rotation": 0 if horizontal(group, column, plan.font) else 90, "ha": "center"}
        _family(figure, group, start + length / 2, top + GAP + STRIP, plan, va="bottom", **turned)
        axes.axvline(group.stop - 0.5, **_BETWEEN)
    for group in texts.row_groups:
        start, length = top - group.stop * row, (group.stop - group.start) * row
        _strip(figure, group, (right + GAP, start + 0.5), (STRIP, length - 1))
        _family(figure, group, plan.family_right, start + length / 2, plan, va="center_baseline", ha="left")
        axes.axhline(group.stop - 0.5, **_BETWEEN)


def _strip(figure: Figure, group: Group, corner: tuple[float, float], extent: tuple[float, float]) -> None:
    """Draw a rectangle in the family's colour, in points."""
    figure.add_artist(Rectangle(corner, *extent, color=group.colour, linewidth=0, transform=points(figure)))


def _family(figure: Figure, group: Group, x: float, y: float, plan: Layout, **style: Any) -> None:
    """Write a family's name at a place in points."""
    figure.text(x, y, family_label(group.family), size=plan.font, transform=points(figure), **style)
