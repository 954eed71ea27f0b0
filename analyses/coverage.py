"""Do the intervals cover what they should? Cells with a known true change, and how often each interval holds it.

    python analyses/coverage.py [--out coverage.csv] [--runs 2000]

Prints a row for each metric, number of items, number of replicates and share of the variance that is due to replicates:
coverage of the default interval (crossed replicates and clusters, for new sentences) and of what one might use instead:
replicates only (`this_test_set`), items only, the pigeonhole bootstrap, and a nested percentile bootstrap, which draws
items anew within each drawn replicate; last the type-I error of the default test, in cells whose true change is 0. The
bootstraps see fewer cells, with few draws, for the time they take. Some minutes on two cores.

What is drawn is in :mod:`coverage_world`. 2,000 cells leave a standard error of half a percent point.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import pandas as pd
import typer
from coverage_world import KINDS, Drawn, Kind, World, percent_per_shift, without_effect
from numpy.typing import NDArray
from scipy.special import stdtrit

from xltransfer.analysis.influence import ratio
from xltransfer.analysis.interval_statistics import Statistics, interval_statistics
from xltransfer.analysis.intervals import cell_intervals, cluster_parts
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.pigeonhole import pigeonhole
from xltransfer.randomness import stream
from xltransfer.runs.cluster_counts import ClusterCounts, Targets

Array = NDArray[np.float64]
Interval = tuple[Array, Array]
"""Lower and upper ends, shape [run]."""

EFFECT: Final = 0.02
"""Mean shift, as a share of the untouched score, of the cells in which coverage is measured."""

FORMULAS: Final = ("crossed", "this_test_set", "items_only")
BOOTSTRAPS: Final = ("pigeonhole", "nested")

_NO_FLAGS: Final = pd.DataFrame({"task": ["t"], "dataset": ["d"], "target": [""], "small": [False]})


@dataclass(frozen=True)
class Setting:
    """A row of the table: kind of cell (a key of `KINDS`), items, replicates, and the replicates' share, below 1."""

    kind: str
    items: int
    replicates: int
    share: float


def measure(setting: Setting, runs: int, bootstrap_runs: int, draws: int, seed: int = 0) -> dict[str, object]:
    """Return the row of one setting: rates in percent, and `realised`, the share that replicates turned out to have.

    Parameters
    ----------
    setting
        What is simulated.
    runs, bootstrap_runs
        Number of cells for the intervals with a formula, and of those that the bootstraps see.
    draws
        Of each bootstrap.
    seed
        Of everything drawn.
    """
    kind, sd = KINDS[setting.kind], replicate_sd(setting)
    effect, none = World(kind, EFFECT * kind.score, sd), without_effect(kind, sd)
    truth = effect.true_change
    held: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in (*FORMULAS, *BOOTSTRAPS, "type_1")}
    estimates: list[Array] = []
    for number, size in enumerate(_batches(runs, setting)):
        rng = stream(
            seed, "coverage", *map(str, (setting.kind, setting.items, setting.replicates, setting.share, number))
        )
        null = cell_intervals(statistics(none.draw(size, setting.items, setting.replicates, rng)))
        held["type_1"].append((null["p"] < 0.05).to_numpy())
        drawn = effect.draw(size, setting.items, setting.replicates, rng)
        measured = statistics(drawn)
        estimates.append(measured.cells["estimate_ts"].to_numpy())
        for name, interval in formulas(measured).items():
            held[name].append(_holds(interval, truth))
        done = sum(map(len, held["nested"]))
        if done < bootstrap_runs:
            some = _first(drawn, bootstrap_runs - done)
            held["pigeonhole"].append(_holds(pigeonhole_interval(some, draws), truth))
            held["nested"].append(_holds(nested_interval(some, kind, draws, rng), truth))
    due = effect.replicate_variance / setting.replicates / np.concatenate(estimates).var(ddof=1)
    rates = {name: 100.0 * float(np.concatenate(parts).mean()) for name, parts in held.items() if parts}
    return {**vars(setting), "realised": float(due), **rates}


