"""Refuses a folder of mixed devices where a report lays one score beside another of the same run."""

import pandas as pd

from xltransfer.errors import ConfigError


def on_one_device(rows: pd.DataFrame, compared: str) -> pd.DataFrame:
    """Return the measurements, all of one kind of device: a difference between two would be one of arithmetic too.

    Parameters
    ----------
    rows
        Measurements.
    compared
        What is laid side by side, in words: ``compositions``, ``states of the model``.

    Raises
    ------
    ConfigError
        There are scores of several kinds of device.
    """
    devices = sorted(str(each) for each in rows["device"].unique())
    if len(devices) > 1:
        raise ConfigError(
            f"the folder holds scores of the devices {', '.join(devices)}; {compared} are compared on one. Keep a "
            "folder for each kind of device"
        )
    return rows
