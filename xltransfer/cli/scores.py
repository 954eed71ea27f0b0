"""``xltransfer scores``: baselines, rankings, noise and controls of a transfer run, each as a table.

Runs of protocol interaction are read by `scores_interaction`.

The numbers come from `xltransfer.analysis`; here they are chosen, put beside each other and printed. Works where torch
cannot be imported.
"""

from collections.abc import Mapping
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
    steps: Annotated[
        int | None, typer.Option(help="Transfer: only this number of optimizer steps k. Default: all.")
    ] = None,
    against: Annotated[
        Against | None, typer.Option(help="Transfer: what a nudged model is compared with. Default: baseline.")
    ] = None,
    top: Annotated[int | None, typer.Option(help="Transfer: languages shown per ranking. Default: 10.", min=1)] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Transfer: also a table of the scores per gold label.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Folder for the frames as CSV, unrounded and whole; made if absent.")
    ] = None,
) -> None:
    """Print the scores of the results folder FOLDER: of a transfer run, or of an interaction run.

    A transfer score ts is the change of a target's score in percent of its baseline, positive where the target gained.
    Targets at the floor (not shown to be above the trivial predictor) or too small are in no mean and no ranking.

    Of an interaction run: every language without and with language adapters, how many members of compositions gain, and
    the signs of every language, against its own adapter [A] and against two of its own, [AA'].
    """
    from xltransfer.cli.scores_interaction import print_interaction
    from xltransfer.runs.open import open_run

    run = open_run(folder)
    protocol = str(run.study["protocol"])
    _refuse_others(protocol, {"steps": steps, "against": against, "top": top, "labels": labels or None})
    if protocol == "interaction":
        print_interaction(run, task, metric, csv)
    else:
        _print_transfer(run, task, metric, steps, against or "baseline", top or 10, labels, csv)


def _refuse_others(protocol: str, given: Mapping[str, object]) -> None:
    """Refuse a protocol that this command does not read, and options of transfer runs for another one."""
    from xltransfer.errors import ConfigError

    if protocol not in ("transfer", "interaction"):
        raise ConfigError(
            f"the folder holds a run of protocol {protocol}; this command reads runs of protocol transfer or "
            "interaction. 'xltransfer report' reads every one"
        )
    wrong = [f"--{name}" for name, value in given.items() if value is not None]
    if protocol != "transfer" and wrong:
        raise ConfigError(f"{', '.join(wrong)}: only for runs of protocol transfer; this run is of protocol {protocol}")


def _print_transfer(
    run: "Run",
    task: str | None,
    metric: str | None,
    steps: int | None,
    against: Against,
    top: int,
    labels: bool,
    csv: Path | None,
) -> None:
    """Print what there is of a transfer run."""
    from xltransfer.analysis import out_of_aggregates, transfer_scores
    from xltransfer.cli.tables import write_csv
    from xltransfer.report.choose import check_steps, chosen_rows, ranked_metrics, untouched_items
    from xltransfer.report.overview import baseline_scores_by_task

    rows = chosen_rows(run, task, labels=labels)
    mains = ranked_metrics(run, set(rows["task"]), metric)
    plain = rows[~rows["metric"].str.contains("[", regex=False)]
    check_steps(plain, steps)
    _check_control(plain, against)
    flags = out_of_aggregates(plain, untouched_items(run, task))
    frames = {"baseline": baseline_scores_by_task(plain, flags, mains)}
    ts = transfer_scores(plain, against, flags)
    frames |= {"transfer_scores": ts}
    _show_baseline(frames["baseline"])
    frames |= _show_transfer(ts, mains, steps, top, against)
    frames |= _show_checks(plain, flags, mains, str(run.study["nudge"]["pooler"]))
    if labels:
        frames |= _show_labels(rows, flags, steps, against)
    show_failures(run)
    if csv is not None:
        write_csv(frames, csv)


