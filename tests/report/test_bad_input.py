"""Runs that are unfinished, failed, undefined or oddly named: a clear error, or a page that says what is missing."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xltransfer.errors import RunFolderError
from xltransfer.report.contents import tables
from xltransfer.report.findings import Options, findings
from xltransfer.report.latex import latex
from xltransfer.report.subject import Subject
from xltransfer.runs.open import Run, open_run

Found = Callable[..., Subject]
Html = Callable[..., str]


def page_data(html: str) -> Any:
    """Return what the page's script reads."""
    found = re.search(r'id="page-data">(.*?)</script>', html)
    assert found
    return json.loads(found.group(1))


def visible(html: str) -> str:
    """Return the page's text without its data and script."""
    return re.sub(r"<(script|style).*?</\1>|<[^>]*>", "", html, flags=re.DOTALL)


def test_a_folder_without_finished_units_is_refused(simulated: Callable[[str], Run], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(simulated("small").folder / "run.json", folder)
    with pytest.raises(RunFolderError, match=r"has no baseline scores yet; go on with 'xltransfer run' first"):
        findings(open_run(folder), Options())


def test_failed_units_are_shown_with_their_reason_and_never_as_0(found: Found, html: Html) -> None:
    subject, text = found("failed"), visible(html("failed"))
    failures = subject.findings["failures"]
    assert len(failures) == 2
    assert "two units failed and are missing below" in text
    table = page_data(html("failed"))["tables"]["failures"]
    assert table["rows"] == 2
    assert any("CUDA out of memory" in message for message in table["values"][3]["of"])
    ts = subject.findings["ts"]
    counts = ts.groupby(["corpus", "steps"])["n_replicates"].first()
    assert sorted(counts)[:1] < [3] and (ts["score"] > 0).all()
    missing = subject.findings["progress"].set_index("steps")["missing"]
    assert missing.sum() == 2
    assert "2 of 18 nudged models have no scores yet" in text


def test_one_replicate_has_no_interval_and_the_page_says_so(found: Found, html: Html) -> None:
    subject, text = found("one replicate"), visible(html("one replicate"))
    cells = subject.findings["cells"]
    assert cells["low"].isna().all() and cells["estimate"].notna().any()
    assert set(cells["why"]) == {"one replicate"}
    assert "There is one replicate, so nothing has an interval" in text
    assert "(no interval: one replicate)" in text
    assert "No cell could be tested (one replicate)." in text
    assert "There are no rank sets (one replicate)." in text


def test_a_baseline_of_0_leaves_ts_undefined_and_the_difference_given(found: Found, html: Html) -> None:
    cells = found("zero baseline").findings["cells"]
    zero = cells[cells["reference"] == 0]
    assert len(zero) == 3 * 2 * zero["target"].nunique() > 0
    assert zero["estimate"].isna().all() and set(zero["why"]) == {"undefined baseline"}
    np.testing.assert_allclose(zero["delta"], zero["score"])
    table = page_data(html("zero baseline"))["tables"]["cells"]
    names = [column["name"] for column in table["columns"]]
    at = {name: table["values"][names.index(name)] for name in ("reference", "estimate", "delta")}
    rows = [k for k, reference in enumerate(at["reference"]) if reference == 0]
    assert rows and all(at["estimate"][k] is None and at["delta"][k] is not None for k in rows)
    in_points = found("zero baseline", scale="delta").findings["cells"]
    assert in_points.loc[in_points["reference"] == 0, "low"].notna().any()


def test_tasks_without_common_targets_are_told_apart(found: Found, html: Html) -> None:
    correlation = found("no common targets").findings["task_correlation"]
    assert len(correlation) == 2
    assert correlation["estimate"].isna().all() and set(correlation["why"]) == {"no common targets"}
    table = page_data(html("no common targets"))["tables"]["task_correlation"]
    assert "no common targets" in table["values"][-1]["of"]


def test_a_study_of_zero_steps_only_has_controls_and_no_scores(found: Found, html: Html) -> None:
    subject, text = found("only k=0"), visible(html("only k=0"))
    assert subject.conditions == [] and subject.findings["ts"].empty
    assert "No nudged model has been scored" in text
    assert "zero_steps: PASS" in text
    data = page_data(html("only k=0"))
    assert data["heatmaps"] == {}
    assert {"controls", "targets", "options"} <= set(data["tables"])


def test_names_with_markup_and_from_right_to_left_stay_text(found: Found, html: Html) -> None:
    page, subject = html("odd names"), found("odd names")
    names = set(subject.findings.languages["name"])
    assert {'Bold <b>& "quoted"</b>', "العربية المحاكاة"} <= names
    assert '<b>& "quoted"</b>' not in page and "<script>alert(1)</script>" not in page
    assert len(re.findall("<script", page)) == 2
    labels = {label for table in page_data(page)["tables"].values() for column in table["values"]
              if isinstance(column, dict) for label in column["of"]}  # fmt: skip
    assert 'Bold <b>& "quoted"</b> (qaa)' in labels and "العربية المحاكاة (qab)" in labels
    for name in re.findall(r"<bdi>(.*?)</bdi>", page):
        assert "<" not in name
    ranking = next(table for table in tables(subject) if table.name.startswith("ranking"))
    assert r"Bold \textless{}b\textgreater{}\& \textquotedbl{}quoted" in latex(ranking)


def test_a_growing_folder_says_what_is_missing(simulated: Callable[[str], Run], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(simulated("small").folder, folder)
    run = open_run(folder)
    rows = run.measurements(labels=False)
    (last, *_) = rows.loc[(rows["setting"] == "nudge") & (rows["steps"] == 10), "unit"]
    (folder / "measurements" / f"{last}.parquet").unlink()
    progress = findings(run, Options(task="pos", draws=200))["progress"].set_index(["setting", "steps"])
    assert progress.loc[("nudge", 10), "missing"] == 1 and progress.loc[("nudge", 1), "missing"] == 0
    assert "replicate" in progress.loc[("nudge", 10), "examples"]
