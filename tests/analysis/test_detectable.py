"""The planning formulas: by hand, and against the power of the tests that they plan; and what was measured."""

import cluster_tables as tables
import numpy as np
import pytest
from scipy import stats

from xltransfer.analysis import smallest_detectable_effect
from xltransfer.analysis.detectable import measured_detectable_effect, smallest_detectable_nll_effect
from xltransfer.analysis.frames import CELL
from xltransfer.analysis.interval_statistics import interval_statistics
from xltransfer.analysis.intervals import cell_intervals


def test_by_hand():
    # sqrt(2 · 0.03 / 600) = 0.01; 2.8 · 100 · 0.01 / 0.6.
    assert smallest_detectable_effect(600) == pytest.approx(2.8 / 0.6)


def test_power_at_that_effect_is_80_percent():
    n, base, discordant = 20_000, 0.6, 0.03
    change = float(smallest_detectable_effect(n, base, discordant, 1.0)) / 100 * base
    rng = np.random.default_rng(0)
    moves = rng.multinomial(n, [(discordant + change) / 2, (discordant - change) / 2, 1 - discordant], 4000)
    z = (moves[:, 0] - moves[:, 1]) / np.sqrt(moves[:, 0] + moves[:, 1])
    assert np.mean(np.abs(z) > stats.norm.ppf(0.975)) == pytest.approx(0.80, abs=0.025)


def test_four_times_the_words_halve_it_and_undefined_is_nan():
    one, four, none = smallest_detectable_effect([250, 1000, 0])
    assert four == pytest.approx(one / 2)
    assert np.isnan(none)
    assert np.isnan(smallest_detectable_effect(100, score=0.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n=-1 is outside 0 to inf"),
        ({"n": 5, "score": 60.0}, "score=60 is outside 0 to 1; shares are written 0.6, not 60"),
        ({"n": 5, "discordant": 3.0}, "discordant=3 is outside 0 to 1"),
        ({"n": 5, "design_effect": 0.0}, "design_effect=0 is outside"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        smallest_detectable_effect(**arguments)


def test_nll_by_hand():
    # sqrt(2 · 2 · 0.01 / 400) = 0.01.
    assert smallest_detectable_nll_effect(400) == pytest.approx(2.8)
    one, four, none = smallest_detectable_nll_effect([100, 400, 0])
    assert one == pytest.approx(2 * four) and np.isnan(none)


def test_nll_power_at_that_effect_is_80_percent():
    """Paired words: a shared hard part and a part of each model, correlated as stated; log-normal, so skewed."""
    n, correlation = 2000, 0.95
    rng = np.random.default_rng(0)
    cut = np.log(2.0)  # log-normal with sd equal to its mean
    shared = rng.standard_normal((3000, n))
    own = np.sqrt(np.log1p(correlation) / cut)
    left, right = (own * shared + np.sqrt(1 - own**2) * rng.standard_normal((3000, n)) for _ in range(2))
    before, after = (np.exp(np.sqrt(cut) * x - cut / 2) for x in (left, right))
    assert np.corrcoef(before[0], after[0])[0, 1] == pytest.approx(correlation, abs=0.03)
    effect = float(smallest_detectable_nll_effect(n, 1.0, correlation, 1.0)) / 100
    difference = after * (1 - effect) - before
    t = difference.mean(axis=1) / (difference.std(axis=1, ddof=1) / np.sqrt(n))
    assert np.mean(np.abs(t) > stats.norm.ppf(0.975)) == pytest.approx(0.80, abs=0.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n=-1 is outside 0 to inf"),
        ({"n": 5, "correlation": 99}, "correlation=99 is outside -1 to 1"),
        ({"n": 5, "spread": -1.0}, "spread=-1 is outside 0 to inf"),
        ({"n": 5, "design_effect": 0.0}, "design_effect=0 is outside"),
    ],
)
def test_nll_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        smallest_detectable_nll_effect(**arguments)


def _statistics(replicates=3):
    rng = np.random.default_rng(0)
    targets = tables.separate({"wol": 40, "zul": 1})
    before, _ = tables.las(rng, targets, 1)
    nll = {"nll": rng.gamma(20.0, 0.1, 41)}
    entries = []
    for transfer in ("fin", "tur", "zul"):
        after = tables.las(rng, targets, replicates)[1]
        after = {**after, "total": np.broadcast_to(before["total"], after["total"].shape)}
        after["nll"] = nll["nll"] * rng.uniform(0.9, 1.1, (replicates, 41))
        entries.append(tables.nudged(targets, after, transfer=transfer))
    return interval_statistics(entries, [tables.untouched(targets, before | nll)], tables.NO_FLAGS), before


def test_measured_is_28_standard_errors_and_targets_have_the_median():
    statistics, before = _statistics()
    cells = measured_detectable_effect(statistics, "cell")
    np.testing.assert_allclose(cells["measured"], 2.8 * cell_intervals(statistics)["se"])
    targets = measured_detectable_effect(statistics).set_index(["target", "metric"])
    for metric in ("las", "nll"):
        own = cells[(cells["target"] == "wol") & (cells["metric"] == metric)]
        row = targets.loc["wol", metric]
        assert row["measured"] == pytest.approx(np.median(own["measured"])) and row["n_cells"] == 3
        assert np.isnan(targets.loc[("zul", metric), "measured"]) and targets.loc[("zul", metric), "n_cells"] == 0
    words = before["total"][:40].sum()
    share = before["las"][:40].sum() / words
    assert targets.loc[("wol", "las"), "words"] == targets.loc[("wol", "las"), "decisions"] == words
    assert targets.loc[("wol", "las"), "assumed"] == pytest.approx(smallest_detectable_effect(words, share))
    assert targets.loc[("wol", "nll"), "assumed"] == pytest.approx(smallest_detectable_nll_effect(words))
    assert cells.columns.tolist() == [*CELL, "words", "decisions", "reference", "measured", "assumed"]
    keys = ["base", "setting", "metric", "steps", "task", "dataset", "target"]
    shown = ["n_cells", "words", "decisions", "reference", "measured", "assumed"]
    assert measured_detectable_effect(statistics).columns.tolist() == [*keys, *shown]


def test_measured_without_replicates_and_bad_argument():
    statistics, _ = _statistics(replicates=1)
    assert measured_detectable_effect(statistics)["measured"].isna().all()
    assert measured_detectable_effect(interval_statistics([], [], tables.NO_FLAGS)).empty
    with pytest.raises(ValueError, match="by='targets' is not among the known values: cell, target"):
        measured_detectable_effect(statistics, "targets")
