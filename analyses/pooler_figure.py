"""The figure of the pooler experiment: accuracy by language, a panel for each setup and for the two models in print."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from xltransfer.figures.colours import TASK, UNSEEN
from xltransfer.figures.look import FAINT, INK, SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.text import shown
from xltransfer.report.names import labels_of

CONDITIONS = {
    ("untouched", 0): ("untouched", 0),
    ("keep", 1): ("k = 1, pooler kept", 1),
    ("reinitialise", 0): ("k = 0, pooler lost (fresh one)", 2),
    ("reinitialise", 1): ("k = 1, pooler lost (fresh one)", 4),
    ("published", 1): ("k = 1, as printed", 5),
    ("cls", 1): ("k = 1, first token in its place", 3),
}
"""(pooler, k) -> words of the legend, and which of the task colours; in this order from above within a language."""

CHANCE = 100 / 3
_LINE = 0.34  # inches from one language to the next
_CAPTION = (
    "Points: means over nudges and, where the pooler is lost, over fresh poolers; task adapters are trained once. "
    "Lines: 95 % intervals for other nudges, poolers and premises; the paper gives none. k = 0: no step, but another "
    "pooler. Languages in orange were not in the base model's pretraining."
)


@dataclass(frozen=True)
class Panel:
    """One panel: its title, rows (language, pooler, k, accuracy, accuracy_low, accuracy_high), and code, name, seen."""

    title: str
    rows: pd.DataFrame
    languages: pd.DataFrame


@house_look()
def pooler_figure(panels: Sequence[Panel]) -> Figure:
    """Return the figure; means over languages stand on top of a panel, then the languages by untouched accuracy."""
    columns = [panels[at : at + 2] for at in range(0, len(panels), 2)]
    orders = {panel.title: _order(panel) for panel in panels}
    heights = [max(len(orders[panel.title]) for panel in row) for row in columns]
    figure = new_figure((7.2, _LINE * sum(heights) + 0.7 * len(columns) + 1.2))
    axes = figure.subplots(len(columns), 2, squeeze=False, height_ratios=heights, sharex=True)
    for row, own in zip(axes, columns, strict=True):
        for at, panel in zip(row, own, strict=False):
            _draw(at, panel, orders[panel.title], max(len(orders[each.title]) for each in own))
        for at in row[len(own) :]:
            at.set_axis_off()
    used = {key for panel in panels for key in zip(panel.rows["pooler"], panel.rows["k"], strict=True)}
    legend = [_mark(words, number) for key, (words, number) in CONDITIONS.items() if key in used]
    legend.append(Line2D([], [], color=SOFT, linestyle=(0, (4, 3)), linewidth=0.9, label="chance"))
    entitle(figure, "What a lost pooler does to language inference", _CAPTION, legend)
    return figure


def _order(panel: Panel) -> list[str]:
    """Return groups of languages first, then languages, the highest untouched accuracy on top."""
    untouched = panel.rows[panel.rows["pooler"] == "untouched"].set_index("language")["accuracy"]
    codes = set(panel.languages["code"])
    groups = [name for name in untouched.index if name not in codes]
    alone = untouched[[name for name in untouched.index if name in codes]]
    return [*groups, *alone.sort_values(ascending=False, kind="stable").index]


def _draw(axes: Axes, panel: Panel, order: Sequence[str], lines: int) -> None:
    """Draw one panel with room for so many lines."""
    used = [key for key in CONDITIONS if (panel.rows[["pooler", "k"]] == list(key)).all(axis=1).any()]
    lifts = np.linspace(-0.32, 0.32, len(used)) if len(used) > 2 else np.linspace(-0.12, 0.12, len(used))
    for lift, key in zip(lifts, used, strict=True):
        own = panel.rows[(panel.rows[["pooler", "k"]] == list(key)).all(axis=1)].set_index("language").loc[list(order)]
        colour, marker = TASK[CONDITIONS[key][1]]
        at = np.arange(len(order)) + lift
        axes.hlines(at, own["accuracy_low"], own["accuracy_high"], color=colour, linewidth=1.0)
        axes.scatter(own["accuracy"], at, s=13, color=colour, marker=marker, linewidths=0, zorder=3)
    axes.axvline(CHANCE, color=SOFT, linestyle=(0, (4, 3)), linewidth=0.9, zorder=1)
    for line in range(1, len(order), 2):
        axes.axhspan(line - 0.5, line + 0.5, color=FAINT, alpha=0.3, linewidth=0, zorder=0)
    axes.set_title(shown(panel.title), loc="left", fontweight="bold")
    axes.set(ylim=(lines - 0.4, -0.6), xlabel="accuracy (%)")
    axes.tick_params(axis="x", labelbottom=True)
    _label_lines(axes, panel, order)


def _label_lines(axes: Axes, panel: Panel, order: Sequence[str]) -> None:
    """Write the languages at the left; means in bold, languages that the base has not seen in orange."""
    names = labels_of(panel.languages)
    unseen = set(panel.languages.loc[panel.languages["seen"].eq(False).fillna(False), "code"])
    axes.set_yticks(range(len(order)), [shown(names.get(name, name)) for name in order])
    axes.tick_params(axis="y", length=0, labelsize=SMALL)
    for label, name in zip(axes.get_yticklabels(), order, strict=True):
        label.set_color(UNSEEN if name in unseen else INK)
        label.set_fontweight("normal" if name in names else "bold")
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _mark(words: str, number: int) -> Line2D:
    colour, marker = TASK[number]
    style: dict[str, Any] = {"linewidth": 1.0, "marker": marker, "markersize": 3.8, "markeredgewidth": 0}
    return Line2D([], [], color=colour, label=words, **style)
