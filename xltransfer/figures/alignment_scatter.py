"""Does the change of alignment predict ts? A panel per task, a point per pair of languages, and the fitted line."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import TASK
from xltransfer.figures.labels import metric_label, number, p_label, steps_label, task_label
from xltransfer.figures.layers import plain_number
from xltransfer.figures.look import SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some
from xltransfer.figures.text import shown

_PANEL: Final = ["task", "metric", "steps"]


@house_look()
def alignment_scatter(
    points: pd.DataFrame,
    fits: pd.DataFrame,
    *,
    base: str | None = None,
    predictor: str | None = None,
    permuted: bool = False,
    texts: str | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return a panel per task and k with ts on the change of alignment, row and column effects taken out of both.

    Parameters
    ----------
    points
        What `analysis.alignment_predicts.prediction_points` gives.
    fits
        What `analysis.alignment_predicts.alignment_predicts` gives.
    base, predictor, permuted
        Which points; what is left out must be the same in the whole frame.
    texts
        Name of the set of texts that the change is of, for the title.
    size
        Width and height in inches; by default what the panels ask for.

    Returns
    -------
    Figure
        The line goes through 0 with the fitted slope; where there is no slope there is no line.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, or what to show is not clear.
    """
    require_columns(points, [*_PANEL, "change_centred", "ts_centred"], "points")
    require_columns(fits, [*_PANEL, "slope", "low", "high", "p", "n_pairs", "level"], "fits")
    chosen = {"base": base, "predictor": predictor, "permuted": permuted}
    rows, key = pick(points, "points", **chosen)
    require_some(rows, "ts_centred", "points")
    own, _ = pick(fits, "fits", **key)
    panels = rows[_PANEL].drop_duplicates().sort_values(_PANEL).to_dict("records")
    across = 2 if len(panels) == 4 else min(len(panels), 3)
    down = -(-len(panels) // across)
    figure = new_figure(size or (max(2.4 * across + 0.5, 4.4), 2.3 * down + 1.1))
    grid = figure.subplots(down, across, sharex=True, squeeze=False).ravel()
    scale, unit = (1.0, "points") if str(key["predictor"]).endswith("retrieval") else (100.0, "hundredths")
    tasks = sorted({str(panel["task"]) for panel in panels})
    for axes, panel in zip(grid, panels, strict=False):
        colour = TASK[tasks.index(str(panel["task"])) % len(TASK)][0]
        _draw(axes, _of(rows, panel), _of(own, panel), scale, colour)
        steps = f", {steps_label(panel['steps'])}" if rows["steps"].nunique() > 1 else ""
        axes.set_title(f"{task_label(panel['task'], str(panel['metric']))}{steps}", size=SMALL + 0.5, pad=4)
        axes.set_ylabel("doubly centred ts (%)")
    for number_, axes in enumerate(grid):
        if number_ >= len(panels):
            axes.remove()
        elif number_ + across >= len(panels):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(f"doubly centred change ({unit})")
    label = metric_label(str(key["predictor"])).replace(" (%)", "")
    pairs = ", permuted pairs" if permuted else ""
    of = "" if texts is None else f", {shown(texts)}"
    title = f"Does the change of alignment predict ts? {label}{pairs}, {shown(key['base'])}{of}"
    entitle(figure, title, _caption(own, unit))
    return figure


def _of(frame: pd.DataFrame, panel: Mapping[Any, Any]) -> pd.DataFrame:
    kept = np.ones(len(frame), dtype=bool)
    for column, value in panel.items():
        kept &= (frame[column] == value).to_numpy(dtype=bool)
    return frame[kept]


def _draw(axes: Axes, rows: pd.DataFrame, fit: pd.DataFrame, scale: float, colour: str) -> None:
    x = scale * rows["change_centred"].to_numpy(np.float64)
    y = rows["ts_centred"].to_numpy(np.float64)
    axes.axhline(0, color=SOFT, linewidth=0.5, zorder=0)
    axes.axvline(0, color=SOFT, linewidth=0.5, zorder=0)
    axes.scatter(x, y, s=9, color=colour, alpha=0.55, linewidths=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
    axes.xaxis.set_major_formatter(lambda value, _: plain_number(value))
    said = f"no slope, {len(rows)} pairs"
    if len(fit) == 1 and np.isfinite(fit["slope"].iloc[0]):
        row = fit.iloc[0]
        slope, low, high = (float(row[name]) / scale for name in ("slope", "low", "high"))
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, slope * ends, color=colour, linewidth=1.3)
        said = f"slope {number(slope, 2)} [{number(low, 2)}, {number(high, 2)}]\n"
        said += f"{p_label(float(row['p']))}, {int(row['n_pairs'])} pairs"
    top = max(float(np.abs(y).max()), 1e-12)
    axes.set_ylim(-1.15 * top, 1.7 * top)  # room for the numbers
    axes.text(0.03, 0.97, said, transform=axes.transAxes, va="top", size=SMALL, linespacing=1.15)


def _caption(fits: pd.DataFrame, unit: str) -> str:
    level = float(fits["level"].iloc[0])
    each = "point" if unit == "points" else "hundredth"
    return (
        "A point is a transfer language and another target language; row and column effects are taken out of both "
        f"axes. Slopes in percent of ts per {each}, with {100 * level:g} % jackknife intervals over languages; p by "
        "permuting languages."
    )
