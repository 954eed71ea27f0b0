"""Task correlations: the lower triangle holds estimates, the upper p and n, the diagonal reliabilities."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.figures import task_correlation_matrix

TASKS = (("dep", "las"), ("ner", "f1"), ("pos", "accuracy"))


def texts(figure):
    """Return {(row, column): text} of the cells."""
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in figure.axes[0].texts
    }


def test_cells(make_correlations):
    frame = make_correlations(*TASKS)
    figure = task_correlation_matrix(frame)
    found = texts(figure)
    first, second, third = frame["estimate"]
    assert found[1, 0].split("\n") == [f"{first:.2f}", f"{first - 0.2:.2f} to 1.00"]
    assert found[2, 0].split("\n")[0] == f"{second:.2f}" and found[2, 1].split("\n")[0] == f"{third:.2f}"
    assert (
        found[0, 1] == "p < 0.001\nn = 38" and found[0, 2] == "p = 0.030\nn = 38" and found[1, 2] == "p = 0.060\nn = 38"
    )
    assert [found[i, i] for i in range(3)] == ["reliability\n0.50", "reliability\n0.60", "reliability\n0.70"]
    mesh = figure.axes[0].collections[0]
    values = mesh.get_array().reshape(3, 3).filled(np.nan)
    assert values[1, 0] == values[0, 1] == pytest.approx(first) and values[2, 1] == pytest.approx(third)
    assert np.isnan(np.diag(values)).all() and (mesh.norm.vmin, mesh.norm.vmax) == (-1, 1)


def test_the_direction_of_a_pair_does_not_matter(make_correlations):
    frame = make_correlations(*TASKS)
    other = {"x": "y", "y": "x"}
    turned = frame.rename(columns=lambda name: name[:-1] + other[name[-1]] if name[-2:] in ("_x", "_y") else name)
    assert turned.loc[0, "task_x"] == "ner"
    assert texts(task_correlation_matrix(turned)) == texts(task_correlation_matrix(frame))
    assert texts(task_correlation_matrix(pd.concat([frame, turned]))) == texts(task_correlation_matrix(frame))


def test_undefined_pairs_pairs_not_given_and_no_interval(make_correlations):
    frame = make_correlations(*TASKS).iloc[:2].copy()
    frame.loc[0, ["estimate", "low", "high", "p"]] = np.nan
    frame.loc[1, ["low", "high", "reliability_y"]] = np.nan
    figure = task_correlation_matrix(frame)
    found = texts(figure)
    assert found[1, 0] == "undefined" and found[0, 1] == "p –\nn = 38"
    assert found[2, 1] == found[1, 2] == "not given"
    assert found[2, 0].split("\n")[1] == "no interval"
    assert found[2, 2] == "reliability\n–"


def test_the_caption_says_what_the_intervals_are_and_controls_are_apart(make_correlations):
    frame = make_correlations(*TASKS)
    control = frame.assign(setting="random_sign", estimate=0.0)
    figure = task_correlation_matrix(pd.concat([frame, control]))
    caption = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
    assert "reliability of each task's ranking from half of the replicates." in caption
    assert caption.endswith("95 % intervals for this test set (replicates vary).")
    assert texts(figure) == texts(task_correlation_matrix(frame))
    assert texts(task_correlation_matrix(control, setting="random_sign"))[1, 0].startswith("0.00\n")


def test_errors(make_correlations):
    frame = make_correlations(*TASKS)
    with pytest.raises(ValueError, match="correlations has no rows"):
        task_correlation_matrix(frame.iloc[:0])
    with pytest.raises(ValueError, match="several values of steps"):
        task_correlation_matrix(pd.concat([frame, frame.assign(steps=1)]))
    with pytest.raises(ValueError, match="correlations holds two rows for"):
        task_correlation_matrix(pd.concat([frame, frame]))
