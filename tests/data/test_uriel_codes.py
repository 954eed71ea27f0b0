"""Which code stands for a language: macrolanguages whose values lie under one code and not under the other."""

from typing import get_args

import numpy as np
import pytest

from xltransfer.config.manifests import language_table
from xltransfer.data.uriel import vectors
from xltransfer.data.uriel_codes import Scheme, UrielCode, uriel_codes
from xltransfer.errors import ConfigError
from xltransfer.languages import Language

TABLE = language_table()


def codes(languages: list[str], features: str, scheme: str) -> list[str | None]:
    return [one.code for one in uriel_codes(languages, vectors(features), TABLE, scheme)]  # type: ignore[arg-type]


def test_three_ways_from_a_macrolanguage_to_a_code() -> None:
    asked = ["lav", "zho", "que", "spa"]
    assert codes(asked, "syntax_average", "individual") == ["lvs", "cmn", "quz", "spa"]
    assert codes(asked, "syntax_average", "own") == ["lav", "zho", "que", "spa"]
    assert codes(asked, "syntax_average", "fullest") == ["lav", "zho", "que", "spa"]


def test_the_fullest_code_is_chosen_set_by_set() -> None:
    # Learned vectors exist for arb and not for ara, phonology for ara and not for arb, both have all 158 segments or
    # none of them: no segments of arb.
    assert codes(["ara"], "learned", "fullest") == ["arb"]
    assert codes(["ara"], "phonology_average", "fullest") == ["ara"]
    # A place is known of both: the individual code.
    assert codes(["ara"], "geo", "fullest") == ["arb"]


def test_the_default_loses_no_observation() -> None:
    languages = [language.code for language in TABLE]
    known = {}
    for features in ("syntax_average", "phonology_average"):
        by_scheme = {
            scheme: np.array([one.n_known for one in uriel_codes(languages, vectors(features), TABLE, scheme)])
            for scheme in get_args(Scheme)
        }
        default = np.array([one.n_known for one in uriel_codes(languages, vectors(features), TABLE)])
        assert all((default >= found).all() for found in by_scheme.values())
        known[features] = {scheme: int((found > 0).sum()) for scheme, found in by_scheme.items()}
    # What the docstring of the default says.
    assert len(languages) == 214
    assert known["syntax_average"] == {"individual": 165, "own": 168, "fullest": 169}
    assert known["phonology_average"] == {"individual": 98, "own": 104, "fullest": 105}


def test_a_predicted_set_follows_what_was_observed() -> None:
    # The prediction for lvs is as complete as that for lav, but nothing was ever observed under lvs.
    assert codes(["lav"], "syntax_knn", "fullest") == ["lav"]
    assert codes(["est"], "fam", "fullest") == ["est"]  # ekk stands in no family at all


def test_aliases_are_repaired_and_never_taken_for_another_language() -> None:
    found = uriel_codes(["jap", "ja", "zh"], vectors("syntax_knn"), TABLE, "individual")
    assert [(one.language, one.code) for one in found] == [("jaa", "jaa"), ("jpn", "jpn"), ("zho", "cmn")]


def test_languages_without_a_code_have_none_and_say_so() -> None:
    # qhe is UD's private code for code switching; qaa stands for a language of an artificial world; URIEL has a
    # private code qbb of its own, which is another language than a study's qbb.
    assert "qbb" in vectors("syntax_knn")
    for scheme in ("individual", "own", "fullest"):
        found = uriel_codes(["qhe", "qaa", "qbb"], vectors("syntax_knn"), TABLE, scheme)  # type: ignore[arg-type]
        none = "no code in URIEL stands for it"
        assert found == [UrielCode(code, None, 0, none) for code in ("qhe", "qaa", "qbb")]


def test_a_declared_language_has_a_vector_through_its_individual_code_alone() -> None:
    table = TABLE.with_declared([Language("qab", "Old Spanish", "Indo-European", "Romance", "Latn", individual="osp"),
                                 Language("qac", "Made up", "none", "none", "Latn")])  # fmt: skip
    for scheme in ("individual", "own", "fullest"):
        found = uriel_codes(["qab", "qac"], vectors("syntax_knn"), table, scheme)  # type: ignore[arg-type]
        assert [one.code for one in found] == ["osp", None]


def test_a_code_that_only_uriel_knows_stands_for_itself_also_where_the_set_lacks_it() -> None:
    assert "aaa" not in TABLE
    assert uriel_codes(["aaa"], vectors("syntax_knn"), TABLE) == [UrielCode("aaa", "aaa", 103, "")]
    assert uriel_codes(["aaa"], vectors("learned"), TABLE)[0].why == "aaa is not in the set"


def test_a_code_without_values_and_one_of_zeros_say_why() -> None:
    assert uriel_codes(["lav"], vectors("syntax_average"), TABLE, "individual")[0] == UrielCode(
        "lav", "lvs", 0, "lvs has no known feature"
    )
    assert uriel_codes(["eus"], vectors("fam"), TABLE)[0].why == "every known feature of eus is 0"


def test_all_unknown_languages_are_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        uriel_codes(["spa", "Spanihs", "zzz9"], vectors("syntax_knn"), TABLE)
    assert len(caught.value.problems) == 2 and "did you mean 'spa' (Spanish)" in caught.value.problems[0]
    with pytest.raises(ConfigError, match="codes='ful' is not a way.*did you mean 'fullest'|known: "):
        uriel_codes(["spa"], vectors("syntax_knn"), TABLE, "ful")  # type: ignore[arg-type]
