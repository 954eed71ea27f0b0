"""How much of what we see is the task adapter's seed.

One task adapter underlies every published transfer score. With several seeds, ts is a two-way table of cells (transfer
entry, target) by seeds, and its variance splits by the method of moments. See protocols.md §6.
"""

from typing import Final

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import require_columns

_STUDY: Final = ["base", "task", "metric", "steps"]
_CELL: Final = ["transfer", "corpus", "dataset", "target"]
_RESULT: Final = [
    "n_seeds", "n_cells", "n_incomplete", "cell", "seed", "interaction", "replicate", "share", "share_main"
]  # fmt: skip


def adapter_seed_share(ts: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the variance of ts that the task adapter's seed explains.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows of setting nudge that are ``aggregated`` are read.

    Returns
    -------
    DataFrame
        One row per base, task, metric, steps: n_seeds; n_cells (cells measured with every seed) and n_incomplete (cells
        left out because a seed is missing); variance components in %²: cell, seed (the same shift in every cell),
        interaction (seed × cell, beyond the replicates' noise), replicate (of a cell's mean); share, from 0 to 1, of
        seed + interaction in their sum; share_main, of seed alone, with the rest not split. NaN for one seed, and
        ``share`` also for one replicate, where interaction and noise cannot be told apart.

    Notes
    -----
    With I cells, S seeds and the mean squares of the two-way table without repetition,
    ``seed = (MS_seed − MS_rest)/I``, ``cell = (MS_cell − MS_rest)/S``, ``interaction = MS_rest − replicate`` and
    ``replicate = mean of ts_sd²/n_replicates``; each is floored at 0. Cells are taken as exchangeable, although those
    of one target share a baseline per seed.

    References
    ----------
    Searle, Casella and McCulloch, *Variance Components*, 1992, §4.5 (two-way crossed, ANOVA estimators).
    """
    require_columns(ts, [*_STUDY, *_CELL, "setting", "adapter_seed", "n_replicates", "ts", "ts_sd", "aggregated"], "ts")
    rows = ts[(ts["setting"] == "nudge") & ts["aggregated"]]
    rows = rows.assign(se2=rows["ts_sd"] ** 2 / rows["n_replicates"])
    records = [
        {**dict(zip(_STUDY, key, strict=True)), **_components(part)}
        for key, part in rows.groupby(_STUDY, dropna=False, observed=True)
    ]
    return pd.DataFrame(records, columns=[*_STUDY, *_RESULT])


def _components(part: pd.DataFrame) -> dict[str, float]:
    """Split the variance of one study's table of cells by seeds."""
    codes = part.groupby(_CELL, dropna=False, observed=True).ngroup().rename("code")
    # A task without adapter has no seeds: one column, named by a number that no seed has.
    seeds = part["adapter_seed"].astype("Int64").fillna(-1).astype("int64")
    table = part.assign(code=codes, seed=seeds).pivot(index="code", columns="seed", values=["ts", "se2"])
    y, se2 = table["ts"].to_numpy(dtype=np.float64), table["se2"].to_numpy(dtype=np.float64)
    complete = np.isfinite(y).all(axis=1)
    y, se2 = y[complete], se2[complete]
    cells, seeds_seen = y.shape
    counts = {"n_seeds": seeds_seen, "n_cells": cells, "n_incomplete": int((~complete).sum())}
    if seeds_seen < 2 or cells < 2:
        return {**counts, **dict.fromkeys(_RESULT[3:], float("nan"))}
    by_cell, by_seed, grand = y.mean(axis=1), y.mean(axis=0), y.mean()
    rest = y - by_cell[:, None] - by_seed[None, :] + grand
    ms_rest = float((rest**2).sum() / ((cells - 1) * (seeds_seen - 1)))
    seed = max(0.0, (float(cells * by_seed.var(ddof=1)) - ms_rest) / cells)
    cell = max(0.0, (float(seeds_seen * by_cell.var(ddof=1)) - ms_rest) / seeds_seen)
    replicate = float(se2.mean())
    # Not max(): it would hide the NaN of a single replicate.
    interaction = float(np.maximum(ms_rest - replicate, 0.0))
    return {
        **counts,
        "cell": cell,
        "seed": seed,
        "interaction": interaction,
        "replicate": replicate,
        "share": _share(seed + interaction, cell + seed + interaction + replicate),
        "share_main": _share(seed, cell + seed + ms_rest),
    }


def _share(part: float, whole: float) -> float:
    """Return part / whole, NaN where nothing varies."""
    return part / whole if whole > 0 else float("nan")
