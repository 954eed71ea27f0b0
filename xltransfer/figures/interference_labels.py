"""Labels beside the points of a plane, each as near to its point as it can be without touching anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_ANGLES: Final = 16
_STEP: Final = 4.0
"""Points from one ring of places around a point to the next."""


@dataclass(frozen=True)
class Box:
    """An upright rectangle, in points from the lower left corner of the panel."""

    left: float
    bottom: float
    across: float
    up: float

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the box."""
        return self.left + self.across / 2, self.bottom + self.up / 2

    def touches(self, other: "Box", gap: float = 0.0) -> bool:
        """Return whether the two share more than a line, or are less than ``gap`` apart."""
        across = min(self.left + self.across, other.left + other.across) - max(self.left, other.left)
        up = min(self.bottom + self.up, other.bottom + other.up) - max(self.bottom, other.bottom)
        return across > -gap and up > -gap


def around(x: float, y: float, radius: float) -> Box:
    """Return the box around a round mark."""
    return Box(x - radius, y - radius, 2 * radius, 2 * radius)


def beside_points(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    room: tuple[float, float],
    radius: float,
    taken: Sequence[Box] = (),
) -> list[Box]:
    """Return where the labels go.

    Parameters
    ----------
    points
        The points, in points (1/72 inch) from the lower left corner of the panel.
    sizes
        Width and height of each label.
    room
        Width and height of the panel.
    radius
        Of the marks, which no label covers.
    taken
        What else no label may touch.

    Returns
    -------
    A box for each point: the first free one, at its right, then around it, then further and further out. Points with
    least room, those with most neighbours, come first. The same at every call.

    Raises
    ------
    ValueError
        The panel has no room for all labels.
    """
    full = [*taken, *(around(x, y, radius) for x, y in points)]
    found: dict[int, Box] = {}
    for number in _crowded_first(points):
        across, up = sizes[number]
        places = _places(points[number], across, up, room, radius)
        free = (box for box in places if not any(box.touches(other, 0.5) for other in full))
        chosen = next(free, None)
        if chosen is None:
            raise ValueError(
                f"size is too small for {len(points)} labels beside their points; make it larger or give no size"
            )
        found[number] = chosen
        full.append(chosen)
    return [found[number] for number in range(len(points))]


def _crowded_first(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the numbers of the points, those with most other points around them first."""
    places = np.array(points, dtype=np.float64).reshape(-1, 2)
    apart = np.hypot(*(places[:, None] - places[None, :]).transpose(2, 0, 1))
    crowd = (1.0 / (10.0 + apart)).sum(axis=1)
    return [int(number) for number in np.argsort(-crowd, kind="stable")]


def _places(
    point: tuple[float, float], across: float, up: float, room: tuple[float, float], radius: float
) -> Iterator[Box]:
    """Yield the boxes around a point that lie in the room, ring after ring."""
    away, furthest = radius + 1.0, float(np.hypot(*room))
    while away < furthest:
        for turn in range(_ANGLES):
            # From the right to both sides, and to the left last.
            angle = 2 * np.pi * (-1) ** turn * ((turn + 1) // 2) / _ANGLES
            x, y = point[0] + away * np.cos(angle), point[1] + away * np.sin(angle)
            box = Box(x - across * (1 - np.cos(angle)) / 2, y - up * (1 - np.sin(angle)) / 2, across, up)
            inside = box.left >= 0 and box.bottom >= 0
            if inside and box.left + across <= room[0] and box.bottom + up <= room[1]:
                yield box
        away += _STEP
