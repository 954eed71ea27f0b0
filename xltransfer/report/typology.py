"""What goes with transfer: features of the language pairs, and their tests against the headline condition of each task.

Which features are tested is fixed here and not chosen by result: of URIEL what was observed (its average sets, family,
learned vectors, places), what the language table declares (script, family, genus), and features of texts where the
study's files were at hand. URIEL's predicted sets are left out, because they are made from relatives and neighbours and
so repeat family and distance; `analysis.typology_tests` takes any of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from xltransfer.analysis.frames import plain
from xltransfer.analysis.pair_features import NO_TEXT, TEXT_KINDS, language_pairs
from xltransfer.analysis.typology import vector_coverage
from xltransfer.analysis.typology_tests import typology_tests
from xltransfer.languages import Language, LanguageTable
from xltransfer.report.names import table_of

URIEL: Final = ("syntax_average", "phonology_average", "inventory_average", "fam", "learned")
"""Tested sets of URIEL; the family set holds whole branches of the tree, not one level."""

DECLARED: Final = ("same_script", "same_family", "same_genus")
"""Tested features that the language table, or the study's own declarations, give."""

TESTED: Final = (*URIEL, "kilometres", *DECLARED, *TEXT_KINDS)

SHOWN: Final = ("syntax_average", "phonology_average", "inventory_average", "kilometres", "fam", "token_overlap")
"""Features that have a heatmap, where any pair has a value."""

COVERED: Final = (*URIEL, "geo")
"""Sets whose coverage is told; kilometres come from ``geo``."""

LEAST: Final = 10
"""Known features that two languages must share: a cosine over a few is 0 or 1 by chance."""

PERMUTATIONS: Final = 499
"""Draws behind each p: the smallest p is 0.002, which survives Holm over all of `TESTED`."""

CONDITION: Final = ["base", "task", "metric", "steps"]
NUMBERS: Final = ["rho", "low", "high", "p", "p_holm", "why"]
"""What stands in a test's row twice: as it is, and with ``_centred`` for doubly centred ts."""

TESTS: Final = [
    *CONDITION, "feature", "kind", *NUMBERS, *(f"{name}_centred" for name in NUMBERS), "n_pairs", "n_permutations",
]  # fmt: skip
COVERAGE: Final = ["feature", "kind", "n_pairs", "n_defined", "share", "n_without", "n_languages", "reasons"]
PAIRS: Final = ["transfer", "target", "self_transfer", "feature", "kind", "value", "coverage", "why"]


def pair_frames(
    ts: pd.DataFrame, study: Mapping[str, Any], texts: pd.DataFrame | None, seed: int
) -> dict[str, pd.DataFrame]:
    """Return what the report says of the pairs.

    Parameters
    ----------
    ts
        What `analysis.transfer_scores` gives.
    study
        The study as ``run.json`` holds it, for the languages that it declares.
    texts
        Features of texts as `analysis.pair_features.text_pairs` gives them; None where the study's files were not read.
    seed
        Root of the permutations.

    Returns
    -------
    dict of DataFrame
        ``pairs``: every pair and feature of `TESTED`, as `analysis.language_pairs`. ``pair_tests``: `TESTS`, a row per
        headline condition and feature that has a value of two languages. ``pair_coverage``: `COVERAGE`, a row per
        feature, self-pairs left out. ``uriel_coverage``: a row per language with URIEL's code and the share of known
        features of each set in `COVERED`, NaN where there is no vector with a direction; most gaps first. All are empty
        where nothing was nudged or there is one language.
    """
    nudged = plain(ts)
    nudged = nudged[nudged["setting"] == "nudge"]
    transfers, targets = (sorted(nudged[side].unique()) for side in ("transfer", "target"))
    languages = sorted({*transfers, *targets})
    if len(languages) < 2:
        return _nothing()
    table = _table(study, languages)
    pairs = language_pairs(transfers, targets, table, least=LEAST, sets=URIEL)
    pairs = pairs if texts is None else pd.concat([pairs, _on_grid(texts, pairs)])
    pairs = pairs.reset_index(drop=True)
    vectors = vector_coverage(languages, COVERED, table=table)
    return {
        "pairs": pairs,
        "pair_tests": _tests(headline_rows(nudged), pairs, seed),
        "pair_coverage": _coverage(pairs, vectors, len(languages)),
        "uriel_coverage": _by_language(vectors),
    }


