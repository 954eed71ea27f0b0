"""From a tidy frame to one transfer × target matrix, for distances and the like."""

import pandas as pd

from xltransfer.analysis.frames import require_columns, strict_mean


def transfer_matrix(ts: pd.DataFrame, task: str, metric: str, steps: int, base: str | None = None) -> pd.DataFrame:
    """Return mean ts with transfer languages as rows and target languages as columns.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows of setting nudge that are ``aggregated`` are read. Corpora of a
        transfer language, datasets and adapter seeds of a target are averaged.
    task, metric, steps
        Which rows.
    base
        Which base model; may be left out where there is one.

    Returns
    -------
    DataFrame
        Percent, index ``transfer``, columns ``target``, both sorted; NaN for a pair that was not measured, or
        that lacks a part: without one of the language's corpora, or of the target's datasets and seeds, a cell would be
        the mean of other things than its neighbours.

    Raises
    ------
    ValueError
        No row is left, or there are several base models and none is named.
    """
    named = ["base", "setting", "task", "metric", "steps", "transfer", "target", "ts", "aggregated"]
    require_columns(ts, [*named, "corpus", "dataset", "adapter_seed"], "ts")
    wanted = (ts["setting"] == "nudge") & ts["aggregated"] & (ts["task"] == task) & (ts["metric"] == metric)
    rows = ts[wanted & (ts["steps"] == steps)]
    rows = rows if base is None else rows[rows["base"] == base]
    if rows.empty:
        raise ValueError(f"no aggregated nudge row has task={task!r}, metric={metric!r}, steps={steps}, base={base!r}")
    bases = sorted(rows["base"].unique())
    if len(bases) > 1:
        raise ValueError(f"ts holds the base models {', '.join(bases)}; name one with base=")
    return mean_matrix(rows, ["transfer", "target"], "ts", ["corpus"], ["dataset", "adapter_seed"])


def mean_matrix(
    rows: pd.DataFrame, sides: list[str], value: str, of_row: list[str], of_column: list[str]
) -> pd.DataFrame:
    """Return a matrix of means; NaN where a part of a cell is NaN or missing.

    Parameters
    ----------
    rows
        One row per part of a cell.
    sides
        Columns that name the row and the column of the matrix.
    value
        Column of the values.
    of_row, of_column
        Columns that name the parts of a row (the corpora of a transfer language) and of a column: every cell of both
        is to have all combinations that the row and the column have anywhere.
    """
    means = strict_mean(rows, sides, [value])[value]
    there = rows.groupby(sides, dropna=False, observed=True).size()
    counts = [
        rows.drop_duplicates([side, *parts]).groupby(side, observed=True).size()
        for side, parts in zip(sides, (of_row, of_column), strict=True)
    ]
    wanted = counts[0].reindex(there.index, level=0) * counts[1].reindex(there.index, level=1)
    matrix: pd.DataFrame = means.where(there == wanted).unstack(sides[1])
    return matrix.sort_index().sort_index(axis=1)
