"""Frames of changes from arrays, so that a test states numbers and not rows."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.scales import SCALES


def changes_frame(values: NDArray[np.float64], **columns: Any) -> pd.DataFrame:
    """Return a frame as ``replicate_changes`` gives it for [A, R, T] or, with adapter seeds, [S, A, R, T].

    Transfer languages are a00, a01, ..., targets b00, b01, ...; a NaN has no row. ``columns`` replaces what is the same
    in every row, or names the languages: ``transfer`` (A names), ``target`` (T names), ``corpus`` (A names).
    """
    table = values if values.ndim == 4 else values[None]
    seeds, entries, _, targets = table.shape
    transfer = np.array(columns.pop("transfer", [f"a{i:02d}" for i in range(entries)]))
    target = np.array(columns.pop("target", [f"b{i:02d}" for i in range(targets)]))
    corpus = np.array(columns.pop("corpus", [f"text-{name}" for name in transfer]))
    s, a, r, t = np.nonzero(np.isfinite(table))
    change = table[s, a, r, t]
    fixed = {"base": "b", "setting": "nudge", "task": "pos", "metric": "accuracy", "steps": 10, "dataset": "ud",
             "device": "cpu", "reference": 50.0, "at_floor": False, "small": False, "aggregated": True}  # fmt: skip
    frame = pd.DataFrame({"transfer": transfer[a], "corpus": corpus[a], "target": target[t], "replicate": r})
    frame = frame.assign(adapter_seed=s, **dict.fromkeys(SCALES, change), **{**fixed, **columns})
    frame["score"] = frame["reference"] + change
    return frame.assign(self_transfer=frame["transfer"] == frame["target"])


def ts_frame(values: NDArray[np.float64], **columns: Any) -> pd.DataFrame:
    """Return a frame as ``transfer_scores`` gives it for mean changes [A, T], or [S, A, T] with adapter seeds."""
    frame = changes_frame(np.expand_dims(values, -2), **columns)
    return frame.drop(columns=["replicate", "device", *SCALES[1:]]).assign(n_replicates=1, ts_sd=np.nan)
