"""Which ranks a transfer language can have, given the noise: simultaneous rank confidence sets.

A ranking of aggregates invites reading the first five as the five best. A rank set says which ranks the data cannot
rule out for any language, all of them at once with the stated confidence. See protocols.md §6.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.cell_means import replicate_means
from xltransfer.analysis.frames import TIE
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import ENTRY, STUDY, ScoreTable, score_tables
from xltransfer.randomness import stream

TOP: Final = 5

_CHUNK: Final = 400_000
"""Numbers per block of simulated tables: 1.6 MB, which a processor's cache holds."""

_RESULT: Final = [
    *STUDY, *ENTRY, "estimate", "rank", "rank_low", "rank_high", "p_top5", "n_targets", "n_replicates", "scale",
    "level", "why",
]  # fmt: skip

Array = NDArray[np.float64]


def rank_sets(
    changes: pd.DataFrame,
    seed: int,
    scale: Scale = "ts",
    level: float = 0.95,
    draws: int = 2000,
    include_self: bool = True,
) -> pd.DataFrame:
    """Return the rank of every transfer entry and the set of ranks that it can have.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    seed
        Of the simulation; each base, setting, task, metric and steps has a stream of its own.
    scale
        The change whose mean over targets is ranked.
    level
        Confidence with which all sets of one table hold their true ranks at once.
    draws
        Simulated tables behind the critical value and ``p_top5``.
    include_self
        Whether a language's effect on itself counts.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, transfer, corpus, sorted by rank within the first five:
        estimate (mean over targets, unit of the scale); rank (1 is best, ties share the best rank); rank_low,
        rank_high (the rank set runs from one to the other); p_top5 (0 to 1, share of the simulated tables in which the
        entry is among the five best, 1 where there are no more than five); n_targets; n_replicates; scale; level; why.
        Sets and p_top5 are missing where ``why`` says so: one replicate, one target, nothing varies, undefined
        baseline.

    Raises
    ------
    ValueError
        A column is missing, ``scale`` is unknown, ``level`` is not between 0 and 1, or ``draws`` is below 1.

    Notes
    -----
    Estimand new_targets: the ranks that the entries would have over new targets and new replicates. Two entries share
    their targets, so their difference d is taken target by target over those measured for both (T); their replicates
    are independent, and each replicate is scored on all targets. The variance of the mean difference is
    V_rep(a) + V_rep(a') + var_b(d_b)/T − V_res(a) − V_res(a'), with V_rep = MS_replicates/(R·T) and
    V_res = MS_rest/(R·T) of the entry's own table of replicates × targets; each V_rep − V_res is floored at 0, the
    whole at V_res(a) + V_res(a').

    An entry is better than another if their difference exceeds c standard errors. c is the quantile, at ``level``, of
    the largest |t| over all pairs in tables simulated without differences: Gaussian targets with the estimated
    covariance between entries, Gaussian replicates with each entry's own variance, and every variance estimated anew
    with its degrees of freedom, so that c grows where replicates or targets are few. The set of an entry runs from
    1 + the number of better ones to A − the number of worse ones; pairs that cannot be compared rule out nothing.

    ``p_top5`` draws the aggregates around their estimates and so takes the estimated spread at face value: where noise
    makes up much of it, it is optimistic for the first and pessimistic for the last.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm, "Inference for ranks with applications to mobility across neighbourhoods and
    academic achievement across countries", Review of Economic Studies 2024, §3; the same, "Statistical uncertainty in
    the ranking of journals and universities", AEA Papers and Proceedings 2022.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level} is no confidence level; expected a number between 0 and 1, such as 0.95")
    if draws < 1:
        raise ValueError(f"draws={draws} simulates nothing; expected at least 1, such as 2000")
    parts = []
    for table in score_tables(changes, scale):
        names = [str(value) for value in table.key.values()]
        parts.append(_of_table(table, level, draws, include_self, stream(seed, "rank_sets", *names)))
    if not parts:
        return pd.DataFrame(columns=_RESULT)
    return pd.concat(parts, ignore_index=True).sort_values([*STUDY, "rank", *ENTRY], ignore_index=True)


@dataclass(frozen=True)
class _Noise:
    """What the noise of the aggregates of one table is made of.

    Attributes
    ----------
    cells
        Shape [A, T], means over replicates; NaN where not measured.
    replicate
        Shape [A], variance of an aggregate from its replicates alone, floored at 0; NaN for one replicate.
    rest
        Shape [A], MS_rest/(R·T).
    n_replicates, n_targets
        Shape [A], behind ``replicate`` and ``rest``.
    """

    cells: Array
    replicate: Array
    rest: Array
    n_replicates: NDArray[np.intp]
    n_targets: NDArray[np.intp]


def _of_table(
    table: ScoreTable, level: float, draws: int, include_self: bool, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the rank sets of one table."""
    values = table.values if include_self else np.where(table.self_transfer[:, None, :], np.nan, table.values)
    noise = _noise(values)
    there = np.isfinite(noise.cells)
    n_targets = there.sum(axis=1)
    with np.errstate(invalid="ignore"):
        means = np.where(there, noise.cells, 0.0).sum(axis=1) / n_targets
        difference, variance = _pairs(_centred(noise.cells)[None], noise.replicate[None], noise.rest[None], there)
    t = _studentised(difference[0], variance[0], float(np.nanmax(np.abs(noise.cells), initial=0.0)))
    extremes, p_top = _simulated(noise, there, means, draws, rng)
    critical = float(np.quantile(extremes, level, method="higher")) if len(extremes) else math.nan
    with np.errstate(invalid="ignore"):
        better = t > critical
    known = np.isfinite(t).any(axis=1) | ((len(means) == 1) & np.isfinite(means))
    count = len(means)
    frame = table.transfers.assign(
        **table.key,
        estimate=means,
        rank=pd.Series(np.round(means / TIE)).rank(method="min", ascending=False).astype("Int64"),
        rank_low=pd.Series(1 + better.sum(axis=0), dtype="Int64").where(known),
        rank_high=pd.Series(count - better.sum(axis=1), dtype="Int64").where(known),
        p_top5=np.where(np.isfinite(means) & (count <= TOP), 1.0, np.where(known, p_top, np.nan)),
        n_targets=n_targets,
        n_replicates=noise.n_replicates,
        scale=table.scale,
        level=level,
        why=[_why(*row) for row in zip(known, means, noise.n_replicates, n_targets, strict=True)],
    )
    return frame[_RESULT]


