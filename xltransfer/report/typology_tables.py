"""The tables of what goes with transfer: the tests, the values behind them, and what URIEL knows of the languages."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from xltransfer.analysis.pair_features import TEXT_KINDS
from xltransfer.figures.pair_heatmap import feature_label
from xltransfer.report.subject import Subject
from xltransfer.report.tables import Column, Table
from xltransfer.report.typology import COVERED, LEAST, TESTED

TEXT_PAIRS: Final = "text_pairs"
"""Name of the table of texts, among those about the study's data."""

_NEARER: Final = {"similarity": "ρ > 0", "distance": "ρ < 0", "one_sided": ""}
"""Sign of a correlation that says that nearer languages help more."""


def pair_tables(subject: Subject) -> list[Table]:
    """Return the tables of the pairs, those without rows too."""
    return [_tests(subject), _coverage(subject), _languages(subject), _values(subject)]


def text_pair_table(pairs: pd.DataFrame) -> Table:
    """Return the features of texts, a row per pair of a transfer and a target language.

    Parameters
    ----------
    pairs
        What `analysis.pair_features.text_pairs` gives.
    """
    columns = (
        Column("transfer", "transfer language", "language"), Column("target", "target language", "language"),
        *(Column(name, feature_label(name), "number", 3) for name in TEXT_KINDS),
    )  # fmt: skip
    caption = "Of the transfer language's corpora and of the target language's test data, by the base's tokenizer."
    return Table(TEXT_PAIRS, "Texts of transfer and target languages", caption, _wide(pairs), columns)


def text_pairs_of(audit: Mapping[str, Table]) -> pd.DataFrame | None:
    """Return the features of texts among tables about the study's data, a row per pair and feature; None without."""
    if TEXT_PAIRS not in audit:
        return None
    return audit[TEXT_PAIRS].frame.melt(
        ["transfer", "target"], list(TEXT_KINDS), var_name="feature", value_name="value"
    )


def _wide(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per pair with a column per feature, in the order of the pairs."""
    keys = pairs[["transfer", "target"]].drop_duplicates()
    wide = pairs.pivot(index=["transfer", "target"], columns="feature", values="value")
    wide = wide[list(pairs["feature"].unique())].rename_axis(columns=None)
    return keys.merge(wide.reset_index(), how="left", on=["transfer", "target"])


def _tests(subject: Subject) -> Table:
    """Return the tests, the features by name."""
    frame = subject.findings["pair_tests"]
    said = frame["feature"].map(feature_label), frame["kind"].map(_NEARER)
    columns = (
        *subject.columns("base", "task", "metric", "steps"), Column("called", "feature of the pair"),
        Column("nearer", "nearer helps more if", hint="sign of ρ that says so; none for a feature of one language"),
        *_statistics("", ""), *_statistics("_centred", "centred "),
        Column("n_pairs", "pairs", "integer", hint="pairs of two languages with a value, self-pairs left out"),
        Column("why_centred", "no centred test because", wide=True),
    )  # fmt: skip
    return Table(
        "pair_tests",
        "What goes with transfer",
        "Spearman's ρ between ts and a feature of the pair over pairs of two languages, 95 % jackknife interval over "
        "languages, p by permuting transfer and target languages (Mantel), and p by Holm over the features of a task. "
        "Centred: what a language gives to or receives from all others is taken out of ts first. Each feature is "
        "tested alone, and near languages tend to share family, script and words: no row says what matters given the "
        "others.",
        frame.assign(called=said[0].astype("str"), nearer=said[1].astype("str")),
        columns,
        subject.labels,
        "why",
    )


def _statistics(suffix: str, head: str) -> tuple[Column, ...]:
    """Return the columns of one of the two tests of a feature."""
    return (
        Column(f"rho{suffix}", f"{head}ρ", "number"), Column(f"low{suffix}", "from", "number"),
        Column(f"high{suffix}", "to", "number"), Column(f"p{suffix}", "p", "p", wide=True),
        Column(f"p_holm{suffix}", "p Holm", "p", hint="for all features of this task, metric and k"),
    )  # fmt: skip


def _coverage(subject: Subject) -> Table:
    """Return how many pairs have a value of each feature."""
    frame = subject.findings["pair_coverage"]
    return Table(
        "pair_coverage",
        "Of how many pairs each feature is known",
        f"Pairs of two languages. What is not known, or rests on fewer than {LEAST} features that are known of both "
        "languages, is missing from the tests and the heatmaps; it is never 0.",
        frame.assign(called=frame["feature"].map(feature_label).astype("str")),
        (
            Column("called", "feature of the pair"), Column("kind", "kind"), Column("n_pairs", "pairs", "integer"),
            Column("n_defined", "with a value", "integer"), Column("share", "share", "number", 0, "%"),
            Column("n_without", "languages without", "integer", hint="languages without a vector in URIEL"),
            Column("n_languages", "of languages", "integer"), Column("reasons", "why not", wide=True),
        ),
        subject.labels,
        "why",
    )  # fmt: skip


def _languages(subject: Subject) -> Table:
    """Return what URIEL knows of each language, where it knows anything at all."""
    frame = subject.findings["uriel_coverage"]
    known = bool(frame[list(COVERED)].notna().any(axis=None))
    heads = ("syntax", "phonology", "sound inventory", "family tree", "learned", "place")
    return Table(
        "uriel_coverage",
        "What URIEL knows of each language",
        "Share of the features of each set that are known (0 to 1); a dash: no vector, or one of zeros. Languages with "
        "most gaps come first.",
        frame if known else frame.iloc[:0],
        (
            Column("language", "language", "language"), Column("code", "URIEL's code"),
            *(Column(name, head, "number") for name, head in zip(COVERED, heads, strict=True)),
        ),
        subject.labels,
        "why",
    )  # fmt: skip


def _values(subject: Subject) -> Table:
    """Return the values of all tested features, for a file."""
    frame = _wide(subject.findings["pairs"])
    columns = tuple(Column(name, feature_label(name), "number") for name in TESTED if name in frame)
    return Table(
        "pair_features",
        "Features of the pairs",
        "Every transfer language with every target language.",
        frame,
        (*subject.columns("transfer", "target"), *columns),
        subject.labels,
    )
