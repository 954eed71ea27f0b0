"""Layer curves: how two languages are aligned in every layer of a model, in several states side by side.

As tlr2023 Figure 3, with intervals and with what permuted pairs give, dashed: where the two lie close together, a high
number says that all vectors of the model are alike, not that translations are.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import TASK
from xltransfer.figures.labels import metric_label, steps_label
from xltransfer.figures.look import SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Places, Show
from xltransfer.figures.text import shown, width

_STATE: Final = ["setting", "transfer", "corpus", "steps", "adapter_seed", "task_adapter"]
_PAIR: Final = ["source", "target", "dataset"]
LINES: Final = ("-", (0, (1, 1)), "-.")  # dashes are for permuted pairs
MOST: Final = len(TASK) * len(LINES)
"""States that a figure tells apart."""
STATE_NAMES: Final = {
    "baseline": "untouched",
    "language_adapters": "language adapters",
    "task_adapters": "task adapter",
    "language_and_task_adapters": "language and task adapter",
    "nudge": "nudged on",
    "zero_steps": "zero steps on",
    "shuffled_text": "shuffled text of",
    "random_sign": "random signs of",
}
"""Settings in words, in the order of legends."""


@house_look()
def alignment_curves(
    states: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    metric: str | None = None,
    base: str | None = None,
    texts: str | None = None,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return a panel per pair of languages with a line per state over the layers.

    Parameters
    ----------
    states
        What `analysis.alignment_states` or `analysis.alignment_changes` gives, the rows of the states to be shown (18
        at most).
    languages
        Columns code, name, family, genus, seen.
    metric, base, texts
        Which metric, base model and set of texts (column ``task``); what is left out must be the same in all rows.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the panels ask for.

    Returns
    -------
    Figure
        All panels share both axes; bands are the frame's intervals, the middle layer is marked. A gap in a line is an
        undefined estimate.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, there are too many states, or a
        language is not in ``languages``.
    """
    columns = [*_STATE, *_PAIR, "layer", "middle", "permuted", "estimate", "low", "high", "level"]
    require_columns(states, columns, "states")
    rows, key = pick(states, "states", metric=metric, base=base, task=texts)
    require_unique(rows, [*_STATE, *_PAIR, "layer", "permuted"], "states")
    require_some(rows, "estimate", "states")
    places = Places(languages, show)
    lines = _lines(rows)
    panels = _panels(rows, places)
    down = -(-len(panels) // 4)
    across = -(-len(panels) // down)
    figure = new_figure(size or (max(2.1 * across + 0.6, 4.4), 1.75 * down + 1.3))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (pair, title) in zip(grid, panels.items(), strict=False):
        _draw(axes, _of(rows, _PAIR, pair), lines)
        axes.set_title(_fitting(title, 72 * figure.get_figwidth() / across - 24), size=SMALL + 0.5, pad=4)
    for number, axes in enumerate(grid):
        if number >= len(panels):
            axes.remove()
        elif number + across >= len(panels):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("layer (0: embeddings)")
        if number % across == 0 and number < len(panels):
            axes.set_ylabel(metric_label(str(key["metric"])))
    title = f"Alignment layer by layer: {metric_label(str(key['metric']))}, {shown(key['base'])}, {shown(key['task'])}"
    entitle(figure, title, _caption(rows), _legend(lines, rows, places))
    return figure


def plain_number(value: float) -> str:
    """Return the label of a tick: in full, so that no power of ten stands apart at the end of the axis."""
    return f"{round(value, 12):g}".replace("-", "−")


def _lines(rows: pd.DataFrame) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the look of every state, the untouched model first."""
    keys = rows[_STATE].drop_duplicates()
    order = {name: number for number, name in enumerate(STATE_NAMES)}
    known = sorted(
        (tuple(None if pd.isna(value) else value for value in key) for key in keys.itertuples(index=False, name=None)),
        key=lambda key: (order.get(str(key[0]), len(order)), *(str(value) for value in key)),
    )
    if len(known) > MOST:
        raise ValueError(f"states holds {len(known)} states, a figure tells {MOST} apart; keep the rows of fewer")
    return {
        key: {"color": TASK[number % len(TASK)][0], "linestyle": LINES[number // len(TASK)]}
        for number, key in enumerate(known)
    }


def _panels(rows: pd.DataFrame, places: Places) -> dict[tuple[str, ...], str]:
    """Return the title of every pair, in the order of the languages; datasets tell equal pairs apart."""
    pairs = sorted(
        set(rows[_PAIR].itertuples(index=False, name=None)),
        key=lambda pair: (places[pair[0]].order, places[pair[1]].order, pair[2]),
    )
    names = [f"{places[source].label} – {places[target].label}" for source, target, _ in pairs]
    return {
        pair: name if names.count(name) == 1 else f"{name} {shown(pair[2])}"
        for pair, name in zip(pairs, names, strict=True)
    }


def _of(rows: pd.DataFrame, columns: list[str], key: tuple[Any, ...]) -> pd.DataFrame:
    """Return the rows with these values; a missing value stands for itself."""
    kept = np.ones(len(rows), dtype=bool)
    for column, value in zip(columns, key, strict=True):
        own = rows[column].isna() if value is None else rows[column] == value
        kept &= own.to_numpy(dtype=bool, na_value=False)
    return rows[kept]


def _draw(axes: Axes, rows: pd.DataFrame, lines: Mapping[tuple[Any, ...], dict[str, Any]]) -> None:
    for key, look in lines.items():
        own = _of(rows, _STATE, key).sort_values("layer")
        for permuted in (False, True):
            part = own[own["permuted"] == permuted]
            if part.empty:
                continue
            layer, estimate, low, high = (
                part[name].to_numpy(np.float64) for name in ("layer", "estimate", "low", "high")
            )
            style = look | ({"linestyle": "--", "linewidth": 0.8} if permuted else {"linewidth": 1.2})
            axes.plot(layer, estimate, marker="" if permuted else ".", markersize=4, markeredgewidth=0, **style)
            axes.fill_between(layer, low, high, color=look["color"], alpha=0.08 if permuted else 0.18, linewidth=0)
    for middle in rows.loc[rows["middle"].astype(bool), "layer"].unique()[:1]:
        axes.axvline(float(middle), color=SOFT, linewidth=0.5, linestyle=":", zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=2))
    axes.grid(axis="y")


def _caption(rows: pd.DataFrame) -> str:
    """Return what bands and dashes are."""
    level = float(rows["level"].iloc[0])
    parts = [f"Bands: {100 * level:g} % intervals for other texts"]
    if "n_replicates" in rows and (rows["n_replicates"] > 1).any():
        parts[0] += " (of nudges: and other replicates)"
    if rows["permuted"].any():
        parts.append("dashed: the same with every text paired with another one's translation")
    return f"{'; '.join(parts)}. Dotted upright: the middle layer."


def _legend(lines: Mapping[tuple[Any, ...], dict[str, Any]], rows: pd.DataFrame, places: Places) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], label=_state_label(dict(zip(_STATE, key, strict=True)), lines, places), linewidth=1.2, **look)
        for key, look in lines.items()
    ]
    if rows["permuted"].any():
        handles.append(Line2D([], [], label="permuted pairs", color=SOFT, linewidth=0.8, linestyle="--"))
    return handles


def _state_label(state: Mapping[str, Any], lines: Mapping[tuple[Any, ...], Any], places: Places) -> str:
    """Return what a state is called; what all states share that have it is not repeated, but for the language."""
    setting = str(state["setting"])
    parts = [STATE_NAMES.get(setting, shown(setting))]
    if state["task_adapter"]:
        parts.append(shown(state["task_adapter"]))
    if _differ(lines, "adapter_seed") and state["adapter_seed"] is not None:
        parts.append(f"seed {int(state['adapter_seed'])}")
    if state["transfer"]:
        parts.append(places[state["transfer"]].label)
        own = {key[2] for key in lines if key[1] == state["transfer"]}
        parts += [f"({shown(state['corpus'])})"] if len(own) > 1 else []
    if state["steps"] is not None:
        parts.append(f"({steps_label(state['steps'])})")
    return " ".join(parts)


def _differ(lines: Mapping[tuple[Any, ...], Any], column: str) -> bool:
    return len({key[_STATE.index(column)] for key in lines} - {None}) > 1


def _fitting(label: str, room: float) -> str:
    """Break a title that is wider than its panel at its dash."""
    return label if width(label, SMALL + 0.5) <= room else label.replace(" – ", " –\n", 1)
