"""``xltransfer demo``: the whole toolkit on artificial languages; what is known of them beside what is found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from xltransfer.config.resolve import ResolvedStudy
    from xltransfer.protocols.transfer.demo import Demo
    from xltransfer.runs.executors.ledger import Outcome

SHOWN = (("pos", "accuracy"), ("mlm", "nll"))
"""Task and metric of the rows that are printed."""

PERMUTATIONS = 1999
"""Of Mantel's test; p is at least 0.0005."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo; made, or continued where it stopped.")] = Path(
        "xltransfer-demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of languages, base model and study.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes. 0: in this process. Never changes a number.")] = 2,
) -> None:
    """Make fourteen artificial languages, a tiny model that has not seen five of them, and study its transfer.

    Prints how far transfer goes with the languages' true distances, whatever comes out, and the positive control: text
    of an unseen language must help the model with that language's text. Exit status 1: it does not, or units failed.
    Ends with the report, as `xltransfer report` writes it. Takes 3 to 6 minutes and under 3 GiB on two cores.
    """
    from xltransfer.protocols.transfer.demo import demo_of

    failed = run_demo(demo_of(seed), out, workers)
    if failed:
        print(failed)
        raise typer.Exit(1)


def run_demo(what: "Demo", out: Path, workers: int) -> str:
    """Make, run and show a demo; return what went wrong, or an empty text."""
    from xltransfer.cli.report import audit_tables, write
    from xltransfer.cli.report import show as show_report
    from xltransfer.cli.tables import show

    resolved = _prepare(what, out)
    outcome = _run(resolved, out / "run", workers)
    if outcome.failed:
        return f"{len(outcome.failed)} units failed, first {outcome.failed[0]}; the same command tries them again"
    correlations, control = demo_results(out, resolved.seen, what.seed)
    places = {"rho": 2, "p": 4, "centred_rho": 2, "centred_p": 4}
    print("Rank correlation (Spearman) of ts with the true distances, self-pairs left out; p: Mantel's test.")
    print("Below 0: the nearer language helps more. Centred: without the mean effect of each language on either side.")
    show(correlations, places=places)
    print("Positive control: self-transfer of the unseen languages on mlm (ts in percent, must be above 0).")
    show(control)
    print(f"study {out / 'demo.yaml'}, results {out / 'run'}; all scores: xltransfer scores {out / 'run'}")
    print("writing the report", flush=True)
    show_report(write(out / "run", out / "report", audit=audit_tables(str(out / "demo.yaml"), None)))
    if control.empty or not control["holds"].all():
        bad = ", ".join(control.loc[~control["holds"], "transfer"]) or "no unseen language was scored"
        return f"positive control FAILED ({bad}): the nudge did not reach the model; nothing above can be trusted"
    return ""


def demo_results(out: Path, seen: frozenset[str], seed: int) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return what a finished demo shows.

    Parameters
    ----------
    out
        The demo's folder.
    seen
        Languages that the base was pretrained on.
    seed
        Draws the permutations.

    Returns
    -------
    tuple of DataFrame
        Correlations: ``task, metric, steps, distance, rho, p, centred_rho, centred_p, n_pairs``. The positive control:
        see `protocols.transfer.demo.positive_control`.
    """
    import xltransfer
    from xltransfer.analysis import out_of_aggregates, transfer_scores
    from xltransfer.analysis.distances import distance_correlations
    from xltransfer.protocols.transfer.demo import positive_control, true_distances
    from xltransfer.report.choose import untouched_items

    run = xltransfer.open_run(out / "run")
    rows = run.measurements(labels=False)
    rows = rows[[pair in SHOWN for pair in zip(rows["task"], rows["metric"], strict=True)]]
    ts = transfer_scores(rows, out_of_aggregates=out_of_aggregates(rows, untouched_items(run)))
    keys, distances = ["task", "metric", "steps", "distance"], true_distances(out)
    raw = distance_correlations(ts, distances, seed=seed, permutations=PERMUTATIONS)[[*keys, "rho", "p", "n_pairs"]]
    centred = distance_correlations(ts, distances, seed=seed, permutations=PERMUTATIONS, centred=True)[
        [*keys, "rho", "p"]
    ]
    centred = centred.rename(columns={"rho": "centred_rho", "p": "centred_p"})
    joined = raw.merge(centred, on=keys, validate="one_to_one")
    return joined[[*keys, "rho", "p", "centred_rho", "centred_p", "n_pairs"]], positive_control(ts, seen)


def _prepare(what: "Demo", out: Path) -> "ResolvedStudy":
    from xltransfer.cli.progress import step_progress
    from xltransfer.protocols.transfer.demo import prepare

    says = {"world": f"making languages in {out / 'world'}", "base": f"pretraining {out / 'models' / 'tiny'}"}
    with step_progress("pretraining", what.pretraining.steps) as show:
        return prepare(
            what,
            out,
            lambda part: print(says[part], flush=True),
            lambda step, loss: show(step, f", loss {loss:.2f}"),
        )


def _run(resolved: "ResolvedStudy", folder: Path, workers: int) -> "Outcome":
    from contextlib import ExitStack

    from xltransfer.cli.progress import unit_progress
    from xltransfer.protocols.transfer.run import run_study
    from xltransfer.protocols.transfer.wanted import Wanted
    from xltransfer.runs.executors.ledger import Event, OnEvent

    bars: list[OnEvent] = []
    with ExitStack() as stack:

        def start(todo: Wanted) -> None:
            print(f"running {len(todo.units)} units ({todo.cells} cells) in {folder}", flush=True)
            bars.append(stack.enter_context(unit_progress(todo.units)))

        def tell(event: Event) -> None:
            for bar in bars:
                bar(event)

        return run_study(resolved, folder, workers=workers, on_event=tell, on_plan=start)
