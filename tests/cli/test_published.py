"""``xltransfer published``: lists, prints, and hands out files unchanged."""

import typer
from typer.testing import CliRunner, Result

from xltransfer.cli.published import published
from xltransfer.config.manifests import root
from xltransfer.errors import ConfigError


def call(*words: str) -> Result:
    app = typer.Typer()
    app.command()(published)
    return CliRunner().invoke(app, list(words))


def test_lists_all_papers_with_their_tables_and_folders() -> None:
    result = call()
    assert result.exit_code == 0, result.output
    for paper in ("faisal2024", "madx2020", "tlr2023", "fadx2022"):
        assert f"{paper}: " in result.output
        assert f"CSV files of {paper}: {root() / 'published' / paper}" in result.output
    assert "table21_spearman" in result.output
    assert "Faisal and Anastasopoulos (2024)" in result.output


def test_lists_one_paper() -> None:
    result = call("madx2020")
    assert result.exit_code == 0
    assert "table03_xquad" in result.output and "table21_spearman" not in result.output


def test_prints_a_table_as_printed() -> None:
    result = call("faisal2024", "table21")
    assert result.exit_code == 0
    assert "0.40" in result.output and "Table 21" in result.output


def test_csv_is_the_file() -> None:
    result = call("tlr2023", "table04_averages", "--csv")
    assert result.exit_code == 0
    assert result.stdout == (root() / "published" / "tlr2023" / "table04_averages.csv").read_text(encoding="utf-8")


def test_wrong_names_and_csv_without_a_table_are_config_errors() -> None:
    wrong = {
        ("madx",): "unknown paper 'madx'; did you mean 'madx2020'",
        ("madx2020", "table9"): "has no table 'table9'",
        ("madx2020", "--csv"): "name the paper and the table too",
    }
    for words, message in wrong.items():
        error = call(*words).exception
        assert isinstance(error, ConfigError) and message in str(error)


def test_help_names_the_papers_and_an_example() -> None:
    result = call("--help")
    assert result.exit_code == 0
    assert "madx2020" in result.output and "published faisal2024 table21" in result.output
