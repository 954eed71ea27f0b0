"""Progression: how an effect grows or turns with the number of optimizer steps.

Either one panel per transfer language with a line per task, as the paper draws it, or one panel per task with a line
per transfer language. Steps are on a logarithmic axis that has room for k = 0 at its left end.
Source: faisal2024 Figures 3(b) and 9–18, which show standard deviations where these show intervals.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from matplotlib.transforms import ScaledTranslation

from xltransfer.analysis.frames import require_columns, require_one_of
from xltransfer.figures.colours import TASK
from xltransfer.figures.end_labels import End, font_for, label_ends
from xltransfer.figures.labels import condition, interval_note, scale_label, task_label
from xltransfer.figures.look import INK, SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Places, Show, family_legend
from xltransfer.figures.text import width

Lines = Literal["task", "transfer"]

_ENTRY = ["transfer", "corpus"]
_TASK = ["task", "metric"]
_EVERYBODY = "all transfer languages"
_STYLE: dict[str, Any] = {"markersize": 3.2, "markeredgewidth": 0, "linewidth": 1.1}


@house_look()
def progression(
    estimates: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    lines: Lines = "task",
    base: str | None = None,
    setting: str = "nudge",
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return estimates over the number of steps, with their intervals.

    Parameters
    ----------
    estimates
        Columns base, setting, task, metric, transfer, corpus, steps, estimate, low, high, scale, estimand, level,
        why. An empty ``transfer`` stands for all transfer languages together.
    languages
        Columns code, name, family, genus, seen.
    lines
        ``task``: a panel per transfer entry, a line per task and metric. ``transfer``: a panel per task and metric, a
        line per transfer entry in its family's colour, labelled at its end.
    base, setting
        Which rows; what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the panels ask for.

    Returns
    -------
    Figure
        All panels share both axes. A gap in a line is an undefined estimate.

    Raises
    ------
    ValueError
        A column is missing, ``lines`` is unknown, there is nothing to show, what to show is not clear, or a language
        is not in ``languages``.
    """
    require_columns(estimates, [*_ENTRY, *_TASK, "steps", "estimate", "low", "high", "level", "why"], "estimates")
    require_one_of(lines, ("task", "transfer"), "lines")
    rows, key = pick(estimates, "estimates", base=base, setting=setting, scale=None, estimand=None)
    require_unique(rows, [*_ENTRY, *_TASK, "steps"], "estimates")
    require_some(rows, "estimate", "estimates")
    rows = rows.sort_values("steps")
    places = Places(languages, show)
    draw = _by_transfer if lines == "task" else _by_task
    figure, legend = draw(rows, places, size)
    _share_axes(figure, rows, scale_label(key["scale"], rows["metric"].iloc[0] if _one_metric(rows) else None))
    title = f"Over the number of steps: {condition({'base': key['base'], 'setting': setting})}"
    notes = entitle(figure, title, interval_note(rows), legend)
    if lines == "transfer":
        _label_lines(figure, rows, places, 72 * figure.get_figheight() - notes.above - notes.below - 46)
    return figure


def _one_metric(rows: pd.DataFrame) -> bool:
    return rows["metric"].nunique() == 1


def _entries(rows: pd.DataFrame, places: Places) -> list[tuple[tuple[str, str], str]]:
    """Return the transfer entries in order, each with its label; all languages together come first."""
    pairs = set(zip(rows["transfer"], rows["corpus"], strict=True))
    together = [(pair, _EVERYBODY) for pair in sorted(pairs) if not pair[0]]
    order = places.sorted(pair for pair in pairs if pair[0])
    return [*together, *zip(order, places.labels(order), strict=True)]


