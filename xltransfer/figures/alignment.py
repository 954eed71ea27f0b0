"""Layer curves: how two languages are aligned in every layer of a model, in several states side by side.

As tlr2023 Figure 3, with intervals and with what permuted pairs give, dashed: where the two lie close together, a high
number says that all vectors of the model are alike, not that translations are.
"""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import metric_label, steps_label
from xltransfer.figures.layers import STATE_NAMES, StateKey, draw_layers, state_handles, state_keys, state_looks
from xltransfer.figures.look import SMALL, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Places, Show
from xltransfer.figures.text import shown, width

_STATE: Final = ["setting", "transfer", "corpus", "steps", "adapter_seed", "task_adapter"]
_PAIR: Final = ["source", "target", "dataset"]


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
    looks = state_looks(rows, _STATE, "states")
    panels = _panels(rows, places)
    down = -(-len(panels) // 4)
    across = -(-len(panels) // down)
    figure = new_figure(size or (max(2.1 * across + 0.6, 4.4), 1.75 * down + 1.3))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (pair, title) in zip(grid, panels.items(), strict=False):
        draw_layers(axes, rows[[key == pair for key in state_keys(rows, _PAIR)]], _STATE, looks)
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
    labels = [_state_label(dict(zip(_STATE, state, strict=True)), looks, places) for state in looks]
    entitle(figure, title, _caption(rows), state_handles(looks, labels, bool(rows["permuted"].any())))
    return figure


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


def _caption(rows: pd.DataFrame) -> str:
    """Return what bands and dashes are."""
    level = float(rows["level"].iloc[0])
    parts = [f"Bands: {100 * level:g} % intervals for other texts"]
    if "n_replicates" in rows and (rows["n_replicates"] > 1).any():
        parts[0] += " (of nudges: and other replicates)"
    if rows["permuted"].any():
        parts.append("dashed: the same with every text paired with another one's translation")
    return f"{'; '.join(parts)}. Dotted upright: the middle layer."


def _state_label(state: Mapping[str, Any], looks: Mapping[StateKey, Any], places: Places) -> str:
    """Return what a state is called; what all states share that have it is not repeated, but for the language."""
    setting = str(state["setting"])
    parts = [STATE_NAMES.get(setting, shown(setting))]
    if state["task_adapter"]:
        parts.append(shown(state["task_adapter"]))
    if _differ(looks, "adapter_seed") and state["adapter_seed"] is not None:
        parts.append(f"seed {int(state['adapter_seed'])}")
    if state["transfer"]:
        parts.append(places[state["transfer"]].label)
        own = {key[2] for key in looks if key[1] == state["transfer"]}
        parts += [f"({shown(state['corpus'])})"] if len(own) > 1 else []
    if state["steps"] is not None:
        parts.append(f"({steps_label(state['steps'])})")
    return " ".join(parts)


def _differ(looks: Mapping[StateKey, Any], column: str) -> bool:
    return len({key[_STATE.index(column)] for key in looks} - {None}) > 1


def _fitting(label: str, room: float) -> str:
    """Break a title that is wider than its panel at its dash."""
    return label if width(label, SMALL + 0.5) <= room else label.replace(" – ", " –\n", 1)
