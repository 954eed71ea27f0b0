"""A report before it is drawn and written: its tables, its charts, and how the page is made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xltransfer.report.charts import Chart
from xltransfer.report.page import Page
from xltransfer.report.pictures import Drawing
from xltransfer.report.tables import Table

Drawn = Sequence[tuple[Chart, Drawing | str]]
"""Every chart with its drawing, or with why there is none."""


@dataclass(frozen=True)
class Assembled:
    """What the report of one run consists of.

    Attributes
    ----------
    tables
        All tables, written as CSV and LaTeX; those without rows too.
    charts
        All figures, written as PNG and SVG.
    page
        From the drawn charts and the size of the results folder in words to the page.
    """

    tables: Sequence[Table]
    charts: Sequence[Chart]
    page: Callable[[Drawn, str], Page]
