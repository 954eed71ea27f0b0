"""The report of a transfer run, assembled: findings, tables, charts, page."""

from collections.abc import Mapping

from xltransfer.report.assembled import Assembled
from xltransfer.report.charts import charts
from xltransfer.report.compose import Composer
from xltransfer.report.contents import tables
from xltransfer.report.findings import Options, findings
from xltransfer.report.steps import OnStep
from xltransfer.report.subject import Subject
from xltransfer.report.tables import Table
from xltransfer.report.typology_tables import TEXT_PAIRS, text_pairs_of
from xltransfer.runs.open import Run


def assemble(run: Run, options: Options, audit: Mapping[str, Table], on_step: OnStep) -> Assembled:
    """Return what the report of a transfer run consists of; parameters and errors as of `write.write_report`."""
    subject = Subject(findings(run, options, on_step, text_pairs_of(audit)))
    audit = {name: table for name, table in audit.items() if name != TEXT_PAIRS}
    declared = tables(subject)
    return Assembled(
        tables=[*declared, *audit.values()],
        charts=charts(subject),
        page=lambda drawn, run_size: Composer(subject, declared, drawn, audit).page(run_size),
    )
