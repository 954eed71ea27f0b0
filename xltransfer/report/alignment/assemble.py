"""From an alignment run to what its report consists of."""

from collections.abc import Mapping

from xltransfer.report.alignment.charts import charts
from xltransfer.report.alignment.contents import tables
from xltransfer.report.alignment.findings import findings
from xltransfer.report.alignment.page import page
from xltransfer.report.assembled import Assembled
from xltransfer.report.options import AlignmentOptions
from xltransfer.report.steps import OnStep
from xltransfer.report.tables import Table
from xltransfer.runs.open import Run


def assemble(run: Run, options: AlignmentOptions, audit: Mapping[str, Table], on_step: OnStep) -> Assembled:
    """Return what the report of an alignment run consists of; parameters and errors as of `write.write_report`."""
    found = findings(run, options, on_step)
    declared = tables(found)
    return Assembled(
        tables=[*declared, *audit.values()],
        charts=charts(found),
        page=lambda drawn, run_size: page(found, declared, drawn, audit, run_size),
    )
