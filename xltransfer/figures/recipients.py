"""Recipient map: which target languages gain from every transfer language, and which from none.

The paper colours a world map; a results folder knows no coordinates, so targets stand in lines grouped by family, in
the same order as everywhere else. The tick on each line is what a zero effect gives: 50 % where there are no ties.
Source: faisal2024 §4.2, Figures 3(a) and 5, Table 19.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import condition
from xltransfer.figures.look import FAINT, INK, SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Place, Places, Show, family_label, ink_legend
from xltransfer.figures.text import width

MARKS = {"never": ("X", "never"), "": ("o", "in between"), "90-99": ("D", "90–99 %"), "universal": ("*", "universal")}
"""Marker and words of each group."""

_SIZES = {"X": 30, "o": 16, "D": 20, "*": 60}
_LINES = 42  # per panel; more go into another panel beside it
_LINE = 0.148  # inches


@dataclass(frozen=True)
class _Line:
    """One line of a panel: a family's heading, or a target (row of the frame)."""

    text: str
    place: Place
    row: int | None


@house_look()
def recipient_map(
    recipients: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    setting: str = "nudge",
    task: str | None = None,
    metric: str | None = None,
    steps: int | None = None,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return per target the percent of transfer languages that help it.

    Parameters
    ----------
    recipients
        Columns base, setting, task, metric, steps, dataset, target, percent_positive (0 to 100), group (``never``,
        ``90-99``, ``universal`` or empty), n_transfers, percent_if_no_effect.
    languages
        Columns code, name, family, genus, seen.
    base, setting, task, metric, steps
        Which rows; what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the lines ask for.

    Returns
    -------
    Figure
        A point per target in its family's colour, its group as the marker; a line without a point is undefined.

    Raises
    ------
    ValueError
        A column is missing, a group is unknown, there is nothing to show, what to show is not clear, or a language is
        not in ``languages``.
    """
    require_columns(
        recipients,
        ["dataset", "target", "percent_positive", "group", "n_transfers", "percent_if_no_effect"],
        "recipients",
    )
    rows, key = pick(recipients, "recipients", base=base, setting=setting, task=task, metric=metric, steps=steps)
    require_unique(rows, ["dataset", "target"], "recipients")
    require_some(rows, "percent_positive", "recipients")
    unknown = sorted(set(rows["group"]) - set(MARKS))
    if unknown:
        raise ValueError(f"recipients has the group {unknown[0]!r}; expected one of {', '.join(map(repr, MARKS))}")
    panels = _panels(_lines(rows, Places(languages, show)))
    tallest = max(len(panel) for panel in panels)
    across = _panel_width(panels) * len(panels) + 0.2
    figure = new_figure(size or (max(across, 5.0), _LINE * max(tallest, 4) + 1.5))
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True)[0]
    for one, panel in zip(axes, panels, strict=True):
        _draw(one, rows, panel, tallest)
    members = [line.place for panel in panels for line in panel]
    title = f"Who receives: {condition(key)}"
    entitle(figure, title, _caption(rows), [*_legend(rows), *ink_legend(members)])
    return figure


def _lines(rows: pd.DataFrame, places: Places) -> list[list[_Line]]:
    """Return the lines of each family, its heading first."""
    row_of = {pair: row for row, pair in enumerate(zip(rows["target"], rows["dataset"], strict=True))}
    order = places.sorted(row_of)
    families: list[list[_Line]] = []
    for pair, label in zip(order, places.labels(order), strict=True):
        place = places[pair[0]]
        if not families or families[-1][0].place.family != place.family:
            families.append([_Line(family_label(place.family), place, None)])
        families[-1].append(_Line(label, place, row_of[pair]))
    return families


def _panels(families: Sequence[Sequence[_Line]]) -> list[list[_Line]]:
    """Fill panels of equal length; a family that is broken has its heading again, and none is left alone at the end."""
    total = sum(len(family) for family in families)
    count = -(-total // _LINES)
    length = -(-total // count) + (count > 1)  # repeated headings need some room
    panels: list[list[_Line]] = [[]]
    for heading, *targets in families:
        for index, line in enumerate(targets):
            if len(panels[-1]) + (index == 0) >= max(length, 2):
                panels.append([])
            if index == 0 or not panels[-1]:
                again = heading if index == 0 else _Line(f"{heading.text} (continued)", heading.place, None)
                panels[-1].append(again)
            panels[-1].append(line)
    return panels


def _panel_width(panels: Sequence[Sequence[_Line]]) -> float:
    """Inches for the widest label and an axis from 0 to 100."""
    return max(width(line.text, SMALL) for panel in panels for line in panel) / 72 + 2.0


def _draw(axes: Axes, rows: pd.DataFrame, panel: Sequence[_Line], tallest: int) -> None:
    """Draw the targets of one panel."""
    axes.set(xlim=(-4, 104), ylim=(tallest - 0.4, -0.6), xticks=(0, 25, 50, 75, 100))
    axes.set_xlabel("transfer languages with ts > 0 (%)")
    axes.set_yticks(range(len(panel)), [line.text for line in panel])
    axes.tick_params(axis="y", length=0, labelsize=SMALL, pad=5)
    axes.spines["left"].set_visible(False)
    for label, line in zip(axes.get_yticklabels(), panel, strict=True):
        label.set(
            color=line.place.ink if line.row is not None else INK,
            fontweight="normal" if line.row is not None else "bold",
        )
    targets = [(y, line.row, line.place) for y, line in enumerate(panel) if line.row is not None]
    y = np.array([y for y, _, _ in targets], dtype=np.float64)
    own = rows.iloc[[row for _, row, _ in targets]]
    percent, expected = (own[name].to_numpy(np.float64) for name in ("percent_positive", "percent_if_no_effect"))
    axes.hlines(y, 0, 100, colors=FAINT, linewidth=0.5, zorder=1)
    axes.hlines(y, expected, percent, colors=SOFT, linewidth=0.9, zorder=2, label="from the expectation")
    axes.scatter(expected, y, marker="|", s=26, c=SOFT, linewidths=0.9, zorder=2, label="expected")
    for group, (marker, words) in MARKS.items():
        where = (own["group"] == group).to_numpy() & np.isfinite(percent)
        colours = [place.colour for (_, _, place), here in zip(targets, where, strict=True) if here]
        axes.scatter(
            percent[where], y[where], s=_SIZES[marker], marker=marker, c=colours, edgecolors="white", linewidths=0.4,
            zorder=3, clip_on=False, label=words,
        )  # fmt: skip
    for where in y[np.isnan(percent)]:
        axes.annotate("undefined", (2, where), va="center", size=SMALL, color=SOFT, backgroundcolor="white")


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    """Return an entry per group that occurs and one for the expectation."""
    style: dict[str, Any] = {"linestyle": "", "color": INK, "markeredgecolor": "white", "markeredgewidth": 0.4}
    present = set(rows.loc[rows["percent_positive"].notna(), "group"])
    marks = [
        Line2D([], [], marker=marker, markersize=_SIZES[marker] ** 0.5, label=words, **style)
        for group, (marker, words) in MARKS.items()
        if group in present
    ]
    tick = Line2D([], [], linestyle="", marker="|", markersize=6, color=SOFT, label="expected if nothing had an effect")
    return [*marks, tick]


def _caption(rows: pd.DataFrame) -> str:
    """Say how many transfer languages and targets there are, and how many targets are in each outer group."""
    counts = sorted(int(count) for count in rows["n_transfers"].unique())
    transfers = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    groups = ", ".join(
        f"{words}: {int((rows['group'] == group).sum())}" for group, (_, words) in MARKS.items() if group
    )
    return f"{len(rows)} targets, {transfers} transfer entries. {groups}. Colours are those of the families."
