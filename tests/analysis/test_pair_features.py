"""Pair features: overlaps worked by hand, classes of languages that are known, and that nothing undefined becomes 0."""

import numpy as np
import pandas as pd
import pytest
from mini_study import MiniStudy

from xltransfer.analysis import language_pairs, pair_features, pair_matrix, similarity
from xltransfer.analysis.geography import coordinates, kilometres
from xltransfer.analysis.pair_features import NO_TEXT, TEXT_KINDS, text_pairs
from xltransfer.config.manifests import language_table
from xltransfer.data.text_counts import StudyTexts, TextCounts, study_texts
from xltransfer.data.uriel import FEATURE_SETS
from xltransfer.errors import ConfigError
from xltransfer.languages import Language

TABLE = language_table()


def counts(tokens, numbers, words, unknown=0):
    return TextCounts(np.array(tokens, np.int64), np.array(numbers, np.int64), words, unknown)


TEXTS = StudyTexts(
    transfers={"spa": counts([5, 6, 9], [2, 1, 1], 4), "fin": counts([7], [6], 2)},
    targets={"spa": counts([5, 9, 12], [1, 1, 2], 2), "por": counts([6, 7], [3, 1], 2, unknown=1)},
)


@pytest.fixture(scope="module")
def pairs():
    return language_pairs(["spa", "fin", "hin"], ["spa", "por"], texts=TEXTS)


def value(pairs, transfer, target, feature):
    (row,) = pairs[
        (pairs["transfer"] == transfer) & (pairs["target"] == target) & (pairs["feature"] == feature)
    ].itertuples()
    return row.value


def test_one_row_for_every_ordered_pair_and_feature(pairs):
    assert not pairs.duplicated(["transfer", "target", "feature"]).any()
    features = pairs["feature"].drop_duplicates().tolist()
    assert len(pairs) == 6 * len(features)
    assert features[: len(FEATURE_SETS)] == list(FEATURE_SETS)
    assert features[len(FEATURE_SETS) :] == [
        "same_script", "same_family", "same_genus", "kilometres", "fertility_transfer", "fertility_target",
        "fertility_difference", "vocabulary_jaccard", "token_overlap",
    ]  # fmt: skip
    assert pairs["self_transfer"].equals(pairs["transfer"] == pairs["target"])
    assert (pairs["value"].isna() == (pairs["why"] != "")).all()


def test_features_of_texts_worked_by_hand(pairs):
    # spa's corpus has 4 subwords in 4 words; por's test set 4 and one unknown in 2 words.
    assert value(pairs, "spa", "por", "fertility_transfer") == 1.0
    assert value(pairs, "spa", "por", "fertility_target") == 2.5
    assert value(pairs, "spa", "por", "fertility_difference") == 1.5
    # Subwords 5, 6, 9 against 6, 7: one of four; the smaller share of 6 is 1/4.
    assert value(pairs, "spa", "por", "vocabulary_jaccard") == 1 / 4
    assert value(pairs, "spa", "por", "token_overlap") == pytest.approx(1 / 4)
    # Corpus and test set of one language are two texts: 5 and 9 of 5, 6, 9, 12; 1/4 and 1/4.
    assert value(pairs, "spa", "spa", "vocabulary_jaccard") == 2 / 4
    assert value(pairs, "spa", "spa", "token_overlap") == pytest.approx(1 / 4 + 1 / 4)
    assert value(pairs, "fin", "spa", "vocabulary_jaccard") == value(pairs, "fin", "spa", "token_overlap") == 0
    assert value(pairs, "fin", "por", "token_overlap") == pytest.approx(1 / 4)