def _tasks(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the pairs of task and metric, sorted."""
    return sorted(set(zip(rows["task"], rows["metric"], strict=True)))


def _chosen(rows: pd.DataFrame, columns: list[str], pair: tuple[str, str]) -> pd.DataFrame:
    return rows[(rows[columns[0]] == pair[0]) & (rows[columns[1]] == pair[1])]


def _by_transfer(rows: pd.DataFrame, places: Places, size: tuple[float, float] | None) -> tuple[Figure, list[Artist]]:
    """Draw a panel per transfer entry and a line per task."""
    entries, tasks = _entries(rows, places), _tasks(rows)
    down = -(-len(entries) // 7)
    across = -(-len(entries) // down)
    figure = new_figure(size or (max(1.75 * across + 0.7, 4.2), 1.45 * down + 1.5))
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (pair, label) in zip(panels, entries, strict=False):
        own = _chosen(rows, _ENTRY, pair)
        for index, task in enumerate(tasks):
            shift = 1.6 * (index - (len(tasks) - 1) / 2)
            _draw_line(axes, _chosen(own, _TASK, task), _task_style(index), shift, 0.6)
        ink = places[pair[0]].ink if pair[0] else INK
        axes.set_title(_fitting_title(label, across, figure), size=SMALL + 0.5, color=ink, pad=4)
        if pair[0]:
            strip = {"linewidth": 2.0, "solid_capstyle": "butt", "clip_on": False, "label": "family"}
            axes.plot([0, 1], [1, 1], color=places[pair[0]].colour, transform=axes.transAxes, **strip)
    for index, axes in enumerate(panels):
        if index >= len(entries):
            axes.remove()
        elif index + across >= len(entries):
            axes.tick_params(labelbottom=True)
    families = family_legend(places[pair[0]] for pair, _ in entries if pair[0])
    return figure, [*(_line_handle(index, task) for index, task in enumerate(tasks)), *families]


def _fitting_title(label: str, across: int, figure: Figure) -> str:
    """Break a label that is wider than its panel at its middle dot or a space."""
    room = 72 * figure.get_figwidth() / across - 20
    if width(label, SMALL + 0.5) <= room:
        return label
    words = label.split(" ")
    cut = min(range(1, len(words) + 1), key=lambda at: abs(len(" ".join(words[:at])) - len(label) / 2))
    return "\n".join(part for part in (" ".join(words[:cut]), " ".join(words[cut:])) if part)


def _line_handle(index: int, task: tuple[str, str]) -> Line2D:
    return Line2D([], [], label=task_label(*task), **_task_style(index))


def _task_style(index: int) -> dict[str, Any]:
    """Return colour, marker and kind of line of a task by its number."""
    colour, marker = TASK[index % len(TASK)]
    return _STYLE | {"color": colour, "marker": marker, "linestyle": ("-", "--", ":")[index // len(TASK) % 3]}


def _by_task(rows: pd.DataFrame, places: Places, size: tuple[float, float] | None) -> tuple[Figure, list[Artist]]:
    """Draw a panel per task and a line per transfer entry, labelled at its right end."""
    entries, tasks = _entries(rows, places), _tasks(rows)
    figure = new_figure(size or (3.4 * len(tasks) + 0.6, max(3.2, 0.125 * len(entries) + 1.5)))
    panels = figure.subplots(1, len(tasks), sharex=True, sharey=True, squeeze=False)[0]
    faint = 0.6 if len(entries) <= 8 else 0.2
    for axes, task in zip(panels, tasks, strict=True):
        own = _chosen(rows, _TASK, task)
        for index, (pair, _) in enumerate(entries):
            look = {"color": places[pair[0]].colour if pair[0] else INK, "marker": TASK[index % len(TASK)][1]}
            _draw_line(axes, _chosen(own, _ENTRY, pair), _STYLE | look, 0.0, faint)
        axes.set_title(task_label(*task), pad=4)
    return figure, family_legend(places[pair[0]] for pair, _ in entries if pair[0])


def _draw_line(axes: Axes, rows: pd.DataFrame, style: dict[str, Any], shift: float, alpha: float) -> None:
    """Draw one line with whiskers of strength ``alpha``, ``shift`` points to the right so that whiskers stay apart."""
    steps, estimate, low, high = (rows[name].to_numpy(np.float64) for name in ("steps", "estimate", "low", "high"))
    (line,) = axes.plot(steps, estimate, **style)
    whiskers = axes.vlines(steps, low, high, colors=style["color"], linewidth=0.9, alpha=alpha)
    moved = axes.transData + ScaledTranslation(shift / 72, 0, axes.figure.dpi_scale_trans)
    for artist in (line, whiskers):
        artist.set_transform(moved)


def _share_axes(figure: Figure, rows: pd.DataFrame, label: str) -> None:
    """Put steps on a logarithmic axis with k = 0 left of the first, and a line at no change."""
    steps = sorted(int(step) for step in rows["steps"].dropna().unique())
    first = min((step for step in steps if step > 0), default=1)
    for axes in figure.axes:
        axes.set_xscale("symlog", linthresh=first, linscale=0.6)
        axes.set_xlim(-0.3 * first if steps[0] == 0 else first / 1.8, max(steps[-1], first) * 1.8)
        axes.set_xticks(steps, _tick_labels(steps, 72 * figure.get_figwidth() / _across(axes) - 50))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.axhline(0, color=SOFT, linewidth=0.7, zorder=1)
        axes.grid(axis="y")
        place = axes.get_subplotspec()
        if place is not None and place.is_first_col():
            axes.set_ylabel(label)
        if axes.xaxis.get_tick_params()["labelbottom"]:
            axes.set_xlabel("optimizer steps k")


def _across(axes: Axes) -> int:
    """Return how many panels stand side by side."""
    place = axes.get_subplotspec()
    return 1 if place is None else int(place.get_gridspec().ncols)


def _tick_labels(steps: Sequence[int], room: float) -> list[str]:
    """Return the labels of ``steps``, empty where one would touch the last before it on an axis of ``room`` points."""
    place = np.log10(np.maximum(steps, 0.25 * max(min(filter(None, steps), default=1), 1)))
    span = max(float(place[-1] - place[0]), 1.0)
    labels: list[str] = []
    free = -np.inf
    for step, at in zip(steps, (place - place[0]) / span * room, strict=True):
        text = f"{step:,}"
        half = width(text, SMALL) / 2
        labels.append(text if at - half >= free else "")
        free = at + half + 2 if labels[-1] else free
    return labels


def _label_lines(figure: Figure, rows: pd.DataFrame, places: Places, room: float) -> None:
    """Write each entry's label at the end of its line; panels are at least ``room`` points high."""
    entries, tasks = _entries(rows, places), _tasks(rows)
    size = font_for(len(entries), room)
    for axes, task in zip(figure.axes, tasks, strict=True):
        own = _chosen(rows, _TASK, task).dropna(subset=["estimate"])
        ends = []
        for pair, label in entries:
            for last in _chosen(own, _ENTRY, pair).tail(1).to_dict("records"):
                ink = places[pair[0]].ink if pair[0] else INK
                ends.append(End(float(last["steps"]), float(last["estimate"]), label, ink))
        label_ends(axes, ends, size, room)
