"""What ships: the page's template, style and script are inside the wheel, beside the module that reads them."""

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_the_templates(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling, which builds the wheel, is absent")
    wheel = next(builder.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if "/templates/" in name}
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "xltransfer" / "report" / "templates").iterdir()}
    assert here == shipped
    assert {Path(name).suffix for name in shipped} == {".j2", ".css", ".js"}
