"""The published tables: the index names every file and no other, cells stay as printed, names are helpful."""

import shutil
from pathlib import Path

import pytest

from xltransfer.config.manifests import root
from xltransfer.config.published import published_papers, published_table, published_tables
from xltransfer.errors import ConfigError

PAPERS = ("faisal2024", "madx2020", "tlr2023", "fadx2022")


def test_index_names_every_file_and_no_other() -> None:
    assert tuple(published_papers()) == PAPERS
    for paper in PAPERS:
        listed = [table.path for table in published_tables(paper)]
        assert sorted(listed) == sorted((root() / "published" / paper).glob("*.csv"))


@pytest.mark.parametrize("table", [t for paper in PAPERS for t in published_tables(paper)], ids=lambda t: t.path.stem)
def test_every_table_is_a_whole_rectangle_with_a_description(table: object) -> None:
    frame = table.read()  # type: ignore[attr-defined]
    lines = table.path.read_text(encoding="utf-8").splitlines()  # type: ignore[attr-defined]
    assert (len(frame), list(frame.columns)) == (len(lines) - 1, lines[0].split(","))
    assert not frame.isna().any(axis=None)
    assert len(table.holds) > 5  # type: ignore[attr-defined]


def test_cells_keep_their_printed_digits() -> None:
    spearman = published_table("faisal2024", "table21_spearman").read()
    assert list(spearman["rho"]) == ["-0.34", "0.40", "-0.34", "-0.15", "0.40", "-0.15"]
    sizes = published_table("madx2020", "table04_parameters").read()
    assert list(sizes["added_params"]) == ["8.25M", "7.96M", "0.88M"]


def test_stated_numbers_have_a_place_a_quote_and_a_value() -> None:
    for paper in PAPERS:
        stated = published_table(paper, "stated_numbers").read()
        assert stated["key"].is_unique and stated["quote"].is_unique
        assert not (stated[["key", "place", "quote", "value"]] == "").any(axis=None)


def test_a_beginning_that_only_one_table_has_is_enough() -> None:
    assert published_table("faisal2024", "table21").name == "table21_spearman"
    assert published_table("tlr2023", "table02_b").name == "table02_better"


def test_whole_name_wins_over_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "index.yaml").write_text(
        "papers: {p: {title: t, authors: a, year: 2020, tables: {t1: {item: i, holds: h}, t10: {item: i, holds: h}}}}\n"
    )
    assert published_table("p", "t1", tmp_path).path == tmp_path / "p" / "t1.csv"


def test_unknown_names_give_the_nearest_and_say_where_to_look() -> None:
    with pytest.raises(ConfigError, match="unknown paper 'faisal24'; did you mean 'faisal2024'"):
        published_table("faisal24", "table21")
    with pytest.raises(ConfigError, match="fadx2022 has no table 'tabel04_similarity'; did you mean 'table04_simil"):
        published_table("fadx2022", "tabel04_similarity")
    with pytest.raises(ConfigError, match=r"xltransfer published fadx2022` lists them"):
        published_table("fadx2022", "nothing")
    with pytest.raises(ConfigError, match="begin with 'table02': table02_scores, table02_averages, table02_better"):
        published_table("tlr2023", "table02")
    with pytest.raises(ConfigError, match="has no table ''"):
        published_table("tlr2023", "")


def test_absent_and_malformed_index(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"index\.yaml: no such file"):
        published_papers(tmp_path)
    shutil.copy(root() / "published" / "index.yaml", tmp_path)
    path = tmp_path / "index.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("holds:", "hold:", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"index\.yaml:\d+: unknown key 'hold'; did you mean 'holds'"):
        published_papers(tmp_path)