def test_overlaps_are_those_of_sets_and_of_dictionaries():
    rng = np.random.default_rng(0)

    def text():
        tokens = np.sort(rng.choice(300, rng.integers(20, 120), replace=False))
        return counts(tokens, rng.integers(1, 50, len(tokens)), 500)

    codes = ["spa", "por", "fin", "hin", "zho"]
    texts = StudyTexts({code: text() for code in codes}, {code: text() for code in codes})
    found = language_pairs(codes, codes, texts=texts)
    for a in codes:
        for b in codes:
            one, other = (
                dict(zip(t.tokens, t.counts / t.counts.sum(), strict=True))
                for t in (texts.transfers[a], texts.targets[b])
            )
            jaccard = len(one.keys() & other.keys()) / len(one.keys() | other.keys())
            assert value(found, a, b, "vocabulary_jaccard") == pytest.approx(jaccard)
            least = sum(min(one[token], other[token]) for token in one.keys() & other.keys())
            assert value(found, a, b, "token_overlap") == pytest.approx(least)


def test_a_text_that_is_mostly_unknown_has_no_vocabulary():
    # 99 of 100 tokens are unknown: its one known subword is half of the other text's vocabulary.
    odd, plain = counts([5], [1], 40, unknown=99), counts([5, 6], [3, 1], 4)
    found = text_pairs(StudyTexts({"spa": plain, "zho": odd}, {"por": plain, "jpn": odd}))
    features = [name for name in TEXT_KINDS if name not in ("fertility_transfer", "fertility_target")]
    for transfer, target in (("spa", "jpn"), ("zho", "por"), ("zho", "jpn")):
        assert all(np.isnan(value(found, transfer, target, name)) for name in features)
    assert value(found, "spa", "por", "vocabulary_jaccard") == 1
    # Half of the tokens known is the limit of fertility, and so of these.
    half = text_pairs(StudyTexts({"spa": plain}, {"jpn": counts([5], [7], 9, unknown=7)}))
    assert value(half, "spa", "jpn", "vocabulary_jaccard") == 1 / 2


def test_some_of_uriels_sets_are_the_same_without_the_others(pairs):
    some = language_pairs(["spa", "fin", "hin"], ["spa", "por"], texts=TEXTS, sets=["fam"])
    whole = pairs[~pairs["feature"].isin(FEATURE_SETS) | (pairs["feature"] == "fam")].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, whole)


def test_features_of_texts_alone_are_those_among_all(pairs):
    alone = text_pairs(TEXTS)
    assert alone["feature"].drop_duplicates().tolist() == list(TEXT_KINDS)
    assert dict(zip(alone["feature"], alone["kind"], strict=True)) == TEXT_KINDS
    assert len(alone) == 2 * 2 * 5
    keys = ["transfer", "target", "feature"]
    both = alone.merge(pairs, on=keys, suffixes=("", "_all"))
    assert len(both) == len(alone) and (both["value"] == both["value_all"]).all()


def test_a_language_whose_text_was_not_counted_is_nan(pairs):
    rows = pairs[(pairs["transfer"] == "hin") & pairs["feature"].str.contains("fertility_diff|vocab|token")]
    assert rows["value"].isna().all() and set(rows["why"]) == {NO_TEXT}
    assert value(pairs, "hin", "por", "fertility_target") == 2.5  # which is not a matter of Hindi


def test_classes_of_languages():
    found = language_pairs(["spa", "cdo", "hat"], ["por", "fin", "zho", "srp", "hat"])
    assert [value(found, "spa", b, "same_family") for b in ("por", "fin", "srp")] == [1, 0, 1]
    assert [value(found, "spa", b, "same_genus") for b in ("por", "fin", "srp")] == [1, 0, 0]
    # Min Dong is written in Latin and in Chinese letters.
    assert [value(found, "cdo", b, "same_script") for b in ("por", "zho")] == [1, 1]
    assert value(found, "spa", "zho", "same_script") == 0
    # Haitian stands in no family: not even in that of other creoles, nor in its own.
    assert np.isnan([value(found, "hat", b, "same_family") for b in ("por", "fin", "hat")]).all()


def test_one_genus_of_two_families_is_two():
    classes = {"qaa": ("One", "Latn"), "qab": ("Two", "Latn"), "qac": ("One", "Cyrl")}
    table = TABLE.with_declared(
        Language(code, code, family, "North", script) for code, (family, script) in classes.items()
    )
    found = language_pairs(["qaa"], ["qab", "qac"], table)
    assert [value(found, "qaa", b, "same_genus") for b in ("qab", "qac")] == [0, 1]
    assert [value(found, "qaa", b, "same_script") for b in ("qab", "qac")] == [1, 0]


