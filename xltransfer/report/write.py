"""Writing a report: every table as CSV and LaTeX, every figure as PNG and SVG, and the page that holds them all.

    report/report.html              the page
    report/ranking_pos_accuracy_k10.csv, .tex     tables
    report/heatmap_pos_accuracy_k10.png, .svg     figures

The same run and options give the same bytes. Files of an earlier report that this one does not write stay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from xltransfer.errors import ConfigError
from xltransfer.report import alignment, interaction, transfer
from xltransfer.report.assembled import Assembled
from xltransfer.report.blocks import frame_bytes, pictures_of
from xltransfer.report.charts import drawn
from xltransfer.report.latex import latex
from xltransfer.report.numbers import size
from xltransfer.report.options import OPTIONS, Options
from xltransfer.report.page import render
from xltransfer.report.steps import OnStep
from xltransfer.report.tables import Table
from xltransfer.runs.open import Run
from xltransfer.runs.status import status

PAGE: Final = "report.html"

FINDING: Final = 0.52
TABLES: Final = 0.61
DRAWN: Final = 0.97
"""Shares of the time after which the frames are found, the tables written, and the figures drawn."""


@dataclass(frozen=True)
class Written:
    """What was written: the page, and all files with their bytes, the page first."""

    page: Path
    sizes: Mapping[Path, int]


Assemble = Callable[[Run, Any, Mapping[str, Table], OnStep], Assembled]
"""From a run, what is asked of it (`options.OPTIONS`), tables about the study's data, and a callback to what the report
consists of."""

ASSEMBLERS: Final[Mapping[str, Assemble]] = {
    "transfer": transfer.assemble,
    "interaction": interaction.assemble,
    "alignment": alignment.assemble,
}
"""By the protocol of a run."""


def write_report(
    run: Run,
    out: Path,
    options: Options | None = None,
    audit: Mapping[str, Table] | None = None,
    on_step: OnStep | None = None,
    workers: int = 0,
) -> Written:
    """Write the report of a run.

    Parameters
    ----------
    run
        The results folder; it may still grow.
    out
        Folder to write to; made.
    options
        What the report is about, in the record of the run's protocol; None: that record's defaults.
    audit
        Tables about the study's data that are not in the results folder, by name.
    on_step
        Told what is being done, and which share of all work is done.
    workers
        Processes that draw figures; 0 draws them in this one. Changes no byte.

    Raises
    ------
    RunFolderError
        No unit has been finished.
    ConfigError
        A task, metric or k does not occur in the results, or the options are those of another protocol.
    """
    tell = on_step or (lambda name, share: None)
    protocol = str(run.study["protocol"])
    asked = _asked(protocol, options)
    parts = ASSEMBLERS[protocol](run, asked, audit or {}, lambda name, share: tell(name, FINDING * share))
    with drawn(parts.charts, workers) as drawings:
        files = _files(parts.tables, tell)
        pairs = []
        for chart, drawing in zip(parts.charts, drawings, strict=True):
            pairs.append((chart, drawing))
            tell("drawing figures", TABLES + (DRAWN - TABLES) * len(pairs) / len(parts.charts))
    tell("writing the page", DRAWN)
    page = render(parts.page(pairs, size(status(run.folder).size)))
    return _written({PAGE: page.encode()} | files | pictures_of(pairs), out)


def _asked(protocol: str, options: Options | None) -> Options:
    """Return the options, or the protocol's defaults where there are none."""
    own = OPTIONS[protocol]
    if options is None:
        return own()
    if not isinstance(options, own):
        raise ConfigError(f"options={options!r}; the report of a run of protocol {protocol} takes {own.__name__}")
    return options


def _files(all_tables: Sequence[Table], tell: OnStep) -> dict[str, bytes]:
    """Return file name -> content of every table, in both formats."""
    files: dict[str, bytes] = {}
    for place, table in enumerate(all_tables):
        tell("writing tables", FINDING + (TABLES - FINDING) * place / len(all_tables))
        files |= {f"{table.name}.csv": frame_bytes(table.frame), f"{table.name}.tex": latex(table).encode()}
    return files


def _written(files: Mapping[str, bytes], out: Path) -> Written:
    """Write files into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return Written(out / PAGE, {out / name: len(content) for name, content in files.items()})
