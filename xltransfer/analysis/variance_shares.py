"""Where the variance of a transfer score comes from.

One score (one transfer entry, replicate, target and task-adapter seed) differs from another because the transfer
language differs, its corpus, the target, their pairing, the sentences of the test set, the replicate, or the adapter's
seed. The method of moments takes the variance apart; what to buy more of is the largest part. See protocols.md §6.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.equal_replicates import equal_replicates
from xltransfer.analysis.frames import CELL, require_columns, require_one_of
from xltransfer.analysis.scales import SCALES, Scale
from xltransfer.analysis.score_tables import ENTRY, RECEIVER, STUDY

SOURCES: Final = (
    "transfer", "corpus", "target", "transfer_x_target", "item", "replicate", "replicate_x_target", "adapter_seed",
    "adapter_seed_x_cell",
)  # fmt: skip

_RESULT: Final = [
    *STUDY, "source", "variance", "share", "n_transfers", "n_targets", "n_replicates", "n_seeds", "n_left_out", "scale",
    "why",
]  # fmt: skip

Array = NDArray[np.float64]


def variance_shares(
    changes: pd.DataFrame, cell_statistics: pd.DataFrame | None = None, scale: Scale = "ts"
) -> pd.DataFrame:
    """Return the variance components of a single score and their shares.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    cell_statistics
        Keys of a cell and v_item, v_res: variance of the cell's mean over replicates from new sentences, MS_item/(R·J)
        and MS_rest/(R·J), unit of the scale squared. Without it the sentences' part stays in transfer_x_target.
    scale
        Which change.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps and source, in the order of `SOURCES`: variance (unit of the
        scale squared, 0 where the estimate is negative); share (0 to 1, of the sum of the known components);
        n_transfers, n_targets, n_replicates, n_seeds (the complete block of scores that is used) and n_left_out
        (measured scores outside it); scale; why. Missing where ``why`` says so: one transfer entry, one target, one
        replicate, one adapter seed, one corpus each (then corpus is part of transfer), no items given, undefined
        baseline.

    Raises
    ------
    ValueError
        A column is missing or ``scale`` is unknown.

    Notes
    -----
    Transfer entries, targets and adapter seeds are crossed and taken as random, replicates are nested in entries. The
    mean squares of entry, target, entry × target, replicate and rest of the balanced table A × R × T give

    - replicate_x_target = MS_rest (with it the noise of replicate × sentence),
    - replicate = (MS_replicate − MS_rest)/T,
    - transfer_x_target = (MS_pair − MS_rest)/R, less item,
    - target = (MS_target − MS_pair)/(A·R), less what of item exceeds transfer_x_target,
    - corpus = (MS_corpus − MS_pair − MS_replicate + MS_rest)/(R·T), MS_corpus between entries of one language,
    - transfer = the same with MS_entry if no language has two corpora, else (MS_language − MS_corpus)/(R·T·n0).

    item is the mean of v_item − v_res. The errors of one test set that all entries share are part of it, but show in
    the table as target, not as transfer_x_target; how much that is cannot be told from here.

    With several adapter seeds each mean square is the mean of the products of two different seeds, so that what a
    seed adds is in none of them. adapter_seed (the same shift of every score) and adapter_seed_x_cell (all else) come
    from the table of scores × seeds: MS_seed and MS_rest. Seeds share the nudged models.

    Where scores are missing, replicates, entries and targets are left out until the table is complete: the number of
    replicates that keeps most, then whatever lacks the largest share.

    References
    ----------
    Searle, Casella and McCulloch, *Variance Components*, 1992, §§4.2–4.6 (ANOVA estimators), §3.6 (unequal nesting).
    """
    needed = [*STUDY, *ENTRY, *RECEIVER, "adapter_seed", "replicate", "aggregated", *SCALES]
    require_columns(changes, needed, "changes")
    require_one_of(scale, SCALES, "scale")
    records = []
    for key, part in changes[changes["aggregated"]].groupby(STUDY, observed=True, sort=True):
        block = _block(part, scale)
        own = dict(zip(STUDY, key, strict=True))
        components = _components(block) | _seeds(block)
        components = _with_items(components, _item(cell_statistics, own, block))
        counts = dict(zip(("n_seeds", "n_transfers", "n_replicates", "n_targets"), block.values.shape, strict=True))
        whole = sum(variance for variance, _ in components.values() if not math.isnan(variance))
        told = not math.isnan(components["transfer"][0]) and whole > 0.0
        for source in SOURCES:
            variance, why = components[source]
            shown = {"source": source, "variance": variance, "share": variance / whole if told else math.nan}
            records.append({**own, **shown, **counts, "n_left_out": block.left_out, "scale": scale, "why": why})
    return pd.DataFrame(records, columns=_RESULT)


@dataclass(frozen=True)
class _Block:
    """A complete table of scores.

    Attributes
    ----------
    values
        Shape [S, A, R, T], finite.
    transfers, targets
        Keys of its A entries and T targets.
    left_out
        Measured scores that are not in it.
    """

    values: Array
    transfers: pd.DataFrame
    targets: pd.DataFrame
    left_out: int


def _block(part: pd.DataFrame, scale: Scale) -> _Block:
    """Lay the scores out and cut the table to a complete one."""
    # A task without adapter has no seeds: one, named by a number that no seed has.
    part = part.assign(adapter_seed=part["adapter_seed"].astype("Int64").fillna(-1).astype("int64"))
    sides = [["adapter_seed"], ENTRY, ["replicate"], RECEIVER]
    codes = [part.groupby(side, observed=True, sort=True).ngroup().to_numpy() for side in sides]
    known = [part[side].drop_duplicates().sort_values(side, ignore_index=True) for side in sides]
    values = np.full([len(side) for side in known], np.nan)
    values[tuple(codes)] = part[scale].to_numpy(dtype=np.float64)
    measured = int(np.isfinite(values).sum())
    entries, places = equal_replicates(np.asarray(np.isfinite(values).any(axis=(0, 3))))
    values = np.take_along_axis(values[:, entries], places[None, :, :, None], axis=2)
    rows, columns = _complete(np.asarray(np.isnan(values).any(axis=(0, 2))))
    values = values[:, rows][:, :, :, columns]
    transfers = known[1].iloc[entries[rows]].reset_index(drop=True)
    return _Block(values, transfers, known[3].iloc[columns].reset_index(drop=True), measured - values.size)


def _complete(missing: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of [entry, target] that are left when what lacks most has gone, one at a time."""
    rows, columns = np.arange(missing.shape[0]), np.arange(missing.shape[1])
    while missing.any():
        by_row, by_column = missing.mean(axis=1), missing.mean(axis=0)
        if by_row.max() > by_column.max():
            kept = np.arange(len(rows)) != by_row.argmax()
            rows, missing = rows[kept], missing[kept]
        else:
            kept = np.arange(len(columns)) != by_column.argmax()
            columns, missing = columns[kept], missing[:, kept]
    return rows, columns


