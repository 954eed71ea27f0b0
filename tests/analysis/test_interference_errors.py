"""Errors of differences: the textbook paired standard error, and what the dead zone makes of them."""

import math

import numpy as np
import pandas as pd
import pytest
from cluster_tables import nudged, targets_of
from scipy import stats

from xltransfer.analysis.interference import interference
from xltransfer.analysis.interference_errors import paired_errors

SENTENCES = 40
TARGETS = targets_of({"fin": range(SENTENCES), "wol": range(SENTENCES, 2 * SENTENCES)}, task="pos")


def entry(members: str, correct, setting="fusion_trained", total=None, **more):
    total = np.full(2 * SENTENCES, 10.0) if total is None else total
    counts = {"correct": correct[None, :], "total": total[None, :]}
    return nudged(TARGETS, counts, setting=setting, transfer=members, corpus="", steps=None, **more)


@pytest.fixture
def drawn() -> dict[str, np.ndarray]:
    """Correct words of ten in each sentence; the fusion differs from the adapters in few sentences."""
    rng = np.random.default_rng(4)
    base = rng.integers(2, 9, 2 * SENTENCES).astype(float)
    change = rng.choice([-1.0, 0.0, 1.0], 2 * SENTENCES, p=[0.1, 0.7, 0.2])
    return {"single": base, "second": base - change, "fused": base + change}


def entries(drawn, **more):
    own = [entry(code, drawn["single"], "language_adapter", scored=[[code == "fin", code == "wol"]], **more)
           for code in ("fin", "wol")]  # fmt: skip
    seconds = [entry(f"{code}+{code}'", drawn["second"], scored=[[code == "fin", code == "wol"]], **more)
               for code in ("fin", "wol")]  # fmt: skip
    return own, [*seconds, entry("fin+wol", drawn["fused"], **more)]


def test_with_sentences_of_one_length_it_is_the_paired_standard_error(drawn):
    own, fused = entries(drawn)
    table = paired_errors(fused, own).set_index("target")
    assert table[["members", "fusion", "control", "metric", "task"]].drop_duplicates().to_numpy().tolist() == [
        ["fin+wol", "trained", "same", "accuracy", "pos"]
    ]
    change = 10.0 * (drawn["fused"] - drawn["single"])  # percent of ten words
    assert table.loc["fin", "standard_error"] == pytest.approx(stats.sem(change[:SENTENCES]))
    assert table.loc["wol", "standard_error"] == pytest.approx(stats.sem(change[SENTENCES:]))


def test_second_adapters_are_the_reference_where_asked_for(drawn):
    own, fused = entries(drawn)
    table = paired_errors(fused, fused, "second_adapter").set_index("target")
    change = 10.0 * (drawn["fused"] - drawn["second"])
    assert table.loc["wol", "standard_error"] == pytest.approx(stats.sem(change[SENTENCES:]))
    other = [entry("fin+fin'", drawn["second"], "fusion_uniform")]
    assert paired_errors(fused[2:], other, "second_adapter").empty


def test_equal_answers_have_no_error_and_one_sentence_has_none_that_is_known(drawn):
    own, _ = entries(drawn)
    same = entry("fin+wol", drawn["single"])
    assert paired_errors([same], own)["standard_error"].tolist() == [0.0, 0.0]
    alone = np.where(np.arange(2 * SENTENCES) % SENTENCES == 0, 10.0, 0.0)
    single = [entry("fin", 0.5 * alone, "language_adapter", alone)]
    table = paired_errors([entry("fin+wol", 0.2 * alone, total=alone)], single)
    assert table["target"].tolist() == ["fin"] and math.isnan(table["standard_error"].iloc[0])


def test_sentences_of_unequal_length_agree_with_the_jackknife(drawn):
    rng = np.random.default_rng(9)
    total = rng.integers(5, 25, 2 * SENTENCES).astype(float)
    first, second = np.floor(0.6 * total), np.floor(0.6 * total) + rng.choice([0.0, 1.0], 2 * SENTENCES)
    table = paired_errors([entry("fin+wol", second, total=total)], [entry("fin", first, "language_adapter", total)])
    left = [
        100 * (np.delete(second[:SENTENCES], i).sum() - np.delete(first[:SENTENCES], i).sum())
        / np.delete(total[:SENTENCES], i).sum()
        for i in range(SENTENCES)
    ]  # fmt: skip
    jackknife = math.sqrt((SENTENCES - 1) / SENTENCES * np.sum((left - np.mean(left)) ** 2))
    assert table["standard_error"].iloc[0] == pytest.approx(jackknife, rel=0.05)


def test_no_reference_and_several_devices_are_refused(drawn):
    own, fused = entries(drawn)
    with pytest.raises(ValueError, match="references hold no counts of the composition A, which control='same' needs"):
        paired_errors(fused, [])
    others, more = entries(drawn, devices=("cuda",))
    with pytest.raises(ValueError, match="two kinds of device give an error for"):
        paired_errors([*fused, *more], [*own, *others])
    assert paired_errors(fused, others).empty


def scores(change: float, error: float = 5.0) -> pd.DataFrame:
    rows = [("A", "fin", "", 60.0), ("A+B", "fin+wol", "trained", 60.0 + change)]
    frame = pd.DataFrame(rows, columns=["composition", "members", "fusion", "score"])
    return frame.assign(base="b", task="pos", metric="accuracy", dataset="ud", target="fin", adapter_seed=0,
                        standard_error=error)  # fmt: skip


def test_the_dead_zone_takes_errors_of_differences_where_they_are_given(drawn):
    own, fused = entries(drawn)
    errors = paired_errors(fused, own)
    error = errors.set_index("target").loc["fin", "standard_error"]
    for change, sign in ((1.01 * error, 1.0), (-1.01 * error, -1.0), (0.99 * error, 0.0)):
        assert interference(scores(change), dead_zone=1.0, errors=errors)["sign"].tolist()[0] == sign
        assert interference(scores(change), dead_zone=1.0)["sign"].tolist()[0] == 0.0  # √2 · 5 points
    unknown = interference(scores(1.0), dead_zone=1.0, errors=errors[errors["target"] == "wol"])
    assert unknown["why"].tolist()[0] == "no standard error"
    with pytest.raises(ValueError, match="errors are those of control='same', differences those of 'second_adapter'"):
        seconds = scores(1.0).assign(composition=["A+A'", "A+B"], members=["fin+fin'", "fin+wol"], fusion="trained")
        interference(seconds, "second_adapter", errors=errors)


def test_tasks_without_an_adapter_are_joined_too(drawn):
    own, fused = entries(drawn, adapter_seed=None)
    errors = paired_errors(fused, own)
    assert errors["adapter_seed"].isna().all()
    rows = scores(30.0).assign(adapter_seed=pd.array([None, None], dtype="Int64"))
    found = interference(rows, dead_zone=1.0, errors=errors)
    assert found["sign"].tolist()[0] == 1.0
    assert found["standard_error"].tolist()[0] == errors["standard_error"].iloc[0]
