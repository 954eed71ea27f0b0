"""From an interaction run to what its report consists of."""

from collections.abc import Mapping

from xltransfer.report.assembled import Assembled
from xltransfer.report.interaction.charts import charts
from xltransfer.report.interaction.contents import tables
from xltransfer.report.interaction.findings import findings
from xltransfer.report.interaction.page import Composer
from xltransfer.report.interaction.subject import Subject
from xltransfer.report.options import InteractionOptions
from xltransfer.report.steps import OnStep
from xltransfer.report.tables import Table
from xltransfer.runs.open import Run


def assemble(run: Run, options: InteractionOptions, audit: Mapping[str, Table], on_step: OnStep) -> Assembled:
    """Return what the report of an interaction run consists of; parameters and errors as of `write.write_report`."""
    subject = Subject(findings(run, options, on_step))
    declared = tables(subject)
    return Assembled(
        tables=[*declared, *audit.values()],
        charts=charts(subject),
        page=lambda drawn, run_size: Composer(subject, declared, drawn, audit).page(run_size),
    )
