"""``xltransfer scores``: baselines, rankings, noise and controls of a results folder, each as a table.

The numbers come from `xltransfer.analysis`; here they are chosen, put beside each other and printed. Works where torch
cannot be imported.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

    from xltransfer.runs.open import Run

Against = Literal["baseline", "random_sign", "shuffled_text"]

RANKED = {
    "transfer": "transfer",
    "corpus": "corpus",
    "aggregated_transfer": "ts %",
    "without_self": "without self %",
    "percent_positive": "+(%)",
    "percent_positive_if_no_effect": "+(%) if no effect",
    "variance": "variance",
    "n_max": "n max",
    "n_min": "n min",
    "n_targets": "targets",
}


def scores(
    folder: Annotated[Path, typer.Argument(help="Results folder.")],
    task: Annotated[str | None, typer.Option(help="Only this task. Default: all.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric to rank by. Default: the main one of each task.")] = None,
    steps: Annotated[int | None, typer.Option(help="Only this number of optimizer steps k. Default: all.")] = None,
    against: Annotated[Against, typer.Option(help="What a nudged model is compared with.")] = "baseline",
    top: Annotated[int, typer.Option(help="Transfer languages shown per ranking.", min=1)] = 10,
    labels: Annotated[bool, typer.Option("--labels", help="Also a table of the scores per gold label.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Folder for the frames as CSV, unrounded and whole; made if absent.")
    ] = None,
) -> None:
    """Print the transfer scores and rankings of the results folder FOLDER.

    A transfer score ts is the change of a target's score in percent of its baseline, positive where the target gained.
    Targets at the floor (not shown to be above the trivial predictor) or too small are in no mean and no ranking.
    """
    from xltransfer.analysis import out_of_aggregates, transfer_scores
    from xltransfer.cli.tables import write_csv
    from xltransfer.runs.open import open_run

    run = open_run(folder)
    rows = _chosen(run, task)
    mains = _metrics(run, rows, metric)
    plain = rows[~rows["metric"].str.contains("[", regex=False)]
    _check(plain, steps, against)
    flags = out_of_aggregates(plain, _floor_items(run, task))
    frames = {"baseline": baseline_scores_by_task(plain, flags, mains)}
    ts = transfer_scores(plain, against, flags)
    frames |= {"transfer_scores": ts}
    _show_baseline(frames["baseline"])
    frames |= _show_transfer(ts, mains, steps, top, against)
    frames |= _show_checks(plain, flags, mains, ts)
    if labels:
        frames |= _show_labels(rows, flags, steps, against)
    _show_failures(run)
    if csv is not None:
        write_csv(frames, csv)


def _chosen(run: "Run", task: str | None) -> "pd.DataFrame":
    """Return the measurements, of one task if it is named."""
    from xltransfer.errors import ConfigError, RunFolderError, near_match

    rows = run.measurements()
    if rows.empty or "baseline" not in set(rows["setting"]):
        raise RunFolderError(f"{run.folder} has no baseline scores yet; go on with 'xltransfer run' first")
    if task is None:
        return rows
    known = sorted(set(rows["task"]))
    if task not in known:
        raise ConfigError(f"--task {task}: the results have no such task{near_match(task, known)}")
    return rows[rows["task"] == task]


def _metrics(run: "Run", rows: "pd.DataFrame", metric: str | None) -> dict[str, str]:
    """Return the metric to rank by for each task: the named one where a task has it, else the main one of its shape."""
    from xltransfer.errors import ConfigError, near_match
    from xltransfer.metrics import SHAPES

    present = set(rows["task"])
    shapes = {task["name"]: task["shape"] for task in run.study["tasks"] if task["name"] in present}
    if metric is None:
        return {name: SHAPES[shape][0].name for name, shape in shapes.items()}
    known = {name: {each.name for each in SHAPES[shape]} for name, shape in shapes.items()}
    having = {name: metric for name, metrics in known.items() if metric in metrics}
    if not having:
        raise ConfigError(f"--metric {metric}: no task here has it{near_match(metric, set().union(*known.values()))}")
    return having


def _check(rows: "pd.DataFrame", steps: int | None, against: Against) -> None:
    """Refuse a k that was not scored and a control that was not run."""
    from xltransfer.errors import ConfigError

    nudged = rows[rows["setting"] == "nudge"]
    known = sorted({int(k) for k in nudged["steps"].dropna()})
    if steps is not None and steps not in known:
        raise ConfigError(f"--steps {steps}: no nudge of that many steps was scored; known: {known}")
    if against != "baseline" and against not in set(rows["setting"]):
        raise ConfigError(f"--against {against}: the results have no such control; add controls.{against} to the study")


def _floor_items(run: "Run", task: str | None) -> "pd.DataFrame":
    """Return the items that the floor test reads, those of the untouched model and of the trivial predictor."""
    import pandas as pd

    from xltransfer.analysis.frames import plain
    from xltransfer.runs.item_frame import item_frame
    from xltransfer.runs.store import Store

    of_task = {} if task is None else {"task": task}
    settings = ("baseline", "trivial")
    parts = [item_frame(Store(run.folder), of_task | {"setting": setting}, False) for setting in settings]
    items = pd.concat([plain(part) for part in parts if len(part)], ignore_index=True)
    # Counts are sums of what a target has; a column that a task does not have is NaN in its rows.
    counts = list(items.columns)[list(items.columns).index("cluster") + 1 :]
    return items.astype(dict.fromkeys(counts, "float64"))


def baseline_scores_by_task(rows: "pd.DataFrame", flags: "pd.DataFrame", mains: dict[str, str]) -> "pd.DataFrame":
    """Return a row per base, task and metric: the untouched model's mean, and how many cells are out of it.

    A cell is an adapter seed and a target. ``score`` is the unweighted mean over the cells in the aggregates, in the
    metric's unit; ``at_floor`` and ``small`` count cells, and one may be both.
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


