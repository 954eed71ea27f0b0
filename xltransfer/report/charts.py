"""Which figures a report has: for each the function that draws it, its frames, and what it is called.

A chart is data until it is drawn, so that charts can be drawn in other processes. A figure with nothing to show says so
by a `ValueError`; its words stand in its place.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from xltransfer import figures
from xltransfer.figures.pair_heatmap import feature_label
from xltransfer.report.pictures import Drawing, drawing
from xltransfer.report.subject import Condition, Subject
from xltransfer.report.typology import SHOWN, with_value

FIGURES: Final[Mapping[str, Callable[..., Figure]]] = {
    "heatmap": figures.transfer_heatmap,
    "forest": figures.forest,
    "violins": figures.transfer_violins,
    "recipients": figures.recipient_map,
    "progression": figures.progression,
    "correlation": figures.task_correlation_matrix,
    "common_top": figures.common_top_ranks,
    "seen_unseen": figures.seen_unseen_blocks,
    "interference": figures.interference_plane,
    "improvement": figures.improvement_bars,
    "alignment": figures.alignment_curves,
    "alignment_means": figures.alignment_means,
    "alignment_nudges": figures.alignment_nudges,
    "alignment_scatter": figures.alignment_scatter,
    "pair_heatmap": figures.pair_heatmap,
}


@dataclass(frozen=True)
class Chart:
    """A figure before it is drawn.

    Attributes
    ----------
    name
        File name without ending, and anchor on the page.
    title, caption
        Title without a stop; sentences that say what is shown, in which unit, and of how many.
    figure
        Key in `FIGURES`.
    frames
        What it draws, in the order of its arguments; a frame that is None is left out.
    choice
        Further arguments.
    condition
        What it is about; None where it is about several.
    """

    name: str
    title: str
    caption: str
    figure: str
    frames: tuple[pd.DataFrame | None, ...]
    choice: Mapping[str, Any] = field(default_factory=dict)
    condition: Hashable = None


def charts(subject: Subject) -> list[Chart]:
    """Return all charts of a report: after every k what the page compares, at the headline k what it shows once."""
    found = [chart for condition in subject.conditions for chart in _of_condition(subject, condition)]
    for base, task in subject.pairs:
        found += _of_headline(subject, subject.headline(base, task))
    bases = list(dict.fromkeys(base for base, _ in subject.pairs))
    found += [chart for base in bases for chart in _of_base(subject, base)]
    return [*found, *_of_pairs(subject)]


def _of_condition(subject: Subject, condition: Condition) -> Iterator[Chart]:
    """Yield the forest plot and the heatmaps of one condition."""
    slug, said, languages = subject.slug(condition), subject.said(condition), subject.findings.languages
    aggregates = subject.rows("aggregates", condition, weighting="macro", include_self=True)
    yield Chart(
        f"forest_{slug}",
        f"Aggregated transfer: {said}",
        f"Mean over {_most(aggregates, 'n_targets')} targets of each transfer language, with its interval and its set "
        "of possible ranks.",
        "forest",
        (aggregates, subject.rows("rank_sets", condition), languages),
        condition.key,
        condition,
    )
    cells = subject.rows("cells", condition)
    for seed, own in _by_seed(cells):
        yield Chart(
            f"heatmap_{subject.slug(condition, seed)}",
            f"Transfer by target: {said}{_seed_said(seed)}",
            "Every transfer language (rows) on every target (columns). Small squares: not separable from 0 after "
            "Benjamini-Hochberg. Frames: self-transfer. Asterisk: not aggregated.",
            "heatmap",
            (own, languages),
            condition.key | ({} if seed is None else {"adapter_seed": seed}),
            condition,
        )


def _of_headline(subject: Subject, condition: Condition) -> Iterator[Chart]:
    """Yield what is drawn of a task once."""
    slug, said, languages = subject.slug(condition), subject.said(condition), subject.findings.languages
    for seed, own in _by_seed(subject.rows("ts", condition)):
        yield Chart(
            f"violins_{subject.slug(condition, seed)}",
            f"ts over targets: {said}{_seed_said(seed)}",
            f"Distribution over targets of ts in percent, {own['transfer'].nunique()} transfer languages, the most "
            "variable first.",
            "violins",
            (own, languages),
            condition.key | ({} if seed is None else {"adapter_seed": seed}),
            condition,
        )
    rows = subject.rows("recipients", condition)
    yield Chart(
        f"recipients_{slug}",
        f"Who receives: {said}",
        f"Percent of {int(rows['n_transfers'].max())} transfer entries that help each target; the line is what no "
        "effect would give. Other transfer languages would give other percentages: there is no interval.",
        "recipients",
        (rows, languages),
        condition.key,
        condition,
    )


def _of_base(subject: Subject, base: str) -> Iterator[Chart]:
    """Yield what compares tasks and numbers of steps."""
    found, languages = subject.findings, subject.findings.languages
    suffix, also = ("", "") if "base" in subject.hidden else (f"_{base}", f", {base}")
    levels = found["progression"]
    levels = levels[(levels["base"] == base) & (levels["setting"] == "nudge")]
    if levels["steps"].nunique() > 1:
        yield Chart(
            f"progression{suffix}", f"Over the number of steps{also}",
            "Aggregated transfer after each number of steps k, a panel per task, a line per transfer language.",
            "progression", (levels[levels["transfer"] != ""], languages), {"base": base, "lines": "transfer"},
        )  # fmt: skip
        yield Chart(
            f"progression_languages{suffix}", f"Over the number of steps, by language{also}",
            "The same, a panel per transfer language, a line per task.",
            "progression", (levels, languages), {"base": base, "lines": "task"},
        )  # fmt: skip
    correlations = found["task_correlation"]
    correlations = correlations[(correlations["base"] == base) & (correlations["setting"] == "nudge")]
    for steps in sorted(correlations["steps"].unique()):
        yield Chart(
            f"task_correlation_k{int(steps)}{suffix}", f"Rank correlation between tasks, k = {int(steps)}{also}",
            "Spearman correlation over transfer languages of aggregates on common targets, from disjoint replicates.",
            "correlation", (correlations[correlations["steps"] == steps],), {"base": base, "steps": int(steps)},
        )  # fmt: skip
    ranks = found["top_ranks"]
    ranks = ranks[ranks["base"] == base]
    for steps in sorted({int(k) for k in ranks["steps"]}):
        rows = ranks[ranks["steps"] == steps]
        if rows["task"].nunique() > 1:
            yield Chart(
                f"common_top_k{steps}{suffix}", f"Ranks in every task, k = {steps}{also}",
                "Rank of each transfer language by its aggregate; filled: in the top of the task. These are ranks of "
                "the estimates: the noise allows many others, see the rank sets.",
                "common_top", (rows, languages), {"base": base, "steps": steps},
            )  # fmt: skip
    blocks = found["seen_unseen"]
    if len(blocks := blocks[(blocks["base"] == base) & (blocks["setting"] == "nudge")]):
        yield Chart(
            f"seen_unseen{suffix}", f"Seen and unseen languages{also}",
            "Mean over the cells of each block, its interval and number of cells; bold: the interval leaves out 0.",
            "seen_unseen", (blocks,), {"base": base},
        )  # fmt: skip


def _of_pairs(subject: Subject) -> Iterator[Chart]:
    """Yield a heatmap of each feature of the pairs that any pair has a value of."""
    pairs = subject.findings["pairs"]
    known = with_value(pairs)
    for feature in (name for name in SHOWN if name in known):
        yield Chart(
            f"pairs_{feature}", f"{feature_label(feature)} of transfer and target languages",
            "Darker: a larger value; grey: not known. Languages are in the order of the heatmaps of transfer.",
            "pair_heatmap", (pairs[pairs["feature"] == feature], subject.findings.languages), {"feature": feature},
        )  # fmt: skip


def draw(chart: Chart) -> Drawing | str:
    """Return the drawing of a chart, or why there is nothing to draw."""
    try:
        figure = FIGURES[chart.figure](*chart.frames, **chart.choice)
    except ValueError as error:
        return str(error)
    # The page draws heatmaps itself.
    return drawing(figure, in_page=chart.figure != "heatmap")


@contextmanager
def drawn(found: Sequence[Chart], workers: int = 0) -> Iterator[Iterator[Drawing | str]]:
    """Yield the drawings of charts in order, drawn in this process when asked for, or at once in ``workers`` others."""
    if workers < 1:
        yield map(draw, found)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map(draw, found)


def _by_seed(rows: pd.DataFrame) -> Iterator[tuple[int | None, pd.DataFrame]]:
    """Yield rows by the seed of the task adapter; seed None where there is one or none."""
    seeds = sorted(rows["adapter_seed"].dropna().unique())
    if len(seeds) < 2:
        yield None, rows
        return
    for seed in seeds:
        yield int(seed), rows[rows["adapter_seed"] == seed]


def _seed_said(seed: int | None) -> str:
    return "" if seed is None else f", adapter seed {seed}"


def _most(rows: pd.DataFrame, column: str) -> str:
    """Return the largest count of a column, with what it is of where rows differ."""
    counts = sorted({int(n) for n in rows[column]}) or [0]
    return str(counts[-1]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
