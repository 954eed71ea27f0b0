"""Alignment over all pairs of a set of texts: a panel per measure, a line per state over the layers.

For studies with more pairs than a figure has room for panels. Ribbons are intervals of the mean for other languages;
dashed lines what permuted pairs give.
"""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import metric_label, steps_label
from xltransfer.figures.layers import STATE_NAMES, draw_layers, state_handles, state_looks
from xltransfer.figures.look import SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.text import shown

STATE: Final = ["setting", "steps", "adapter_seed", "task_adapter"]
"""What tells pooled states apart."""

_MEASURES: Final = ("cosine", "cka", "retrieval", "all_pairs")
_READOUTS: Final = ("cls", "mean")
_POOLED: Final = {
    "nudge": "nudged on one of the two languages",
    "zero_steps": "zero steps",
    "shuffled_text": "shuffled text of one of the two",
    "random_sign": "random signs, one of the two",
}


@house_look()
def alignment_means(
    means: pd.DataFrame,
    *,
    base: str | None = None,
    texts: str | None = None,
    change: bool = False,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return a panel per measure with the mean over pairs of every state, layer by layer.

    Parameters
    ----------
    means
        What `analysis.alignment_means.level_means` gives, or `change_means` with ``change``; 18 states at most.
    base, texts
        Which base model and set of texts (column ``task``); what is left out must be the same in all rows.
    change
        Whether the numbers are changes against the untouched model; 0 is marked then.
    size
        Width and height in inches; by default what the panels ask for.

    Returns
    -------
    Figure
        Rows of panels are the vector of the first token and the mean over tokens, columns the measures.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, or there are too many states.
    """
    columns = [*STATE, "layer", "middle", "metric", "permuted", "estimate", "low", "high", "level", "n_pairs"]
    require_columns(means, columns, "means")
    rows, key = pick(means, "means", base=base, task=texts)
    require_unique(rows, [*STATE, "layer", "metric", "permuted"], "means")
    require_some(rows, "estimate", "means")
    looks = state_looks(rows, STATE, "means")
    found = set(rows["metric"])
    measures = [name for name in _MEASURES if found & {f"{readout}_{name}" for readout in _READOUTS}]
    readouts = [name for name in _READOUTS if found & {f"{name}_{measure}" for measure in measures}]
    figure = new_figure(size or (max(2.35 * len(measures) + 0.4, 4.6), 1.75 * len(readouts) + 1.2))
    grid = figure.subplots(len(readouts), len(measures), sharex=True, squeeze=False)
    for down, readout in enumerate(readouts):
        for across, measure in enumerate(measures):
            axes, metric = grid[down, across], f"{readout}_{measure}"
            draw_layers(axes, rows[rows["metric"] == metric], STATE, looks)
            axes.set_title(_title(metric, change), size=SMALL + 0.5, pad=4)
            if change:
                axes.axhline(0.0, color=SOFT, linewidth=0.6, zorder=0)
            if down == len(readouts) - 1:
                axes.set_xlabel("layer (0: embeddings)")
    what = "Change of alignment against the untouched model" if change else "Alignment layer by layer"
    title = f"{what}, mean over pairs: {shown(key['base'])}, {shown(key['task'])}"
    several = len({state[2] for state in looks} - {None}) > 1
    labels = [state_text(state, several) for state in looks]
    handles = state_handles(looks, labels, bool(rows["permuted"].any()))
    entitle(figure, title, _caption(rows, change), handles)
    return figure


def state_text(state: Sequence[Any], several_seeds: bool = False) -> str:
    """Return what a pooled state (values of `STATE`) is called: ``task adapter pos``, ``nudged on ... (k = 10)``."""
    setting, steps, seed, adapter = state
    parts = [_POOLED.get(str(setting), STATE_NAMES.get(str(setting), shown(setting)))]
    parts += [shown(adapter)] if adapter else []
    parts += [f"seed {int(seed)}"] if several_seeds and seed is not None else []
    parts += [f"({steps_label(steps)})"] if steps is not None and steps > 0 else []
    return " ".join(parts)


def _title(metric: str, change: bool) -> str:
    """Return the measure with its unit; a change of percents is in points."""
    label = metric_label(metric)
    return label.replace("(%)", "(points)") if change else label


def _caption(rows: pd.DataFrame, change: bool) -> str:
    """Say over how many pairs the means go, and what ribbons and dashes are."""
    counts = sorted({int(count) for count in rows["n_pairs"]})
    pairs = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    level = float(rows["level"].iloc[0])
    parts = [f"Means over {pairs} {'pair' if counts == [1] else 'pairs'} of languages"]
    parts[0] += ", one for each language nudged on" if change and (rows["setting"] == "nudge").any() else ""
    if rows["low"].notna().any():
        parts.append(f"ribbons: {100 * level:g} % intervals for other languages (jackknife)")
    if rows["permuted"].any():
        parts.append("dashed: every text paired with another one's translation")
    return f"{'; '.join(parts)}. Dotted upright: the middle layer."
