"""Labels that may not touch: moved as little as possible, in their order, inside the axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from xltransfer.figures.end_labels import apart, font_for


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=30), st.floats(0.001, 0.2))
def test_apart(wanted, distance):
    heights = apart(np.array(wanted), distance)
    room = min(distance, 1 / max(len(wanted) - 1, 1))
    assert heights.min() >= -1e-9 and heights.max() <= 1 + 1e-9
    assert (np.diff(np.sort(heights)) >= room - 1e-9).all()
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(heights[order]) > 0).all()


def test_what_is_apart_already_stays():
    assert apart(np.array([0.9, 0.1, 0.5]), 0.1) == pytest.approx([0.9, 0.1, 0.5])
    # Two at one place move by half the distance each.
    assert apart(np.array([0.5, 0.5]), 0.1) == pytest.approx([0.45, 0.55])
    assert apart(np.array([]), 0.1).size == 0


def test_apart_is_the_least_squares_answer():
    wanted = np.array([0.02, 0.03, 0.5, 0.52, 0.53, 0.99])
    ours = apart(wanted, 0.1)
    constraints = [{"type": "ineq", "fun": lambda h, i=i: h[i + 1] - h[i] - 0.1} for i in range(5)]
    best = minimize(
        lambda h: ((h - wanted) ** 2).sum(), np.linspace(0, 1, 6), bounds=[(0, 1)] * 6, constraints=constraints
    )
    assert ours == pytest.approx(best.x, abs=1e-4)


def test_size_of_letters():
    assert font_for(3, 500) == 6.5 and 5 <= font_for(38, 38 * 1.22 * 5.5) == pytest.approx(5.5)
    with pytest.raises(
        ValueError, match="size is too low for 38 lines with labels of 5 points; make it .* inches higher"
    ):
        font_for(38, 38 * 1.22 * 4.9)
