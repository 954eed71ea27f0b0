"""The transfer × target heatmap: what every transfer language does to every target language.

Colours are centred at 0 and shared by all cells. A cell that cannot be told from 0 is a small square and one that can
fills its place, so that the eye separates findings from noise without losing the values. Geometry is in
:mod:`.heatmap_layout`, the arrays in :mod:`.heatmap_grid`, what stands around the cells in :mod:`.heatmap_frame`.
Source: the picture of faisal2024, Figures 1 and 8, with what it leaves out: intervals and undefined cells.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import DIVERGING, Centred, centred
from xltransfer.figures.heatmap_cells import cell_legend, draw_cells
from xltransfer.figures.heatmap_frame import draw_bar, framed
from xltransfer.figures.heatmap_grid import Grid, grid, groups
from xltransfer.figures.heatmap_layout import Texts
from xltransfer.figures.labels import condition, interval_note, number, scale_label
from xltransfer.figures.look import house_look
from xltransfer.figures.pick import pick, require_unique
from xltransfer.figures.places import Places, Show, ink_legend


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
    frame = framed(texts, sources, targets, size)
    draw_cells(frame.axes, cell_grid, colours)
    cut = "" if colours.extend == "neither" else f", colours end at ±{colours.limit:g}"
    draw_bar(frame, colours.norm, DIVERGING, scale_label(key["scale"], key["metric"]) + cut, colours.extend)
    return frame.figure


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
