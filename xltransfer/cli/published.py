"""``xltransfer published``: the tables of the four papers, as printed."""

import sys
from typing import Annotated

import typer


def published(
    paper: Annotated[
        str | None, typer.Argument(help="Paper: faisal2024, madx2020, tlr2023 or fadx2022. Default: list all.")
    ] = None,
    table: Annotated[
        str | None, typer.Argument(help="Table's name, or a beginning of it that no other has. Default: list all.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write the table's file as it is to standard output.")] = False,
) -> None:
    """List or print the published tables that ship: those of the papers whose protocols this toolkit follows.

    Cells are the digits as printed, errors included. `published` lists all tables, `published faisal2024` those of one
    paper, `published faisal2024 table21` prints one, and with --csv it can be piped or kept in a file. Which of these
    numbers follow from the others is recomputed by analyses/audit_published.py.
    """
    from xltransfer.cli.tables import show
    from xltransfer.config.published import published_papers, published_table
    from xltransfer.errors import ConfigError

    if table is None or paper is None:
        if csv:
            raise ConfigError("--csv writes one table: name the paper and the table too")
        for name in published_papers() if paper is None else (paper,):
            _list(name)
        return
    found = published_table(paper, table)
    if csv:
        sys.stdout.write(found.path.read_text(encoding="utf-8"))
        return
    show(found.read(), f"{found.paper}, {found.item}: {found.holds}")


def _list(paper: str) -> None:
    """Print the tables of one paper."""
    import pandas as pd

    from xltransfer.cli.tables import show
    from xltransfer.config.published import published_papers, published_tables

    tables = published_tables(paper)
    about = published_papers()[paper]
    rows = [{"name": table.name, "item": table.item, "holds": table.holds} for table in tables]
    show(pd.DataFrame(rows), f"{paper}: {about.authors} ({about.year}), {about.title}")
    print(f"CSV files of {paper}: {tables[0].path.parent}\n")
