"""Sentences on what goes with transfer: which features survive, which only before centring, and what is not known."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from xltransfer.analysis.typology_tests import NOT_AGGREGATED
from xltransfer.figures.pair_heatmap import feature_label
from xltransfer.report.names import isolated
from xltransfer.report.numbers import count, in_words, is_undefined, listed, number, p_value
from xltransfer.report.sentences import LEVEL, Words
from xltransfer.report.subject import Subject
from xltransfer.report.typology import COVERED, SHOWN, TESTED, URIEL, with_value

_SETS = {"syntax_average": "syntax", "phonology_average": "phonology", "inventory_average": "sound inventory",
         "fam": "family tree", "learned": "the learned set", "geo": "geography"}  # fmt: skip


def pairs_said(subject: Subject) -> list[str]:
    """Return what the report says of the pairs: of each task at its headline condition, then what is not known."""
    if not subject.pairs:
        return []
    found: list[str | None] = []
    for pair in subject.pairs:
        condition = subject.headline(*pair)
        words = Words(condition.task, condition.metric, subject.findings.options.scale, subject.labels)
        found.append(goes_with(subject.rows("pair_tests", condition), words, condition.steps))
    frames = subject.findings.frames
    found += [*unknown(frames, subject.labels), *no_texts(frames["pairs"])]
    return [sentence for sentence in found if sentence]


def goes_with(tests: pd.DataFrame, words: Words, steps: int) -> str | None:
    """Say which features go with the transfer scores of one condition; ``tests`` are its rows of ``pair_tests``."""
    tested = tests[tests["p_holm"].notna()]
    if tested.empty:
        none = len(tests) and (tests["why"] == NOT_AGGREGATED).all()
        return f"On {words.scored}, k = {steps}, nothing is tested: {NOT_AGGREGATED}." if none else None
    centred = tested[tested["p_holm_centred"].notna()]
    survive = centred[centred["p_holm_centred"] <= LEVEL].sort_values("p_holm_centred", kind="stable")
    before = tested[(tested["p_holm"] <= LEVEL) & ~tested["feature"].isin(survive["feature"])]
    where = f"On {words.scored}, k = {steps}"
    if survive.empty:
        text = f"{where}, {_none(centred)}"
    else:
        named = [f"{feature_label(row['feature'])} ({_numbers(row)}: {_meaning(row)})" for _, row in survive.iterrows()]
        verb = "goes" if len(named) == 1 else "go"
        text = (
            f"{where}, {listed(named)} {verb} with doubly centred ts, after Holm over {count(len(centred), 'feature')}."
        )
    if len(before):
        names = [f"{feature_label(row['feature'])} (ρ = {number(row['rho'], 2, True)})" for _, row in before.iterrows()]
        text += (
            f" Only before centring: {listed(names)}; that speaks of languages that help or are helped in general, not "
            "of the pair."
        )
    return text


def unknown(frames: Mapping[str, pd.DataFrame], labels: Mapping[str, str]) -> list[str]:
    """Say what the features could not be had of; ``frames`` are those of `typology.pair_frames`, by name."""
    vectors, known = frames["uriel_coverage"], with_value(frames["pairs"])
    if vectors.empty:
        return ["There is one language, and so no pair of two: nothing can be tested."]
    if vectors[list(COVERED)].isna().all(axis=None):
        declared = [feature_label(name) for name in TESTED if name in known]
        return [
            "URIEL has no vectors of these languages (it does not know languages of artificial worlds), so typological "
            f"similarity is left out; tested is what the study itself gives: {listed(declared)}."
        ]
    absent = [feature_label(name) for name in dict.fromkeys((*SHOWN, *URIEL)) if name not in known]
    absent = [name for name in absent if name != feature_label("token_overlap")]
    found = [_gaps(vectors, labels)]
    return found + ([f"Left out, because no pair has a value: {listed(absent)}."] if absent else [])


def no_texts(pairs: pd.DataFrame) -> list[str]:
    """Say how features of texts come in, where they are not."""
    if pairs.empty or (pairs["feature"] == "token_overlap").any():
        return []
    return [
        "Features of texts (subwords a word, shared subwords) are not here: they need the study's files "
        "(`xltransfer report DIR --study FILE`)."
    ]


def _none(centred: pd.DataFrame) -> str:
    """Say that nothing survives, and what comes nearest."""
    if centred.empty:
        return "no feature can be tested against doubly centred ts."
    row = centred.sort_values("p_centred", kind="stable").iloc[0]
    return (
        f"no feature of the pair goes with doubly centred ts after Holm over {count(len(centred), 'feature')}; nearest "
        f"comes {feature_label(row['feature'])} ({_numbers(row)})."
    )


def _numbers(row: Any) -> str:
    """Return the correlation with doubly centred ts: rho, interval, p."""
    bounds = "no interval" if is_undefined(row["low_centred"]) else (
        f"95\u00a0% interval {number(row['low_centred'], 2, True)} to {number(row['high_centred'], 2, True)}"
    )  # fmt: skip
    p = p_value(row["p_holm_centred"])
    p = p if p.startswith("<") else f"= {p}"
    return f"ρ = {number(row['rho_centred'], 2, True)}, {bounds}, p Holm {p}"


def _meaning(row: Any) -> str:
    """Say what the sign of a correlation with doubly centred ts means."""
    more = (row["rho_centred"] > 0) == (row["kind"] == "similarity")
    return f"nearer pairs gain {'more' if more else 'less'}"


def _gaps(vectors: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """Say how many languages lack a vector, set by set, and which lack all."""
    total = len(vectors)
    lacking = {name: int(vectors[name].isna().sum()) for name in COVERED}
    parts = [f"{in_words(n)} in {_SETS[name]}" for name, n in lacking.items() if n]
    if not parts:
        return f"URIEL has vectors of all {in_words(total)} languages in every set."
    text = f"URIEL lacks vectors of some of the {in_words(total)} languages: {listed(parts)}. Their pairs are missing, "
    text += "not 0."
    none = vectors.loc[vectors[list(COVERED)].isna().all(axis=1), "language"]
    return text + (
        f" None at all of {listed([isolated(labels.get(code, code)) for code in none])}." if len(none) else ""
    )