def _show_baseline(table: "pd.DataFrame") -> None:
    """Print the untouched model's scores."""
    from xltransfer.cli.tables import show

    show(table, "baseline: untouched model, mean over aggregated cells (adapter seed x target); percent, nll in nats")


def _show_transfer(
    ts: "pd.DataFrame", mains: dict[str, str], steps: int | None, top: int, against: Against
) -> "dict[str, pd.DataFrame]":
    """Print the range of ts and one ranking per task and k; return their frames."""
    from xltransfer.analysis import rank_transfer_languages
    from xltransfer.cli.tables import show

    main = ts[(ts["setting"] == "nudge") & (ts["metric"] == ts["task"].map(mains))]
    main = main if steps is None else main[main["steps"] == steps]
    if main.empty:
        print("no nudged model has been scored yet: no transfer scores")
        return {}
    ranges = ts_ranges(main)
    show(ranges, f"ts, percent against {against}: cells in the aggregates")
    ranking = rank_transfer_languages(main)
    for (base, task, metric, k), rows in ranking.groupby(["base", "task", "metric", "steps"], sort=False):
        if not rows["n_targets"].any():
            print(f"{task}, {metric}, k={k}, {base}: no ranking, every target is at the floor or too small")
            continue
        rows = rows[["rank", *RANKED]].rename(columns=RANKED)
        more = f" ({top} of {len(rows)})" if len(rows) > top else ""
        show(rows.head(top), f"{task}, {metric}, k={k}, {base}: transfer languages{more}")
    return {"ts_ranges": ranges, "ranking": ranking}


def ts_ranges(ts: "pd.DataFrame") -> "pd.DataFrame":
    """Return per base, task, metric and k: number of cells, those aggregated, and how their ts (percent) is spread."""
    keys = ["base", "task", "metric", "steps"]
    grouped = ts.assign(kept=ts["ts"].where(ts["aggregated"])).groupby(keys)["kept"]
    table = grouped.agg(cells="size", aggregated="count", lowest="min", median="median", mean="mean", highest="max")
    quantiles = {f"q{share:02d}": grouped.quantile(share / 100.0) for share in (5, 95)}
    spread: pd.DataFrame = table.assign(**quantiles).reset_index()
    return spread[[*keys, "cells", "aggregated", "lowest", "q05", "median", "mean", "q95", "highest"]]


