"""Small tables and verdicts that say at a glance what a run is like: baselines, the spread of ts, the control k = 0."""

import pandas as pd


def baseline_scores_by_task(rows: pd.DataFrame, flags: pd.DataFrame, mains: dict[str, str]) -> pd.DataFrame:
    """Return a row per base, task and metric: the untouched model's mean, and how many cells are out of it.

    Parameters
    ----------
    rows
        Measurements; the setting baseline is read.
    flags
        What `analysis.out_of_aggregates` gives.
    mains
        Task to the metric that is shown of it.

    Returns
    -------
    DataFrame
        base, task, metric; score, lowest, highest (metric's unit; unweighted, over the cells in the aggregates); cells,
        aggregated, at_floor, small (numbers of cells, and a cell may be both). A cell is an adapter seed and a target.
    """
    keys = ["base", "device", "adapter_seed", "task", "dataset", "target"]
    own = rows[(rows["setting"] == "baseline") & (rows["metric"] == rows["task"].map(mains))]
    cells = own[[*keys, "metric", "score"]].drop_duplicates().merge(flags, how="left", on=keys, validate="many_to_one")
    out = cells[["at_floor", "small"]].eq(True).any(axis=1)
    cells = cells.assign(kept=cells["score"].where(~out), used=~out & cells["score"].notna())
    grouped = cells.groupby(["base", "task", "metric"])
    return grouped.agg(
        score=("kept", "mean"),
        lowest=("kept", "min"),
        highest=("kept", "max"),
        cells=("score", "size"),
        aggregated=("used", "sum"),
        at_floor=("at_floor", "sum"),
        small=("small", "sum"),
    ).reset_index()


def ts_ranges(ts: pd.DataFrame) -> pd.DataFrame:
    """Return per base, task, metric and k: number of cells, those aggregated, and how their ts (percent) is spread."""
    keys = ["base", "task", "metric", "steps"]
    grouped = ts.assign(kept=ts["ts"].where(ts["aggregated"])).groupby(keys)["kept"]
    table = grouped.agg(cells="size", aggregated="count", lowest="min", median="median", mean="mean", highest="max")
    quantiles = {f"q{share:02d}": grouped.quantile(share / 100.0) for share in (5, 95)}
    spread: pd.DataFrame = table.assign(**quantiles).reset_index()
    return spread[[*keys, "cells", "aggregated", "lowest", "q05", "median", "mean", "q95", "highest"]]


def zero_steps_verdict(controls: pd.DataFrame, pooler: str = "keep") -> str:
    """Return in a sentence whether ``zero_steps`` changed nothing at all, over every metric.

    ``pooler`` is the study's choice; one that does not keep it changes k = 0 too, and on purpose (protocols.md, §1).
    """
    own = controls[controls["setting"] == "zero_steps"]
    if own.empty:
        return "zero_steps: not scored yet"
    wrong = own[~own["exact"].astype(bool)]
    if wrong.empty:
        return f"zero_steps: PASS, {own['corpus'].nunique()} corpora, every score equals its baseline to the last bit"
    if pooler != "keep":
        return f"zero_steps: {len(wrong)} of {len(own)} rows differ from the baseline, as pooler: {pooler} makes them"
    first = wrong.iloc[0]
    return (
        f"zero_steps: FAIL, {len(wrong)} of {len(own)} rows differ from the baseline, first {first['task']} "
        f"{first['metric']} after {first['corpus']} (largest |ts| {wrong['max_abs_ts'].max():.3g} %): the base model "
        "was not restored, or something that is random takes part in scoring"
    )
