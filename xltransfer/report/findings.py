"""Everything that a report says, computed once: from a run to named tidy frames.

The steps stand in `STEPS`, in order; each takes what was found before and gives new frames. Tables, figures and
sentences read the frames and compute nothing. Seeds of simulations are children of one seed, so the same run gives the
same report.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from xltransfer.analysis import (
    controls,
    noise_floor,
    rank_transfer_languages,
    transfer_scores,
)
from xltransfer.analysis.aggregate_intervals import target_aggregates, transfer_aggregates
from xltransfer.analysis.changes import replicate_changes
from xltransfer.analysis.common_top import common_top, top_ranks
from xltransfer.analysis.detectable import measured_detectable_effect
from xltransfer.analysis.extremes import extreme_targets
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.interval_statistics import Statistics, interval_statistics
from xltransfer.analysis.intervals import cell_intervals, cluster_parts
from xltransfer.analysis.labels import label_changes
from xltransfer.analysis.max_recipients import max_recipients
from xltransfer.analysis.multiplicity import adjusted
from xltransfer.analysis.percent_positive import percent_positive
from xltransfer.analysis.progression import progression as levels_over_steps
from xltransfer.analysis.progression import step_changes
from xltransfer.analysis.rank_sets import rank_sets
from xltransfer.analysis.recipients import recipients
from xltransfer.analysis.reliability import reliability
from xltransfer.analysis.scales import SCALES, Scale
from xltransfer.analysis.seen_unseen import seen_unseen, seen_unseen_differences
from xltransfer.analysis.shrinkage import shrunk
from xltransfer.analysis.student import INTERVAL
from xltransfer.analysis.target_influence import ranking_influence, target_influence
from xltransfer.analysis.task_correlation import task_correlation
from xltransfer.analysis.variance_shares import variance_shares
from xltransfer.analysis.weightings import WEIGHTINGS
from xltransfer.metrics import SHAPES
from xltransfer.report.audited import audited
from xltransfer.report.choose import check_steps, chosen_rows, ranked_metrics
from xltransfer.report.names import languages_of
from xltransfer.report.overview import ts_ranges
from xltransfer.report.provenance import progress
from xltransfer.report.steps import Found, Frames, OnStep, Step, Work, run_steps
from xltransfer.report.typology import pair_frames
from xltransfer.runs.cluster_counts import ClusterCounts
from xltransfer.runs.open import Run

LABELS: Final = [
    *("base", "setting", "task", "metric", "label", "steps", "transfer", "corpus"),
    *("reference", "n_transfers", "n_targets", "n_cells", *INTERVAL, "p_holm"),
]
"""Columns of the frame of labels, where no label was scored."""

ESTIMANDS: Final = ("this_test_set", "new_sentences", "new_targets")


@dataclass(frozen=True)
class Options:
    """What a report is about.

    Attributes
    ----------
    task, metric, steps
        Only this task, metric, number of steps; None: all tasks, each by its main metric, after every k.
    scale
        ``ts``, ``delta``, ``log_ratio`` or ``logit_delta``.
    estimand
        Of intervals: ``this_test_set``, ``new_sentences``, ``new_targets``. None: cells are for new sentences,
        aggregates of transfer languages for new targets. A cell has one target, so ``new_targets`` leaves it as it is.
    seed
        Root of the random streams of simulations.
    draws
        Simulated tables behind rank sets.
    """

    task: str | None = None
    metric: str | None = None
    steps: int | None = None
    scale: Scale = "ts"
    estimand: str | None = None
    seed: int = 1
    draws: int = 2000

    @property
    def of_cells(self) -> str:
        """Estimand of cells and of aggregates by target."""
        return self.estimand if self.estimand in ("this_test_set", "new_sentences") else "new_sentences"

    @property
    def of_aggregates(self) -> str:
        """Estimand of aggregates by transfer language."""
        return self.estimand or "new_targets"


Findings = Found[Options]
"""The frames of a transfer run's report; ``metrics``: task to the metric that it is ranked by; frames see `STEPS`."""


@dataclass
class _Work(Work):
    """What the steps hand on to each other: large frames that no table shows, and those already found.

    ``rows`` are measurements over all labels, those of nudges on the chosen metrics only; ``labels`` those of single
    gold labels, of the chosen metrics.
    """

    run: Run
    options: Options
    metrics: dict[str, str]
    rows: pd.DataFrame
    labels: pd.DataFrame
    languages: pd.DataFrame
    texts: pd.DataFrame | None = None
    flags: pd.DataFrame = field(default_factory=pd.DataFrame)
    changes: pd.DataFrame = field(default_factory=pd.DataFrame)
    statistics: Statistics | None = None

    @property
    def scale(self) -> Scale:
        """Scale of the report."""
        return self.options.scale


