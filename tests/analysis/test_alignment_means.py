"""Means over pairs, changes and their intervals: against plain arithmetic, a simulation, and an analysis by hand."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_1samp

from xltransfer.analysis.alignment_means import (
    alignment_scores,
    change_means,
    level_means,
    mean_of_pairs,
    nudge_changes,
    paired_changes,
)

LANGUAGES = ["eng", "fin", "hin", "tur", "wol"]
PAIRS = list(itertools.combinations(LANGUAGES, 2))
LEVELS = {pair: 0.5 + 0.03 * number for number, pair in enumerate(PAIRS)}


def rows_of(setting: str, transfer: str, replicate: int | None, shift: float = 0.0) -> list[dict[str, object]]:
    """Rows as a run stores them: two layers of which 1 is the middle one, true and permuted pairs."""
    rows = []
    for source, target in PAIRS:
        if transfer and transfer not in (source, target):
            continue
        for layer, permuted in itertools.product((0, 1), (False, True)):
            value = (LEVELS[source, target] + shift) * (1 if layer else 2) - (0.2 if permuted else 0.0)
            rows.append(
                {
                    "base": "b", "setting": setting, "transfer": transfer,
                    "corpus": f"text-{transfer}" if transfer else "",
                    "steps": 10 if transfer else None, "adapter_seed": None, "replicate": replicate, "task": "pud",
                    "dataset": f"{source}+{target}", "target": target, "score": value, "device": "cpu",
                    "metric": f"{'permuted_' if permuted else ''}cls_cosine[{layer}]",
                    "options": json.dumps({"layer": 1, "n_source": 40, "n_target": 30, "source": source}),
                }
            )  # fmt: skip
    return rows


def measurements() -> pd.DataFrame:
    rows = rows_of("baseline", "", None)
    rows.append(rows[0] | {"metric": "cls_cosine"})  # the middle layer once more, which must not count twice
    for replicate, shift in enumerate((0.01, 0.02, 0.06)):
        rows += rows_of("nudge", "eng", replicate, shift)
        rows += rows_of("nudge", "wol", replicate, -shift)
    return pd.DataFrame(rows).astype({"steps": "Int64", "replicate": "Int64", "adapter_seed": "Int64"})


def one(frame: pd.DataFrame, **key: object) -> "pd.Series[object]":
    for name, value in key.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1, key
    return frame.iloc[0]


def test_scores_are_told_apart_by_layer_measure_and_pairing() -> None:
    found = alignment_scores(measurements())
    assert len(found) == (10 + 6 * 4) * 4
    row = one(found[found.setting == "baseline"], dataset="eng+fin", layer=1, permuted=True)
    assert row.score == pytest.approx(LEVELS["eng", "fin"] - 0.2)
    assert (row.metric, row.source, row.n_source, row.n_target, bool(row.middle)) == ("cls_cosine", "eng", 40, 30, True)
    assert not found[found.layer == 0].middle.any()


def test_the_level_is_the_mean_over_pairs_and_stays_in_range() -> None:
    scores = alignment_scores(measurements())
    found = level_means(scores[scores.setting == "baseline"])
    row = one(found, layer=1, permuted=False)
    assert row.estimate == pytest.approx(np.mean(list(LEVELS.values())))
    assert (row.n_pairs, row.n_languages) == (10, 5)
    top = one(found, layer=0, permuted=False)
    assert top.estimate > 1 and top.high == 1  # a made-up score above what a cosine can be


def test_changes_are_taken_pair_by_pair() -> None:
    scores = alignment_scores(measurements())
    row = one(change_means(scores), layer=1, permuted=False, setting="nudge")
    assert row.estimate == pytest.approx(0, abs=1e-12)
    assert row.n_pairs == 8  # four pairs of English, four of Wolof, theirs among both
    changed = paired_changes(scores)
    assert set(changed[changed.middle & (changed.transfer == "eng")].change.round(9)) == {0.01, 0.02, 0.06}
    with pytest.raises(ValueError, match="two scores for"):
        paired_changes(pd.concat([scores, scores[scores.setting == "baseline"]]))


def test_the_change_by_a_nudge_has_the_interval_of_its_replicates() -> None:
    found = nudge_changes(alignment_scores(measurements()))
    row = one(found, transfer="eng", permuted=False)
    # All pairs move alike, so only replicates vary, and the crossed interval is a t interval over three of them.
    values = np.array([0.01, 0.02, 0.06])
    assert row.estimate == pytest.approx(0.03)
    assert row.se == pytest.approx(values.std(ddof=1) / math.sqrt(3))
    assert row.df == pytest.approx(2)
    assert row.high - row.low == pytest.approx(2 * t.ppf(0.975, 2) * row.se)
    assert row.p == pytest.approx(ttest_1samp(values, 0).pvalue)
    assert row.p_holm == pytest.approx(2 * row.p)  # two entries
    assert (row.n_pairs, row.n_up, row.n_replicates) == (4, 4, 3)
    # Permuted pairs moved as far, so nothing is left net of them, and nothing varies.
    assert row.net == pytest.approx(0, abs=1e-12) and math.isnan(row.net_low)


def test_what_is_left_net_of_permuted_pairs() -> None:
    rows = measurements()
    rng = np.random.default_rng(4)
    moved = (rows.setting == "nudge") & ~rows.metric.str.startswith("permuted")
    extra = 0.01 + 0.002 * rng.normal(size=len(rows))
    rows.loc[moved, "score"] += extra[moved]
    row = one(nudge_changes(alignment_scores(rows)), transfer="eng", permuted=False)
    own = moved & (rows.transfer == "eng") & rows.metric.str.endswith("[1]")
    assert row.net == pytest.approx(extra[own].mean()) and row.net_low < row.net < row.net_high
    assert row.estimate == pytest.approx(0.03 + row.net)
    assert row.net_p < row.p and row.net_p_holm >= row.net_p
    assert math.isnan(one(nudge_changes(alignment_scores(rows)), transfer="eng", permuted=True).net)


def test_one_pair_has_no_interval_and_says_why() -> None:
    rows = measurements()
    rows = rows[rows.dataset == "eng+wol"]
    row = one(nudge_changes(alignment_scores(rows)), transfer="eng", permuted=False)
    assert row.estimate == pytest.approx(0.03) and math.isnan(row.low) and math.isnan(row.p_holm)
    assert row.why == "one pair only"


def test_the_jackknife_is_that_of_means_made_anew() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=10)
    found = mean_of_pairs(values, PAIRS)
    without = [
        np.mean([value for value, pair in zip(values, PAIRS, strict=True) if language not in pair])
        for language in LANGUAGES
    ]
    se = math.sqrt(4 / 5 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found["se"] == pytest.approx(se) and found["df"] == 4
    assert found["low"] == pytest.approx(values.mean() - t.ppf(0.975, 4) * se)


def test_the_jackknife_holds_the_truth_where_languages_differ() -> None:
    rng = np.random.default_rng(1)
    pairs = list(itertools.combinations(range(12), 2))
    names = [(f"l{a}", f"l{b}") for a, b in pairs]
    inside = []
    for _ in range(400):
        own = rng.normal(size=12)
        values = [own[a] + own[b] + 0.5 * rng.normal() for a, b in pairs]
        found = mean_of_pairs(values, names)
        inside.append(found["low"] <= 0 <= found["high"])
    assert 0.92 < np.mean(inside) < 0.99


def test_a_language_in_every_pair_is_held_fixed_and_few_have_no_interval() -> None:
    star = [("eng", other) for other in LANGUAGES[1:]]
    found = mean_of_pairs([1.0, 2.0, 3.0, 6.0], star)
    # Without the others one by one this is the mean of independent values.
    assert found["se"] == pytest.approx(np.std([1, 2, 3, 6], ddof=1) / 2)
    few = mean_of_pairs([1.0, 2.0], star[:2])
    assert few["estimate"] == 1.5 and math.isnan(few["low"]) and "fewer than 4 languages" in few["why"]
    assert mean_of_pairs([1.0] * 10, PAIRS)["why"] == "nothing varies"


def test_scores_of_two_devices_are_refused_and_not_averaged() -> None:
    rows = measurements()
    with pytest.raises(ValueError, match="devices cpu, cuda; keep the rows of one"):
        alignment_scores(pd.concat([rows, rows[rows.setting == "baseline"].assign(device="cuda")]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="lacks the columns options"):
        alignment_scores(measurements().drop(columns="options"))