def _components(block: _Block) -> dict[str, tuple[float, str]]:
    """Return the components that do not come from seeds or items, each with why it is missing."""
    seeds, entries, replicates, targets = block.values.shape
    names = ("transfer", "corpus", "target", "transfer_x_target", "replicate", "replicate_x_target")
    if not block.values.size:
        return dict.fromkeys(names, (math.nan, "undefined baseline"))
    for number, why in ((entries, "one transfer entry"), (targets, "one target"), (replicates, "one replicate")):
        if number < 2:
            return dict.fromkeys(names, (math.nan, why))
    language = pd.factorize(block.transfers["transfer"])[0]
    each = np.array([_mean_squares(table, language) for table in block.values])
    if seeds > 1:
        together = _mean_squares(block.values.mean(axis=0), language)
        squares = (seeds**2 * together - each.sum(axis=0)) / (seeds * (seeds - 1))
    else:
        squares = each[0]
    target, pair, replicate, rest, languages, corpora = (float(square) for square in squares)
    noise = pair + replicate - rest
    found = {
        "target": (target - pair) / (entries * replicates),
        "transfer_x_target": (pair - rest) / replicates,
        "replicate": (replicate - rest) / targets,
        "replicate_x_target": rest,
    }
    result = {name: (max(variance, 0.0), "") for name, variance in found.items()}
    sizes = np.bincount(language).astype(np.float64)
    if len(sizes) == entries:
        transfer = (languages - noise) / (replicates * targets)
        return result | {"transfer": (max(transfer, 0.0), ""), "corpus": (math.nan, "one corpus each")}
    corpus = (corpora - noise) / (replicates * targets)
    if len(sizes) == 1:
        return result | {"transfer": (math.nan, "one transfer language"), "corpus": (max(corpus, 0.0), "")}
    n0 = (entries - float((sizes**2).sum()) / entries) / (len(sizes) - 1)
    transfer = (languages - corpora) / (replicates * targets * n0)
    return result | {"transfer": (max(transfer, 0.0), ""), "corpus": (max(corpus, 0.0), "")}


