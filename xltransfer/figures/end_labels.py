"""Labels at the right ends of many lines, moved up or down until no two touch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from xltransfer.figures.look import FAINT, SMALL, SMALLEST
from xltransfer.figures.text import LINE

_LEADER: Final[dict[str, Any]] = {
    "arrowstyle": "-",
    "color": FAINT,
    "linewidth": 0.5,
    "relpos": (0, 0.5),
    "shrinkA": 1,
    "shrinkB": 2,
}


@dataclass(frozen=True)
class End:
    """The last point of a line and the text that names it."""

    x: float
    y: float
    label: str
    ink: str


def font_for(count: int, room: float) -> float:
    """Return the size in points of ``count`` labels above each other in ``room`` points.

    Raises
    ------
    ValueError
        They would be smaller than 5 points; the message says how much room is missing.
    """
    size = min(SMALL, room / (LINE * count))
    if size < SMALLEST:
        missing = (LINE * SMALLEST * count - room) / 72
        raise ValueError(
            f"size is too low for {count} lines with labels of {SMALLEST:g} points; "
            f"make it {missing + 0.05:.1f} inches higher or give no size"
        )
    return size


def label_ends(axes: Axes, ends: Sequence[End], size: float, room: float) -> None:
    """Write the labels right of the axes, which are at least ``room`` points high, and a thin line to each end."""
    low, high = axes.get_ylim()
    wanted = np.array([(end.y - low) / (high - low) for end in ends])
    style: dict[str, Any] = {"textcoords": "axes fraction", "va": "center", "size": size, "annotation_clip": False}
    for end, height in zip(ends, apart(wanted, LINE * size / room), strict=True):
        axes.annotate(end.label, (end.x, end.y), xytext=(1.03, height), color=end.ink, arrowprops=_LEADER, **style)


def apart(wanted: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Return the heights in [0, 1] that are nearest to ``wanted`` (least squares), in its order, ``distance`` apart.

    Where there is no room for that distance, they are spread evenly.
    """
    count = len(wanted)
    distance = min(distance, 1 / max(count - 1, 1))
    order = np.argsort(wanted, kind="stable")
    # Less the steps of an even ladder, "apart" is "not falling": isotonic regression, which may be clipped afterwards.
    ladder = distance * np.arange(count)
    free = isotonic_regression(wanted[order] - ladder).x if count else ladder
    found = np.empty(count)
    found[order] = np.clip(free, 0, 1 - distance * max(count - 1, 0)) + ladder
    return found
