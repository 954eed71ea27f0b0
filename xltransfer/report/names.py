"""The languages of a run: name, family, genus, script, and whether the base model has seen them.

Codes come from the study that the results folder remembers, looked up in the shipped table and in the study's own
declarations. A code that neither knows keeps its place under its own name. Names are data: they are cleaned of control
characters here, and every room that shows them escapes them.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from xltransfer.config.manifests import language_table, load_model
from xltransfer.errors import ConfigError
from xltransfer.languages import Language, LanguageTable

ISOLATE, END_OF_ISOLATE = "\u2068", "\u2069"
"""Put around a name in a sentence, so that right-to-left letters leave the rest of the sentence alone."""

COLUMNS: Final = ["code", "name", "family", "genus", "script", "seen"]


def languages_of(study: Mapping[str, Any], codes: Iterable[str]) -> pd.DataFrame:
    """Return the languages of a run.

    Parameters
    ----------
    study
        The study as ``run.json`` holds it.
    codes
        Codes of transfer and target languages, any order.

    Returns
    -------
    DataFrame
        code, name, family, genus, script (text; empty where the code is unknown), seen (nullable boolean, missing where
        the languages of the base are not known); a row per code, sorted by it.
    """
    table, seen = table_of(study), None
    listed = _listed_as_seen(study)
    if listed is not None:
        seen = table.covered_by(code for code in listed if code in table)
    rows = []
    for code in sorted(set(codes)):
        known = table.get(code) if code in table else Language(code, code, "", "", "")
        own_seen = None if seen is None or code not in table else known.code in seen
        text = [clean(part) for part in (known.name, known.family, known.genus, known.script)]
        rows.append((code, *text, own_seen))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seen": "boolean"})


def clean(text: str) -> str:
    """Return text in one line, without control and formatting characters but joiners."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if c in "\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def labels_of(languages: pd.DataFrame) -> dict[str, str]:
    """Return code -> ``name (code)``, or the code alone where it is the name."""
    return {
        code: code if name == code else f"{name} ({code})"
        for code, name in zip(languages["code"], languages["name"], strict=True)
    }


def isolated(text: str) -> str:
    """Return a text from data, for use within a sentence."""
    return f"{ISOLATE}{clean(text)}{END_OF_ISOLATE}"


def table_of(study: Mapping[str, Any]) -> LanguageTable:
    """Return the shipped languages and those that the study, as ``run.json`` holds it, declares."""
    declared = [
        Language(**{**entry, "aliases": tuple(entry.get("aliases", ()))}) for entry in study.get("languages", ())
    ]
    return language_table().with_declared(declared)


def _listed_as_seen(study: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the codes that the base was pretrained on, None where that is not known any more."""
    base = study.get("base", {})
    if base.get("seen") is not None:
        return tuple(base["seen"])
    try:
        return load_model(base["manifest"]).seen if base.get("manifest") else None
    except ConfigError:
        return None
