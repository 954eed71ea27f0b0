"""Which targets leave the aggregates by default: at the floor, too small, or hardly readable for the tokenizer.

They are scored and shown all the same. A caller's further reasons come in as further boolean columns. See protocols.md
§1, "floor test".
"""

from typing import Final

import pandas as pd

from xltransfer.analysis.floor import at_floor
from xltransfer.analysis.frames import TARGET, plain
from xltransfer.analysis.sizes import small_targets

FLAGS: Final = ("at_floor", "small")
"""Flags that every ts frame has; a frame of flags may bring more."""

UNKNOWN_SHARE: Final = 0.15
"""Largest share of unknown subwords with which a target enters the aggregates."""

_NOT_FLAGS: Final = ("self_transfer", "aggregated")


def out_of_aggregates(measurements: pd.DataFrame, items: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return, per base, device, adapter seed and target, whether it is at the floor and whether it is small.

    Parameters
    ----------
    measurements
        As for :func:`.floor.at_floor`.
    items
        Items of the settings baseline and trivial. Without them the floor test is the conservative bound, and
        ``small`` is false everywhere, because words and entities are counted only in the items.

    Returns
    -------
    DataFrame
        base, device, adapter_seed, task, dataset, target, at_floor, small; with items that count subwords also
        unknown_tokens.
    """
    flags = at_floor(measurements, items)[["base", "device", "adapter_seed", *TARGET, "at_floor"]]
    if items is None:
        return flags.assign(small=False)
    sizes = small_targets(measurements, items)[[*TARGET, "small"]]
    flags = _joined(flags, sizes, "small")
    return _joined(flags, _unreadable(items), "unknown_tokens") if {"subwords", "unknown"} <= set(items) else flags


def _joined(flags: pd.DataFrame, more: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return ``flags`` with the boolean column ``name`` of ``more``; a target that it does not know is not flagged."""
    joined = flags.merge(more, how="left", on=TARGET, validate="many_to_one")
    return joined.assign(**{name: joined[name].eq(True).fillna(False).astype(bool)})


def _unreadable(items: pd.DataFrame) -> pd.DataFrame:
    """Return task, dataset, target and whether more than `UNKNOWN_SHARE` of the baseline's subwords are unknown."""
    rows = plain(items[items["setting"] == "baseline"]).drop_duplicates([*TARGET, "item"])
    sums = rows.groupby(TARGET, observed=True)[["subwords", "unknown"]].sum().astype("float64").reset_index()
    return sums[TARGET].assign(unknown_tokens=sums["unknown"] > UNKNOWN_SHARE * sums["subwords"])


def flag_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the boolean columns that keep a row out of the aggregates."""
    boolean = [str(name) for name in frame.columns if pd.api.types.is_bool_dtype(frame[name])]
    return [name for name in boolean if name not in _NOT_FLAGS]
