"""Two base models side by side on the transfer entries, targets and steps that both were scored on.

Source: faisal2024 Tables 8, 10 and 12 (mBERT beside XLM-R), Table 4.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.contrasts import Contrast, contrast_frame, entry_mean, mean_weights
from xltransfer.analysis.frames import CELL, plain, require_columns
from xltransfer.analysis.pairing import Pair, difference, entry_keys, paired
from xltransfer.analysis.rank_correlation import rank_correlation
from xltransfer.analysis.scales import SCALES, Scale
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, ScoreTable, score_tables
from xltransfer.analysis.student import INTERVAL
from xltransfer.randomness import stream

_BASES: Final = ["base_x", "base_y"]
_TABLE: Final = ["setting", "task", "metric", "steps"]
_PAIRED: Final = [name for name in CELL if name != "base"]
_SIDES: Final = ["reference", "score", *SCALES]
_AGGREGATES: Final = ["reference_x", "reference_y", "aggregate_x", "aggregate_y", "n_transfers", "n_targets"]

Bases = tuple[str, str]
References = tuple["pd.Series[float]", "pd.Series[float]"]
Array = NDArray[np.float64]


def paired_bases(changes: pd.DataFrame, bases: Bases | None = None) -> pd.DataFrame:
    """Return the scores of two base models cell by cell.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives for two base models, in one frame.
    bases
        The two; default the two that ``changes`` holds, in sorted order.

    Returns
    -------
    DataFrame
        One row per setting, transfer, corpus, steps, task, dataset, target, metric that both bases were scored on,
        adapter seeds and replicates averaged: base_x, base_y; self_transfer; reference_x, reference_y (untouched,
        metric's unit); score_x, score_y; and for each scale its two sides, as ts_x, ts_y; aggregated (on both sides).
        NaN as soon as one replicate is undefined.

    Raises
    ------
    ValueError
        A column is missing, or there are not two base models.

    References
    ----------
    faisal2024, Tables 8, 10, 12 (the cells in which the transfer language is the target).
    """
    x, y = _bases(changes, bases)
    keys = [name for name in _PAIRED if name != "adapter_seed"]
    first, second = (_cells(changes[changes["base"] == base], keys) for base in (x, y))
    both = first.merge(second, on=keys, suffixes=("_x", "_y"), validate="one_to_one")
    both["aggregated"] = both["aggregated_x"] & both["aggregated_y"]
    both["self_transfer"] = both["transfer"] == both["target"]
    sides = [f"{name}_{side}" for name in _SIDES for side in ("x", "y")]
    return both.assign(base_x=x, base_y=y)[[*_BASES, *keys, "self_transfer", *sides, "aggregated"]]


def compare_bases(
    changes: pd.DataFrame,
    bases: Bases | None = None,
    scale: Scale = "ts",
    include_self: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the difference between two base models in every aggregate and in their mean.

    Parameters
    ----------
    changes, bases
        As for :func:`paired_bases`; rows that are not ``aggregated`` are not read.
    scale
        Which change.
    include_self
        Whether a language's effect on itself counts.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base_x, base_y, setting, task, metric, steps, transfer, corpus, sorted by them; transfer and corpus
        are empty for the mean over entries. Over the targets that both bases have in their aggregates: reference_x,
        reference_y (mean score of the untouched models, metric's unit); aggregate_x, aggregate_y (unit of the scale);
        n_transfers, n_targets; then estimate (aggregate_y − aggregate_x), se, df, low, high, p, scale, estimand, level,
        why.

    Notes
    -----
    Estimand new_targets. Targets are paired; replicates are not, each base has drawn its own. Where the two were
    nudged on the same batches their luck may be related, which makes the interval too wide, not too narrow.
    """
    x, y = _bases(changes, bases)
    keys, contrasts = [], []
    for first, second, references in _tables(changes, x, y, scale):
        pair = paired(first, second, include_self)
        for key, contrast in _differences(pair, references):
            keys.append({"base_x": x, "base_y": y, **first.key, **key})
            contrasts.append(contrast)
    columns = [*_BASES, *_TABLE, *ENTRY]
    frame = contrast_frame(keys, contrasts, [*columns, *_AGGREGATES], scale, level)
    return frame.sort_values(columns, ignore_index=True)


def base_correlation(
    changes: pd.DataFrame,
    seed: int,
    bases: Bases | None = None,
    scale: Scale = "ts",
    include_self: bool = True,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return Spearman's correlation between the rankings of transfer entries in two base models.

    Parameters
    ----------
    changes, bases, scale, include_self, level
        As for :func:`compare_bases`.
    seed
        Draws the permutations where there are too many to try them all.

    Returns
    -------
    DataFrame
        One row per base_x, base_y, setting, task, metric, steps: n_transfers, n_targets; then estimate, se, df, low,
        high, p, scale, estimand (``this_test_set``), level, why. Aggregates are over the targets that both bases have;
        p permutes transfer entries, the interval leaves out one at a time.
    """
    x, y = _bases(changes, bases)
    records = []
    for first, second, _ in _tables(changes, x, y, scale):
        pair = paired(first, second, include_self)
        left, right = (_row_means(side) for side in pair.cells())
        rng = stream(seed, "base_correlation", x, y, *(str(first.key[name]) for name in _TABLE))
        found = rank_correlation(left[None], right[None], rng=rng, level=level)
        given = {"scale": scale, "estimand": "this_test_set", "level": level}
        key = {"base_x": x, "base_y": y, **first.key, "n_targets": len(pair.targets)}
        records.append({**key, **found.columns(), **given})
    return pd.DataFrame(records, columns=[*_BASES, *_TABLE, "n_transfers", "n_targets", *INTERVAL])


def _bases(changes: pd.DataFrame, bases: Bases | None) -> Bases:
    """Return the two base models."""
    require_columns(changes, [*CELL, "reference", "score", "aggregated", *SCALES], "changes")
    known = sorted(str(base) for base in changes["base"].unique())
    chosen = known if bases is None else list(bases)
    if len(chosen) != 2 or len(set(chosen) & set(known)) != 2:
        wanted = "two base models" if bases is None else f"the base models {', '.join(bases)}"
        raise ValueError(f"expected {wanted}, found {', '.join(known) or 'none'}; put two runs in one frame, name two")
    return chosen[0], chosen[1]


def _cells(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return one row per cell, averaged over replicates and adapter seeds; NaN as soon as one of them is NaN."""
    grouped = plain(rows).groupby(keys, observed=True)
    values = grouped[_SIDES].mean()
    complete = grouped[_SIDES].count().eq(grouped.size(), axis=0)
    return values.where(complete).assign(aggregated=grouped["aggregated"].all()).reset_index()


def _tables(changes: pd.DataFrame, x: str, y: str, scale: Scale) -> Iterator[tuple[ScoreTable, ScoreTable, References]]:
    """Yield the two bases' tables of each setting, task, metric and steps, with the references of their targets."""
    own = changes[changes["base"].isin([x, y])]
    tables = {tuple(table.key.values()): table for table in score_tables(own, scale)}
    references = own.groupby(["base", "task", "metric", *RECEIVER], observed=True)["reference"].mean()
    for (base, *key), first in tables.items():
        second = tables.get((y, *key))
        if base == x and second is not None:
            part = [references.loc[name, first.task, first.metric] for name in (x, y)]
            yield first, second, (part[0], part[1])


def _row_means(values: Array) -> Array:
    """Return the mean of each row over what is there; NaN where nothing is."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means: Array = np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)
    return means


def _differences(pair: Pair, references: References) -> Iterator[tuple[dict[str, Any], Contrast]]:
    """Yield key, counts and difference of the mean over entries and of every entry."""
    cells = pair.cells()
    names = pd.MultiIndex.from_frame(pair.targets)
    untouched = [np.asarray(side.reindex(names), dtype=np.float64) for side in references]
    there = np.isfinite(cells[0])
    counts = {"transfer": "", "corpus": "", "n_transfers": int(there.any(axis=1).sum())}
    yield {**counts, **_sides(cells, untouched, there)}, entry_mean(cells[1] - cells[0])
    for place, entry in enumerate(entry_keys(pair.transfers)):
        own = [side[place : place + 1] for side in cells]
        sides = _sides(own, untouched, there[place : place + 1])
        yield {**entry, "n_transfers": 1, **sides}, difference(pair.x[place], pair.y[place])


def _sides(cells: Sequence[Array], untouched: Sequence[Array], there: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the columns that state each side: aggregates, references and how many targets they rest on."""
    used = there.any(axis=0)
    columns: dict[str, Any] = {"n_targets": int(used.sum())}
    for side, values, reference in zip(("x", "y"), cells, untouched, strict=True):
        aggregate = float((mean_weights(values) * np.where(there, values, 0.0)).sum())
        columns[f"aggregate_{side}"] = aggregate if used.any() else np.nan
        columns[f"reference_{side}"] = float(reference[used].mean()) if used.any() else np.nan
    return columns
