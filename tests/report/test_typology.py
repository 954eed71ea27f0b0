"""What goes with transfer: the frames against the analysis by hand, runs without URIEL vectors, and the sentences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.mantel import mantel
from xltransfer.analysis.matrix import transfer_matrix
from xltransfer.analysis.pair_features import NO_TEXT, TEXT_KINDS, language_pairs, pair_matrix, text_pairs
from xltransfer.data.text_counts import StudyTexts, TextCounts
from xltransfer.data.uriel import vectors
from xltransfer.randomness import stream
from xltransfer.report.charts import charts
from xltransfer.report.sentences import Words
from xltransfer.report.subject import Subject
from xltransfer.report.typology import (
    CONDITION,
    COVERED,
    LEAST,
    PERMUTATIONS,
    SHOWN,
    TESTED,
    headline_rows,
    pair_frames,
    with_value,
)
from xltransfer.report.typology_sentences import goes_with, no_texts, pairs_said, unknown
from xltransfer.report.typology_tables import pair_tables, text_pair_table, text_pairs_of

Found = Callable[..., Subject]
TRANSFERS, TARGETS = ["fin", "wol", "deu", "tur", "lav"], ["fin", "wol", "eng", "est", "zho", "yor"]
WORDS = Words("pos", "accuracy", "ts", {})


def ts_of(transfers: list[str], targets: list[str], seed: int = 0, **cell: Any) -> pd.DataFrame:
    """Made-up transfer scores of one condition: larger for languages of like syntax."""
    values = np.random.default_rng(seed).normal(size=(len(transfers), len(targets)))
    where = {"base": "m", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 10, "aggregated": True}
    where |= {"dataset": "ud", "adapter_seed": 0}
    return pd.DataFrame(
        [
            {**where, "transfer": a, "corpus": f"text-{a}", "target": b, "ts": values[i, j], **cell}
            for i, a in enumerate(transfers)
            for j, b in enumerate(targets)
        ]
    )


def counted(*numbers: int) -> TextCounts:
    tokens = np.flatnonzero(numbers)
    return TextCounts(tokens.astype(np.int64), np.array(numbers, np.int64)[tokens], 2, 0)


TEXTS = StudyTexts(
    transfers={"fin": counted(2, 2, 0), "wol": counted(0, 1, 3), "deu": counted(4, 0, 0)},
    targets={"fin": counted(1, 1, 2), "eng": counted(4, 1, 0), "est": counted(0, 0, 5)},
)


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """Frames of two numbers of steps, the smaller k with fewer cells, and texts of some of the languages."""
    ts = pd.concat([ts_of(TRANSFERS, TARGETS), ts_of(TRANSFERS[:3], TARGETS, steps=100)], ignore_index=True)
    return pair_frames(ts, {}, text_pairs(TEXTS), 3)


def test_every_number_is_that_of_mantel_on_the_headline_condition(frames: dict[str, pd.DataFrame]) -> None:
    tests, matrix = frames["pair_tests"], transfer_matrix(ts_of(TRANSFERS, TARGETS), "pos", "accuracy", 10)
    assert set(tests["steps"]) == {10} and tests["feature"].is_unique
    pairs = language_pairs(TRANSFERS, TARGETS, least=LEAST)
    for name in ("syntax_average", "kilometres"):
        (row,) = tests[tests["feature"] == name].to_dict("records")
        for centred, suffix in ((False, ""), (True, "_centred")):
            rng = stream(3, "mantel", "m", "pos", "accuracy", 10, name)
            wide = pair_matrix(pairs, name)
            expected = mantel(matrix, wide, rng=rng, permutations=PERMUTATIONS, centred=centred)
            found = [row[f"{number}{suffix}"] for number in ("rho", "p", "low", "high")]
            # The rows stand in another order than in the study, so the draws differ; rho and interval do not.
            assert found[0] == pytest.approx(expected.rho)
            assert found[2:] == pytest.approx([expected.low, expected.high])
            assert found[1] == pytest.approx(expected.p, abs=0.05)


def test_features_of_texts_are_those_of_the_pairs_and_nan_where_not_counted(frames: dict[str, pd.DataFrame]) -> None:
    pairs = frames["pairs"].set_index(["feature", "transfer", "target"])
    assert frames["pairs"].groupby("feature").size().eq(len(TRANSFERS) * len(TARGETS)).all()
    assert pairs.loc[("token_overlap", "fin", "eng"), "value"] == pytest.approx(1 / 2 + 1 / 5)
    assert pairs.loc[("vocabulary_jaccard", "wol", "est"), "value"] == 1 / 2
    missing = pairs.loc[("token_overlap", "tur", "eng")]
    assert np.isnan(missing["value"]) and missing["why"] == NO_TEXT
    assert set(TEXT_KINDS) <= set(frames["pair_tests"]["feature"])
    # A feature of one language alone is tested as it is and not after centring.
    (row,) = frames["pair_tests"][frames["pair_tests"]["feature"] == "fertility_target"].to_dict("records")
    assert np.isfinite(row["rho"]) and np.isnan(row["rho_centred"]) and "centring takes it out" in row["why_centred"]


def test_texts_travel_as_a_table_about_the_data() -> None:
    table = text_pair_table(text_pairs(TEXTS))
    assert len(table.frame) == 9 and {column.name for column in table.columns} <= set(table.frame.columns)
    back = text_pairs_of({"text_pairs": table, "other": table})
    assert back is not None
    keys = ["transfer", "target", "feature"]
    both = back.merge(text_pairs(TEXTS), on=keys, suffixes=("", "_first"))
    assert len(both) == 45 and (both["value"] == both["value_first"]).all()
    assert text_pairs_of({}) is None


def test_coverage_counts_pairs_of_two_languages_and_languages_without_a_vector(
    frames: dict[str, pd.DataFrame],
) -> None:
    coverage = frames["pair_coverage"].set_index("feature")
    n_pairs = len(TRANSFERS) * len(TARGETS) - 2
    assert (coverage["n_pairs"] == n_pairs).all()
    phonology = vectors("phonology_average")
    languages = sorted({*TRANSFERS, *TARGETS})
    without = [code for code in languages if code not in phonology or not np.nansum(np.abs(phonology.rows([code])))]
    # By their own codes; the default may know more of a macrolanguage.
    assert 0 < coverage.loc["phonology_average", "n_without"] <= len(without)
    assert coverage.loc["same_script", "n_defined"] == n_pairs and pd.isna(coverage.loc["same_script", "n_without"])
    by_language = frames["uriel_coverage"].set_index("language")
    assert sorted(by_language.index) == languages
    assert by_language.loc["eng", "syntax_average"] == phonology_share("eng", "syntax_average")
    gaps = by_language[list(COVERED)].isna().sum(axis=1)
    assert gaps.is_monotonic_decreasing and gaps.iloc[0] > 0
    # Not known is missing, and nothing that is known is 0.
    assert not (by_language[list(COVERED)] == 0).any(axis=None)


def phonology_share(code: str, features: str) -> float:
    rows = vectors(features).rows([code])
    return float(np.isfinite(rows).mean())


def test_the_headline_rows_are_those_of_the_page(found: Found) -> None:
    for name in ("small", "two seeds", "zero baseline"):
        subject = found(name)
        rows = headline_rows(subject.findings["ts"])[CONDITION].drop_duplicates()
        expected = {tuple(subject.headline(*pair).key.values()) for pair in subject.pairs}
        assert set(rows.itertuples(index=False, name=None)) == expected


def test_artificial_languages_are_tested_by_what_the_study_declares() -> None:
    classes = {"qaa": ("One", "a", "Latn"), "qab": ("One", "b", "Cyrl"), "qac": ("Two", "c", "Latn"),
               "qad": ("Two", "c", "Cyrl"), "qae": ("Two", "d", "Latn")}  # fmt: skip
    declared = [
        {"code": code, "name": code, "family": family, "genus": genus, "script": script}
        for code, (family, genus, script) in classes.items()
    ]
    codes = list(classes)
    frames = pair_frames(ts_of(codes, codes), {"languages": declared}, None, 1)
    assert frames["pair_tests"]["feature"].tolist() == ["same_script", "same_family", "same_genus"]
    assert frames["pair_tests"]["rho"].notna().all()
    assert frames["uriel_coverage"][list(COVERED)].isna().all(axis=None)
    (sentence,) = unknown(frames, {})
    assert sentence.startswith("URIEL has no vectors of these languages") and "same family and same genus" in sentence
    with_texts = pair_frames(ts_of(codes, codes), {"languages": declared}, made_up_texts(codes), 1)
    assert "token_overlap" in with_texts["pair_tests"]["feature"].tolist()
    assert "token overlap" in unknown(with_texts, {})[0]


def made_up_texts(codes: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    texts = {code: counted(*rng.integers(0, 9, 6)) for code in codes}
    return text_pairs(StudyTexts(texts, texts))


def test_a_study_of_one_language_has_no_pair_and_says_so() -> None:
    frames = pair_frames(ts_of(["fin"], ["fin"]), {}, None, 1)
    assert all(frame.empty for frame in frames.values()) and with_value(frames["pairs"]) == []
    assert unknown(frames, {}) == ["There is one language, and so no pair of two: nothing can be tested."]
    assert no_texts(frames["pairs"]) == []


def test_a_code_that_nobody_knows_keeps_its_place() -> None:
    frames = pair_frames(ts_of(["fin", "x-new"], ["eng", "deu"]), {}, None, 1)
    rows = frames["pairs"][frames["pairs"]["transfer"] == "x-new"]
    assert rows["value"].isna().all() and (rows["why"] != "").all()


def test_languages_without_any_vector_are_named(found: Found) -> None:
    subject = found("odd names")
    said = unknown(subject.findings.frames, subject.labels)
    assert "None at all of" in said[0] and "(qaa)" in said[0] and "(qab)" in said[0]
    assert "their pairs are missing, not 0" in said[0].lower()
    table = {each.name: each for each in pair_tables(subject)}["uriel_coverage"]
    assert table.frame["language"].tolist()[:2] == ["qaa", "qab"]


def made_tests(**numbers: tuple[float, float, float, float]) -> pd.DataFrame:
    """Rows of tests: feature -> p Holm, rho centred, p centred, p Holm centred."""
    rows = [
        {"feature": name, "kind": "distance" if name == "kilometres" else "similarity", "rho": 0.2, "p_holm": p,
         "rho_centred": rho, "low_centred": rho - 0.1, "high_centred": rho + 0.1, "p_centred": p_centred,
         "p_holm_centred": holm, "why": ""} for name, (p, rho, p_centred, holm) in numbers.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_summary_names_what_survives_and_what_only_before_centring() -> None:
    rows = made_tests(
        syntax_average=(0.5, 0.3, 0.001, 0.003), kilometres=(0.2, -0.25, 0.002, 0.04), same_script=(0.01, 0.1, 0.1, 0.1)
    )
    said = goes_with(rows, WORDS, 10)
    assert said is not None
    assert (
        "syntax in URIEL (ρ = +0.30, 95\u00a0% interval +0.20 to +0.40, p Holm = 0.003: nearer pairs gain more)" in said
    )
    # A negative correlation with a distance is the same direction.
    assert "kilometres (ρ = −0.25, 95\u00a0% interval −0.35 to −0.15, p Holm = 0.040: nearer pairs gain more)" in said
    assert "Only before centring: same script (ρ = +0.20)" in said and "over three features" in said


def test_the_summary_says_that_nothing_survives_and_what_comes_nearest() -> None:
    said = goes_with(made_tests(fam=(0.9, 0.1, 0.06, 0.12), learned=(0.9, 0.0, 0.5, 0.5)), WORDS, 10)
    assert (
        said is not None and "no feature of the pair goes with doubly centred ts after Holm over two features" in said
    )
    assert "nearest comes family tree in URIEL" in said and "gain" not in said
    undefined = made_tests(fam=(np.nan, np.nan, np.nan, np.nan))
    assert goes_with(undefined, WORDS, 10) is None


def test_a_task_of_which_no_target_is_aggregated_is_named_and_not_passed_over() -> None:
    ts = pd.concat([ts_of(TRANSFERS, TARGETS), ts_of(TRANSFERS, TARGETS, task="qa", metric="f1", aggregated=False)])
    tests = pair_frames(ts.reset_index(drop=True), {}, None, 3)["pair_tests"]
    rows = tests[tests["task"] == "qa"]
    assert len(rows) == (tests["task"] == "pos").sum() and rows["rho"].isna().all()
    said = goes_with(rows, Words("qa", "f1", "ts", {}), 10)
    assert said is not None and "k = 10, nothing is tested: no target is aggregated: all are at the floor" in said


def test_charts_are_of_the_features_that_have_values(found: Found) -> None:
    made = [chart.choice["feature"] for chart in charts(found("small")) if chart.figure == "pair_heatmap"]
    assert made == [name for name in SHOWN if name != "token_overlap"]
    assert [name for name in charts(found("only k=0")) if name.figure == "pair_heatmap"] == []


def test_the_section_of_the_page(html: Callable[..., str], found: Found) -> None:
    page = html("small")
    part = page.split('<section class="part" id="why">')[1].split('<section class="part"')[0]
    for name in ("pair_tests", "pair_coverage", "uriel_coverage"):
        assert f'data-table="{name}"' in part
    assert "--study FILE" in part and 'data-title="sound inventory in URIEL"' in part
    assert 'id="why"' not in html("only k=0")
    assert len(pairs_said(found("small"))) == 4 and pairs_said(found("only k=0")) == []


def test_a_similarity_over_a_few_shared_features_is_left_out() -> None:
    frames = pair_frames(ts_of(["tur", "fin"], ["uig", "est"]), {}, None, 1)
    pairs = frames["pairs"].set_index(["feature", "transfer", "target"])
    few = pairs.loc[("phonology_average", "tur", "uig")]
    both = ~np.isnan(vectors("phonology_average").rows(["tur", "uig"])).any(axis=0)
    assert 0 < both.sum() < LEAST
    assert np.isnan(few["value"]) and few["why"] == "too few features known of both"


def test_tested_features_are_known_ones(frames: dict[str, pd.DataFrame]) -> None:
    assert set(frames["pairs"]["feature"]) == set(TESTED)
