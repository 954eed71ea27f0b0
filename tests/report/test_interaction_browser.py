"""The page of an interaction run in a headless Chromium: its tables are drawn, sorted, and its panels change places."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from headless_chromium import Browser
from mini_study import MiniStudy

from xltransfer.report.interaction.charts import charts
from xltransfer.report.interaction.contents import tables
from xltransfer.report.interaction.findings import findings
from xltransfer.report.interaction.page import Composer
from xltransfer.report.interaction.subject import Subject
from xltransfer.report.options import InteractionOptions
from xltransfer.report.page import render
from xltransfer.runs.open import open_run


@pytest.fixture(scope="module")
def page(interaction_study: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page on one task, its figures not drawn."""
    subject = Subject(findings(open_run(interaction_study.folder), InteractionOptions(task="pos")))
    declared, undrawn = tables(subject), [(chart, "not drawn") for chart in charts(subject)]
    path = tmp_path_factory.mktemp("interaction_page") / "report.html"
    path.write_text(render(Composer(subject, declared, undrawn, {}).page("1 MB")), encoding="utf-8")
    (counts,) = [table.frame for table in declared if table.name == "signs_pairs"]
    counts.to_csv(path.with_name("signs_pairs.csv"))
    return path


def test_tables_show_their_rows_and_panels_change_places(browser: Browser, page: Path) -> None:
    found: Any = browser.ask(
        page,
        """
        const column = (name, j) => [...document.querySelectorAll(`#table-${name} tbody tr`)]
          .map((row) => row.children[j].textContent);
        const head = (name) => [...document.querySelectorAll(`#table-${name} thead tr:first-child th`)]
          .map((cell) => cell.textContent.trim());
        const tabs = [...document.querySelectorAll("#places .tabs button")];
        const shown = () => [...document.querySelectorAll("#places .panel")].map((panel) => !panel.hidden);
        const first = shown();
        tabs[1].click();
        return { languages: column("signs_pairs", head("signs_pairs").findIndex((h) => h.startsWith("language"))),
                 heads: head("signs_pairs"), titles: tabs.map((tab) => tab.textContent), first, then: shown(),
                 summary: [...document.querySelectorAll("#summary li")].map((item) => item.textContent) };
        """,
    )
    assert "error" not in found, found
    counts = pd.read_csv(page.parent / "signs_pairs.csv")
    assert len(found["languages"]) == min(25, len(counts))
    assert any("−A −B" in head for head in found["heads"])
    assert found["titles"][:2] == ["trained, against [AA′]", "trained, against [A]"]
    assert found["first"][:2] == [True, False] and found["then"][:2] == [False, True]
    assert any(text.startswith("In pairs, against [AA′]") for text in found["summary"])


def test_the_page_is_no_wider_than_a_phone(browser: Browser, page: Path) -> None:
    assert browser.ask(page, "return document.documentElement.scrollWidth <= 500;", width=500)
