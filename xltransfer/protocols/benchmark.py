"""What each precision does to the scores of a run on this machine: the untouched model scored in every number format.

The truth is float64, which is as good as exact beside the others. A difference is what one score is off; a transfer
score compares two scores that are off like this each, so an effect of that size is not worth a word. Only the logarithm
of the last softmax is taken in float32 everywhere, as tasks do.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd

from xltransfer.engine.precision import Arithmetic, precisions_of, scored_at
from xltransfer.errors import ConfigError, RunFolderError, near_match
from xltransfer.metrics import SHAPES
from xltransfer.protocols.transfer.calibrate import padded_tokens
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.scoring import score_targets
from xltransfer.protocols.transfer.wanted import BASELINE, NUDGE, adapter_units, scorer_name, split_scorer
from xltransfer.runs.cells import Cell
from xltransfer.runs.unit import Unit

OnStep = Callable[[str, float], None]
"""Told what is being done and the share of the work that is done."""

EXACT: Arithmetic = "float64"
CELL = ["task", "adapter_seed", "dataset", "target", "metric"]
Chosen = dict[str, tuple[str, ...]]
"""Scorer (``task@seed``, or ``task`` without adapter) to the names of its targets."""


def chosen_scorers(context: Context, tasks: Sequence[str] | None = None, n_targets: int | None = None) -> Chosen:
    """Return the first adapter of each task, loaded, and some of its targets, spread over the whole list.

    Parameters
    ----------
    tasks
        Names of tasks; None: all.
    n_targets
        How many targets of each task; None: all.

    Raises
    ------
    ConfigError
        A task that is none of the study's; no targets.
    RunFolderError
        The folder does not have a task's adapter yet.
    """
    specs = context.specs
    unknown = [name for name in tasks or () if name not in specs]
    if unknown:
        raise ConfigError([f"the study has no task {name!r}{near_match(name, specs)}" for name in unknown])
    if n_targets is not None and n_targets < 1:
        raise ConfigError(f"n_targets={n_targets}; expected at least 1, or None for all")
    chosen: Chosen = {}
    for name in tasks or specs:
        scorer = scorer_name(specs[name], None if specs[name].adapter is None else 0)
        targets = [ref.name for ref in context.resolved.targets[name]]
        chosen[scorer] = tuple(targets[number] for number in _spread(len(targets), n_targets))
    _check_adapters(context, chosen)
    for scorer in chosen:
        context.load_scorer(scorer)
    return chosen


def _spread(n: int, wanted: int | None) -> list[int]:
    """Return ``wanted`` numbers below ``n``, or all of them, evenly spread."""
    count = n if wanted is None else min(wanted, n)
    return [(2 * i + 1) * n // (2 * count) for i in range(count)]


def _check_adapters(context: Context, chosen: Chosen) -> None:
    units = adapter_units(context.resolved)
    missing = [name for name in chosen if name in units and not context.store.is_present(units[name])]
    if missing:
        raise RunFolderError(
            f"{context.store.folder} has no task adapter {', '.join(missing)} of this study; "
            "run the study into it first, or choose other tasks"
        )


def precision_noise(context: Context, chosen: Chosen, on_step: OnStep | None = None) -> pd.DataFrame:
    """Score the untouched model at every precision that the device has, and in float64.

    Parameters
    ----------
    chosen
        See `chosen_scorers`.
    on_step
        Told of progress.

    Returns
    -------
    DataFrame
        One row per precision, task, adapter seed (missing without adapter), dataset, target and metric: score, and
        exact (the same in float64), both in the metric's unit; difference (score less exact); ts (percent of exact,
        positive where the score is the better one; NaN where exact is 0 or undefined).
    """
    formats: tuple[Arithmetic, ...] = (EXACT, *precisions_of(context.device))
    work = [(form, scorer, name) for form in formats for scorer, names in chosen.items() for name in names]
    costs = [padded_tokens(context, split_scorer(scorer)[0], name) for _, scorer, name in work]
    progress = _Progress(on_step, sum(costs), {step: cost for step, cost in zip(work, costs, strict=True)})
    rows = pd.DataFrame([row for form in formats for row in _scored(context, chosen, form, progress)])
    rows = rows.astype({"adapter_seed": "Int64"})
    exact = rows.loc[rows["precision"] == EXACT, [*CELL, "score"]].rename(columns={"score": "exact"})
    found = rows[rows["precision"] != EXACT].merge(exact, how="left", on=CELL, validate="many_to_one")
    difference = found["score"] - found["exact"]
    relative = 100.0 * found.pop("sign") * difference / found["exact"].where(found["exact"] != 0)
    return found.assign(difference=difference, ts=relative)[["precision", *CELL, "score", "exact", "difference", "ts"]]


class _Progress:
    def __init__(self, on_step: OnStep | None, total: float, costs: dict[tuple[str, str, str], int]) -> None:
        self.on_step, self.total, self.costs, self.done = on_step, total, costs, 0.0

    def __call__(self, form: str, scorer: str, name: str) -> None:
        self.done += self.costs[form, scorer, name]
        if self.on_step is not None:
            self.on_step(f"scoring in {form}", self.done / self.total)


def _scored(context: Context, chosen: Chosen, form: Arithmetic, progress: _Progress) -> list[dict[str, Any]]:
    """Return the scores at one precision, with the sign that makes a higher one the better one."""
    unit = Unit(key={"protocol": context.study.protocol, "base": context.study.base.name, "setting": BASELINE})
    rows = []
    with scored_at(context.model, form):
        for scorer, names in chosen.items():
            for name in names:
                for cell in score_targets(context, {scorer: (name,)}, unit):
                    rows += list(_metrics(cell, form))
                progress(form, scorer, name)
    return rows


def _metrics(cell: Cell, form: Arithmetic) -> Iterator[dict[str, Any]]:
    for metric in SHAPES[cell.shape]:
        yield {
            "precision": form,
            "task": cell.task,
            "adapter_seed": cell.adapter_seed,
            "dataset": cell.dataset,
            "target": cell.target,
            "metric": metric.name,
            "score": float(metric.score({name: cell.counts[name].sum(dtype="float64") for name in metric.columns})),
            "sign": 1.0 if metric.higher_is_better else -1.0,
        }


def noise_summary(noise: pd.DataFrame, ts: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how large the noise is, beside the run's own transfer scores.

    Parameters
    ----------
    noise
        What `precision_noise` gives.
    ts
        What `analysis.transfer_scores` gives of the run: setting, task, metric, steps, ts.

    Returns
    -------
    DataFrame
        One row per precision, task and metric: n_cells; max_difference and median_difference (absolute, metric's
        unit); max_ts and median_ts (absolute, percent); of the run run_steps (its smallest k) and run_median_ts (the
        median of the absolute ts over all nudged cells at that k, percent). What is undefined or not there is NaN.
    """
    sizes = noise.assign(difference=noise["difference"].abs(), ts=noise["ts"].abs())
    keys = ["precision", "task", "metric"]
    found = sizes.groupby(keys, sort=False).agg(
        n_cells=("difference", "count"),
        max_difference=("difference", "max"),
        median_difference=("difference", "median"),
        max_ts=("ts", "max"),
        median_ts=("ts", "median"),
    )
    effects = _effects(ts)
    return found.reset_index().merge(effects, how="left", on=["task", "metric"], validate="many_to_one")


def _effects(ts: pd.DataFrame | None) -> pd.DataFrame:
    """Return the median absolute ts of each task and metric at its smallest k."""
    columns = ["task", "metric", "run_steps", "run_median_ts"]
    nudged = None if ts is None else ts[(ts["setting"] == NUDGE) & ts["ts"].notna()]
    if nudged is None or nudged.empty:
        return pd.DataFrame({name: pd.Series(dtype="object" if name in columns[:2] else "float64") for name in columns})
    smallest = nudged.groupby(["task", "metric"], observed=True)["steps"].transform("min")
    first = nudged[nudged["steps"] == smallest].assign(size=nudged["ts"].abs())
    found = first.groupby(["task", "metric"], observed=True).agg(
        run_steps=("steps", "first"), run_median_ts=("size", "median")
    )
    return found.reset_index().astype({"task": "object", "metric": "object", "run_steps": "float64"})