def findings(
    run: Run, options: Options | None = None, on_step: OnStep | None = None, texts: pd.DataFrame | None = None
) -> Findings:
    """Compute everything that the report of a run says.

    Parameters
    ----------
    run
        The results folder; it may still grow.
    options
        What the report is about.
    on_step
        Told of the progress.
    texts
        Features of texts of the pairs, see `typology.pair_frames`; they need the study's files.

    Raises
    ------
    RunFolderError
        No unit has been finished, or no baseline has been scored.
    ConfigError
        A task, metric or k does not occur.
    """
    options = options or Options()
    if on_step is not None:
        on_step("reading measurements", 0.0)
    work = _begin(run, options)
    work.texts = texts
    run_steps(work, STEPS, on_step, READING)
    return Findings(run.header, options, work.metrics, work.languages, work.frames)


def _begin(run: Run, options: Options) -> _Work:
    """Read the measurements, check the options against them, and keep what the steps need."""
    rows = chosen_rows(run, options.task, labels=True)
    metrics = ranked_metrics(run, set(rows["task"].unique()), options.metric)
    check_steps(rows, options.steps)
    wanted = rows["task"].isin(metrics)
    if options.steps is not None:
        wanted &= rows["steps"].isna() | rows["steps"].isin([0, options.steps])
    # Once for every name of a metric, not once for every row: there are millions of these.
    base = {name: name.partition("[")[0] for name in rows["metric"].unique()}
    of_label = rows["metric"].isin([name for name in base if "[" in name])
    chosen = rows["metric"].map(base) == rows["task"].map(metrics)
    plain = rows[wanted & ~of_label & (chosen | (rows["setting"] != "nudge"))].reset_index(drop=True)
    labels = rows[wanted & of_label & chosen & rows["setting"].isin(["baseline", "nudge"])].reset_index(drop=True)
    codes = {*plain["transfer"].unique(), *plain["target"].unique()} - {""}
    return _Work(run, options, metrics, plain, labels, languages_of(run.study, codes))


def _audit(work: _Work) -> Frames:
    """Judge the targets, and say what was made with what."""
    work.flags, frames = audited(work.run, work.rows, work.metrics, work.options.task)
    return frames | {"progress": progress(work.run.header, work.rows)}


def _scores(work: _Work) -> Frames:
    """Pair every nudged score with its baseline, and rank."""
    rows = work.rows[work.rows["setting"].isin(["nudge", "baseline"])]
    rows = rows[rows["metric"] == rows["task"].map(work.metrics)]
    own = transfer_scores(rows, out_of_aggregates=work.flags)
    work.changes = replicate_changes(rows, out_of_aggregates=work.flags)
    return {
        "ts": own,
        "ranges": ts_ranges(own),
        "ranking": rank_transfer_languages(own),
        "extremes": extreme_targets(own),
        "recipients": recipients(own),
        "max_recipients": max_recipients(own),
        "percent_positive": percent_positive(own),
    }


def _checks(work: _Work) -> Frames:
    """Ask what moves scores besides a language's text."""
    return {"noise": noise_floor(work.rows), "controls": controls(work.rows, work.flags)}


def _cells(work: _Work) -> Frames:
    """Read the items, and give every cell its interval."""
    tasks, steps = set(work.metrics), None if work.options.steps is None else [work.options.steps]
    baselines = work.run.cluster_counts(("baseline",), tasks)
    entries = work.run.cluster_counts(("nudge",), tasks, steps)
    number = work.rows.loc[work.rows["setting"] == "nudge", ["corpus", "steps", "task"]].drop_duplicates()
    work.statistics = interval_statistics(
        _told(_of_metrics(entries, work), len(number), work.tell),
        _of_metrics(baselines, work),
        work.flags,
        work.languages,
    )
    cells = adjusted(cell_intervals(work.statistics, work.scale, work.options.of_cells))
    # The scales side by side, so that a target whose baseline is 0, and ts undefined, still has its difference.
    scales = {name: work.statistics.cells[f"estimate_{name}"].to_numpy() for name in SCALES}
    return {"cells": cells.assign(**scales)}


