"""The columns that every analysis reads, declared once, and the checks at the border.

``measurements`` has one row per scored (setting, target, metric); ``ts`` is what :func:`.scores.transfer_scores` makes
of it. Whatever identifies a row is named here, so that two analyses cannot disagree about what a cell is.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from xltransfer.errors import near_match

TARGET: Final = ["task", "dataset", "target"]
"""One test set. Two treebanks of one language are two targets."""

MODEL: Final = ["base", "device", "adapter_seed"]
"""What was scored before any nudge: each kind of device and each task adapter has its own baseline."""

REFERENCE: Final = [*MODEL, *TARGET, "metric"]
"""What identifies a baseline score."""

TRANSFER: Final = ["transfer", "corpus", "steps"]
"""One transfer entry after so many optimizer steps; ts measures a corpus, not only a language."""

CELL: Final = ["base", "setting", *TRANSFER, "adapter_seed", *TARGET, "metric"]
"""What identifies a row of ``ts``: everything but the replicate and the device."""

TIE: Final = 1e-9
"""Percent. Changes up to this size are ties: one word in 10^9 is 100 times larger, rounding 10,000 times smaller."""


def require_columns(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Raise ``ValueError`` that names the argument, the missing columns and where they come from."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        source = {
            "measurements": "run.measurements()",
            "items": "run.items(...) with its 'setting' column",
            "ts": "transfer_scores(measurements)",
        }.get(name, "the function that its docstring names")
        raise ValueError(f"{name} lacks the columns {', '.join(missing)}; expected the frame that {source} gives")


def require_one_device(frame: pd.DataFrame, name: str, remedy: str) -> None:
    """Raise ``ValueError`` for scores of two kinds of device: what differs between them would be arithmetic too."""
    there = sorted(str(each) for each in frame["device"].unique())
    if len(there) > 1:
        raise ValueError(f"{name} holds scores of the devices {', '.join(there)}; {remedy}")


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with categorical columns as text: categories of two columns cannot be compared or joined."""
    names = [name for name in frame.columns if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    return frame.astype(dict.fromkeys(names, "str")) if names else frame


def require_one_of(value: object, known: Sequence[object], name: str) -> None:
    """Raise ``ValueError`` with the nearest known value unless ``value`` is one of ``known``."""
    if value not in known:
        expected = ", ".join(str(option) for option in known)
        raise ValueError(f"{name}={value!r} is not among the known values: {expected}{_nearest(value, known)}")


def _nearest(value: object, known: Sequence[object]) -> str:
    hint = near_match(str(value), [str(option) for option in known])
    return hint if "did you mean" in hint else ""


def strict_mean(rows: pd.DataFrame, by: list[str], columns: list[str]) -> pd.DataFrame:
    """Return the mean of ``columns`` per group, NaN as soon as one member is NaN; sorted by the keys."""
    grouped = rows.groupby(by, dropna=False, observed=True)[columns]
    complete = grouped.count().eq(grouped.size(), axis=0)
    return grouped.mean().where(complete, np.nan)