def headline_rows(ts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each base's and task's headline condition: most cells, of several such the largest k."""
    sizes = ts.groupby(CONDITION).size().rename("size").reset_index()
    best = sizes.sort_values(["size", "steps"]).groupby(["base", "task"], sort=False).tail(1)
    return ts.merge(best[CONDITION], on=CONDITION)


def with_value(pairs: pd.DataFrame) -> list[str]:
    """Return the features that any pair of two languages has a value of, in the order of `TESTED`."""
    known = set(pairs.loc[~pairs["self_transfer"] & pairs["value"].notna(), "feature"])
    return [name for name in TESTED if name in known]


def _nothing() -> dict[str, pd.DataFrame]:
    """Return the frames of a run without pairs of two languages."""
    columns = {"pairs": PAIRS, "pair_tests": TESTS, "pair_coverage": COVERAGE,
               "uriel_coverage": ["language", "code", *COVERED]}  # fmt: skip
    return {name: pd.DataFrame(columns=wanted) for name, wanted in columns.items()}


def _table(study: Mapping[str, Any], languages: Sequence[str]) -> LanguageTable:
    """Return the languages of a study; one that it does not know stands for itself, of no family and script."""
    table = table_of(study)
    return table.with_declared(Language(code, code, "", "", "") for code in languages if code not in table)


def _on_grid(texts: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the features of texts of the run's pairs, NaN for a language whose texts were not counted."""
    grid = pairs[["transfer", "target", "self_transfer"]].drop_duplicates()
    kinds = pd.DataFrame({"feature": list(TEXT_KINDS), "kind": list(TEXT_KINDS.values())})
    keys = ["transfer", "target", "feature"]
    found = kinds.merge(grid, how="cross").merge(texts[[*keys, "value"]], how="left", on=keys)
    found["why"] = found["value"].isna().map({True: NO_TEXT, False: ""}).astype("str")
    return found.assign(coverage=float("nan"))[PAIRS]


def _tests(headline: pd.DataFrame, pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the tests of ts and of doubly centred ts side by side."""
    found = typology_tests(headline, pairs, with_value(pairs), seed=seed, permutations=PERMUTATIONS)
    keys = [*CONDITION, "feature", "kind"]
    plainly, centred = (found[found["centred"] == flag].drop(columns="centred") for flag in (False, True))
    table = plainly.merge(centred[[*keys, *NUMBERS]], on=keys, suffixes=("", "_centred"), validate="one_to_one")
    return table[TESTS]


def _coverage(pairs: pd.DataFrame, vectors: pd.DataFrame, n_languages: int) -> pd.DataFrame:
    """Return how many pairs of two languages have a value of each feature, and why the others have none."""
    without = vectors[vectors["why"] != ""].groupby("features").size().reindex(COVERED, fill_value=0)
    lacking: dict[Any, int] = without.rename({"geo": "kilometres"}).to_dict()
    rows = []
    for (name, kind), part in pairs[~pairs["self_transfer"]].groupby(["feature", "kind"], sort=False):
        undefined = part.loc[part["value"].isna(), "why"].value_counts()
        reasons = "; ".join(f"{why}: {count:,}" for why, count in undefined.items())
        defined = int(part["value"].notna().sum())
        share = 100.0 * defined / len(part)
        rows.append((name, kind, len(part), defined, share, lacking.get(name), n_languages, reasons))
    return pd.DataFrame(rows, columns=COVERAGE).astype({"n_without": "Int64"})


def _by_language(vectors: pd.DataFrame) -> pd.DataFrame:
    """Return what URIEL knows of each language, those with most gaps first."""
    known = vectors.assign(coverage=vectors["coverage"].where(vectors["why"] == ""))
    table = known.pivot(index="language", columns="features", values="coverage")[list(COVERED)]
    codes = known[known["code"] != ""].groupby("language")["code"].agg(lambda mine: ", ".join(dict.fromkeys(mine)))
    table.insert(0, "code", codes.reindex(table.index).fillna(""))
    gaps = table[list(COVERED)].isna().sum(axis=1)
    order = gaps.sort_values(ascending=False, kind="stable").index
    return table.loc[order].rename_axis(columns=None).reset_index()