def formulas(measured: Statistics) -> dict[str, Interval]:
    """Return the intervals of `FORMULAS` for each cell."""
    found = {name: cell_intervals(measured, estimand=estimand) for name, estimand in _ESTIMANDS.items()}
    intervals = {name: (frame["low"].to_numpy(), frame["high"].to_numpy()) for name, frame in found.items()}
    item, _ = cluster_parts(measured.cells, "ts")
    half = stdtrit(measured.cells["effective"].to_numpy() - 1.0, 0.975) * np.sqrt(item)
    estimate = measured.cells["estimate_ts"].to_numpy()
    return intervals | {"items_only": (estimate - half, estimate + half)}


_ESTIMANDS: Final = {"crossed": "new_sentences", "this_test_set": "this_test_set"}


def pigeonhole_interval(drawn: Drawn, draws: int) -> Interval:
    """Return the package's pigeonhole bootstrap for each cell."""
    # Equal codes: all cells use the same draws of clusters, which are then drawn once.
    untouched, nudged = (counts(side, shared=True) for side in (drawn.untouched, drawn.nudged))
    cells = pigeonhole([nudged], [untouched], _NO_FLAGS, draws=draws, cells=True, metrics=[_metric(drawn)]).cells
    return cells["low"].to_numpy(), cells["high"].to_numpy()


def nested_interval(drawn: Drawn, kind: Kind, draws: int, rng: np.random.Generator) -> Interval:
    """Return the percentile bootstrap that draws replicates, and within each of them items; draws serve all cells."""
    metric = metric_named(kind.metric)
    (a0, b0), (a, b) = ratio(drawn.untouched, metric), ratio(drawn.nudged, metric)
    replicates, _, items = a.shape
    chosen = rng.integers(replicates, size=(draws, replicates))
    times = rng.multinomial(items, np.full(items, 1.0 / items), size=chosen.size).astype(np.float64).T
    changes = np.empty((a.shape[1], chosen.size))
    for replicate in range(replicates):
        slots = np.flatnonzero(chosen.ravel() == replicate)
        reference = (a0 @ times[:, slots]) / (b0 @ times[:, slots])
        score = (a[replicate] @ times[:, slots]) / (b[replicate] @ times[:, slots])
        changes[:, slots] = 100.0 * (score - reference) / reference
    means = changes.reshape(len(changes), draws, replicates).mean(axis=2)
    low, high = np.percentile(means, [2.5, 97.5], axis=1)
    return low, high


def statistics(drawn: Drawn) -> Statistics:
    """Return the package's statistics of simulated cells; each cell is a target of its own."""
    return interval_statistics([counts(drawn.nudged)], [counts(drawn.untouched)], _NO_FLAGS)


def counts(side: Mapping[str, NDArray[np.integer]], shared: bool = False) -> ClusterCounts:
    """Return counts [run, item], or [replicate, run, item] for nudged models, as the package reads them."""
    shape = next(iter(side.values())).shape
    runs, items = shape[-2:]
    rows = shape[0] if len(shape) == 3 else 1
    code = np.tile(np.arange(items), runs) if shared else np.arange(runs * items)
    names = tuple(("d", f"run{run:06d}") for run in range(runs))
    starts = np.arange(0, runs * items + 1, items)
    nudged = len(shape) == 3
    return ClusterCounts(
        base="b",
        setting="nudge" if nudged else "baseline",
        transfer="a" if nudged else "",
        corpus="text" if nudged else "",
        steps=1 if nudged else None,
        adapter_seed=None,
        targets=Targets("t", names, starts, code, np.ones(runs * items, dtype=np.intp)),
        replicates=np.arange(rows) if nudged else np.array([-1]),
        devices=("cpu",) * rows,
        scored=np.ones((rows, runs), dtype=np.bool_),
        counts={name: values.reshape(rows, -1).astype(np.float64) for name, values in side.items()},
    )


@cache
def replicate_sd(setting: Setting) -> float:
    """Return the standard deviation of the shift that gives replicates their share of the variance of the estimate.

    Shifts add noise of their own to the words that they move, so the share is approached in three steps.
    """
    kind, sd = KINDS[setting.kind], 0.0
    if setting.share == 0.0:
        return sd
    wanted = setting.share / (1.0 - setting.share)
    for _ in range(3):
        item, rest = _components(setting.kind, sd)
        others = item / setting.items + rest / (setting.items * setting.replicates)
        sd = np.sqrt(wanted * others * setting.replicates) / percent_per_shift(kind)
    return float(sd)