def _why(known: bool, mean: float, n_replicates: int, n_targets: int) -> str:
    """Return why an entry has no rank set."""
    if known:
        return ""
    if math.isnan(mean):
        return "undefined baseline"
    if n_replicates < 2:
        return "one replicate"
    return "one target" if n_targets < 2 else "nothing varies"


def _noise(values: Array) -> _Noise:
    """Split the noise of each entry's replicates × targets."""
    parts = [_replicate_parts(entry) for entry in values]
    replicate, rest = (np.array([part[i] for part in parts], dtype=np.float64) for i in (0, 1))
    n_replicates, n_targets = (np.array([part[i] for part in parts], dtype=np.intp) for i in (2, 3))
    return _Noise(replicate_means(values), replicate, rest, n_replicates, n_targets)


def _replicate_parts(entry: Array) -> tuple[float, float, int, int]:
    """Return replicate and rest variance of the mean of one [R, T] table, and its R and T, over its complete part."""
    rows = entry[np.isfinite(entry).any(axis=1)]
    table = rows[:, np.isfinite(rows).all(axis=0)]
    n, m = table.shape
    if n < 2 or m == 0:
        return math.nan, math.nan, n, m
    by_replicate = table.mean(axis=1)
    if m == 1:
        return float(by_replicate.var(ddof=1)) / n, 0.0, n, m
    left = table - by_replicate[:, None] - table.mean(axis=0)[None, :] + table.mean()
    rest = float((left**2).sum()) / ((n - 1) * (m - 1) * n * m)
    return max(float(by_replicate.var(ddof=1)) / n - rest, 0.0), rest, n, m


