"""Where a language's point is shown to lie: does its ellipse leave the origin, do its intervals leave the axes?

A point in the upper right means nothing by itself: with a few partners, points without any effect lie in some quadrant
too. See :mod:`.interference_projection` for the ellipses.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.interference_projection import AXES

_NEEDED: Final = [
    "x",
    "y",
    "half_major",
    "half_minor",
    "angle",
    *(f"{a}_{end}" for a in AXES for end in ("low", "high")),
]


def regions(projections: pd.DataFrame) -> pd.DataFrame:
    """Return projections with what they show.

    Parameters
    ----------
    projections
        What :func:`.interference_projection.interference_projections` gives.

    Returns
    -------
    DataFrame
        The same rows with leaves_origin and covers_plane (nullable: the ellipse leaves the origin out; all corners of
        the plane, −1 to 1, lie within it; missing where there is no ellipse) and side_x, side_y, side_z (1 where the
        axis's interval lies above 0, −1 below, 0 where it holds 0; NaN where there is none).

    Raises
    ------
    ValueError
        A column is missing.
    """
    require_columns(projections, _NEEDED, "projections")
    sides = {f"side_{axis}": _side(projections, axis) for axis in AXES}
    corners = [_within(projections, x, y) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]
    drawn = projections["half_major"].notna()
    origin, plane = ~_within(projections, 0.0, 0.0), np.all(corners, axis=0)
    found = {"leaves_origin": origin, "covers_plane": plane}
    flags = {
        name: pd.Series(values, index=projections.index, dtype="boolean").where(drawn) for name, values in found.items()
    }
    return projections.assign(**flags, **sides)


def _side(rows: pd.DataFrame, axis: str) -> NDArray[np.float64]:
    """Return on which side of 0 the interval of one axis lies."""
    low, high = (rows[f"{axis}_{end}"].to_numpy(np.float64) for end in ("low", "high"))
    side = np.where(low > 0.0, 1.0, np.where(high < 0.0, -1.0, 0.0))
    return np.where(np.isnan(low) | np.isnan(high), np.nan, side)


def _within(rows: pd.DataFrame, x: float, y: float) -> NDArray[np.bool_]:
    """Return whether a place lies within each ellipse."""
    turn = np.radians(rows["angle"].to_numpy(np.float64))
    right, up = x - rows["x"].to_numpy(np.float64), y - rows["y"].to_numpy(np.float64)
    # The place as the ellipse sees it, along its long and its short axis.
    along, across = right * np.cos(turn) + up * np.sin(turn), up * np.cos(turn) - right * np.sin(turn)
    major, minor = (rows[f"half_{name}"].to_numpy(np.float64) for name in ("major", "minor"))
    with np.errstate(divide="ignore", invalid="ignore"):
        # A short axis of 0 is a line: what lies beside it is out.
        beside = np.where(minor > 0.0, across / minor, np.where(np.abs(across) > 1e-12, np.inf, 0.0))
        within: NDArray[np.bool_] = (along / major) ** 2 + beside**2 <= 1.0
    return within
