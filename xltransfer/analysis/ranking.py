"""Rankings: which languages help most, and which are helped most.

Both sides are one computation seen along the rows or along the columns of the transfer × target matrix. Intervals and
rank sets do not live here. Source: faisal2024 App. I (aggregated scores, +%), App. L (variance, Max/Min counts).
"""

from typing import Final

import pandas as pd

from xltransfer.analysis.frames import TARGET, TIE, plain, require_columns, require_one_of

_STUDY: Final = ["base", "task", "metric", "steps"]
_ENTRY: Final = ["transfer", "corpus"]
_RECEIVER: Final = ["dataset", "target"]


def rank_transfer_languages(
    ts: pd.DataFrame, include_self: bool = True, steps: int | None = None, metric: str | None = None
) -> pd.DataFrame:
    """Return the ranking of transfer languages by their aggregated transfer.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives. Rows of setting nudge are ranked; rows that are not ``aggregated``
        count in no column. Adapter seeds are averaged first.
    include_self
        Whether a language's effect on itself counts; ``without_self`` leaves it out in any case.
    steps
        Only this number of optimizer steps; default all, ranked apart.
    metric
        Only this metric; default all, ranked apart.

    Returns
    -------
    DataFrame
        One row per base, task, metric, steps, transfer, corpus, sorted by rank within the first four:
        aggregated_transfer and without_self (percent, unweighted means over targets); percent_positive (share of
        targets with ts > 0) and percent_positive_if_no_effect, (100 − share of exact ties)/2; variance (%²: ddof=1,
        over targets, of the replicate-mean ts); variance_corrected (variance − mean squared standard error, may be
        negative, NaN for one replicate); n_max, n_min (targets whose largest, smallest ts comes from this language;
        ties credited to every tied language); n_targets; rank (1 is best, ties share the best rank, missing where
        nothing can be aggregated).

    Raises
    ------
    ValueError
        A column is missing, or ``steps`` or ``metric`` does not occur.

    Notes
    -----
    The standard error behind ``variance_corrected`` takes adapter seeds as independent; where they share the nudged
    model it is an underestimate, and the corrected variance an overestimate.

    References
    ----------
    faisal2024, App. I, Tables 15–18; App. L, Table 22.
    """
    names = {"aggregated": "aggregated_transfer", "count": "n_targets"}
    return _rank(ts, _ENTRY, _RECEIVER, include_self, steps, metric).rename(columns=names)


def rank_target_languages(
    ts: pd.DataFrame, include_self: bool = True, steps: int | None = None, metric: str | None = None
) -> pd.DataFrame:
    """Return the ranking of target languages by what they receive on average.

    The mirror image of :func:`rank_transfer_languages`, with the same arguments.

    Returns
    -------
    DataFrame
        One row per base, task, metric, steps, dataset, target: aggregated_target (percent, unweighted mean over
        transfer entries), without_self, percent_positive, percent_positive_if_no_effect, variance,
        variance_corrected, n_max, n_min (transfer entries whose largest, smallest effect is on this target),
        n_transfers, rank.

    References
    ----------
    faisal2024, App. H.
    """
    names = {"aggregated": "aggregated_target", "count": "n_transfers"}
    return _rank(ts, _RECEIVER, _ENTRY, include_self, steps, metric).rename(columns=names)


def _rank(
    ts: pd.DataFrame, who: list[str], over: list[str], include_self: bool, steps: int | None, metric: str | None
) -> pd.DataFrame:
    """Summarise every ``who`` over all ``over`` and rank within base, task, metric and steps."""
    require_columns(
        ts, [*_STUDY, *_ENTRY, *TARGET, "setting", "n_replicates", "ts", "ts_sd", "self_transfer", "aggregated"], "ts"
    )
    chosen = _chosen(plain(ts), steps, metric)
    cells = _seed_means(chosen if include_self else chosen[~chosen["self_transfer"]])
    cells = _with_extremes(cells, over)
    # Everybody who was measured has a row, also those of whom nothing can be aggregated.
    everybody = chosen[[*_STUDY, *who]].drop_duplicates()
    table = everybody.merge(_summary(cells, [*_STUDY, *who]), how="left", on=[*_STUDY, *who])
    counts = ["n_max", "n_min", "count"]
    table[counts] = table[counts].where(table[counts].notna(), 0).astype("int64")  # a count of nothing is 0
    rounded = (table["aggregated"] / TIE).round()
    grouped = rounded.groupby([table[key] for key in _STUDY], dropna=False, observed=True)
    table["rank"] = grouped.rank(method="min", ascending=False).astype("Int64")
    return table.sort_values([*_STUDY, "rank", *who], ignore_index=True)


def _chosen(ts: pd.DataFrame, steps: int | None, metric: str | None) -> pd.DataFrame:
    """Return the nudge rows with the wanted steps and metric."""
    chosen = ts[ts["setting"] == "nudge"]
    if steps is not None:
        require_one_of(steps, sorted(int(k) for k in chosen["steps"].dropna().unique()), "steps")
        chosen = chosen[chosen["steps"] == steps]
    if metric is not None:
        require_one_of(metric, sorted(str(name) for name in chosen["metric"].unique()), "metric")
        chosen = chosen[chosen["metric"] == metric]
    return chosen


def _seed_means(chosen: pd.DataFrame) -> pd.DataFrame:
    """Return one row per transfer entry and target, averaged over adapter seeds, with its squared standard error."""
    rows = chosen[chosen["aggregated"]]
    rows = rows.assign(se2=rows["ts_sd"] ** 2 / rows["n_replicates"])
    grouped = rows.groupby([*_STUDY, *_ENTRY, *_RECEIVER], dropna=False, observed=True)
    cells = pd.DataFrame(
        {
            "ts": grouped["ts"].mean(),
            "se2": grouped["se2"].sum(min_count=1) / grouped.size() ** 2,
            "self_transfer": grouped["self_transfer"].first(),
            "known": grouped["se2"].count() == grouped.size(),
        }
    )
    cells["se2"] = cells["se2"].where(cells["known"])
    return cells.reset_index()


def _with_extremes(cells: pd.DataFrame, over: list[str]) -> pd.DataFrame:
    """Mark the largest and the smallest ts of each ``over``, all of them where several tie."""
    grouped = cells.groupby([*_STUDY, *over], dropna=False, observed=True)["ts"]
    return cells.assign(
        positive=cells["ts"] > TIE,
        tie=cells["ts"].abs() <= TIE,
        largest=cells["ts"] >= grouped.transform("max") - TIE,
        smallest=cells["ts"] <= grouped.transform("min") + TIE,
        others=cells["ts"].where(~cells["self_transfer"].astype(bool)),
    )


def _summary(cells: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return means, shares, variances and counts per group."""
    grouped = cells.groupby(by, dropna=False, observed=True)
    variance = grouped["ts"].var(ddof=1)
    known = grouped["se2"].count() == grouped.size()
    return pd.DataFrame(
        {
            "aggregated": grouped["ts"].mean(),
            "without_self": grouped["others"].mean(),
            "percent_positive": 100.0 * grouped["positive"].mean(),
            "percent_positive_if_no_effect": 100.0 * (1.0 - grouped["tie"].mean()) / 2.0,
            "variance": variance,
            "variance_corrected": (variance - grouped["se2"].mean()).where(known),
            "n_max": grouped["largest"].sum(),
            "n_min": grouped["smallest"].sum(),
            "count": grouped.size(),
        }
    ).reset_index()
