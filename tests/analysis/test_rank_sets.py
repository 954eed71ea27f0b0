"""Rank sets: that they hold the true ranks, what rules a rank out, and what is said where nothing can be."""

import math

import numpy as np
import pytest
from changes_frame import changes_frame

from xltransfer.analysis.rank_sets import rank_sets

NAN = float("nan")


def noisy(rng: np.random.Generator, means: np.ndarray, replicates: int, targets: int) -> np.ndarray:
    """Changes [A, R, T] with noise of targets, pairs, replicates and the rest, unequal between entries."""
    entries, spread = len(means), np.linspace(0.5, 2.0, len(means))[:, None, None]
    pairs, runs = rng.normal(size=(entries, 1, targets)), 0.5 * rng.normal(size=(entries, replicates, 1))
    rest = 0.5 * rng.normal(size=(entries, replicates, targets))
    return means[:, None, None] + 2.0 * rng.normal(size=targets) + spread * (pairs + runs) + rest


@pytest.mark.parametrize("replicates", [3, 10])
def test_sets_hold_all_true_ranks_at_once(replicates: int) -> None:
    # Equal means are the hardest case: every rank is true of every entry, and each comparison can only be wrong.
    rng = np.random.default_rng(replicates)
    held = 0
    for run in range(160):
        found = rank_sets(changes_frame(noisy(rng, np.zeros(5), replicates, 20)), run, draws=200)
        held += bool((found["rank_low"].eq(1) & found["rank_high"].eq(5)).all())
    assert 0.93 <= held / 160 <= 0.985


def test_sets_of_clearly_different_entries_are_single_ranks() -> None:
    rng = np.random.default_rng(0)
    found = rank_sets(changes_frame(noisy(rng, 20.0 * np.arange(7.0), 4, 30)), 0, draws=300)
    assert found["transfer"].tolist() == [f"a{i:02d}" for i in range(6, -1, -1)]
    assert found["rank_low"].tolist() == found["rank_high"].tolist() == found["rank"].tolist() == list(range(1, 8))
    assert found["p_top5"].tolist() == [1.0] * 5 + [0.0] * 2


def test_two_entries_are_told_apart_exactly_where_a_paired_t_test_does() -> None:
    # Without replicate noise, two entries are one comparison of paired targets: Student's t with T − 1.
    rng = np.random.default_rng(1)
    base = rng.normal(size=12)
    gap = rng.normal(size=12)
    gap = (gap - gap.mean()) / gap.std(ddof=1)
    for t, separable in ((2.0, False), (2.4, True)):  # the 5 % point of t with 11 degrees of freedom is 2.20
        x = np.stack([base, base + gap + t / math.sqrt(12)])
        found = rank_sets(changes_frame(np.repeat(x[:, None], 3, axis=1)), 0, draws=20_000)
        assert (found["rank_high"].iloc[0] == 1) == separable


def test_p_top5_of_equal_entries_shares_five_places() -> None:
    values = noisy(np.random.default_rng(2), np.zeros(8), 5, 40)
    values -= values.mean(axis=(1, 2), keepdims=True)
    found = rank_sets(changes_frame(values), 0, draws=4000)
    assert found["p_top5"].sum() == pytest.approx(5.0)
    assert found["rank"].eq(1).all()
    assert rank_sets(changes_frame(values[:5]), 0, draws=10)["p_top5"].tolist() == [1.0] * 5


def test_a_missing_target_costs_only_its_pairs() -> None:
    values = noisy(np.random.default_rng(3), np.array([0.0, 20.0, 40.0]), 4, 20)
    values[0, :, 0] = NAN
    found = rank_sets(changes_frame(values), 0, draws=300)
    assert found["rank_low"].tolist() == found["rank_high"].tolist() == [1, 2, 3]
    assert found["n_targets"].tolist() == [20, 20, 19]
    assert found["estimate"].iloc[2] == pytest.approx(values[0, :, 1:].mean())


def test_self_transfer_can_be_left_out() -> None:
    values = noisy(np.random.default_rng(4), np.zeros(2), 3, 4)
    found = rank_sets(changes_frame(values, transfer=["b00", "zho"]), 0, draws=50, include_self=False)
    estimates = found.set_index("transfer")["estimate"]
    assert estimates["b00"] == pytest.approx(values[0, :, 1:].mean())
    assert estimates["zho"] == pytest.approx(values[1].mean())


def test_an_entry_with_one_replicate_has_no_set_and_rules_out_nothing() -> None:
    values = noisy(np.random.default_rng(5), np.array([0.0, 50.0, 100.0]), 3, 20)
    values[1, 1:] = NAN
    found = rank_sets(changes_frame(values), 0, draws=300).set_index("transfer")
    assert found.loc["a01", "why"] == "one replicate"
    assert found.loc["a01", ["rank_low", "rank_high"]].isna().all()
    assert found.loc["a02", ["rank_low", "rank_high"]].tolist() == [1, 2]
    assert found.loc["a00", ["rank_low", "rank_high"]].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("shape", "why"), [((3, 1, 9), "one replicate"), ((3, 4, 1), "one target"), ((3, 4, 9), "nothing varies")]
)
def test_no_set_says_why(shape: tuple[int, int, int], why: str) -> None:
    values = np.zeros(shape) if why == "nothing varies" else np.random.default_rng(6).normal(size=shape)
    found = rank_sets(changes_frame(values), 0, draws=50)
    assert found["why"].eq(why).all()
    assert found[["rank_low", "rank_high"]].isna().all(axis=None)
    assert found["rank"].notna().all()


def test_a_scale_that_is_undefined_everywhere_says_so() -> None:
    frame = changes_frame(np.random.default_rng(8).normal(size=(3, 4, 9))).assign(logit_delta=NAN)
    found = rank_sets(frame, 0, "logit_delta", draws=50)
    assert found["why"].eq("undefined baseline").all() and found["n_targets"].eq(0).all()
    assert found[["estimate", "rank", "rank_low", "p_top5"]].isna().all(axis=None)


def test_a_single_entry_is_first() -> None:
    (row,) = rank_sets(changes_frame(np.ones((1, 3, 4))), 0, draws=50).to_dict("records")
    assert (row["rank_low"], row["rank_high"], row["p_top5"], row["why"]) == (1, 1, 1.0, "")


def test_the_seed_decides_and_wrong_options_are_refused() -> None:
    frame = changes_frame(noisy(np.random.default_rng(7), np.zeros(7), 3, 10))
    first, again, other = (rank_sets(frame.sample(frac=1.0, random_state=seed), seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first["p_top5"].equals(other["p_top5"])
    with pytest.raises(ValueError, match="level=95 is no confidence level"):
        rank_sets(frame, 1, level=95)
    with pytest.raises(ValueError, match="draws=0"):
        rank_sets(frame, 1, draws=0)
