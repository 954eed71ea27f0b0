"""The shipped table of languages: complete, unambiguous, and true to the published tables."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

from xltransfer.config.manifests import language_table, load_model, root
from xltransfer.errors import ConfigError
from xltransfer.languages import Language, LanguageTable

PUBLISHED = root() / "published"
CODE_COLUMNS = {
    "faisal2024/table24_transfer_languages.csv": "iso639_3",
    "faisal2024/table25_udp_pos_training_languages.csv": "iso639_3",
    "faisal2024/tables26-28_training_languages.csv": "iso639_3",
    "faisal2024/table29_evaluation_languages.csv": "iso639_3",
    "faisal2024/table19_recipients.csv": "lang",
    "faisal2024/table20_max_recipients.csv": "recipient",
    "madx2020/table01_languages.csv": "iso_code",
    "tlr2023/table05_tasks_and_languages.csv": "code",
    "fadx2022/table09_languages.csv": "code",
}
# The README of data_manifests says why these depart from the paper's family and genus.
DEPARTURES = {"bxr", "qhe"}
# Macrolanguages that no source uses as a code.
UNLISTED_MACROLANGUAGES = {"bua", "chm", "kom", "lah"}


def rows(name: str) -> list[dict[str, str]]:
    with (PUBLISHED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published_codes() -> Iterator[tuple[str, str]]:
    for name, column in CODE_COLUMNS.items():
        for code in sorted({row[column] for row in rows(name)}):
            yield name, code


@pytest.fixture
def table() -> LanguageTable:
    return language_table()


@pytest.mark.parametrize("language", language_table().languages, ids=lambda language: language.code)
def test_every_language_is_complete(language: Language) -> None:
    for text in (language.code, language.name, language.family, language.genus, language.script):
        assert text and text == text.strip()
    assert len(language.code) == 3 and language.code.islower()
    assert all(len(part) == 4 and part.istitle() for part in language.script.split("+")), language.script
    assert language.code not in language.aliases


def test_no_code_alias_or_name_stands_twice(table: LanguageTable) -> None:
    keys = Counter(key for language in table for key in (language.code, *language.aliases))
    names = Counter(language.name for language in table)
    assert [key for key, n in (keys | names).items() if n > 1] == []


def test_macrolanguages_are_languages_of_the_table(table: LanguageTable) -> None:
    named = {language.macrolanguage for language in table if language.macrolanguage}
    assert {code for code in named if code not in table} == UNLISTED_MACROLANGUAGES
    assert not [language.code for language in table if language.macrolanguage == language.code]


@pytest.mark.parametrize(("name", "code"), list(published_codes()))
def test_every_published_language_resolves(table: LanguageTable, name: str, code: str) -> None:
    assert code in table
    assert table.get(code).code in table


def test_family_and_genus_are_those_of_the_published_tables(table: LanguageTable) -> None:
    for name in list(CODE_COLUMNS)[:3]:
        for row in rows(name):
            language = table.get(row["iso639_3"])
            if language.code in DEPARTURES or row["family"] == "Astronesian":
                continue
            assert (language.family, language.genus) == (row["family"], row["genus"]), language.code


def lang2vec_data(name: str) -> Path:
    """Return a data file of lang2vec, found without importing it.

    Its module needs ``pkg_resources``, and the script that it installs beside ``python`` has the module's name.
    """
    return Path(str(distribution("lang2vec").locate_file(f"lang2vec/data/{name}")))


def test_individual_codes_are_known_to_uriel(table: LanguageTable) -> None:
    with np.load(lang2vec_data("features.npz"), allow_pickle=True) as features:
        known = set(features["langs"].tolist())
    assert {language.individual for language in table} - {None} <= known


def test_two_letter_codes_agree_with_those_of_lang2vec(table: LanguageTable) -> None:
    iso = json.loads(lang2vec_data("letter_codes.json").read_text(encoding="utf-8"))
    differ = {
        alias: language.code
        for language in table
        for alias in language.aliases
        if len(alias) == 2 and alias in iso and iso[alias] not in (language.code, language.individual)
    }
    assert differ == {}


@pytest.mark.parametrize(
    ("alias", "code"),
    [("no", "nor"), ("fre", "fra"), ("idn", "ind"), ("bzc", "bzd"), ("jap", "jaa"), ("ja", "jpn"), ("GN", "grn")],
)
def test_legacy_codes_of_the_papers(table: LanguageTable, alias: str, code: str) -> None:
    assert table.get(alias).code == code


@pytest.mark.parametrize("code", ["que", "zho", "ara", "kur", "swa", "msa", "hbs"])
def test_macrolanguages_are_kept(table: LanguageTable, code: str) -> None:
    language = table.get(code)
    assert language.code == code
    assert language.individual is not None and language.individual != code


@pytest.mark.parametrize(
    ("name", "near"),
    [("wlo", "did you mean 'wol' (Wolof)"), ("Guajajara", "did you mean 'gub'"), ("swahilli", "'swa' (Swahili)")],
)
def test_unknown_language_gives_the_nearest_code_or_name(table: LanguageTable, name: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        table.get(name)
    assert near in str(caught.value)
    assert f"unknown language {name!r}" in str(caught.value)


def test_unknown_language_without_a_near_one_says_how_to_declare_it(table: LanguageTable) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown language 'xxqq'; none of \d+ is near; declare it under `languages:`"
    ):
        table.get("xxqq")


def test_declared_language_is_added_and_does_not_touch_the_shipped_table(table: LanguageTable) -> None:
    own = Language("qaa", "Own", "Family", "Genus", "Latn", aliases=("own",))
    extended = table.with_declared([own])
    assert extended.get("own") is own
    assert len(extended) == len(table) + 1
    assert "qaa" not in table


def test_declared_language_may_not_take_an_alias(table: LanguageTable) -> None:
    with pytest.raises(ConfigError, match="'no' is a code or alias of Norwegian and of Own"):
        table.with_declared([Language("no", "Own", "Family", "Genus", "Latn")])


def test_coverage_follows_individual_codes_not_macrolanguages(table: LanguageTable) -> None:
    assert table.covered_by(["nob"]) == {"nob", "nor"}
    assert table.covered_by(["kur"]) == {"kur", "kmr"}
    assert table.covered_by(["ara"]) == {"ara"}
    assert table.covered_by(["zh"]) == {"zho"}


def test_mbert_has_not_seen_ten_of_the_papers_eleven_unseen_languages(table: LanguageTable) -> None:
    seen = table.covered_by(load_model("mbert-cased").seen)
    for row in rows("faisal2024/table24_transfer_languages.csv"):
        assert (row["iso639_3"] in seen) == (row["in_mbert_language_list"] == "yes"), row["iso639_3"]


def test_read_reports_nothing_about_row_order(tmp_path: Path, table: LanguageTable) -> None:
    lines = (root() / "languages.csv").read_text(encoding="utf-8").splitlines()
    turned = tmp_path / "languages.csv"
    turned.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    assert set(LanguageTable.read(turned)) == set(table)
