"""Forest plot: what each transfer language does on average, how sure that is, and which ranks it may have.

Estimates and rank sets come from analysis; nothing is computed here but the order of the lines.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import condition, interval_note, scale_label
from xltransfer.figures.look import FAINT, INK, SMALL, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Place, Places, Show, family_legend, seen_legend
from xltransfer.figures.rows import bands, height_of, language_rows, numbers_beside

_ENTRY = ["transfer", "corpus"]
_STUDY = ["base", "setting", "task", "metric", "steps"]


@house_look()
def forest(
    aggregates: pd.DataFrame,
    rank_sets: pd.DataFrame | None,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    setting: str = "nudge",
    task: str | None = None,
    metric: str | None = None,
    steps: int | None = None,
    weighting: str = "macro",
    include_self: bool = True,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the forest plot of aggregated transfer, the most helpful transfer language first.

    Parameters
    ----------
    aggregates
        Columns base, setting, task, metric, steps, transfer, corpus, weighting, include_self, n_targets, estimate,
        low, high, scale, estimand, level, why.
    rank_sets
        Columns base, setting, task, metric, steps, transfer, corpus, rank, rank_low, rank_high, scale, level, for all
        entries of the aggregates in the same scale; None leaves the right panel out. Ranks of entries that it lacks
        stay empty.
    languages
        Columns code, name, family, genus, seen.
    base, setting, task, metric, steps, weighting, include_self
        Which aggregates; what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the lines ask for.

    Returns
    -------
    Figure
        A point without whiskers has no interval; an entry without a point is undefined, and stands last.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, or a language is not in ``languages``.
    """
    require_columns(aggregates, [*_ENTRY, "n_targets", "estimate", "low", "high", "level", "why"], "aggregates")
    chosen = {"base": base, "setting": setting, "task": task, "metric": metric, "steps": steps}
    how = {"weighting": weighting, "include_self": include_self, "scale": None, "estimand": None}
    rows, key = pick(aggregates, "aggregates", **chosen, **how)
    require_unique(rows, _ENTRY, "aggregates")
    require_some(rows, "estimate", "aggregates")
    rows = rows.sort_values(["estimate", *_ENTRY], ascending=[False, True, True], ignore_index=True)
    ranks = None if rank_sets is None else _ranks(rank_sets, rows, key)
    places = Places(languages, show)
    members = [places[code] for code in rows["transfer"]]
    labels = places.labels(list(zip(rows["transfer"], rows["corpus"], strict=True)))
    figure = new_figure(size or (7.2 if ranks is not None else 5.6, height_of(len(rows))))
    widths = [2.2, 1.0] if ranks is not None else [1.0]
    panels = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    _draw_estimates(panels[0], rows, members)
    language_rows(panels[0], labels, members)
    panels[0].set_xlabel(f"aggregated {scale_label(key['scale'], key['metric'])}")
    if ranks is not None:
        _draw_ranks(panels[1], ranks, members)
    legend = [*_point_legend(rows), *seen_legend(members), *family_legend(members)]
    caption = _caption(rows, key) + ("" if ranks is None else _rank_note(ranks))
    entitle(figure, f"Aggregated transfer: {condition(key)}", caption, legend)
    return figure


def _ranks(rank_sets: pd.DataFrame, rows: pd.DataFrame, key: dict[str, Any]) -> pd.DataFrame:
    """Return rank, rank_low and rank_high in the order of ``rows``."""
    require_columns(rank_sets, [*_STUDY, *_ENTRY, "rank", "rank_low", "rank_high", "scale", "level"], "rank_sets")
    found, _ = pick(rank_sets, "rank_sets", **{name: key[name] for name in (*_STUDY, "scale")}, level=None)
    require_unique(found, _ENTRY, "rank_sets")
    joined = rows[_ENTRY].merge(found, how="left", on=_ENTRY, validate="one_to_one")
    return joined[["rank", "rank_low", "rank_high", "level"]].astype("float64")


def _draw_estimates(axes: Axes, rows: pd.DataFrame, members: list[Place]) -> None:
    """Draw a whisker per interval and a point per estimate; a hollow point has no interval."""
    bands(axes, len(rows))
    low, high, estimate = (rows[column].to_numpy(np.float64) for column in ("low", "high", "estimate"))
    line = np.arange(len(rows))
    axes.hlines(line, low, high, colors=[_whisker(place) for place in members], linewidth=1.4, label="interval")
    fills = ["white" if np.isnan(bound) else place.fill for bound, place in zip(low, members, strict=True)]
    axes.scatter(estimate, line, s=22, c=fills, edgecolors=INK, linewidths=0.7, zorder=3, label="estimate")
    for where in np.flatnonzero(np.isnan(estimate)):
        axes.annotate(
            "undefined", (0, where), xytext=(4, 0), textcoords="offset points", va="center", size=SMALL, color=SOFT
        )


def _whisker(place: Place) -> str:
    """Return the colour of a thin line, for which the fills of seen languages are too pale."""
    return place.fill if place.seen is False else SOFT


def _draw_ranks(axes: Axes, ranks: pd.DataFrame, members: list[Place]) -> None:
    """Draw the set of ranks of each entry as a bar, its own rank as a tick, and print both."""
    bands(axes, len(ranks))
    line = np.arange(len(ranks))
    low, high, rank = (ranks[column].to_numpy() for column in ("rank_low", "rank_high", "rank"))
    # A set of one rank still needs a width that can be seen.
    axes.barh(
        line, high - low + 0.8, left=low - 0.4, height=0.5, color=[place.fill for place in members], label="rank set"
    )
    axes.scatter(rank, line, marker="|", s=28, c=INK, linewidths=1.0, zorder=3, label="rank")
    axes.set(xlim=(0.4, max(len(ranks), 2) + 0.6), xlabel="possible ranks (1 is best)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_facecolor("none")
    axes.grid(axis="x", color=FAINT)
    numbers_beside(axes, [_rank_text(*row) for row in zip(rank, low, high, strict=True)], "rank (set)")


def _rank_text(rank: float, low: float, high: float) -> str:
    if np.isnan(rank):
        return "–"
    return f"{rank:.0f}" if np.isnan(low) else f"{rank:.0f} ({low:.0f}–{high:.0f})"


def _point_legend(rows: pd.DataFrame) -> list[Line2D]:
    """Return a legend entry for hollow points if there are any."""
    hollow = rows["low"].isna() & rows["estimate"].notna()
    style: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4.5, "markeredgewidth": 0.7}
    point = Line2D([], [], markerfacecolor="white", markeredgecolor=INK, label="no interval", **style)
    return [point] if hollow.any() else []


def _caption(rows: pd.DataFrame, key: dict[str, Any]) -> str:
    """Say over how many targets the means go, how they are weighted and what the intervals are."""
    counts = sorted(int(count) for count in rows["n_targets"].unique())
    targets = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    own = "included" if key["include_self"] else "left out"
    return f"Means over {targets} targets, weighting {key['weighting']}, self-transfer {own}. {interval_note(rows)}"


def _rank_note(ranks: pd.DataFrame) -> str:
    """Say how sure the rank sets are."""
    level = ranks["level"].max()
    sets = int(ranks["rank_low"].notna().sum())
    return f" Rank sets hold for all entries together with {100 * level:g} %." if sets else " No rank sets."
