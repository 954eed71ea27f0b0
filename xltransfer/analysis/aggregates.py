"""Which targets leave the aggregates by default: those at the floor and those too small to say anything.

They are scored and shown all the same. Further reasons, such as the audit's unknown-token rate, come in as further
boolean columns. See protocols.md §1, "floor test".
"""

from typing import Final

import pandas as pd

from xltransfer.analysis.floor import at_floor
from xltransfer.analysis.frames import TARGET
from xltransfer.analysis.sizes import small_targets

FLAGS: Final = ("at_floor", "small")
"""Flags that every ts frame has; a frame of flags may bring more."""

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
        base, device, adapter_seed, task, dataset, target, at_floor, small.
    """
    flags = at_floor(measurements, items)[["base", "device", "adapter_seed", *TARGET, "at_floor"]]
    if items is None:
        return flags.assign(small=False)
    sizes = small_targets(measurements, items)[[*TARGET, "small"]]
    joined = flags.merge(sizes, how="left", on=TARGET, validate="many_to_one")
    return joined.assign(small=joined["small"].eq(True).astype(bool))


def flag_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the boolean columns that keep a row out of the aggregates."""
    boolean = [str(name) for name in frame.columns if pd.api.types.is_bool_dtype(frame[name])]
    return [name for name in boolean if name not in _NOT_FLAGS]
