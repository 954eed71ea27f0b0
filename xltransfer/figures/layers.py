"""Lines over the layers of a model: what every figure of alignment draws its states with.

An estimate with its interval as a ribbon, and dashed what permuted pairs give.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xltransfer.figures.colours import TASK
from xltransfer.figures.look import SOFT

StateKey = tuple[Any, ...]
"""Values of the columns that tell states apart, None for what is missing."""

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

_DASHES: Final = ("-", (0, (1, 1)), "-.")  # dashes proper are for permuted pairs
_MOST: Final = len(TASK) * len(_DASHES)
_WIDTH: Final = 1.3
_PERMUTED: Final[dict[str, Any]] = {"linestyle": "--", "linewidth": 0.8}


def state_looks(rows: pd.DataFrame, columns: Sequence[str], name: str) -> dict[StateKey, dict[str, Any]]:
    """Return colour and line of every state of ``rows``, the untouched model first; ``name`` is the argument's.

    Raises
    ------
    ValueError
        There are more states than a figure tells apart (18).
    """
    order = {setting: number for number, setting in enumerate(STATE_NAMES)}
    known = sorted(
        set(state_keys(rows, columns)),
        key=lambda key: (order.get(str(key[0]), len(order)), *(str(value) for value in key)),
    )
    if len(known) > _MOST:
        raise ValueError(f"{name} holds {len(known)} states, a figure tells {_MOST} apart; keep the rows of fewer")
    return {
        key: {"color": TASK[number % len(TASK)][0], "linestyle": _DASHES[number // len(TASK)]}
        for number, key in enumerate(known)
    }


def state_keys(rows: pd.DataFrame, columns: Sequence[str]) -> list[StateKey]:
    """Return the state of every row."""
    values = rows[list(columns)].itertuples(index=False, name=None)
    return [tuple(None if pd.isna(value) else value for value in key) for key in values]


def draw_layers(
    axes: Axes, rows: pd.DataFrame, columns: Sequence[str], looks: Mapping[StateKey, dict[str, Any]]
) -> None:
    """Draw every state of ``rows`` (columns layer, middle, permuted, estimate, low, high) into one panel."""
    keys = state_keys(rows, columns)
    for state, look in looks.items():
        own = rows[[key == state for key in keys]].sort_values("layer")
        for permuted in (False, True):
            part = own[own["permuted"] == permuted]
            if part.empty:
                continue
            layer, estimate, low, high = (
                part[name].to_numpy(np.float64) for name in ("layer", "estimate", "low", "high")
            )
            style = look | (_PERMUTED if permuted else {"linewidth": _WIDTH})
            axes.plot(layer, estimate, marker="" if permuted else ".", markersize=4, markeredgewidth=0, **style)
            axes.fill_between(layer, low, high, color=look["color"], alpha=0.08 if permuted else 0.18, linewidth=0)
    for middle in rows.loc[rows["middle"].astype(bool), "layer"].unique()[:1]:
        axes.axvline(float(middle), color=SOFT, linewidth=0.5, linestyle=":", zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=2))
    axes.grid(axis="y")


def state_handles(looks: Mapping[StateKey, dict[str, Any]], labels: Sequence[str], permuted: bool) -> list[Line2D]:
    """Return the legend's lines: a label per state, and one for permuted pairs where they are drawn."""
    handles = [
        Line2D([], [], label=label, linewidth=_WIDTH, **look)
        for label, look in zip(labels, looks.values(), strict=True)
    ]
    return [*handles, Line2D([], [], label="permuted pairs", color=SOFT, **_PERMUTED)] if permuted else handles


def plain_number(value: float) -> str:
    """Return the label of a tick: in full, so that no power of ten stands apart at the end of the axis."""
    return f"{round(value, 12):g}".replace("-", "−")
