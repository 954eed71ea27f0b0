"""``xltransfer demo``: the whole toolkit on artificial languages; what is known of them beside what is found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from xltransfer.protocols.demo import Demo, Part
    from xltransfer.report.write import Written
    from xltransfer.runs.executors.ledger import Outcome


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo; made, or continued where it stopped.")] = Path(
        "xltransfer-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of languages, base model and studies.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes. 0: in this process. Never changes a number.")] = 2,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the transfer study, on pos and mlm. Leave it out later to go on.")
    ] = False,
) -> None:
    """Study artificial languages whose relatedness is known: see what the toolkit finds of it, and what noise hides.

    Makes fourteen languages in three families (sounds, words, word order and script change at rates of their own) and a
    tiny model that has not seen five of them. Then three studies, each with its page:

    [bold]transfer[/bold] (run/, report/): a few steps of masked-LM on text of one language; who is helped? Six tasks.

    [bold]interaction[/bold] (interaction/): language adapters fused by twos and threes; who gains and loses from whom?

    [bold]alignment[/bold] (alignment/): how near are translations to each other, layer by layer, before and after?

    Each finding is laid beside the true distances between the languages, whatever comes out, with the p of a
    permutation test. Text of an unseen language must help the model with that language's text (positive control).
    Exit status 1: it does not, or units failed.

    The study files lie in the folder: run a changed copy of one with `xltransfer run`. Stop the demo whenever you like:
    the same command goes on. The same seed gives the same bytes.

    Takes up to 8 minutes and under 3 GiB on two cores, with --quick up to 3 minutes.

    Example: xltransfer demo --quick --out runs/demo
    """
    from xltransfer.protocols.demo import demo_of

    failed = run_demo(demo_of(seed), out, workers, quick)
    if failed:
        print(failed)
        raise typer.Exit(1)


def run_demo(what: "Demo", out: Path, workers: int, quick: bool = False) -> str:
    """Make, run and show a demo, or the quick part of it; return what went wrong, or an empty text."""
    from xltransfer.protocols.demo import PARTS, QUICK

    parts = (QUICK,) if quick else PARTS
    _prepare(what, out)
    for part in parts:
        outcome = _run(out, part, workers)
        if outcome.failed:
            return (
                f"{part.name}: {len(outcome.failed)} units failed, first {outcome.failed[0]}; the same command tries "
                "them again"
            )
    control = _show_found(what, out, parts)
    _show_paths(out, _write_reports(out, parts))
    if control.empty or not control["holds"].all():
        bad = ", ".join(control.loc[~control["holds"], "transfer"]) or "no unseen language was scored"
        return f"positive control FAILED ({bad}): the nudge did not reach the model; nothing above can be trusted"
    return ""


def _prepare(what: "Demo", out: Path) -> None:
    from xltransfer.cli.progress import step_progress
    from xltransfer.protocols.demo import prepare

    says = {"world": f"making languages in {out / 'world'}", "base": f"pretraining {out / 'models' / 'tiny'}"}
    with step_progress("pretraining", what.pretraining.steps) as show:
        prepare(
            what,
            out,
            lambda part: print(says[part], flush=True),
            lambda step, loss: show(step, f", loss {loss:.2f}"),
        )


def _run(out: Path, part: "Part", workers: int) -> "Outcome":
    import time
    from contextlib import ExitStack

    from xltransfer.cli.progress import clock, unit_progress
    from xltransfer.config.load import load_study
    from xltransfer.protocols.by_name import protocol_of
    from xltransfer.protocols.transfer.wanted import Wanted
    from xltransfer.runs.executors.ledger import Event, OnEvent

    resolved, bars, began = load_study(out / part.study), list[OnEvent](), time.monotonic()
    with ExitStack() as stack:

        def start(todo: Wanted) -> None:
            there = f", {todo.present} present" if todo.present else ""
            said = f"{len(todo.units)} units ({todo.cells:,} cells){there} in {out / part.results}"
            print(f"{part.name}: running {said}", flush=True)
            bars.append(stack.enter_context(unit_progress(todo.units)))

        def tell(event: Event) -> None:
            for bar in bars:
                bar(event)

        outcome = protocol_of(resolved).run_study(
            resolved, out / part.results, workers=workers, on_event=tell, on_plan=start
        )
    print(f"{part.name}: {len(outcome.done)} units done in {clock(time.monotonic() - began)}", flush=True)
    return outcome


def _show_found(what: "Demo", out: Path, parts: "Sequence[Part]") -> "pd.DataFrame":
    """Print what the studies found; return the positive control."""
    from xltransfer.cli import demo_found, demo_shown
    from xltransfer.config.load import load_study
    from xltransfer.protocols.demo import ALIGNMENT, INTERACTION

    seen = load_study(out / parts[0].study).seen
    correlations, control = demo_found.transfer_found(out, seen, what.seed)
    demo_shown.show_transfer(correlations, control)
    if INTERACTION in parts:
        demo_shown.show_interference(demo_found.interaction_found(out, what.seed))
    if ALIGNMENT in parts:
        demo_shown.show_alignment(demo_found.alignment_found(out, what.seed))
    return control


def _write_reports(out: Path, parts: "Sequence[Part]") -> "dict[Part, Written]":
    """Write the page of every study, with the audit of its data; transfer scores are laid beside alignment."""
    from xltransfer.cli.report import audit_tables, write
    from xltransfer.protocols.demo import ALIGNMENT, TRANSFER
    from xltransfer.report.options import AlignmentOptions

    written = {}
    for part in parts:
        print(f"{part.name}: writing the report", flush=True)
        options = AlignmentOptions(transfer=out / TRANSFER.results) if part == ALIGNMENT else None
        audit = audit_tables(str(out / part.study), None)
        written[part] = write(out / part.results, out / part.report, options, audit)
    return written


def _show_paths(out: Path, written: "Mapping[Part, Written]") -> None:
    """Print where everything lies, the pages last."""
    from xltransfer.cli.demo_shown import paths_said
    from xltransfer.report.numbers import size

    places = {"languages": str(out / "world"), "base model": str(out / "models" / "tiny")}
    for part, report in written.items():
        places |= {
            f"{part.name}, study": str(out / part.study),
            f"{part.name}, results": f"{out / part.results} (xltransfer.open_run reads it)",
            f"{part.name}, tables and figures": f"{out / part.report} ({len(report.sizes) - 1} files)",
        }
    print("\nWhere it lies:", *paths_said(places), sep="\n")
    for report in written.values():
        print(f"report: {report.page}, {size(report.sizes[report.page])}")
