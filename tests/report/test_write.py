"""A whole report on disk: which files there are, that they agree with the frames, and that no byte depends on how."""

import base64
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xltransfer.report.findings import Options
from xltransfer.report.subject import Subject
from xltransfer.report.write import Written, write_report
from xltransfer.runs.open import Run

OPTIONS = Options(task="pos", steps=10, draws=200)


@pytest.fixture(scope="module")
def written(simulated: Callable[[str], Run], tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report on one task after one number of steps, drawn in two other processes."""
    return write_report(simulated("small"), tmp_path_factory.mktemp("new") / "report", OPTIONS, workers=2)


def test_every_table_and_figure_has_its_files_and_sizes(written: Written) -> None:
    folder = written.page.parent
    assert set(written.sizes) == set(folder.iterdir())
    assert all(path.stat().st_size == n_bytes for path, n_bytes in written.sizes.items())
    by_kind = {kind: {path.stem for path in folder.glob(f"*.{kind}")} for kind in ("csv", "tex", "png", "svg")}
    assert by_kind["csv"] == by_kind["tex"] and by_kind["png"] == by_kind["svg"]
    assert {"cells", "ranking_pos_accuracy_k10", "targets", "options", "ts"} <= by_kind["csv"]
    assert {"forest_pos_accuracy_k10", "heatmap_pos_accuracy_k10", "violins_pos_accuracy_k10"} <= by_kind["png"]


def test_csv_is_the_unrounded_frame(written: Written, found: Callable[..., Subject]) -> None:
    cells = found("small", task="pos", steps=10).findings["cells"].sort_values(["transfer", "target"])
    read = pd.read_csv(written.page.parent / "cells.csv", keep_default_na=False, na_values=[""], dtype={"why": str})
    read = read.sort_values(["transfer", "target"])
    assert read["low"].tolist() == cells["low"].tolist()
    assert read["estimate"].tolist() == cells["estimate"].tolist()


def test_the_page_links_its_files_shows_its_figures_and_has_every_id_once(written: Written) -> None:
    html = written.page.read_text(encoding="utf-8")
    links = set(re.findall(r'href="([^"#]+)"', html))
    assert links and all((written.page.parent / link).is_file() for link in links)
    # The forest plot, recipients, violins, seen/unseen and five features of the pairs; the heatmap of transfer is drawn
    # by the page.
    assert len(re.findall(r'<img src="data:image/png;base64,', html)) == 9
    assert "No figure: " not in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    anchors = set(re.findall(r'href="#([^"]+)"', html))
    assert anchors <= set(ids)


def test_figures_have_the_dots_of_print_and_no_date(written: Written) -> None:
    with Image.open(written.page.parent / "forest_pos_accuracy_k10.png") as png:
        assert png.info["dpi"][0] == pytest.approx(300, abs=1)
    svg = (written.page.parent / "forest_pos_accuracy_k10.svg").read_text(encoding="utf-8")
    assert "<dc:date>" not in svg and "<text" not in svg


def test_the_same_run_gives_the_same_bytes_however_it_is_drawn(
    written: Written, simulated: Callable[[str], Run], tmp_path: Path
) -> None:
    again = write_report(simulated("small"), tmp_path / "report", OPTIONS)
    names = {path.name for path in again.sizes}
    assert names == {path.name for path in written.sizes}
    for name in names:
        assert (tmp_path / "report" / name).read_bytes() == (written.page.parent / name).read_bytes(), name


def test_pictures_in_the_page_are_small_and_look_like_the_file(written: Written) -> None:
    html = written.page.read_text(encoding="utf-8")
    found = re.search(
        r'id="figure-forest_pos_accuracy_k10">\s*<div class="scroll"><img src="data:image/png;base64,([^"]+)"', html
    )
    assert found
    content = base64.b64decode(found.group(1))
    file = written.page.parent / "forest_pos_accuracy_k10.png"
    assert len(content) < file.stat().st_size / 1.5
    shown, whole = (Image.open(io.BytesIO(png)).convert("RGB") for png in (content, file.read_bytes()))
    difference = np.asarray(shown, dtype=float) - np.asarray(whole.resize(shown.size), dtype=float)
    assert np.abs(difference).mean() < 3


def test_progress_reaches_the_end_without_going_back(simulated: Callable[[str], Run], tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    write_report(simulated("only k=0"), tmp_path, on_step=lambda *step: told.append(step))
    shares = [share for _, share in told]
    assert shares == sorted(shares) and 0.9 < shares[-1] < 1.0
    assert [name for name, _ in told][-1] == "writing the page"


def test_a_report_is_written_where_torch_cannot_be_imported(simulated: Callable[[str], Run], tmp_path: Path) -> None:
    code = f"""
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, NoTorch())
import xltransfer
from pathlib import Path
from xltransfer.report.write import write_report
write_report(xltransfer.open_run({str(simulated("only k=0").folder)!r}), Path({str(tmp_path)!r}))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 50_000
