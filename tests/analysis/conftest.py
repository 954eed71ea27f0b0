"""Builders of small measurement frames, so that a test shows only the columns it is about."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

Build = Callable[..., pd.DataFrame]

_DEFAULTS: dict[str, Any] = {
    "unit": "u0",
    "protocol": "transfer",
    "base": "b",
    "setting": "nudge",
    "transfer": "",
    "corpus": "",
    "steps": 10,
    "replicate": 0,
    "adapter_seed": 0,
    "task": "pos",
    "dataset": "ud",
    "target": "wol",
    "metric": "accuracy",
    "score": float("nan"),
    "n_items": 1000,
    "n_scored": 1000,
    "seed": 1,
    "device": "cpu",
    "options": "{}",
}

_UNTOUCHED = ("baseline", "trivial", "noise_batching", "noise_precision")


@pytest.fixture
def measure() -> Build:
    """Return a function from partial rows to a full measurements frame."""

    def build(*rows: dict[str, Any]) -> pd.DataFrame:
        filled = []
        for row in rows:
            full = {**_DEFAULTS, **row}
            if full["setting"] in _UNTOUCHED:
                full.update(transfer="", corpus="", steps=0, replicate=None)
            elif not full["corpus"]:
                full["corpus"] = "text"
            filled.append(full)
        frame = pd.DataFrame(filled, columns=list(_DEFAULTS))
        return frame.astype({"steps": "Int64", "replicate": "Int64", "adapter_seed": "Int64"})

    return build


@pytest.fixture
def scored() -> Build:
    """Return a function from partial rows to a frame as ``transfer_scores`` gives it."""

    def build(*rows: dict[str, Any]) -> pd.DataFrame:
        defaults = {
            "base": "b",
            "setting": "nudge",
            "transfer": "fin",
            "corpus": "text",
            "steps": 10,
            "adapter_seed": 0,
            "task": "pos",
            "dataset": "ud",
            "target": "wol",
            "metric": "accuracy",
            "n_replicates": 3,
            "reference": 50.0,
            "score": 50.0,
            "ts": 0.0,
            "ts_sd": 0.0,
            "at_floor": False,
            "small": False,
            "aggregated": True,
        }
        frame = pd.DataFrame([{**defaults, **row} for row in rows])
        frame["self_transfer"] = frame["transfer"] == frame["target"]
        return frame.astype({"steps": "Int64", "adapter_seed": "Int64"})

    return build
