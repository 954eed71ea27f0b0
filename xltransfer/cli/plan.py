"""``xltransfer plan``: what a study would compute, how long and how large, from a short calibration."""

from pathlib import Path
from typing import Annotated

import typer


def plan(
    study: Annotated[str, typer.Argument(help="Study file (YAML), or the name of a shipped study.")],
    out: Annotated[
        Path | None, typer.Option(help="Results folder that the run would go on with; what it has is left out.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that the run would have.")] = 1,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
    seconds: Annotated[float, typer.Option(help="Time for measuring this machine's speed, in seconds.")] = 10.0,
) -> None:
    """Print units, cells, tokens, expected time (measured here, with as many processes as --workers) and disk."""
    from rich.console import Console
    from rich.table import Table

    from xltransfer.cli.progress import clock
    from xltransfer.config.load import load_study
    from xltransfer.protocols.by_name import protocol_of

    resolved = load_study(study, data_root)
    made = protocol_of(resolved).make_plan(resolved, out, workers=workers, seconds=seconds)
    table = Table(title=f"plan of {study}")
    for column, side in (("units", "left"), ("number", "right"), ("tokens", "right"), ("worker time", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for row in made.rows:
        table.add_row(row.kind, f"{row.units:,}", f"{row.tokens:,}", clock(row.seconds))
    console = Console()
    console.print(table)
    print(f"{len(made.wanted.units)} units to do, {made.wanted.present} present, {made.wanted.cells:,} cells to score")
    print(f"expected time with {workers} worker(s): {clock(made.expected)}")
    print(f"expected disk: {made.disk / 1e6:,.0f} MB")
