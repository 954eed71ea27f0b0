"""Four blocks: transfer between languages that the base model has seen in pretraining and such that it has not.

Source: faisal2024 §4.2 and Figure 8, which give one number per block and no interval.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.blocks import label_blocks, text_blocks
from xltransfer.figures.colours import DIVERGING, UNSEEN, centred
from xltransfer.figures.labels import (
    condition,
    decimals_for,
    fixed,
    interval_note,
    scale_label,
    steps_label,
    task_label,
)
from xltransfer.figures.look import INK, SMALL, TEXT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_unique
from xltransfer.figures.text import width, wrapped

_BLOCK = ["transfer_seen", "target_seen"]
_ORDER = (True, False)
_CELL = (1.15, 0.42)  # inches: a line such as "−0.123 to −0.045", and three lines of text


@house_look()
def seen_unseen_blocks(
    blocks: pd.DataFrame,
    *,
    base: str | None = None,
    setting: str = "nudge",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the four blocks seen/unseen transfer × seen/unseen target, each over tasks and steps.

    Parameters
    ----------
    blocks
        Columns base, setting, task, metric, steps, transfer_seen, target_seen (bool), estimate, low, high, p, scale,
        estimand, level, why, n_cells.
    base, setting
        Which rows; what is left out must be the same in the whole frame.
    size
        Width and height in inches; by default what the cells ask for.

    Returns
    -------
    Figure
        Four panels with one colour scale; rows are tasks, columns numbers of steps. Each cell holds the estimate, its
        interval and the number of (transfer, target) cells behind it, in bold where the interval excludes 0.
        Grey cells are undefined or not given, and say so.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, or what to show is not clear.
    """
    needed = ["task", "metric", "steps", *_BLOCK, "estimate", "low", "high", "level", "why", "n_cells"]
    require_columns(blocks, needed, "blocks")
    rows, key = pick(blocks, "blocks", base=base, setting=setting, scale=None, estimand=None)
    require_unique(rows, ["task", "metric", "steps", *_BLOCK], "blocks")
    tasks = sorted(set(zip(rows["task"], rows["metric"], strict=True)))
    steps = sorted(int(step) for step in rows["steps"].dropna().unique())
    colours = centred(rows["estimate"].to_numpy(np.float64))
    labels = [wrapped(task_label(*task), SMALL, 80.0) for task in tasks]
    widest = max(width(line, SMALL) for label in labels for line in label.split("\n")) / 72
    across, down = _CELL[0] * max(len(steps), 2), _CELL[1] * len(tasks)
    figure = new_figure(size or (2 * across + widest + 1.6, 2 * down + 2.1))
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for (i, transfer_seen), (j, target_seen) in ((a, b) for a in enumerate(_ORDER) for b in enumerate(_ORDER)):
        own = rows[(rows["transfer_seen"] == transfer_seen) & (rows["target_seen"] == target_seen)]
        values, texts, bold = _cells(own, tasks, steps, decimals_for(colours.limit))
        text_blocks(panels[i, j], values, texts, colours.norm, bold)
        label_blocks(panels[i, j], labels, [steps_label(step) for step in steps])
        panels[i, j].tick_params(labelleft=j == 0, labeltop=i == 0)
        if i == 0:
            panels[i, j].set_title(f"to {_word(target_seen)} targets", size=TEXT, color=_ink(target_seen), pad=5)
        if j == 0:
            panels[i, j].set_ylabel(f"from {_word(transfer_seen)}", size=TEXT, color=_ink(transfer_seen))
    bar = figure.colorbar(
        ScalarMappable(colours.norm, colormaps[DIVERGING]), ax=panels, aspect=25, pad=0.02, extend=colours.extend
    )
    bar.outline.set_visible(False)
    metric = rows["metric"].iloc[0] if rows["metric"].nunique() == 1 else None
    bar.set_label(scale_label(key["scale"], metric))
    title = f"Seen and unseen languages: {condition({'base': key['base'], 'setting': setting})}"
    entitle(figure, title, f"Means over n cells; bold: the interval excludes 0. {interval_note(rows)}")
    return figure


def _word(seen: bool) -> str:
    return "seen" if seen else "unseen"


def _ink(seen: bool) -> str:
    return INK if seen else UNSEEN


def _cells(
    own: pd.DataFrame, tasks: list[tuple[str, str]], steps: list[int], decimals: int
) -> tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.bool_]]:
    """Return values, texts and whether the interval excludes 0, [tasks, steps] of one block."""
    values = np.full((len(tasks), len(steps)), np.nan)
    texts, bold = np.full(values.shape, "not given", dtype=object), np.zeros(values.shape, dtype=bool)
    for row in own.to_dict("records"):
        at = tasks.index((row["task"], row["metric"])), steps.index(int(row["steps"]))
        values[at], texts[at], bold[at] = row["estimate"], _text(row, decimals), row["low"] > 0 or row["high"] < 0
    return values, texts, bold


def _text(row: dict[Any, Any], decimals: int) -> str:
    """Return estimate, interval and count in three lines."""
    estimate, low, high = (fixed(row[name], decimals) for name in ("estimate", "low", "high"))
    count = f"n = {row['n_cells']:,.0f}"
    if np.isnan(row["estimate"]):
        return f"undefined\n{count}"
    return f"{estimate}\n{'no interval' if np.isnan(row['low']) else f'{low} to {high}'}\n{count}"
