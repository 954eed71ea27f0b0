"""Languages of a run from its study, against the shipped table and declared languages."""

import pandas as pd
import pytest

from xltransfer.report.names import clean, isolated, labels_of, languages_of

DECLARED = {"code": "qaa", "name": "Talari", "family": "Talic", "genus": "Tala", "script": "Latn", "aliases": [],
            "macrolanguage": None, "individual": None}  # fmt: skip


def test_names_come_from_the_shipped_table_and_from_the_study() -> None:
    frame = languages_of({"languages": [DECLARED], "base": {"seen": ["qaa", "fin"]}}, ["wol", "qaa", "fin", "wol"])
    assert frame["code"].tolist() == ["fin", "qaa", "wol"]
    assert frame["name"].tolist() == ["Finnish", "Talari", "Wolof"]
    assert frame["seen"].tolist() == [True, True, False]
    assert frame["seen"].dtype == "boolean"


def test_seen_follows_the_manifest_and_macrolanguages() -> None:
    frame = languages_of({"base": {"manifest": "mbert-cased", "seen": None}}, ["fin", "wol"]).set_index("code")
    assert frame["seen"].to_dict() == {"fin": True, "wol": False}
    covered = languages_of({"base": {"seen": ["nob"]}}, ["nor"])
    assert covered["seen"].tolist() == [True]


def test_what_is_not_known_is_missing_and_keeps_its_place() -> None:
    frame = languages_of({"base": {"manifest": "gone", "seen": None}}, ["zzz", "fin"])
    assert frame["seen"].isna().all()
    assert frame.set_index("code").loc["zzz", ["name", "family"]].tolist() == ["zzz", ""]
    unknown = languages_of({"base": {"seen": ["fin"]}}, ["zzz"])
    assert unknown["seen"].isna().tolist() == [True]


@pytest.mark.parametrize(
    ("text", "expected"), [("a\u202eb\nc\x00", "ab c"), ("\u2068x\u2069", "x"), ("ک\u200cب", "ک\u200cب")]
)
def test_control_characters_leave_names(text: str, expected: str) -> None:
    assert clean(text) == expected
    assert isolated(text) == f"\u2068{expected}\u2069"


def test_labels_name_the_code_once() -> None:
    frame = pd.DataFrame({"code": ["wol", "zzz"], "name": ["Wolof", "zzz"]})
    assert labels_of(frame) == {"wol": "Wolof (wol)", "zzz": "zzz"}
