"""Task correlations: do the same transfer languages help in different tasks?

Source: faisal2024 Figure 6 and Table 21, which have no intervals and correlate scores that share their replicates.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.blocks import label_blocks, text_blocks
from xltransfer.figures.colours import DIVERGING
from xltransfer.figures.labels import condition, fixed, interval_note, p_label, task_label
from xltransfer.figures.look import SMALL, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_unique
from xltransfer.figures.text import wrapped

_PAIR = ["task_x", "metric_x", "task_y", "metric_y"]
_Task = tuple[str, str]
_Pairs = dict[tuple[_Task, _Task], dict[str, Any]]
_NUMBERS = ["estimate", "low", "high", "p", "n_transfers", "reliability_x", "reliability_y", "level", "why"]


@house_look()
def task_correlation_matrix(
    correlations: pd.DataFrame,
    *,
    base: str | None = None,
    setting: str = "nudge",
    steps: int | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the matrix of rank correlations between tasks.

    Parameters
    ----------
    correlations
        Columns base, setting, steps, task_x, metric_x, task_y, metric_y, estimate (Spearman), low, high, p,
        n_transfers, reliability_x, reliability_y, scale, estimand, level, why. A pair may be given in one direction or
        in both.
    base, setting, steps
        Which rows; what is left out must be the same in the whole frame.
    size
        Width and height in inches; by default what the cells ask for.

    Returns
    -------
    Figure
        Below the diagonal the correlation with its interval, above it p and the number of transfer languages, on it
        each task's reliability. A grey cell is undefined.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, or what to show is not clear.
    """
    require_columns(correlations, [*_PAIR, *_NUMBERS], "correlations")
    wanted = {"base": base, "setting": setting, "steps": steps}
    rows, key = pick(correlations, "correlations", **wanted, scale=None, estimand=None)
    require_unique(rows, _PAIR, "correlations")
    pairs = _both_ways(rows)
    tasks = sorted({task for task, _ in pairs})
    values, texts = _cells(pairs, tasks)
    cell = 1.05
    figure = new_figure(size or (max(cell * len(tasks) + 1.9, 4.0), 0.62 * len(tasks) + 1.6))
    axes = figure.subplots()
    norm = Normalize(-1, 1)
    text_blocks(axes, values, texts, norm)
    for task in range(len(tasks)):
        axes.add_patch(Rectangle((task, task), 1, 1, facecolor="white", edgecolor="white"))
    labels = [wrapped(task_label(*task), SMALL, 68.0) for task in tasks]
    label_blocks(axes, labels, labels)
    bar = figure.colorbar(ScalarMappable(norm, colormaps[DIVERGING]), ax=axes, aspect=18, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("Spearman's ρ")
    entitle(figure, f"Do tasks agree? {condition(key)}", f"{_CAPTION} {interval_note(rows)}")
    return figure


_CAPTION = (
    "Below the diagonal: rank correlation over transfer languages with its interval; above: p and number of transfer "
    "languages; on it: reliability of each task's ranking from half of the replicates."
)


def _both_ways(rows: pd.DataFrame) -> _Pairs:
    """Return the numbers of each ordered pair of (task, metric); one that is given one way only stands for both."""
    pairs: _Pairs = {}
    for record in rows.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        x, y = (row["task_x"], row["metric_x"]), (row["task_y"], row["metric_y"])
        pairs[x, y] = row
        mirrored = row | {"reliability_x": row["reliability_y"], "reliability_y": row["reliability_x"]}
        pairs.setdefault((y, x), mirrored)
    return pairs


def _cells(pairs: _Pairs, tasks: list[_Task]) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return values and texts [tasks, tasks]; no values on the diagonal, where reliabilities are written."""
    shape = (len(tasks), len(tasks))
    values, texts = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    for (i, j), _ in np.ndenumerate(values):
        row = pairs.get((tasks[i], tasks[j]))
        if i == j:
            texts[i, j] = f"reliability\n{_reliability(pairs, tasks[i])}"
        elif row is None:
            texts[i, j] = "not given"
        else:
            values[i, j] = row["estimate"]
            texts[i, j] = _estimate(row) if i > j else f"{p_label(row['p'])}\nn = {row['n_transfers']:.0f}"
    return values, texts


def _reliability(pairs: _Pairs, task: _Task) -> str:
    """Return a task's reliability, which every pair with it states; its range where they differ."""
    found = [row["reliability_x"] for (x, y), row in pairs.items() if x == task and y != task]
    known = sorted({fixed(value, 2) for value in found if np.isfinite(value)})
    return " to ".join(dict.fromkeys([known[0], known[-1]])) if known else "–"


def _estimate(row: dict[str, Any]) -> str:
    """Return a correlation and its interval in two lines."""
    if np.isnan(row["estimate"]):
        return "undefined"
    interval = "no interval" if np.isnan(row["low"]) else f"{fixed(row['low'], 2)} to {fixed(row['high'], 2)}"
    return f"{fixed(row['estimate'], 2)}\n{interval}"
