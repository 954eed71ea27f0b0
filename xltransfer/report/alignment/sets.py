"""The sets of texts that a run compares: what they are, how many pairs and texts, and which corpora are among them."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from xltransfer.runs.folder import Header

COLUMNS: Final = ["task", "kind", "split", "n_languages", "n_pairs", "fewest", "most", "asked", "shared_corpora"]


def compared_sets(study: Mapping[str, Any], header: Header, measurements: pd.DataFrame) -> pd.DataFrame:
    """Return a row per set of texts that has been measured, in the order of the study.

    Parameters
    ----------
    study, header
        Of the run.
    measurements
        Its rows.

    Returns
    -------
    DataFrame
        task (name of the set), kind, split, n_languages, n_pairs; fewest and most texts of a side that are compared,
        asked (the most that the study takes); shared_corpora: transfer corpora whose entry, or whose file under another
        name, is compared too, so that a nudge has seen the very texts (names with commas; empty: none). Files are the
        same by their SHA-256; other copies of the same sentences, and what comes from the hub, are not found.
    """
    corpora = set(header.parts.get("blocks of corpus", {}))
    rows = []
    for spec in study["alignment"]["compared"]:
        name = spec["name"]
        own = measurements[(measurements["task"] == name) & (measurements["setting"] == "baseline")]
        if own.empty:
            continue
        said = own["options"].drop_duplicates().map(_options)
        sizes = [size for each in said for size in (each["n_source"], each["n_target"])]
        languages = {*own["target"], *(each["source"] for each in said)}
        entries = {entry for pair in own["dataset"].unique() for entry in pair.split("+")}
        shared = ", ".join(sorted((corpora & entries) | _same_files(header, corpora, entries, spec["split"])))
        pairs = own["dataset"].nunique()
        rows.append((name, spec["kind"], spec["split"], len(languages), pairs, min(sizes), max(sizes),
                     int(spec["max_items"]), shared))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _same_files(header: Header, corpora: set[str], entries: set[str], split: str) -> set[str]:
    """Return the corpora whose file has the content of a compared one."""
    compared = {header.files.get(f"{entry}/{split}") for entry in entries} - {None}
    return {corpus for corpus in corpora if header.files.get(f"{corpus}/train") in compared}


def _options(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