def _of_metrics(entries: Iterable[ClusterCounts], work: _Work) -> Iterator[ClusterCounts]:
    """Yield entries with the counts of the chosen metric only; ``total`` also weighs targets by their words."""
    shapes = {task["name"]: task["shape"] for task in work.run.study["tasks"]}
    for entry in entries:
        task = entry.targets.task
        (metric,) = [known for known in SHAPES[shapes[task]] if known.name == work.metrics[task]]
        kept = {*metric.columns, "total"}
        yield replace(entry, counts={name: counts for name, counts in entry.counts.items() if name in kept})


def _told(entries: Iterable[ClusterCounts], number: int, tell: Callable[[float], None]) -> Iterator[ClusterCounts]:
    """Yield entries and tell how many of them are done."""
    for place, entry in enumerate(entries):
        tell(min(place / max(number, 1), 1.0))
        yield entry


def _aggregates(work: _Work) -> Frames:
    """Average over targets and over transfer languages, with intervals."""
    assert work.statistics is not None
    how: list[dict[str, Any]] = [
        {"weighting": weighting, "include_self": own} for weighting in WEIGHTINGS for own in (True, False)
    ]
    by_transfer = [transfer_aggregates(work.statistics, work.scale, work.options.of_aggregates, **one) for one in how]
    aggregates = pd.concat(by_transfer, ignore_index=True)
    return {
        "aggregates": aggregates,
        "target_aggregates": target_aggregates(work.statistics, work.scale, work.options.of_cells),
        "shrunk": shrunk(aggregates[(aggregates["weighting"] == "macro") & aggregates["include_self"]]),
        "detectable": measured_detectable_effect(work.statistics),
    }


def _ranks(work: _Work) -> Frames:
    """Say which ranks the noise allows, and how reliable aggregates are."""
    seed, draws = work.options.seed, work.options.draws
    return {
        "rank_sets": rank_sets(work.changes, seed, work.scale, draws=draws),
        "reliability": reliability(work.changes, seed, work.scale),
    }


def _influence(work: _Work) -> Frames:
    """Say what single targets do, and where the variance comes from."""
    return {
        "target_influence": target_influence(work.changes, work.scale),
        "ranking_influence": ranking_influence(work.changes, work.scale),
        "variance_shares": variance_shares(work.changes, _item_parts(work), work.scale),
    }


def _item_parts(work: _Work) -> pd.DataFrame:
    """Return what new sentences add to the variance of every cell: v_item and v_res."""
    assert work.statistics is not None
    cells = work.statistics.cells
    v_item, v_res = cluster_parts(cells, work.scale)
    return cells[CELL].assign(v_item=v_item, v_res=v_res)


def _tops(work: _Work) -> Frames:
    """Say which transfer languages are in the top of every task."""
    unseen = set(work.languages.loc[work.languages["seen"].eq(False).fillna(False), "code"])
    ranks = top_ranks(work.frames["ranking"])
    return {"top_ranks": ranks, "common_top": common_top(ranks, unseen)}


def _between(work: _Work) -> Frames:
    """Compare tasks, numbers of steps, and languages that the base has seen with those that it has not."""
    seen = work.languages[["code", "seen"]]
    return _tops(work) | {
        "task_correlation": task_correlation(work.changes, work.options.seed, work.metrics, scale=work.scale),
        "progression": levels_over_steps(work.changes, work.scale),
        "step_changes": step_changes(work.changes, work.scale),
        "seen_unseen": seen_unseen(work.changes, seen, work.scale),
        "seen_differences": seen_unseen_differences(work.changes, seen, work.scale),
    }


def _pairs(work: _Work) -> Frames:
    """Ask what goes with transfer."""
    return pair_frames(work.frames["ts"], work.run.study, work.texts, work.options.seed)


def _labels(work: _Work) -> Frames:
    """Say which gold labels moved."""
    if not (work.labels["setting"] == "nudge").any():
        return {"labels": pd.DataFrame(columns=LABELS)}
    return {"labels": label_changes(work.labels, work.flags, scale=work.scale)}


READING: Final = 6.0

STEPS: Final = (
    Step("judging targets", 2, _audit),
    Step("pairing scores with baselines", 2, _scores),
    Step("noise floor and controls", 1, _checks),
    Step("intervals of cells", 13, _cells),
    Step("intervals of aggregates", 0.2, _aggregates),
    Step("rank sets and reliability", 4, _ranks),
    Step("influence of single targets", 1.3, _influence),
    Step("tasks, steps, seen and unseen", 3, _between),
    Step("what goes with transfer", 4, _pairs),
    Step("gold labels", 1, _labels),
)
"""In order, after `READING` the measurements; weights are seconds of a large run."""