def _check_control(rows: "pd.DataFrame", against: Against) -> None:
    """Refuse a control that was not run."""
    from xltransfer.errors import ConfigError

    if against != "baseline" and against not in set(rows["setting"]):
        raise ConfigError(f"--against {against}: the results have no such control; add controls.{against} to the study")


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
    from xltransfer.report.overview import ts_ranges

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


def _show_checks(
    rows: "pd.DataFrame", flags: "pd.DataFrame", mains: dict[str, str], pooler: str
) -> "dict[str, pd.DataFrame]":
    """Print what tells an effect from noise: noise floor, controls, sources of variance; return the frames."""
    from xltransfer.analysis import controls, noise_floor
    from xltransfer.cli.tables import show
    from xltransfer.report.overview import zero_steps_verdict

    noise, made = noise_floor(rows), controls(rows, flags)
    of_main = noise[noise["metric"] == noise["task"].map(mains)].drop(columns=["base", "device"])
    show(of_main, "noise floor: the untouched model scored again (differences in the metric's unit, ts in percent)",
         places=dict.fromkeys(("max_difference", "mean_difference", "max_ts", "mean_ts"), 5))  # fmt: skip
    print(zero_steps_verdict(made, pooler))
    others = made[(made["setting"] != "zero_steps") & (made["metric"] == made["task"].map(mains))]
    columns = ["setting", "task", "metric", "transfer", "corpus", "steps", "n_targets", "aggregated_ts", "nudge_ts"]
    others = others.assign(n_targets=others["n_targets"].astype("Int64"))
    show(others[[*columns, "difference", "difference_se"]], "controls: ts in percent, difference is nudge - control")
    shares = _variance_shares(rows, flags, mains)
    return {"noise_floor": noise, "controls": made, "variance_shares": shares}


def _variance_shares(rows: "pd.DataFrame", flags: "pd.DataFrame", mains: dict[str, str]) -> "pd.DataFrame":
    """Print and return which share of the variance of one score each source has, sentences left in the pairing."""
    from xltransfer.analysis import replicate_changes, variance_shares
    from xltransfer.cli.tables import show

    main = rows[(rows["metric"] == rows["task"].map(mains)) & rows["setting"].isin(["nudge", "baseline"])]
    shares = variance_shares(replicate_changes(main, out_of_aggregates=flags))
    keys = ["task", "metric", "steps", "n_replicates", "n_seeds"]
    sources = [source for source in shares["source"].unique() if source != "item"]
    known = shares[shares["source"] != "item"]
    wide = known.pivot_table(index=keys, columns="source", values="share", dropna=False, observed=True)
    wide = wide.dropna(how="all")[sources].reset_index() if len(known) else known[keys]
    show(wide, "where the variance of one ts comes from: share (0 to 1); 'xltransfer report' tells sentences apart")
    return shares


def _show_labels(
    rows: "pd.DataFrame", flags: "pd.DataFrame", steps: int | None, against: Against
) -> "dict[str, pd.DataFrame]":
    """Print, per gold label, the score before and the mean ts over transfer languages with its interval."""
    from xltransfer.analysis.labels import label_changes
    from xltransfer.cli.tables import show

    of_label = rows["metric"].str.contains("[", regex=False)
    if not (of_label & (rows["setting"] == "nudge")).any():
        print("no nudged model has been scored per gold label yet")
        return {}
    table = label_changes(rows[of_label], flags, against)
    table = table[(table["setting"] == "nudge") & (True if steps is None else table["steps"] == steps)]
    shown = ["task", "metric", "label", "steps", "n_cells", "reference", "estimate", "low", "high", "p_holm"]
    show(table[shown], f"per gold label: mean score of {against} (metric's unit), ts (percent), 95 % interval for new "
         "languages, p corrected over labels (Holm)")  # fmt: skip
    return {"labels": table}


def show_failures(run: "Run") -> None:
    """Print which units are missing because they failed."""
    failures = run.failures()
    for row in failures.itertuples():
        print(f"failed: unit {row.unit}: {row.error}: {row.message}")
    if len(failures):
        print(f"{len(failures)} units failed; their scores are missing above. 'xltransfer run' tries them again")