def _show_checks(
    rows: "pd.DataFrame", flags: "pd.DataFrame", mains: dict[str, str], ts: "pd.DataFrame"
) -> "dict[str, pd.DataFrame]":
    """Print what tells an effect from noise: noise floor, controls, adapter seeds; return the frames."""
    from xltransfer.analysis import adapter_seed_share, controls, noise_floor
    from xltransfer.cli.tables import show

    noise, made, seeds = noise_floor(rows), controls(rows, flags), adapter_seed_share(ts)
    of_main = noise[noise["metric"] == noise["task"].map(mains)].drop(columns=["base", "device"])
    show(of_main, "noise floor: the untouched model scored again (differences in the metric's unit, ts in percent)",
         places=dict.fromkeys(("max_difference", "mean_difference", "max_ts", "mean_ts"), 5))  # fmt: skip
    print(zero_steps_verdict(made))
    others = made[(made["setting"] != "zero_steps") & (made["metric"] == made["task"].map(mains))]
    columns = ["setting", "task", "metric", "transfer", "corpus", "steps", "n_targets", "aggregated_ts", "nudge_ts"]
    others = others.assign(n_targets=others["n_targets"].astype("Int64"))
    show(others[[*columns, "difference", "difference_se"]], "controls: ts in percent, difference is nudge - control")
    of_main = seeds[(seeds["metric"] == seeds["task"].map(mains)) & (seeds["n_seeds"] > 1)]
    if len(of_main):
        shown = ["task", "metric", "steps", "n_seeds", "n_cells", "cell", "seed", "interaction", "replicate", "share"]
        show(of_main[shown], "task adapter's seed: share (0 to 1) of the variance of ts; components in percent squared")
    return {"noise_floor": noise, "controls": made, "adapter_seed_share": seeds}


def zero_steps_verdict(controls: "pd.DataFrame") -> str:
    """Return in a line whether ``zero_steps`` changed nothing at all, over every metric."""
    own = controls[controls["setting"] == "zero_steps"]
    if own.empty:
        return "zero_steps: not scored yet"
    wrong = own[~own["exact"].astype(bool)]
    if wrong.empty:
        return f"zero_steps: PASS, {own['corpus'].nunique()} corpora, every score equals its baseline to the last bit"
    first = wrong.iloc[0]
    return (
        f"zero_steps: FAIL, {len(wrong)} of {len(own)} rows differ from the baseline, first {first['task']} "
        f"{first['metric']} after {first['corpus']} (largest |ts| {wrong['max_abs_ts'].max():.3g} %): the base model "
        "was not restored, or something that is random takes part in scoring"
    )


def _show_labels(
    rows: "pd.DataFrame", flags: "pd.DataFrame", steps: int | None, against: Against
) -> "dict[str, pd.DataFrame]":
    """Print, per gold label, reference score and ts averaged over the cells in which both are defined."""
    from xltransfer.analysis import transfer_scores
    from xltransfer.cli.tables import show

    of_labels = rows[rows["metric"].str.contains("[", regex=False)]
    ts = transfer_scores(of_labels, against, flags)
    ts = ts[(ts["setting"] == "nudge") & ts["aggregated"]]
    ts = ts if steps is None else ts[ts["steps"] == steps]
    grouped = ts.groupby(["task", "metric", "steps"])
    table = grouped.agg(cells=("ts", "size"), reference=("reference", "mean"), ts=("ts", "mean")).reset_index()
    show(table, f"per gold label: mean score of {against} (metric's unit) and mean ts (percent) over aggregated cells")
    return {"labels": table}


def _show_failures(run: "Run") -> None:
    """Print which units are missing because they failed."""
    failures = run.failures()
    for row in failures.itertuples():
        print(f"failed: unit {row.unit}: {row.error}: {row.message}")
    if len(failures):
        print(f"{len(failures)} units failed; their scores are missing above. 'xltransfer run' tries them again")