def _components(name: str, sd: float) -> tuple[float, float]:
    """Return the variance of one item, and of one item and replicate, in ts of a kind, from large test sets."""
    items, replicates = 1000, 10
    drawn = World(KINDS[name], 0.0, sd).draw(40, items, replicates, stream(0, "coverage", "components", name))
    item, rest = cluster_parts(statistics(drawn).cells, "ts")
    return float((item - rest).mean()) * items, float(rest.mean()) * items * replicates


def _metric(drawn: Drawn) -> str:
    """Return the name of the metric that the counts are for."""
    return next(
        name for name, column in (("accuracy", "correct"), ("las", "las"), ("f1", "tp")) if column in drawn.nudged
    )


def _holds(interval: Interval, truth: float) -> NDArray[np.bool_]:
    """Return for each run whether the interval holds the truth; no interval does not."""
    low, high = interval
    return (low <= truth) & (truth <= high)


def _first(drawn: Drawn, runs: int) -> Drawn:
    """Return the first runs."""
    sides = [{name: v[..., :runs, :] for name, v in side.items()} for side in (drawn.untouched, drawn.nudged)]
    return Drawn(*sides)


def _batches(runs: int, setting: Setting) -> Iterator[int]:
    """Yield sizes of batches that fit into some hundred MiB."""
    size = max(1, 2_000_000 // (setting.items * setting.replicates))
    for start in range(0, runs, size):
        yield min(size, runs - start)


def main(
    out: Annotated[Path | None, typer.Option(help="CSV file for the table.")] = None,
    runs: Annotated[int, typer.Option(help="Simulated cells for each row.")] = 2000,
    bootstrap_runs: Annotated[int, typer.Option(help="How many of them the bootstraps see; 0 leaves them out.")] = 400,
    draws: Annotated[int, typer.Option(help="Draws of each bootstrap.")] = 200,
    kinds: Annotated[str, typer.Option(help=f"Of {', '.join(KINDS)}; separated by commas.")] = "accuracy,las,f1",
    items: Annotated[str, typer.Option(help="Sentences of a test set, separated by commas.")] = "50,500,2000",
    seed: Annotated[int, typer.Option(help="Seed of everything.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
) -> None:
    """Print the table and what it comes to."""
    sizes = [int(size) for size in items.split(",")]
    settings = [Setting(*each) for each in product(kinds.split(","), sizes, (3, 5, 10), (0.0, 0.2, 0.8))]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(measure, setting, runs, bootstrap_runs, draws, seed) for setting in settings]
        rows = []
        for task in tasks:
            rows.append(task.result())
            print(
                "  ".join(f"{v:7.1f}" if isinstance(v, float) else f"{v!s:>8}" for v in rows[-1].values()), flush=True
            )
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False))
    print(summary(table, runs))
    if out is not None:
        table.to_csv(out, index=False)


def summary(table: pd.DataFrame, runs: int) -> str:
    """Return in three sentences whether the default interval and its test keep what they promise."""
    crossed, varied = table["crossed"], table[table["share"] >= 0.2]["crossed"]
    wrong, error = table["type_1"], 100.0 * np.sqrt(0.05 * 0.95 / runs)
    outside, clearly = (int(((wrong < 4.0 - more) | (wrong > 6.0 + more)).sum()) for more in (0.0, 2.0 * error))
    return (
        f"The default interval covers {crossed.min():.1f} to {crossed.max():.1f} %, and {varied.min():.1f} to "
        f"{varied.max():.1f} % where replicates hold 20 % of the variance or more. Its test is wrong in "
        f"{wrong.mean():.1f} % of all cells without effect, {wrong.min():.1f} to {wrong.max():.1f} % in single rows. "
        f"{outside} of {len(table)} rows are outside 4 to 6 %, {clearly} of them by more than two standard errors."
    )


if __name__ == "__main__":
    typer.run(main)
