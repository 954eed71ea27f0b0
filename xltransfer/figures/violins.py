"""Violins: how differently one transfer language treats its targets, the most uneven first.

Source: faisal2024 App. L, Figure 7 and Table 22. Variance and mean are those of
:func:`~xltransfer.analysis.rank_transfer_languages`, so figure and table cannot disagree.
"""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from xltransfer.analysis import rank_transfer_languages
from xltransfer.analysis.frames import require_columns
from xltransfer.figures.labels import condition, number, scale_label
from xltransfer.figures.look import INK, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.figures.pick import pick, require_unique
from xltransfer.figures.places import Place, Places, Show, family_legend, seen_legend
from xltransfer.figures.rows import bands, height_of, language_rows, numbers_beside

_ENTRY = ["transfer", "corpus"]

FEW = 8
"""With fewer targets than this a violin would be drawn from nothing: there are points only."""


@house_look()
def transfer_violins(
    ts: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    steps: int | None = None,
    adapter_seed: int | None = None,
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the distributions of ts over targets, one line per transfer entry, sorted by variance.

    Parameters
    ----------
    ts
        What ``transfer_scores`` gives: columns base, setting, transfer, corpus, steps, adapter_seed, task, dataset,
        target, metric, n_replicates, ts, ts_sd, self_transfer, aggregated. Rows of setting nudge that are
        ``aggregated`` are shown; the caption says how many targets are not.
    languages
        Columns code, name, family, genus, seen.
    base, task, metric, steps, adapter_seed
        Which rows; what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the lines ask for.

    Returns
    -------
    Figure
        Each violin spans its data and is as wide as any other at its widest; every target is a point.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, or a language is not in ``languages``.

    References
    ----------
    faisal2024, App. L, Figure 7.
    """
    require_columns(ts, [*_ENTRY, "dataset", "target", "ts", "aggregated"], "ts")
    wanted = {"base": base, "setting": "nudge", "task": task, "metric": metric, "steps": steps}
    rows, key = pick(ts, "ts", **wanted, adapter_seed=adapter_seed)
    require_unique(rows, [*_ENTRY, "dataset", "target"], "ts")
    ranks = rank_transfer_languages(rows).sort_values(["variance", *_ENTRY], ascending=[False, True, True])
    kept = rows[rows["aggregated"]]
    if kept.empty:
        raise ValueError(
            "ts has no aggregated row here; expected at least one target that is not at its floor or small"
        )
    places = Places(languages, show)
    entries = list(zip(ranks["transfer"], ranks["corpus"], strict=True))
    members = [places[code] for code, _ in entries]
    values = [_values(kept, transfer, corpus) for transfer, corpus in entries]
    figure = new_figure(size or (6.4, height_of(len(entries))))
    axes = figure.subplots()
    _draw(axes, values, members)
    axes.scatter(ranks["aggregated_transfer"], range(len(entries)), s=12, c="white", edgecolors=INK, linewidths=0.6,
                 zorder=4, label="mean")  # fmt: skip
    language_rows(axes, places.labels(entries), members)
    axes.set_xlabel(scale_label("ts"))
    numbers_beside(
        axes, [_spread_text(*row) for row in zip(ranks["variance"], map(len, values), strict=True)], _HEADING
    )
    mean = Line2D([], [], linestyle="", marker="o", markersize=3.5, markerfacecolor="white", markeredgecolor=INK,
                  markeredgewidth=0.6, label="mean")  # fmt: skip
    legend = [mean, *seen_legend(members), *family_legend(members)]
    entitle(figure, f"ts over target languages: {condition(key)}", _caption(rows, kept), legend)
    return figure


_HEADING = "variance, %² (targets)"


def _values(kept: pd.DataFrame, transfer: str, corpus: str) -> NDArray[np.float64]:
    """Return the ts of one transfer entry over its targets, percent."""
    own = (kept["transfer"] == transfer) & (kept["corpus"] == corpus)
    return kept.loc[own, "ts"].to_numpy(np.float64)


def _draw(axes: Axes, values: list[NDArray[np.float64]], members: list[Place]) -> None:
    """Draw a violin where there are targets enough and they differ, and every target as a point."""
    bands(axes, len(values))
    many = [line for line, column in enumerate(values) if len(column) >= FEW and np.ptp(column) > 0]
    if many:
        data = pd.DataFrame(
            {
                "line": np.repeat(many, [len(values[line]) for line in many]),
                "ts": np.concatenate([values[line] for line in many]),
            }
        )
        palette: Any = {line: members[line].fill for line in many}
        sns.violinplot(
            data, x="ts", y="line", hue="line", palette=palette, orient="h", native_scale=True, density_norm="width",
            cut=0, width=0.9, inner=None, linewidth=0.4, saturation=1, legend=False, ax=axes,
        )  # fmt: skip
    for line, column in enumerate(values):
        size, lift = (2.0, 0.0) if line in many else (9.0, 0.22)
        axes.scatter(
            column, line + _apart(len(column), lift), s=size, c=INK if line in many else members[line].fill, alpha=0.7,
            linewidths=0, zorder=3, label="targets",
        )  # fmt: skip
    axes.set_ylabel("")


def _apart(count: int, lift: float) -> NDArray[np.float64]:
    """Return offsets that keep points of one line apart, the same at every call."""
    golden = np.arange(count, dtype=np.float64) * 0.6180339887
    return lift * (2 * (golden - np.floor(golden)) - 1)


def _spread_text(variance: float, count: int) -> str:
    return f"{number(variance)} ({count})"


def _caption(rows: pd.DataFrame, kept: pd.DataFrame) -> str:
    """Say what is shown, and what is not."""
    everything, shown_targets = (len(frame[["dataset", "target"]].drop_duplicates()) for frame in (rows, kept))
    out = everything - shown_targets
    left = f" {out} of {everything} targets are at their floor, small or undefined, and left out." if out else ""
    return f"One point per target; violins only from {FEW} targets on. Variance over targets, ddof = 1.{left}"
