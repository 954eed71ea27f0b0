"""``xltransfer run``: a study into a folder, resumed by itself."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    study: Annotated[str, typer.Argument(help="Study file (YAML), or the name of a shipped study.")],
    out: Annotated[Path, typer.Option(help="Results folder; made, or continued if it belongs to this study.")],
    workers: Annotated[
        int | None,
        typer.Option(help="Processes. Default: one per GPU, one on a CPU. 0: in this process. Never changes a number."),
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
    slurm: Annotated[
        int | None, typer.Option(help="Run as this many Slurm array jobs instead (extra 'slurm').")
    ] = None,
    slurm_parameter: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE for submitit, such as slurm_partition=gpu; may be repeated.")
    ] = None,
    mixed: Annotated[
        bool, typer.Option(help="Go on with another device, thread count or library version; marks the rows.")
    ] = False,
) -> None:
    """Run STUDY into --out. Stop it with Ctrl-C whenever you like: the same command goes on where it was.

    Protocol transfer: trains the task adapters, then scores the untouched model, every nudged model and every control.
    Protocol interaction: trains task adapters, language adapters and fusions, then scores every composition. Protocol
    alignment: compares texts of two languages at a time, layer by layer, in every state. Exit status 1 means that some
    units failed (see 'xltransfer status'); the next run tries them again.
    """
    import time
    from contextlib import ExitStack

    from xltransfer.cli.progress import clock, unit_progress
    from xltransfer.config.load import load_study
    from xltransfer.protocols.by_name import protocol_of
    from xltransfer.protocols.execution import Slurm
    from xltransfer.protocols.transfer.wanted import Wanted
    from xltransfer.runs.executors.ledger import Event, OnEvent

    resolved = load_study(study, data_root)
    jobs = None if slurm is None else Slurm(slurm, _parameters(slurm_parameter or []))
    began = time.monotonic()
    with ExitStack() as stack:
        shown: list[OnEvent] = []

        def show(todo: Wanted) -> None:
            print(f"{len(todo.units)} units to do, {todo.present} present, {todo.cells:,} cells to score", flush=True)
            shown.append(stack.enter_context(unit_progress(todo.units)))

        def on_event(event: Event) -> None:
            shown[0](event)

        outcome = protocol_of(resolved).run_study(
            resolved, out, workers=workers, mixed=mixed, slurm=jobs, on_event=on_event, on_plan=show
        )
    done, there, failed = len(outcome.done), len(outcome.skipped), len(outcome.failed)
    print(f"{done} units done, {there} found done, {failed} failed, in {clock(time.monotonic() - began)}")
    print(f"results in {out}: read them with 'xltransfer scores {out}' or xltransfer.open_run({str(out)!r})")
    for failure in outcome.failed[:5]:
        print(f"  unit {failure.unit}: {failure.error}: {failure.message}")
    if outcome.failed:
        raise typer.Exit(1)


def _parameters(words: list[str]) -> dict[str, int | str]:
    """Return ``KEY=VALUE`` words as a mapping, whole numbers as numbers."""
    pairs = [word.partition("=") for word in words]
    wrong = [word for word, (key, equals, _) in zip(words, pairs, strict=True) if not key or not equals]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is not KEY=VALUE", param_hint="--slurm-parameter")
    return {key: int(value) if value.isdigit() else value for key, _, value in pairs}
