"""Every scale has its unit, every interval says what it is."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.figures.labels import (
    condition,
    decimals_for,
    fixed,
    interval_note,
    metric_label,
    number,
    p_label,
    scale_label,
)


def test_scales_and_units():
    assert scale_label("ts") == "ts (% of baseline)"
    assert scale_label("delta", "accuracy") == "Δ accuracy (points)"
    assert scale_label("delta", "nll") == "gain in NLL (nats)"
    assert scale_label("delta") == "Δ score (points, or nats for NLL)"
    assert scale_label("log_ratio") == "log ratio to baseline (natural log)"
    assert scale_label("logit_delta") == "Δ log odds (natural log)"
    assert [metric_label(name) for name in ("las", "span_f1", "nll", "accuracy")] == [
        "LAS",
        "span F1",
        "NLL",
        "accuracy",
    ]
    assert metric_label("accuracy[NO$N]") == r"accuracy [NO\$N]"


def test_unknown_scales_and_metrics():
    with pytest.raises(ValueError, match="scale='tss' is not among .* did you mean 'ts'"):
        scale_label("tss")
    with pytest.raises(ValueError, match="metric 'acc' is unknown"):
        scale_label("delta", "acc")


def test_conditions():
    key = {"task": "pos", "metric": "las", "steps": 1000, "base": "m$bert", "setting": "nudge"}
    assert condition(key) == r"pos LAS, k = 1,000, m\$bert"
    assert (
        condition(key | {"setting": "random_sign", "steps": None})
        == r"pos LAS, steps not given, m\$bert, control random_sign"
    )
    assert condition({"base": "b"}) == "b"


def test_numbers():
    assert [number(value) for value in (12, -0.03456, 0.0, 1234.5, float("nan"))] == [
        "12.0",
        "−0.0346",
        "0.00",
        "1,234",
        "–",
    ]
    assert [fixed(value, 2) for value in (-0.001, 1234.567, float("nan"))] == ["0.00", "1,234.57", "–"]
    assert [decimals_for(value) for value in (0.25, 1.0, 9.9, 31, 500, 5000)] == [3, 2, 2, 1, 0, 0]
    assert [p_label(p) for p in (0.0, 0.00099, 0.034, 0.5, float("nan"))] == ["p < 0.001"] * 2 + [
        "p = 0.034",
        "p = 0.50",
        "p –",
    ]


def _rows(low, why, estimand="new_targets"):
    return pd.DataFrame({"estimate": 1.0, "low": low, "why": why, "level": 0.95, "estimand": estimand})


def test_interval_notes():
    assert interval_note(_rows([0.5, 0.1], "")) == "95 % intervals for new target languages."
    assert interval_note(_rows([0.5, np.nan, np.nan], ["", "one target", "one target"])) == (
        "95 % intervals for new target languages. 2 of 3 without interval (one target: 2)."
    )
    assert interval_note(_rows([np.nan] * 2, "one replicate")) == "No intervals (one replicate: 2)."
    assert interval_note(_rows([0.5], "", "this_test_set")).startswith("95 % intervals for this test set")
