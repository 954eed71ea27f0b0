"""Task correlation: what shared replicates inflate, which targets count, and the correction for reliability."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.task_correlation import task_correlation

NAN = float("nan")


def tasks(pos: np.ndarray, dep: np.ndarray, **targets) -> pd.DataFrame:
    """Changes of two tasks; ``targets`` names the languages of dep."""
    second = changes_frame(dep, **targets).assign(task="dep", metric="las")
    return pd.concat([changes_frame(pos), second], ignore_index=True)


def one(frame: pd.DataFrame, **options) -> pd.Series:
    (row,) = task_correlation(frame, 0, **options).to_dict("records")
    return pd.Series(row)


def test_two_replicates_give_the_two_ways_round() -> None:
    rng = np.random.default_rng(0)
    pos, dep = rng.normal(size=(2, 9, 2, 5))
    x, y = pos.mean(axis=2), dep.mean(axis=2)
    row = one(tasks(pos, dep))
    crossed = [stats.spearmanr(y[:, r], x[:, 1 - r]).statistic for r in (0, 1)]
    assert row["estimate"] == pytest.approx(np.mean(crossed))
    assert row["naive"] == pytest.approx(stats.spearmanr(x.mean(axis=1), y.mean(axis=1)).statistic)
    assert (row["task_x"], row["metric_x"], row["task_y"], row["metric_y"]) == ("dep", "las", "pos", "accuracy")
    assert (row["n_transfers"], row["n_targets"], row["n_replicates"], row["why"]) == (9, 5, 2, "")
    assert row["low"] < row["estimate"] < row["high"] and 0.0 < row["p"] <= 1.0


def test_four_replicates_average_every_split() -> None:
    rng = np.random.default_rng(1)
    pos, dep = rng.normal(size=(2, 8, 4, 3))
    x, y = pos.mean(axis=2), dep.mean(axis=2)
    splits = [(list(half), [r for r in range(4) if r not in half]) for half in itertools.combinations(range(4), 2)]
    expected = [stats.spearmanr(x[:, a].mean(axis=1), y[:, b].mean(axis=1)).statistic for a, b in splits]
    assert one(tasks(pos, dep))["estimate"] == pytest.approx(np.mean(expected))


def test_shared_luck_inflates_only_the_naive_correlation() -> None:
    rng = np.random.default_rng(2)
    naive, disjoint, small = [], [], []
    for _ in range(60):
        luck = rng.normal(size=(20, 3, 1))
        made = [rng.normal(size=(20, 1, 1)) + luck + 0.3 * rng.normal(size=(20, 3, 4)) for _ in range(2)]
        row = one(tasks(*made))
        naive.append(row["naive"])
        disjoint.append(row["estimate"])
        small.append(row["p"] <= 0.05)
    assert np.mean(naive) > 0.15
    assert abs(np.mean(disjoint)) < 0.07
    assert np.mean(small) <= 0.13  # 5 % of 60 is 3; more than 8 would come once in 200 times


def test_correction_for_reliability_recovers_the_true_correlation() -> None:
    rng = np.random.default_rng(3)
    level = rng.normal(size=(400, 1, 1))
    other = 0.7 * level + math.sqrt(1 - 0.49) * rng.normal(size=(400, 1, 1))
    pos, dep = (truth + 1.5 * rng.normal(size=(400, 4, 1)) for truth in (level, other))
    row = one(tasks(pos, dep))
    true = 6.0 / math.pi * math.asin(0.7 / 2.0)
    assert row["reliability_x"] == pytest.approx(1.0 / (1.0 + 2.25 / 2.0), abs=0.06)
    assert row["estimate"] < 0.45 < row["corrected"]
    assert row["corrected"] == pytest.approx(row["estimate"] / math.sqrt(row["reliability_x"] * row["reliability_y"]))
    assert row["corrected"] == pytest.approx(true, abs=0.1)


def test_no_correction_where_reliability_may_be_low() -> None:
    rng = np.random.default_rng(4)
    row = one(tasks(*(rng.normal(size=(2, 10, 4, 1)))))
    assert math.isnan(row["corrected"]) and math.isfinite(row["estimate"])


def test_which_targets_count() -> None:
    rng = np.random.default_rng(5)
    pos, dep = rng.normal(size=(2, 7, 2, 3))
    frame = tasks(pos, dep, target=["b01", "b02", "zul"])
    common, own = one(frame), one(frame, targets="all")
    naive = stats.spearmanr(pos[:, :, 1:].mean(axis=(1, 2)), dep[:, :, :2].mean(axis=(1, 2))).statistic
    assert common["naive"] == pytest.approx(naive) and common["n_targets"] == 2
    assert own["naive"] == pytest.approx(stats.spearmanr(pos.mean(axis=(1, 2)), dep.mean(axis=(1, 2))).statistic)
    third = changes_frame(rng.normal(size=(7, 2, 1)), target=["b02"]).assign(task="ner", metric="f1")
    three = pd.concat([frame, third], ignore_index=True)
    assert task_correlation(three, 0)["n_targets"].tolist() == [1, 1, 1]
    assert task_correlation(three, 0, targets="pair")["n_targets"].tolist() == [1, 2, 1]


def test_tasks_without_common_targets_or_replicates_say_why() -> None:
    values = np.random.default_rng(6).normal(size=(2, 7, 2, 3))
    apart = one(tasks(*values, target=["x", "y", "z"]))
    assert (apart["why"], apart["n_targets"], apart["n_transfers"]) == ("no common targets", 0, 0)
    assert math.isnan(apart["estimate"]) and math.isnan(apart["naive"])
    single = one(tasks(*values[:, :, :1]))
    assert single["why"] == "one replicate" and math.isfinite(single["naive"]) and math.isnan(single["estimate"])
    assert one(tasks(*values[:, :2]))["why"] == "fewer than three transfer entries"


def test_a_task_out_of_the_aggregates_takes_nothing_from_the_others() -> None:
    values = np.random.default_rng(9).normal(size=(3, 7, 2, 3))
    frame = pd.concat([tasks(*values[:2]), changes_frame(values[2]).assign(task="ner", metric="f1", aggregated=False)])
    found = task_correlation(frame, 0)
    assert found["why"].tolist() == ["no common targets", "", "no common targets"]
    assert found["n_targets"].tolist() == [0, 3, 0]


def test_replicates_are_matched_by_their_number() -> None:
    # pos lacks replicate 0: its replicates 1 and 2 must not be taken for dep's 0 and 1.
    rng = np.random.default_rng(7)
    luck = rng.normal(size=(30, 3, 1))
    frame = tasks(luck, luck)
    frame = frame[(frame["task"] == "dep") | (frame["replicate"] > 0)]
    row = one(frame)
    assert abs(row["estimate"]) < 0.35 < row["naive"]


def test_metrics_are_chosen_by_task() -> None:
    values = np.random.default_rng(8).normal(size=(2, 6, 2, 3))
    frame = tasks(*values)
    both = pd.concat(
        [frame, frame[frame["task"] == "dep"].assign(metric="uas", ts=lambda f: -f["ts"])], ignore_index=True
    )
    plain, chosen = one(both), one(both, metrics={"pos": "accuracy", "dep": "uas"})
    assert plain["metric_x"] == "las" and chosen["metric_x"] == "uas"
    assert chosen["estimate"] == pytest.approx(-plain["estimate"])
    with pytest.raises(ValueError, match=r"metrics\['dep'\]='laz'.*las"):
        one(both, metrics={"dep": "laz"})
    assert len(task_correlation(both, 0, metrics={"pos": "accuracy", "dep": "las", "ner": "f1"})) == 1
    assert task_correlation(both, 0, metrics={"pos": "accuracy"}).empty
    with pytest.raises(ValueError, match="targets='every'"):
        one(both, targets="every")
