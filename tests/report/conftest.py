"""A small page with everything on it that a browser test needs, and the browser."""

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

HERE = str(Path(__file__).resolve().parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from headless_chromium import Browser, browser_or_skip  # noqa: E402  (needs the path above)
from simulate_run import simulate  # noqa: E402
from simulated_runs import SPECS  # noqa: E402

from xltransfer.figures.places import Places  # noqa: E402
from xltransfer.report.charts import charts  # noqa: E402
from xltransfer.report.compose import Composer  # noqa: E402
from xltransfer.report.contents import tables  # noqa: E402
from xltransfer.report.findings import Options, findings  # noqa: E402
from xltransfer.report.heatmaps import colours, heatmap_spec  # noqa: E402
from xltransfer.report.names import isolated, labels_of  # noqa: E402
from xltransfer.report.page import Page, Points, Section, ShownHeatmap, ShownTable, Switch, render  # noqa: E402
from xltransfer.report.subject import Subject  # noqa: E402
from xltransfer.report.tables import Column, Table  # noqa: E402
from xltransfer.runs.open import Run, open_run  # noqa: E402

SCRIPT = '<script>document.title = "broken"</script>'
LANGUAGES = pd.DataFrame(
    [
        ("aaa", f"Bold <b>&</b> {SCRIPT}", "Isolate", "x", "Latn", True),
        ("bbb", "العربية", "Semitic", "x", "Arab", False),
        ("ccc", "Carian", "Other", "x", "Latn", None),
    ],
    columns=["code", "name", "family", "genus", "script", "seen"],
).astype({"seen": "boolean"})


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Headless Chromium; the test skips where there is none."""
    return browser_or_skip(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def cells() -> pd.DataFrame:
    """Two transfer languages on three targets, at k of 1 and 10; one is undefined, one at k=10 was not measured."""
    rows = []
    for steps in (1, 10):
        for transfer in ("aaa", "bbb"):
            for place, target in enumerate(("aaa", "bbb", "ccc")):
                estimate = np.nan if (steps, transfer, target) == (1, "bbb", "ccc") else (-1.0) ** place * steps * 1.25
                rows.append((steps, transfer, f"text-{transfer}", f"UD_{target}", target, estimate))
    frame = pd.DataFrame(rows[:-1], columns=["steps", "transfer", "corpus", "dataset", "target", "estimate"])
    fixed: dict[str, Any] = {
        "base": "b", "setting": "nudge", "adapter_seed": 0, "task": "pos", "metric": "accuracy", "reference": 50.0,
        "score": 51.0, "n_replicates": 3, "n_clusters": 120, "se": 1.0, "df": 9.0, "p": 0.0004, "p_bh": 0.2,
        "scale": "ts", "estimand": "new_sentences", "level": 0.95, "aggregated": True, "separable": False,
    }  # fmt: skip
    frame = frame.assign(**fixed, low=frame["estimate"] - 1.0, high=frame["estimate"] + 1.0)
    undefined = frame["estimate"].isna()
    frame["self_transfer"] = frame["transfer"] == frame["target"]
    return frame.assign(p=frame["p"].mask(undefined), why=np.where(undefined, "undefined baseline", ""))


@pytest.fixture(scope="session")
def small_page(cells: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of one table and two heatmaps, with names that are hard on HTML."""
    names = labels_of(LANGUAGES)
    columns = (
        Column("transfer", "from", "language"), Column("target", "to", "language"), Column("steps", "k", "integer"),
        Column("estimate", "ts", "number", 2, "%", "percent change"), Column("p", "p", "p"),
        Column("p_bh", "p BH", "p"),
        *(Column(name, name, "number") for name in ("low", "high", "reference", "score", "n_replicates", "n_clusters")),
        Column("why", "why"), Column("aggregated", "aggregated", "flag"),
    )  # fmt: skip
    # The heatmaps' cells come first; the copies below make the table long.
    copies = [cells.assign(estimate=cells["estimate"] + 0.011 * k) for k in range(9)]
    table = Table(
        "cells", "Every cell", f"Names such as {SCRIPT}.", pd.concat(copies, ignore_index=True), columns, names
    )
    places = Places(LANGUAGES)
    panels = [
        (f"k = {k}", [ShownHeatmap(f"heat-{k}", f"ts at {k}", "Caption.", heatmap_spec(part, places, names))])
        for k, part in cells.groupby("steps")
    ]
    sections = [
        Section("words", "Words", [Points([f"{isolated(name)} is a name" for name in LANGUAGES["name"]])]),
        Section("heat", "Heat", [Switch("steps", panels, start=1)]),
        Section("tables", "Tables", [ShownTable(table, ("cells.csv",))]),
    ]
    page = Page(f"Title {SCRIPT}", "Lead.", ["A notice."], sections, colours())
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(page), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def ask(browser: Browser, small_page: Path) -> Callable[..., Any]:
    """Run the body of a function in the small page and return what it returns."""

    def call(script: str, width: int = 1300) -> Any:
        answer = browser.ask(small_page, script, width)
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    return call


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Return the simulated run of a name in `simulated_runs`; made once."""

    @cache
    def run(name: str) -> Run:
        folder = tmp_path_factory.mktemp("simulated") / "run"
        simulate(folder, SPECS[name])
        return open_run(folder)

    return run


@pytest.fixture(scope="session")
def found(simulated: Callable[[str], Run]) -> Callable[..., Subject]:
    """Return the findings of a simulated run under some options; computed once."""

    @cache
    def subject(name: str, **options: Any) -> Subject:
        return Subject(findings(simulated(name), Options(**options, draws=200)))

    return subject


@pytest.fixture(scope="session")
def html(found: Callable[..., Subject]) -> Callable[..., str]:
    """Return the page of a simulated run, its figures not drawn."""

    @cache
    def page(name: str, **options: Any) -> str:
        subject = found(name, **options)
        pairs = [(chart, "not drawn") for chart in charts(subject)]
        return render(Composer(subject, tables(subject), pairs).page("1 MB"))

    return page
