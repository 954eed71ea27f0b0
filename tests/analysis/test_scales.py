"""The scales of a change: against the frame version, and their slopes against numeric derivatives."""

import numpy as np
import pytest

from xltransfer.analysis.changes import replicate_changes
from xltransfer.analysis.metric_names import metric_named
from xltransfer.analysis.scales import SCALES, change, slopes

ACCURACY, NLL = metric_named("accuracy"), metric_named("nll")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("metric", [ACCURACY, NLL], ids=lambda metric: metric.name)
def test_arrays_and_frames_state_the_same_change(measure, scale, metric):
    frame = measure(
        {"setting": "baseline", "metric": metric.name, "score": 60.0},
        {"transfer": "fin", "metric": metric.name, "score": 63.0},
        {"transfer": "zul", "metric": metric.name, "score": 0.0},
    )
    expected = replicate_changes(frame)[scale].to_numpy()
    np.testing.assert_array_equal(change(scale, np.array([63.0, 0.0]), np.array(60.0), metric), expected)


def test_no_baseline_leaves_only_the_difference():
    found = {scale: float(change(scale, np.array(3.0), np.array(0.0), ACCURACY)) for scale in SCALES}
    assert found.pop("delta") == 3.0
    assert np.isnan(list(found.values())).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("metric", [ACCURACY, NLL], ids=lambda metric: metric.name)
def test_slope_and_tilt_are_the_derivatives(scale, metric):
    score, reference, step = 63.0, 55.0, 1e-4
    if (scale, metric) == ("logit_delta", NLL):
        assert np.isnan(change(scale, np.array(score), np.array(reference), metric)), "an nll has no odds"
        return
    slope, tilt = slopes(scale, np.array(score), np.array(reference), metric)

    def at(more_score, more_reference):
        return float(change(scale, np.array(score + more_score), np.array(reference + more_reference), metric))

    by_score = (at(step, 0.0) - at(-step, 0.0)) / (2 * step)
    by_both = (at(step, step) - at(-step, -step)) / (2 * step)
    assert float(slope) == pytest.approx(by_score, rel=1e-6)
    assert float(tilt) == pytest.approx(by_both, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_what_two_equal_scores_share_drops_out_exactly(scale):
    _, tilt = slopes(scale, np.array(41.3), np.array(41.3), ACCURACY)
    assert float(tilt) == 0.0
