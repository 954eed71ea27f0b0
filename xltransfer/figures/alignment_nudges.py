"""Which nudges bring languages closer: a line per transfer entry with the mean change over its pairs, and its interval.

Diamonds are the same for permuted pairs: where both move alike, the nudge moved all vectors together, not translations.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import metric_label, steps_label
from xltransfer.figures.layers import plain_number
from xltransfer.figures.look import INK, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Places, Show, family_legend, seen_legend
from xltransfer.figures.rows import bands, height_of, language_rows, numbers_beside
from xltransfer.figures.text import shown

_ENTRY: Final = ["transfer", "corpus"]


@house_look()
def alignment_nudges(
    changes: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    setting: str = "nudge",
    texts: str | None = None,
    metric: str | None = None,
    steps: int | None = None,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the changes of one set of texts after one number of steps, the largest first.

    Parameters
    ----------
    changes
        What `analysis.alignment_means.nudge_changes` gives.
    languages
        Columns code, name, family, genus, seen.
    base, setting, texts, metric, steps
        Which changes (``texts``: column ``task``); what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the lines ask for.

    Returns
    -------
    Figure
        A hollow point has no interval (one pair only).

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, or a language is not in ``languages``.
    """
    columns = [*_ENTRY, "permuted", "estimate", "low", "high", "level", "n_pairs", "n_replicates"]
    require_columns(changes, columns, "changes")
    chosen = {"base": base, "setting": setting, "task": texts, "metric": metric, "steps": steps}
    rows, key = pick(changes, "changes", **chosen)
    require_unique(rows, [*_ENTRY, "permuted"], "changes")
    control = rows[rows["permuted"]].set_index(_ENTRY)["estimate"]
    rows = rows[~rows["permuted"]]
    require_some(rows, "estimate", "changes")
    rows = rows.sort_values(["estimate", *_ENTRY], ascending=[False, True, True], ignore_index=True)
    places = Places(languages, show)
    members = [places[code] for code in rows["transfer"]]
    labels = places.labels(list(zip(rows["transfer"], rows["corpus"], strict=True)))
    figure = new_figure(size or (5.8, height_of(len(rows)) + 0.15))
    axes = figure.subplots()
    bands(axes, len(rows))
    line = np.arange(len(rows))
    low, high, estimate = (rows[name].to_numpy(np.float64) for name in ("low", "high", "estimate"))
    axes.hlines(line, low, high, colors=SOFT, linewidth=1.4, label="interval")
    fills = ["white" if np.isnan(bound) else place.fill for bound, place in zip(low, members, strict=True)]
    axes.scatter(estimate, line, s=22, c=fills, edgecolors=INK, linewidths=0.7, zorder=3, label="estimate")
    beside = control.reindex(pd.MultiIndex.from_frame(rows[_ENTRY])).to_numpy(np.float64)
    axes.scatter(beside, line, s=14, marker="D", c="none", edgecolors=SOFT, linewidths=0.7, zorder=2, label="permuted")
    language_rows(axes, labels, members)
    numbers_beside(axes, [f"{count}" for count in rows["n_pairs"]], "pairs")
    label = metric_label(str(key["metric"])).replace("(%)", "(points)")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(lambda value, _: plain_number(value))
    axes.set_xlabel(f"change of {label} at the middle layer")
    legend = [*_legend(rows, beside), *seen_legend(members), *family_legend(members)]
    control_said = "" if key["setting"] == "nudge" else f", control {shown(key['setting'])}"
    title = f"Change of alignment: {shown(key['task'])}, {steps_label(key['steps'])}, {shown(key['base'])}"
    entitle(figure, title + control_said, _caption(rows), legend)
    return figure


def _legend(rows: pd.DataFrame, beside: "np.ndarray[Any, np.dtype[np.float64]]") -> list[Artist]:
    style: dict[str, Any] = {"linestyle": "", "markeredgewidth": 0.7, "markerfacecolor": "white"}
    found: list[Artist] = []
    if rows["low"].isna().any():
        found.append(Line2D([], [], marker="o", markersize=4.5, markeredgecolor=INK, label="no interval", **style))
    if np.isfinite(beside).any():
        found.append(Line2D([], [], marker="D", markersize=3.5, markeredgecolor=SOFT, label="permuted pairs", **style))
    return found


def _caption(rows: pd.DataFrame) -> str:
    """Say what the means go over, and what the intervals are."""
    level, replicates = float(rows["level"].iloc[0]), int(rows["n_replicates"].max())
    among = "replicate" if replicates == 1 else "replicates"
    varied = "" if replicates == 1 else " and replicates"
    return (
        f"Mean change against the untouched model over the pairs of the language nudged on and {replicates} {among}; "
        f"whiskers: {100 * level:g} % intervals for other partner languages{varied}. Where permuted pairs move as far, "
        "the nudge moved all vectors alike."
    )
