"""The planning formula: by hand, and against the power of the test that it plans."""

import numpy as np
import pytest
from scipy import stats

from xltransfer.analysis import smallest_detectable_effect


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