def test_urielic_values_are_those_of_similarity_in_both_directions():
    codes = ["spa", "por", "lav", "jpn"]
    found = language_pairs(codes, codes[::-1], codes="fullest", measure="angular", least=20)
    for row in similarity(codes, measure="angular", codes="fullest", least=20).itertuples():
        for a, b in ((row.language_a, row.language_b), (row.language_b, row.language_a)):
            (pair,) = found[
                (found["transfer"] == a) & (found["target"] == b) & (found["feature"] == row.features)
            ].itertuples()
            assert pair.value == pytest.approx(row.similarity, nan_ok=True)
            assert (pair.coverage, pair.why) == (row.coverage, row.why)


def test_kilometres_are_between_the_languages_places():
    places = coordinates(["spa", "jpn"])[["latitude", "longitude"]].to_numpy()
    found = language_pairs(["spa"], ["jpn", "spa"])
    assert value(found, "spa", "jpn", "kilometres") == pytest.approx(kilometres(places)[0, 1])
    assert value(found, "spa", "spa", "kilometres") == 0


def test_order_of_languages_does_not_change_values(pairs):
    turned = language_pairs(["hin", "spa", "fin"], ["por", "spa"], texts=TEXTS)
    keys = ["feature", "transfer", "target"]
    one, other = (frame.sort_values(keys, ignore_index=True) for frame in (pairs, turned))
    assert np.allclose(one["value"], other["value"], equal_nan=True)
    assert one.drop(columns="value").equals(other.drop(columns="value"))


def test_a_matrix_keeps_order_and_undefined_pairs(pairs):
    matrix = pair_matrix(pairs, "vocabulary_jaccard")
    assert matrix.index.tolist() == ["spa", "fin", "hin"] and matrix.columns.tolist() == ["spa", "por"]
    assert matrix.loc["spa", "por"] == 1 / 4 and matrix.loc["hin"].isna().all()
    with pytest.raises(ValueError, match="feature='jaccard' is not in pairs; it has syntax_average"):
        pair_matrix(pairs, "jaccard")


@pytest.mark.parametrize(
    "transfers, targets, error, message",
    [
        ([], ["spa"], ValueError, "transfers is empty"),
        (["spa"], ["por", "pt"], ValueError, "targets holds por twice"),
        (["spa"], ["spa"], ValueError, "holds 1 languages"),
        (["spa"], ["porr"], ConfigError, "did you mean 'por'"),
    ],
)
def test_bad_input_is_refused(transfers, targets, error, message):
    with pytest.raises(error, match=message):
        language_pairs(transfers, targets)


def test_a_study_of_artificial_languages(mini_files: MiniStudy):
    """URIEL knows none of them; script, family and texts are known, and related languages share more words."""
    resolved = mini_files.resolved
    found = pair_features(resolved, study_texts(resolved))
    codes = [ref.language for ref in resolved.corpora]
    assert found["transfer"].drop_duplicates().tolist() == codes
    unknown = found[found["feature"].isin([*FEATURE_SETS, "kilometres"])]
    assert unknown["value"].isna().all() and (unknown["why"] != "").all()
    known = found[~found["feature"].isin([*FEATURE_SETS, "kilometres"])]
    assert known["value"].notna().all()
    family = {language.code: language.family for language in resolved.languages}
    for row in known[known["feature"] == "same_family"].itertuples():
        assert row.value == float(family[row.transfer] == family[row.target])
    overlap = pair_matrix(found, "token_overlap")
    assert (overlap.to_numpy().diagonal() > overlap.to_numpy()[~np.eye(len(codes), dtype=bool)].max()).all()
    assert set(pair_features(resolved)["feature"]) == set(found["feature"]) - {
        "fertility_transfer", "fertility_target", "fertility_difference", "vocabulary_jaccard", "token_overlap"
    }  # fmt: skip