def _pairs(
    cells: NDArray[Any], replicate: NDArray[Any], rest: NDArray[Any], there: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return mean difference and its variance for every pair of entries.

    ``cells`` has shape [draw, A, T] and is finite, ``replicate`` and ``rest`` have [draw, A], ``there`` [A, T]; the
    results are [draw, A, A], the variance NaN where a pair has fewer than two targets in common.
    """
    mask = there.astype(cells.dtype)
    common = mask @ mask.T
    cells = cells * mask
    sums, squares = cells @ mask.T, (cells * cells) @ mask.T
    total = sums - sums.swapaxes(1, 2)
    spread = squares + squares.swapaxes(1, 2) - 2 * (cells @ cells.swapaxes(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / common
        targets = (spread - mean * total) / np.where(common > 1, (common - 1) * common, cells.dtype.type(np.nan))
    floor = rest[:, :, None] + rest[:, None, :]
    return mean, np.maximum(targets + replicate[:, :, None] + replicate[:, None, :], floor)


def _centred(cells: Array) -> Array:
    """Return the cells minus each target's mean, which cancels in every difference; 0 where there is none."""
    there = np.isfinite(cells)
    filled = np.where(there, cells, 0.0)
    return np.where(there, filled - filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1), 0.0)


def _studentised(difference: Array, variance: Array, size: float) -> Array:
    """Return t of every pair; NaN where nothing varies or the variance is unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t: Array = np.where(variance > (1e-12 * size) ** 2, difference / np.sqrt(variance), np.nan)
    np.fill_diagonal(t, np.nan)
    return t


def _simulated(
    noise: _Noise, there: NDArray[np.bool_], means: Array, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the largest |t| of each simulated table, those without any t left out, and P(among the first `TOP`)."""
    count, targets = noise.cells.shape
    factor = _factor(noise.cells, there)
    size = max(1, _CHUNK // (count * max(count, targets)))
    unknown = np.isnan(noise.replicate)
    deviation = np.sqrt(np.where(unknown, 0.0, noise.replicate)).astype(np.float32)
    share = (there / np.maximum(there.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    extremes, top = [], np.zeros(count)
    for start in range(0, draws, size):
        number = min(size, draws - start)
        drawn = rng.standard_normal((factor.shape[1], number * targets), dtype=np.float32)
        cells = (factor @ drawn).reshape(count, number, targets).swapaxes(0, 1)
        scores = rng.standard_normal((number, count), dtype=np.float32) * deviation
        difference, variance = _pairs(cells, *_redrawn(noise, number, rng), there)
        difference += scores[:, :, None] - scores[:, None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            t2 = difference * difference / variance
        extremes.append(np.sqrt(np.fmax.reduce(t2.reshape(number, -1), axis=1)))
        top += _among_first(means + scores + (cells * share).sum(axis=2))
    joined = np.concatenate(extremes)
    return joined[np.isfinite(joined)], np.where(unknown, np.nan, top / draws)


def _factor(cells: Array, there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return F, shape [A, K], with F·Fᵀ the covariance between entries over targets, common shifts left out."""
    filled, mask = _centred(cells), there.astype(np.float64)
    common, sums = mask @ mask.T, filled @ mask.T
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = (filled @ filled.T - sums * sums.T / common) / (common - 1.0)
    # With missing cells the pairwise covariances need not fit together: negative directions are cut.
    values, vectors = np.linalg.eigh(np.where(common > 1, covariance, 0.0))
    kept = values > 1e-12 * max(float(values[-1]), 0.0)
    factor: NDArray[np.float32] = (vectors[:, kept] * np.sqrt(values[kept])).astype(np.float32)
    return factor


def _redrawn(noise: _Noise, number: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return replicate and rest variances as new replicates would estimate them, each [draw, A]."""
    shape, df = (number, len(noise.rest)), np.maximum(noise.n_replicates - 1, 1)
    df_rest = np.maximum(df * (noise.n_targets - 1), 1)
    rest = noise.rest * rng.chisquare(df_rest, shape) / df_rest
    total = (noise.replicate + noise.rest) * rng.chisquare(df, shape) / df
    return np.maximum(total - rest, 0.0).astype(np.float32), rest.astype(np.float32)


def _among_first(aggregates: Array) -> Array:
    """Return in how many draws each entry is among the first `TOP`; ``aggregates`` is [draw, A]."""
    if aggregates.shape[1] <= TOP:
        return np.asarray(np.isfinite(aggregates).sum(axis=0), dtype=np.float64)
    # An entry without an aggregate comes last.
    filled = np.where(np.isfinite(aggregates), aggregates, -np.inf)
    last = np.partition(filled, -TOP, axis=1)[:, -TOP]
    return np.asarray((filled >= last[:, None]).sum(axis=0), dtype=np.float64)
