"""``xltransfer world``: the folder and what is printed of it."""

import typer
from typer.testing import CliRunner

from xltransfer.cli.world import world
from xltransfer.errors import ConfigError, DataError

app = typer.Typer()
app.command()(world)
RUNNER = CliRunner()


def test_writes_a_scaled_world_and_says_what_is_in_it(tmp_path):
    result = RUNNER.invoke(app, ["--out", str(tmp_path), "--seed", "3", "--scale", "0.01"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    kinds = ("text", "ud", "ner", "parallel", "nli", "qa", "reviews")
    assert lines[-7:] == [str(tmp_path / f"world-{kind}.yaml") for kind in kinds]
    assert "inference (nli/) of 6 train and 3 test pairs" in result.stdout
    assert "each language: 40 lines of text" in result.stdout
    assert "lexical, order, script, sound, tree" in result.stdout
    codes = {path.stem for path in (tmp_path / "text").glob("*.txt")}
    assert len(codes) == 14
    assert all(code in result.stdout for code in codes)
    assert all(len(path.read_text().splitlines()) == 40 for path in (tmp_path / "text").glob("*.txt"))
    again = RUNNER.invoke(app, ["--out", str(tmp_path), "--seed", "4", "--scale", "0.01"])
    assert isinstance(again.exception, DataError)
    assert "holds a world of another spec" in str(again.exception)


def test_a_scale_of_nothing_is_refused(tmp_path):
    result = RUNNER.invoke(app, ["--out", str(tmp_path), "--scale", "0"])
    assert isinstance(result.exception, ConfigError)
    assert "scale=0.0; expected a number above 0" in str(result.exception)
