"""The transfer × target heatmap: what every transfer language does to every target language.

Colours are centred at 0 and shared by all cells. A cell that cannot be told from 0 is a small square and one that can
fills its place, so that the eye separates findings from noise without losing the values. Geometry is in
:mod:`.heatmap_layout`, the arrays in :mod:`.heatmap_grid`. Source: the picture of faisal2024, Figures 1 and 8, with
what it leaves out: intervals and undefined cells.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import DIVERGING, Centred, centred
from xltransfer.figures.heatmap_cells import cell_legend, draw_cells
from xltransfer.figures.heatmap_grid import Grid, Group, grid, groups
from xltransfer.figures.heatmap_layout import BAR, STRIP, TICK, Layout, Texts, horizontal, layout
from xltransfer.figures.labels import condition, interval_note, number, scale_label
from xltransfer.figures.look import FAINT, TEXT, house_look, new_figure
from xltransfer.figures.notes import GAP, points
from xltransfer.figures.pick import pick, require_unique
from xltransfer.figures.places import Place, Places, Show, family_label, ink_legend
from xltransfer.figures.text import wrapped


@house_look()
def transfer_heatmap(
    cells: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    setting: str = "nudge",
    task: str | None = None,
    metric: str | None = None,
    steps: int | None = None,
    adapter_seed: int | None = None,
    limit: float | None = None,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the heatmap of one task, metric and number of steps.

    Parameters
    ----------
    cells
        Cell intervals with adjusted p-values: columns base, setting, transfer, corpus, steps, adapter_seed, task,
        dataset, target, metric, self_transfer, aggregated, estimate, low, scale, estimand, level, why, separable.
        Two corpora of a transfer language are two rows, two datasets of a target language two columns.
    languages
        Columns code, name, family, genus, seen.
    base, setting, task, metric, steps, adapter_seed
        Which cells; what is left out must be the same in the whole frame.
    limit
        Largest value with a colour of its own, in the scale's unit; by default the 98th percentile of the absolute
        values. Give it to compare several heatmaps.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the labels ask for.

    Returns
    -------
    Figure
        Grey cells are undefined, hatched ones not measured. Targets that no aggregate uses have an asterisk.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, a language is not in ``languages``,
        or ``size`` is too small for labels of 5 points.
    """
    require_columns(cells, ["transfer", "corpus", "dataset", "target", "self_transfer", "aggregated"], "cells")
    require_columns(cells, ["estimate", "low", "level", "why", "separable"], "cells")
    wanted = {"base": base, "setting": setting, "task": task, "metric": metric, "steps": steps}
    rows, key = pick(cells, "cells", **wanted, adapter_seed=adapter_seed, scale=None, estimand=None)
    require_unique(rows, ["transfer", "corpus", "dataset", "target"], "cells")
    places = Places(languages, show)
    cell_grid = grid(rows, places)
    colours = centred(cell_grid.values, limit)
    sources, targets = ([places[code] for code, _ in entries] for entries in (cell_grid.rows, cell_grid.columns))
    legend = [*cell_legend(cell_grid), *ink_legend([*sources, *targets])]
    texts = Texts(
        rows=places.labels(cell_grid.rows),
        columns=_column_labels(cell_grid, places),
        row_groups=groups(sources),
        column_groups=groups(targets),
        title=f"Transfer: {condition(key)}",
        caption=_caption(rows, cell_grid, colours),
        legend=legend,
    )
    plan = layout(texts, size)
    figure = new_figure((plan.width / 72, plan.height / 72), layout=None)
    axes = figure.add_axes(_rectangle(plan, plan.left, plan.bottom, plan.across, plan.up))
    draw_cells(axes, cell_grid, colours)
    _label_axes(axes, texts, sources, targets, plan)
    _draw_families(figure, axes, texts, plan)
    _draw_bar(figure, colours, plan, scale_label(key["scale"], key["metric"]))
    plan.notes.write(figure)
    return figure


def _rectangle(plan: Layout, x: float, y: float, across: float, up: float) -> tuple[float, float, float, float]:
    """Return a rectangle in points as shares of the figure."""
    return x / plan.width, y / plan.height, across / plan.width, up / plan.height


def _column_labels(cell_grid: Grid, places: Places) -> list[str]:
    """Return the targets' labels, those outside the aggregates with an asterisk."""
    labels = places.labels(cell_grid.columns)
    return [f"{label} *" if out else label for label, out in zip(labels, cell_grid.left_out, strict=True)]


def _caption(rows: pd.DataFrame, cell_grid: Grid, colours: Centred) -> str:
    """Say what the intervals are, what lies beyond the colours, and what the asterisk is."""
    parts = [interval_note(rows), "Separable from 0: p ≤ 0.05 after Benjamini-Hochberg."]
    if colours.extend != "neither":
        finite = cell_grid.values[np.isfinite(cell_grid.values)]
        parts += [f"Values lie between {number(finite.min())} and {number(finite.max())}."]
    if cell_grid.left_out.any():
        parts += ["* outside the aggregates: at its floor, small or undefined."]
    return " ".join(parts)


def _label_axes(axes: Axes, texts: Texts, sources: list[Place], targets: list[Place], plan: Layout) -> None:
    """Write the languages at the left and below, those unseen by the base in their colour."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=TICK - 1, labelsize=plan.font)
    axes.set_xticks(range(len(targets)), texts.columns, rotation=90)
    axes.set_yticks(range(len(sources)), texts.rows)
    for labels, members in ((axes.get_xticklabels(), targets), (axes.get_yticklabels(), sources)):
        for label, place in zip(labels, members, strict=True):
            label.set_color(place.ink)
    axes.set_xlabel("target language", labelpad=GAP)
    axes.set_ylabel("transfer language", labelpad=GAP)


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


_BETWEEN: dict[str, Any] = {"color": FAINT, "linewidth": 0.6, "zorder": 0.5}


def _strip(figure: Figure, group: Group, corner: tuple[float, float], extent: tuple[float, float]) -> None:
    """Draw a rectangle in the family's colour, in points."""
    figure.add_artist(Rectangle(corner, *extent, color=group.colour, linewidth=0, transform=points(figure)))


def _family(figure: Figure, group: Group, x: float, y: float, plan: Layout, **style: Any) -> None:
    """Write a family's name at a place in points."""
    figure.text(x, y, family_label(group.family), size=plan.font, transform=points(figure), **style)


def _draw_bar(figure: Figure, colours: Centred, plan: Layout, label: str) -> None:
    """Draw the colour bar; where colours are cut it has arrows and says where."""
    height = min(plan.up, 180.0)
    axes = figure.add_axes(_rectangle(plan, plan.bar, plan.bottom + (plan.up - height) / 2, BAR, height))
    mappable = ScalarMappable(colours.norm, colormaps[DIVERGING])
    bar = figure.colorbar(mappable, cax=axes, extend=colours.extend)
    bar.outline.set_visible(False)
    cut = "" if colours.extend == "neither" else f", colours end at ±{colours.limit:g}"
    bar.set_label(wrapped(label + cut, TEXT, height))
