"""``xltransfer report``: the findings of a results folder as one page, with every table and figure beside it."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from xltransfer.report.options import Options
    from xltransfer.report.steps import OnStep
    from xltransfer.report.tables import Table
    from xltransfer.report.write import Written

Scale = Literal["ts", "delta", "log_ratio", "logit_delta"]
Estimand = Literal["this_test_set", "new_sentences", "new_targets"]
Order = Literal["listed", "near_far", "both"]

QUIET = 10.0
"""Seconds before a bar is shown."""


def report(
    folder: Annotated[Path, typer.Argument(help="Results folder; it may still be growing.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; made. Default: FOLDER/report.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task. Default: all.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Transfer, interaction: metric of the report. Default: the main one of each task."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Transfer: only this number of optimizer steps k. Default: all.")
    ] = None,
    scale: Annotated[
        Scale | None,
        typer.Option(
            help="Transfer: how a change is stated. ts (default): percent of the baseline, as in the paper; delta: "
            "points, or nats; log_ratio: natural log of after/before; logit_delta: log odds. Positive is always an "
            "improvement."
        ),
    ] = None,
    estimand: Annotated[
        Estimand | None,
        typer.Option(
            help="Transfer: what intervals are for. this_test_set: other replicates on these sentences; new_sentences: "
            "other sentences too; new_targets: other target languages. Default: cells for new_sentences, aggregates of "
            "transfer languages for new_targets."
        ),
    ] = None,
    order: Annotated[
        Order | None,
        typer.Option(
            help="Interaction: which of A's two partners is B. listed (default): the earlier one in the study; "
            "near_far: the typologically nearer one; both: each once."
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="Interaction: URIEL's feature set that says who is near, for near_far. Default: syntax_knn."),
    ] = None,
    dead_zone: Annotated[
        float | None,
        typer.Option(
            help="Interaction: differences of up to so many item standard errors are ties. Default: 0, equal scores "
            "only, as in the paper.",
            min=0.0,
        ),
    ] = None,
    transfer: Annotated[
        Path | None,
        typer.Option(help="Alignment: a finished transfer run, to lay its scores beside the change of alignment."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Transfer, alignment: seed of simulations and permutations. Default: 1.", min=0),
    ] = None,
    draws: Annotated[
        int | None, typer.Option(help="Transfer: simulated tables behind rank sets. Default: 2,000.", min=100)
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Study file or name: also audit overlaps between its texts and test sets.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
) -> None:
    """Write what the results folder FOLDER shows, and how sure that is, as a page to read and files for a paper.

    [bold]report.html[/bold] is one file that needs no network, to send to a co-author or to print: a summary in
    sentences, heatmaps that tell their values, tables that sort and filter, figures, the data, controls, failures,
    versions, options that differ from the paper. Beside it lie every table as [bold].csv[/bold] (unrounded) and
    [bold].tex[/bold] (booktabs) and every figure as [bold].png[/bold] and [bold].svg[/bold].

    Start with the summary: which languages help or hurt, whether their rank sets separate, how many cells survive the
    correction for having looked at all of them. Where the noise hides everything, it says so.

    The page is that of the run's protocol: transfer, interaction or alignment. An option begins with the protocols that
    take it, where not all do; given for a run of another one it is refused.

    Example: xltransfer report runs/mine --task pos --steps 10 --scale delta --out pos_report
    """
    from xltransfer.report.options import options_of
    from xltransfer.runs.open import open_run

    given = {
        "task": task, "metric": metric, "steps": steps, "scale": scale, "estimand": estimand, "order": order,
        "features": features, "dead_zone": dead_zone, "transfer": transfer, "seed": seed, "draws": draws,
    }  # fmt: skip
    options = options_of(str(open_run(folder).study["protocol"]), given)
    audit = audit_tables(study, data_root) if study is not None else None
    show(write(folder, out or folder / "report", options, audit))


def write(
    folder: Path, out: Path, options: "Options | None" = None, audit: "Mapping[str, Table] | None" = None
) -> "Written":
    """Write the report of a results folder, with a bar once it has taken ten seconds."""
    from xltransfer.report.write import write_report
    from xltransfer.runs.open import open_run

    with delayed_progress() as on_step:
        return write_report(open_run(folder), out, options, audit, on_step, workers=min(2, os.cpu_count() or 1))


def show(written: "Written") -> None:
    """Print what was written, the page last."""
    from xltransfer.report.numbers import size

    kinds: dict[str, list[int]] = {}
    for path, n_bytes in written.sizes.items():
        kinds.setdefault(path.suffix, []).append(n_bytes)
    for suffix in (".csv", ".tex", ".png", ".svg"):
        sizes = kinds.get(suffix, [])
        if sizes:
            print(f"{written.page.parent / ('*' + suffix)}: {len(sizes)} files, {size(sum(sizes))}")
    print(f"report: {written.page}, {size(written.sizes[written.page])}")


def audit_tables(study: str, data_root: Path | None) -> "dict[str, Table]":
    """Return the audit of a study's data as tables of the report; of a transfer study the features of its texts too."""
    from xltransfer.analysis.pair_features import text_pairs
    from xltransfer.config.load import load_study
    from xltransfer.data.audit import audit
    from xltransfer.data.text_counts import study_texts
    from xltransfer.data.tokenizer import load_tokenizer
    from xltransfer.report.audit import overlap_tables
    from xltransfer.report.typology_tables import text_pair_table

    resolved = load_study(study, data_root)
    tokenizer = load_tokenizer(resolved.model)
    found = audit(resolved, tokenizer)
    tables = overlap_tables(found.overlap, found.corpora, found.replicates)
    if resolved.study.protocol != "transfer":
        return tables
    texts = text_pair_table(text_pairs(study_texts(resolved, tokenizer)))
    return {**tables, texts.name: texts}


@contextmanager
def delayed_progress() -> "Iterator[OnStep]":
    """Yield a callback for names and shares of the work that shows a bar with time left from ten seconds on.

    Where the output is no terminal, every quarter of the way is a line.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from xltransfer.cli.progress import clock

    console, began = Console(stderr=True), time.monotonic()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    work = bar.add_task("report", total=1.0, left="")
    later = threading.Timer(QUIET, bar.start)
    later.daemon = True
    shown = {"quarter": 0}

    def on_step(name: str, share: float) -> None:
        passed = time.monotonic() - began
        left = f"{clock(passed * (1 - share) / share)} left" if share > 0.02 else ""
        bar.update(work, description=name, completed=share, left=left)
        quarter = int(4 * share)
        if not console.is_terminal and passed > QUIET and quarter > shown["quarter"]:
            shown["quarter"] = quarter
            console.print(f"{100 * share:3.0f} %  {name}, {left}", highlight=False)

    later.start()
    try:
        yield on_step
    finally:
        later.cancel()
        bar.stop()
