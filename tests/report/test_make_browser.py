"""`make browser`: what it does where there is a browser, where one can be installed, and where neither is so."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make_browser(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run the target with nothing on the path but a shell and these scripts."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not on the path")
    for name in ("sh", "echo", "id"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, script in programs.items():
        program = folder / name.replace("_", "-")
        program.unlink(missing_ok=True)
        program.write_text(f"#!{shutil.which('sh')}\n{script}\n")
        program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "CHROMIUM"} | {"PATH": str(folder)}
    return subprocess.run(
        [make, "-C", str(ROOT), "browser"], env=environment, capture_output=True, text=True, check=False
    )


def test_a_browser_on_the_path_is_enough(tmp_path: Path) -> None:
    done = make_browser(tmp_path, google_chrome="exit 0", apt_get="exit 9")
    assert done.returncode == 0 and "browser: google-chrome" in done.stdout


def test_root_with_apt_get_installs_debians_package(tmp_path: Path) -> None:
    done = make_browser(tmp_path, apt_get='echo "apt-get $*"', id="echo 0")
    assert done.returncode == 0
    assert "apt-get install" in done.stdout and " chromium" in done.stdout and "skipped" not in done.stdout


@pytest.mark.parametrize("programs", [{"id": "echo 1000", "apt_get": "exit 9"}, {"id": "echo 0"},
                                      {"id": "echo 0", "apt_get": "exit 100"}])  # fmt: skip
def test_otherwise_it_says_how_to_get_one_and_succeeds(tmp_path: Path, programs: dict[str, str]) -> None:
    done = make_browser(tmp_path, **programs)
    assert done.returncode == 0
    assert "will be skipped" in done.stdout and "CHROMIUM" in done.stdout
