"""`xltransfer report` on a real miniature run: what it writes, prints and refuses."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from xltransfer.cli import report as command
from xltransfer.cli.report import audit_tables, delayed_progress, report, show
from xltransfer.errors import ConfigError, RunFolderError
from xltransfer.report.write import Written


def run(*words: object) -> Result:
    """Call the command in this process."""
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")
    app.command()(report)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def written(mini_study: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """What the command printed for the task mlm at k = 2 with the study at hand, and where it wrote."""
    out = tmp_path_factory.mktemp("report") / "new"
    words = ("--task", "mlm", "--steps", "2", "--study", mini_study.path, "--draws", "100", "--out", out)
    return run(mini_study.folder, *words), out


def test_prints_what_it_wrote_with_sizes_the_page_last(written: tuple[Result, Path]) -> None:
    result, out = written
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1].startswith(f"report: {out / 'report.html'}, ") and lines[-1].endswith(("kB", "MB"))
    for kind in ("csv", "tex", "png", "svg"):
        number = len(list(out.glob(f"*.{kind}")))
        assert number > 3
        assert any(line.startswith(f"{out / '*'}.{kind}: {number} files, ") for line in lines)


def test_the_page_is_of_the_chosen_task_and_has_the_audit(written: tuple[Result, Path]) -> None:
    _, out = written
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "Transfer report: <bdi>mini</bdi>" in html
    assert "ranking_mlm_nll_k2" in html and "ranking_pos" not in html and "_nll_k1" not in html
    assert 'data-table="overlaps"' in html or 'data-table="corpora"' in html
    assert "were not audited" not in html
    assert "zero_steps: PASS" in html


def test_the_report_lies_in_the_results_folder_unless_said_otherwise(
    mini_study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(command, "write", lambda *given: asked.append(given))
    monkeypatch.setattr(command, "show", lambda written: None)
    result = run(mini_study.folder, "--scale", "delta", "--estimand", "this_test_set", "--seed", "3")
    assert result.exit_code == 0, result.output
    ((folder, out, options, audit),) = asked
    assert (folder, out) == (mini_study.folder, mini_study.folder / "report")
    assert (options.scale, options.estimand, options.seed, audit) == ("delta", "this_test_set", 3, None)


def test_errors_name_what_is_known(mini_study: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--task po: the results have no such task; did you mean 'pos'\?"):
        raise run(mini_study.folder, "--task", "po", "--out", tmp_path).exception or AssertionError
    with pytest.raises(RunFolderError, match="is not a results folder"):
        raise run(tmp_path).exception or AssertionError
    assert "Invalid value for '--scale'" in run(mini_study.folder, "--scale", "percent").output


def test_help_teaches() -> None:
    text = " ".join(run("--help").output.replace("│", " ").split())
    for part in ("report.html", "rank sets", "Example: xltransfer report", "new_sentences", "still be growing"):
        assert part in text


def test_audit_tables_need_the_study_alone(mini_study: Any) -> None:
    tables = audit_tables(str(mini_study.path), None)
    assert set(tables) == {"overlaps", "corpora", "text_pairs"}
    assert len(tables["corpora"].frame) == 3
    assert tables["text_pairs"].frame["token_overlap"].notna().all()


def test_a_bar_waits_ten_seconds_and_tells_time_left(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    with delayed_progress() as on_step:
        on_step("first", 0.3)
        on_step("second", 0.9)
    assert capsys.readouterr().err == ""
    now = iter([0.0, 20.0, 30.0, 40.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now, 50.0))
    with delayed_progress() as on_step:
        on_step("first", 0.1)
        on_step("second", 0.5)
    assert "50 %  second, 30 s left" in capsys.readouterr().err


def test_sizes_are_summed_by_kind(tmp_path: Path, capsys: Any) -> None:
    sizes = {tmp_path / "report.html": 2_500_000, tmp_path / "a.csv": 1000, tmp_path / "b.csv": 2000}
    show(Written(tmp_path / "report.html", sizes))
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / '*.csv'}: 2 files, 3 kB",
        f"report: {tmp_path / 'report.html'}, 2.5 MB",
    ]


def test_works_where_torch_cannot_be_imported(mini_study: Any, tmp_path: Path) -> None:
    code = f"""
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, NoTorch())
from pathlib import Path
from xltransfer.cli.report import show, write
from xltransfer.report.findings import Options
if __name__ == "__main__":
    show(write(Path({str(mini_study.folder)!r}), Path({str(tmp_path)!r}), Options(task="mlm", steps=2, draws=100)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert f"report: {tmp_path / 'report.html'}" in done.stdout
