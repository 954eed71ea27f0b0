"""How many languages improve at all: over the untouched model, after few-step training, with language adapters.

Source: faisal2024 Figure 2, which has no intervals, and counts a language as improved by interaction if any of three
settings improves it.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import SEQUENTIAL
from xltransfer.figures.labels import steps_label, task_label
from xltransfer.figures.look import INK, SMALL, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.text import shown, wrapped

_WORDS: Final = {"a1": "[A]", "a2": "[AB], mean", "a3": "[ABC], mean", "any": "any of [A], [AB], [ABC]"}
_ORDER: Final = tuple(_WORDS)
_WIDEST: Final = 7.2  # inches: a printed page


@house_look()
def improvement_bars(
    shares: pd.DataFrame, *, base: str | None = None, size: tuple[float, float] | None = None
) -> Figure:
    """Return the percentages of languages that improve, a group of bars per task.

    Parameters
    ----------
    shares
        What :func:`~xltransfer.analysis.interference_gains.improvement_shares` gives: columns base, task, metric,
        setting (``k`` and a number of steps, ``a1``, ``a2``, ``a3``, ``any``), n_languages, percent, low, high, level.
    base
        Which base; may be left out where there is one.
    size
        Width and height in inches; by default what the bars ask for.

    Returns
    -------
    Figure
        Bars with whiskers, steps of training in greys and compositions in greens and blues; the number of languages
        under each task.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, a setting is unknown, or what to show is not clear.
    """
    require_columns(shares, ["task", "metric", "setting", "n_languages", "percent", "low", "high", "level"], "shares")
    rows, key = pick(shares, "shares", base=base, level=None)
    require_unique(rows, ["task", "metric", "setting"], "shares")
    require_some(rows, "percent", "shares")
    settings = sorted(rows["setting"].unique(), key=_rank)
    tasks = sorted(set(zip(rows["task"], rows["metric"], strict=True)))
    figure = new_figure(size or (min(_WIDEST, max(4.4, 0.9 + 0.3 * len(tasks) * (len(settings) + 1))), 3.4))
    axes = figure.subplots()
    looks = _colours(settings)
    for place, setting in enumerate(settings):
        own = rows[rows["setting"] == setting].set_index(["task", "metric"])
        _draw(axes, own, tasks, place, len(settings), looks[setting])
    room = 0.8 * (72 * figure.get_figwidth() - 60) / len(tasks)
    axes.set_xticks(range(len(tasks)), [wrapped(_task_text(rows, task), SMALL, room) for task in tasks])
    axes.set(xlim=(-0.55, len(tasks) - 0.45), ylim=(0, 102), yticks=range(0, 101, 20))
    axes.set_ylabel("languages above the untouched model (%)")
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")
    whisker = Line2D([], [], color=INK, linewidth=0.9, label=f"{100 * key['level']:g} % interval")
    legend = [*(Patch(facecolor=looks[setting], label=_word(setting)) for setting in settings), whisker]
    caption = "Every language is scored on its own test sets. Intervals are for other languages (exact binomial)."
    if "any" in settings:
        caption += " Any of three settings is more often better by chance than one."
    entitle(figure, f"Which languages improve: {shown(key['base'])}", caption, legend)
    return figure


def _draw(axes: Axes, own: pd.DataFrame, tasks: list[tuple[str, str]], place: int, count: int, colour: str) -> None:
    """Draw the bars of one setting; a task without the setting has a gap."""
    across = 0.84 / count
    for number, task in enumerate(tasks):
        row: Any = own.loc[task] if task in own.index else None
        if row is None or np.isnan(row["percent"]):
            continue
        x = number + (place - (count - 1) / 2) * across
        axes.bar(x, row["percent"], 0.9 * across, color=colour, label="percent")
        halo = [withStroke(linewidth=2.2, foreground="white")]
        axes.vlines(
            x, row["low"], row["high"], colors=INK, linewidth=0.9, zorder=3, label="interval", path_effects=halo
        )


def _task_text(rows: pd.DataFrame, task: tuple[str, str]) -> str:
    """Return a task with its number of languages."""
    own = rows[(rows["task"] == task[0]) & (rows["metric"] == task[1])]
    low, high = int(own["n_languages"].min()), int(own["n_languages"].max())
    count = f"{high}" if low == high else f"{low} to {high}"
    return f"{task_label(*task)} ({count} language{'s' if high != 1 else ''})"


def _rank(setting: str) -> tuple[int, int]:
    """Order steps by number, then compositions by size."""
    if setting in _ORDER:
        return 1, _ORDER.index(setting)
    if setting.startswith("k") and setting[1:].isdigit():
        return 0, int(setting[1:])
    raise ValueError(f"shares has the setting {setting!r}; expected k and a number of steps, or one of {_ORDER}")


def _word(setting: str) -> str:
    return _WORDS.get(setting) or steps_label(int(setting[1:]))


def _colours(settings: list[str]) -> dict[str, Any]:
    """Return a colour for each setting, from pale to dark."""
    steps = [setting for setting in settings if setting not in _ORDER]
    greys = colormaps["Greys"](np.linspace(0.25, 0.65, max(len(steps), 2)))
    blues = colormaps[SEQUENTIAL](np.linspace(0.3, 0.9, len(_ORDER)))
    return dict(zip(steps, greys, strict=False)) | dict(zip(_ORDER, blues, strict=True))