def _mean_squares(table: Array, language: NDArray[np.intp]) -> Array:
    """Return the mean squares of target, pair, replicate, rest, language and corpus of [A, R, T]."""
    entries, replicates, targets = table.shape
    by_pair, by_replicate = table.mean(axis=1), table.mean(axis=2)
    by_entry, by_target, grand = by_pair.mean(axis=1), by_pair.mean(axis=0), table.mean()
    pair = by_pair - by_entry[:, None] - by_target[None, :] + grand
    rest = table - by_replicate[:, :, None] - by_pair[:, None, :] + by_entry[:, None, None]
    sizes = np.bincount(language)
    by_language = np.bincount(language, weights=by_entry) / sizes
    within, languages = by_entry - by_language[language], len(sizes)
    scores = replicates * targets
    return np.array(
        [
            entries * replicates * ((by_target - grand) ** 2).sum() / (targets - 1),
            replicates * (pair**2).sum() / ((entries - 1) * (targets - 1)),
            targets * ((by_replicate - by_entry[:, None]) ** 2).sum() / (entries * (replicates - 1)),
            (rest**2).sum() / (entries * (replicates - 1) * (targets - 1)),
            scores * (sizes * (by_language - grand) ** 2).sum() / (languages - 1) if languages > 1 else math.nan,
            scores * (within**2).sum() / (entries - languages) if entries > languages else math.nan,
        ]
    )


def _seeds(block: _Block) -> dict[str, tuple[float, str]]:
    """Return the components of the adapter's seed, from the table of scores × seeds."""
    table = block.values.reshape(block.values.shape[0], -1)
    seeds, scores = table.shape
    if seeds < 2 or scores < 2:
        return dict.fromkeys(("adapter_seed", "adapter_seed_x_cell"), (math.nan, "one adapter seed"))
    by_seed = table.mean(axis=1)
    left = table - by_seed[:, None] - table.mean(axis=0)[None, :] + table.mean()
    rest = float((left**2).sum()) / ((seeds - 1) * (scores - 1))
    shift = float(by_seed.var(ddof=1)) - rest / scores
    return {"adapter_seed": (max(shift, 0.0), ""), "adapter_seed_x_cell": (rest, "")}


def _item(statistics: pd.DataFrame | None, key: dict[str, Any], block: _Block) -> float:
    """Return the mean variance of the block's cells from new sentences; NaN where it is not known."""
    if statistics is None:
        return math.nan
    require_columns(statistics, [*CELL, "v_item", "v_res"], "cell_statistics")
    own = statistics[(statistics[list(key)] == pd.Series(key)).all(axis=1)]
    cells = own.merge(block.transfers, on=ENTRY).merge(block.targets, on=RECEIVER)
    return max(float((cells["v_item"] - cells["v_res"]).mean()), 0.0) if len(cells) else math.nan


def _with_items(components: dict[str, tuple[float, str]], item: float) -> dict[str, tuple[float, str]]:
    """Take the sentences' part out of transfer_x_target, and what exceeds it out of target."""
    if math.isnan(item):
        return components | {"item": (math.nan, "no items given")}
    pair, why = components["transfer_x_target"]
    target, why_target = components["target"]
    return components | {
        "item": (item, ""),
        "transfer_x_target": (max(pair - item, 0.0) if not why else pair, why),
        "target": (max(target - max(item - pair, 0.0), 0.0) if not why else target, why_target),
    }
