"""Colours that can be told apart by everybody, and limits that are centred."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from xltransfer.figures.colours import (
    DIVERGING,
    FAMILY,
    OTHER_FAMILY,
    SEEN,
    TASK,
    UNDEFINED,
    UNKNOWN,
    UNSEEN,
    centred,
    rounded_up,
)

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour, sight):
    """Return CIELAB coordinates (D65) of a colour as somebody with that sight sees it."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = np.asarray(to_xyz) @ linear / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours, sight):
    return min(np.linalg.norm(lab(a, sight) - lab(b, sight)) for a, b in combinations(colours, 2))


def test_the_simulation_confuses_what_it_should():
    # Red and green of equal lightness: far apart for most, close with deuteranopia.
    assert nearest(["#C04040", "#6F7B00"], "normal") > 45 > 20 > nearest(["#C04040", "#6F7B00"], "deuteranopia")


@pytest.mark.parametrize("sight", ["normal", "deuteranopia", "protanopia"])
@pytest.mark.parametrize(
    "colours", [(*FAMILY, OTHER_FAMILY, UNSEEN), (SEEN, UNSEEN, UNKNOWN, "white"), [colour for colour, _ in TASK]]
)
def test_categories_are_far_apart(colours, sight):
    # A difference of 2.3 can just be noticed side by side; 15 is another colour.
    assert nearest(colours, sight) > 15


def test_categories_stay_apart_with_tritanopia():
    assert nearest((*FAMILY, OTHER_FAMILY, UNSEEN), "tritanopia") > 10


def test_tasks_have_a_marker_each():
    assert len({marker for _, marker in TASK}) == len(TASK)


@pytest.mark.parametrize("sight", list(SIGHT))
def test_gain_and_harm_differ_for_everybody(sight):
    ramp = colormaps[DIVERGING]
    for strength in (0.25, 0.5, 0.75, 1.0):
        assert nearest([ramp(0.5 + strength / 2), ramp(0.5 - strength / 2)], sight) > 20 * strength
    assert nearest([ramp(0.5), UNDEFINED], sight) > 15


def test_blue_is_improvement():
    up, down = colormaps[DIVERGING](1.0), colormaps[DIVERGING](0.0)
    assert up[2] > up[0] and down[0] > down[2]


def test_limits_are_symmetric_and_say_where_they_cut():
    usual = [-1.0, 1.0] * 500
    for extremes, extend in (([], "neither"), ([50.0], "max"), ([-50.0], "min"), ([50.0, -40.0], "both")):
        colours = centred([*usual, *extremes, np.nan, np.inf])
        assert colours.norm.vmin == -colours.norm.vmax == -1.0
        assert colours.extend == extend
        assert colours.norm(0.0) == 0.5


def test_a_given_limit_and_values_without_spread():
    assert (centred([3.0], limit=2.0).limit, centred([3.0], limit=2.0).extend) == (2.0, "max")
    assert centred([0.0, 0.0]).limit == centred([]).limit == centred([np.nan]).limit == 1.0
    # More than 98 % zeros: the percentile is 0 and the largest value counts.
    assert centred([0.0] * 999 + [4.0]).limit == 4.0
    for limit in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="is not a positive number"):
            centred([1.0], limit=limit)


def test_limits_are_rounded_up_and_what_is_round_stays():
    values = [0.3, 0.301, 6.21, 62.1, 621.0, 1.0, 0.00012345]
    assert [rounded_up(value) for value in values] == pytest.approx([0.3, 0.31, 6.3, 63, 630, 1.0, 0.00013])
