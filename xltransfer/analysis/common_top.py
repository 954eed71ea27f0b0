"""Are the best transfer languages of one task the best of another, more than chance would have it?

Source: faisal2024 §4.2 and App. I, Figure 6, and the share of unseen languages among the top 20. The paper gives the
counts; here stands beside them what rankings without any relation would give.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.score_tables import ENTRY

MOST: Final = 20
"""Largest top that is taken unasked."""

_KEYS: Final = ["base", "steps"]
_RESULT: Final = [
    *_KEYS, "top", "n_transfers", "n_tasks", "n_common", "expected_common", "p_common",
    "share_unseen", "share_unseen_all", "p_unseen", "common",
]  # fmt: skip


def top_ranks(ranking: pd.DataFrame, top: int | None = None) -> pd.DataFrame:
    """Return the rank of every transfer entry in every task.

    Parameters
    ----------
    ranking
        Columns base, task, steps, transfer, corpus, rank (1 is best, missing where nothing is aggregated), one metric
        a task: what :func:`.ranking.rank_transfer_languages` gives.
    top
        How many count as the top of a task. By default the better half of the entries of that base and k, rounded up,
        but no more than the paper's 20 (of 38).

    Returns
    -------
    DataFrame
        One row per base, steps, transfer, corpus and task: rank, top, in_top, n_tops (tasks in whose top the entry is).
        Only tasks that rank somebody, and entries that all of them rank.

    Raises
    ------
    ValueError
        A column is missing, ``top`` is below 1, or a task has two metrics.
    """
    require_columns(ranking, [*_KEYS, "task", *ENTRY, "rank"], "ranking")
    if top is not None and top < 1:
        raise ValueError(f"top={top} names nobody; expected at least 1, such as 20")
    entries = ranking.drop_duplicates([*_KEYS, *ENTRY]).groupby(_KEYS).size().rename("entries").reset_index()
    rows = ranking.dropna(subset=["rank"]).merge(entries, on=_KEYS)
    if rows.duplicated([*_KEYS, "task", *ENTRY]).any():
        raise ValueError("ranking has an entry twice in a task; keep one metric and one setting per task")
    tasks = rows.groupby(_KEYS)["task"].transform("nunique")
    rows = rows[rows.groupby([*_KEYS, *ENTRY])["task"].transform("size") == tasks]
    half = np.minimum((rows["entries"] + 1) // 2, MOST)
    ranks = rows[[*_KEYS, *ENTRY, "task", "rank"]].assign(top=half if top is None else top)
    ranks["in_top"] = (ranks["rank"] <= ranks["top"]).astype(bool)
    ranks["n_tops"] = ranks.groupby([*_KEYS, *ENTRY])["in_top"].transform("sum")
    return ranks.sort_values([*_KEYS, *ENTRY, "task"], ignore_index=True)


def common_top(ranks: pd.DataFrame, unseen: set[str]) -> pd.DataFrame:
    """Return how many entries all tasks have in their top, and how many of the tops are unseen by the base.

    Parameters
    ----------
    ranks
        What :func:`top_ranks` gives.
    unseen
        Codes of the languages that the base has not seen.

    Returns
    -------
    DataFrame
        One row per base and steps: top; n_transfers; n_tasks; n_common, entries in the top of every task; for rankings
        without relation expected_common, and p_common, the chance of at least n_common; share_unseen and
        share_unseen_all, percent of unseen languages in all tops together and among all entries; p_unseen, the chance
        of at least as many in the tops if a ranking knew nothing of it; common, the codes of the common ones.

    Notes
    -----
    p_common is exact: the common part of a growing number of random sets of the sizes seen is a chain of hypergeometric
    draws. p_unseen takes the tasks' tops as independent draws, which they are not where tasks agree: then it is too
    small. Both are for these entries, whatever their aggregated scores' noise.
    """
    records = []
    for key, part in ranks.groupby(_KEYS, sort=True):
        counts = part.groupby("task")["in_top"].sum().to_numpy()
        entries = part.drop_duplicates(ENTRY)
        n, own = len(entries), entries["transfer"].isin(unseen).to_numpy()
        common = entries[entries["n_tops"] == len(counts)]
        chances = _common(n, counts)
        tops = part[part["in_top"]]
        own_tops = tops["transfer"].isin(unseen)
        in_tops = int(own_tops.sum())
        values = [
            int(part["top"].iloc[0]), n, len(counts),
            len(common), float(chances @ np.arange(n + 1)), float(chances[len(common) :].sum()),
            100.0 * own_tops.mean(), 100.0 * own.mean(),
            float(_drawn(n, int(own.sum()), counts)[in_tops:].sum()), " ".join(sorted(set(common["transfer"]))),
        ]  # fmt: skip
        records.append(dict(zip(_RESULT, [*key, *values], strict=True)))
    return pd.DataFrame(records, columns=_RESULT)


def _common(n: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the chances of 0 .. n common members of random subsets of n with these sizes."""
    # Only here: scipy.stats takes longer to load than most analyses to run.
    from scipy.stats import hypergeom

    chances = np.zeros(n + 1)
    chances[int(counts[0])] = 1.0
    sizes = np.arange(n + 1)
    for count in counts[1:]:
        # Row j: of j so far common members, how many are in the next subset.
        step = hypergeom.pmf(sizes[None, :], n, sizes[:, None], int(count))
        chances = chances @ step
    return chances


def _drawn(n: int, marked: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the chances of 0, 1, ... marked members in all the random subsets together."""
    from scipy.stats import hypergeom

    chances = np.ones(1)
    for count in counts:
        chances = np.convolve(chances, hypergeom.pmf(np.arange(int(count) + 1), n, marked, int(count)))
    return chances
