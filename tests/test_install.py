"""What ships: the wheel holds the manifests inside the package, an editable install finds them beside it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree."""
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling, which builds the wheel, is absent")
    folder = tmp_path_factory.mktemp("wheel")
    return Path(next(builder.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


def test_wheel_holds_every_manifest(wheel: Path) -> None:
    shipped = {name.removeprefix("xltransfer/") for name in zipfile.ZipFile(wheel).namelist()}
    manifests = {str(path.relative_to(ROOT)) for path in (ROOT / "data_manifests").rglob("*") if path.is_file()}
    assert len(manifests) > 60
    assert manifests <= shipped


def test_package_from_the_wheel_finds_its_manifests(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "from xltransfer.config.manifests import load_datasets, root; print(root(), len(load_datasets()))"
    # Not from the tree: -P keeps the working folder off the path, and the unpacked wheel comes first.
    ran = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    folder, number = ran.stdout.split()
    assert Path(folder) == tmp_path / "xltransfer" / "data_manifests"
    assert int(number) >= 10


def test_package_beside_its_manifests_finds_them() -> None:
    from xltransfer.config.manifests import root

    assert root() == ROOT / "data_manifests"
