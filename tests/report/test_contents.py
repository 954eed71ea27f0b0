"""Every table and figure of a report is declared on columns that its frame has; a run hides what it need not say."""

from collections.abc import Callable

import pandas as pd
import pytest
from simulated_runs import SPECS

from xltransfer.report.catalogue import CATALOGUE, in_scale
from xltransfer.report.charts import FIGURES, charts, draw
from xltransfer.report.contents import DECLARED, tables
from xltransfer.report.latex import latex
from xltransfer.report.subject import Subject

Found = Callable[..., Subject]


@pytest.mark.parametrize("name", SPECS)
def test_every_table_of_every_run_can_be_written(found: Found, name: str) -> None:
    written = tables(found(name))
    assert len({table.name for table in written}) == len(written)
    for table in written:
        assert {column.name for column in table.columns} <= set(table.frame.columns), table.name
        assert latex(table).count("\n") > len(table.frame)


def test_sections_of_tables_are_sections_of_the_page(html: Callable[..., str]) -> None:
    page = html("small")
    for declared in DECLARED:
        if declared.section:
            assert f'<section class="part" id="{declared.section}">' in page
            part = page.split(f'<section class="part" id="{declared.section}">')[1].split('<section class="part"')[0]
            shown = f'data-table="{declared.name}"' in part
            # Nothing failed, one task adapter was used, and no task asks questions.
            assert shown or declared.name in ("failures", "stored_options", "questions"), declared.name


def test_what_is_the_same_everywhere_is_hidden(found: Found) -> None:
    one, two = found("small"), found("two seeds")
    assert {"base", "corpus", "dataset", "adapter_seed"} <= one.hidden
    assert "adapter_seed" not in two.hidden
    cells = {table.name: table for table in tables(two)}["cells"]
    assert "adapter_seed" in [column.name for column in cells.columns]


def test_changes_are_called_by_their_scale() -> None:
    column = CATALOGUE["estimate"]
    assert (in_scale(column, "ts").title, in_scale(column, "ts").digits) == ("ts (%)", 2)
    assert (in_scale(column, "logit_delta").title, in_scale(column, "logit_delta").digits) == (
        "change of log odds (log odds)",
        4,
    )
    assert in_scale(CATALOGUE["p"], "delta") is CATALOGUE["p"]


def test_charts_name_known_figures_and_say_when_there_is_nothing(found: Found) -> None:
    plotted = charts(found("two seeds"))
    assert len({chart.name for chart in plotted}) == len(plotted)
    assert {chart.figure for chart in plotted} <= set(FIGURES)
    # A heatmap of each adapter seed after each k.
    assert sum(chart.figure == "heatmap" for chart in plotted) == 2 * 2
    empty = next(chart for chart in plotted if chart.figure == "forest")
    nothing = draw(type(empty)(empty.name, "", "", "forest", (empty.frames[0].iloc[:0], None, empty.frames[2])))
    assert isinstance(nothing, str) and "no rows" in nothing


def test_a_table_keeps_all_columns_of_its_frame(found: Found) -> None:
    subject = found("small")
    cells = {table.name: table for table in tables(subject)}["cells"]
    pd.testing.assert_index_equal(cells.frame.columns, subject.findings["cells"].columns)
