"""From a tidy ts frame to one transfer × target matrix, for distances, heatmaps and the like."""

import pandas as pd

from xltransfer.analysis.frames import require_columns


def transfer_matrix(ts: pd.DataFrame, task: str, metric: str, steps: int, base: str | None = None) -> pd.DataFrame:
    """Return mean ts with transfer languages as rows and target languages as columns.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows of setting nudge that are ``aggregated`` are read. Corpora,
        datasets and adapter seeds of one pair are averaged.
    task, metric, steps
        Which rows.
    base
        Which base model; may be left out where there is one.

    Returns
    -------
    DataFrame
        Percent, index ``transfer``, columns ``target``, both sorted; NaN for a pair that was not measured.

    Raises
    ------
    ValueError
        No row is left, or there are several base models and none is named.
    """
    require_columns(ts, ["base", "setting", "task", "metric", "steps", "transfer", "target", "ts", "aggregated"], "ts")
    wanted = (ts["setting"] == "nudge") & ts["aggregated"] & (ts["task"] == task) & (ts["metric"] == metric)
    rows = ts[wanted & (ts["steps"] == steps)]
    rows = rows if base is None else rows[rows["base"] == base]
    if rows.empty:
        raise ValueError(f"no aggregated nudge row has task={task!r}, metric={metric!r}, steps={steps}, base={base!r}")
    bases = sorted(rows["base"].unique())
    if len(bases) > 1:
        raise ValueError(f"ts holds the base models {', '.join(bases)}; name one with base=")
    return rows.pivot_table(index="transfer", columns="target", values="ts", aggfunc="mean", observed=True)
