"""From tables and drawn charts to blocks of the page, and to the files that the page links: the same on every page."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from xltransfer.report.charts import Chart
from xltransfer.report.numbers import count
from xltransfer.report.page import Block, Collapsed, Facts, Picture, Prose, Section, ShownTable, Verbatim, data_uri
from xltransfer.report.pictures import Drawing
from xltransfer.report.provenance import file_lines, option_facts
from xltransfer.report.tables import Table
from xltransfer.runs.folder import Header


def table_block(table: Table | None, heading: str = "") -> list[Block]:
    """Return a table with its files; nothing for one without rows, or for none."""
    if table is None or table.frame.empty:
        return []
    return [ShownTable(table, (f"{table.name}.csv", f"{table.name}.tex"), heading)]


def picture(chart: Chart, drawing: Drawing | str) -> Picture:
    """Return a drawn chart as a block; where there is no drawing, why."""
    if isinstance(drawing, str):
        return Picture(chart.name, chart.title, chart.caption, absent=f"No figure: {drawing}")
    return Picture(
        chart.name, chart.title, chart.caption, data_uri(drawing.picture, "image/png"), drawing.width, drawing.height,
        files=(f"{chart.name}.png", f"{chart.name}.svg"),
    )  # fmt: skip


def failure_notices(failures: pd.DataFrame) -> list[str]:
    """Say how many units failed; nothing where none did."""
    if failures.empty:
        return []
    verb = "is" if len(failures) == 1 else "are"
    return [f"{count(len(failures), 'unit')} failed and {verb} missing below, see “The run”. Missing is not 0."]


def audit_blocks(audit: Mapping[str, Table]) -> list[Block]:
    """Return the tables of an audit, or that there was none."""
    if audit:
        return [ShownTable(table, (f"{name}.csv", f"{name}.tex")) for name, table in audit.items()]
    said = (
        "Overlaps of training and transfer texts with the test sets were not audited for this page: that needs the "
        "study's files (`xltransfer report DIR --study FILE`, or `xltransfer check FILE`)."
    )
    return [Prose([said])]


def run_section(header: Header, facts: Sequence[tuple[str, str]], tables: Sequence[Block], run_size: str) -> Section:
    """Return what the run was made with: facts, tables of what failed and is missing, files, the whole study."""
    blocks: list[Block] = [Facts([*facts, ("size of the results folder", run_size)]), *tables]
    if header.files:
        title = f"{count(len(header.files), 'file')} of model and data, by SHA-256"
        blocks.append(Collapsed(title, [Verbatim(file_lines(header))]))
    return Section(
        "run", "The run", [*blocks, Collapsed("The whole study, as it was run", [Verbatim(option_facts(header.study))])]
    )


def options_section(options: pd.DataFrame, tables: Sequence[Block]) -> Section:
    """Return how many options (of `published_options.compared_options`) differ from the paper, and the tables."""
    differing = int(options["differs"].sum())
    said = f"{count(differing, 'option')} of {len(options)} {'differs' if differing == 1 else 'differ'} from the "
    return Section(
        "options",
        "Options that differ from the paper",
        [Prose([f"{said[:1].upper()}{said[1:]}published study."]), *tables],
    )


def pictures_of(drawn: Iterable[tuple[Chart, Drawing | str]]) -> dict[str, bytes]:
    """Return file name -> content of every figure that was drawn, in both formats."""
    files: dict[str, bytes] = {}
    for chart, drawing in drawn:
        if not isinstance(drawing, str):
            files |= {f"{chart.name}.png": drawing.png, f"{chart.name}.svg": drawing.svg}
    return files


def frame_bytes(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV, unrounded."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode()
