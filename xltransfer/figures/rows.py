"""Axes with one transfer language per line, as violins and forest plots have them: labels, family colours, numbers."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from xltransfer.figures.look import FAINT, SMALL, SOFT
from xltransfer.figures.places import Place

ROW = 0.165
"""Inches from one line to the next."""

_SWATCH = 3.5  # points


def language_rows(axes: Axes, labels: Sequence[str], places: Sequence[Place]) -> None:
    """Label the lines 0, 1, ... from above, with a square in the family's colour; unseen languages in their colour."""
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0, pad=_SWATCH + 6, labelsize=SMALL)
    axes.grid(axis="x")
    for label, place in zip(axes.get_yticklabels(), places, strict=True):
        label.set_color(place.ink)
    left_edge = blended_transform_factory(axes.transAxes, axes.transData)
    axes.scatter(
        [-0.012] * len(places),
        range(len(places)),
        s=_SWATCH**2,
        c=[place.colour for place in places],
        marker="s",
        linewidths=0,
        transform=left_edge,
        clip_on=False,
        label="family",
    )
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=1)
    axes.spines["left"].set_visible(False)


def numbers_beside(axes: Axes, numbers: Sequence[str], heading: str) -> None:
    """Print a text at the right end of each line, under a heading."""
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(range(len(numbers)), numbers)
    beside.tick_params(length=0, labelsize=SMALL)
    beside.spines["right"].set_visible(False)
    axes.annotate(
        heading, (1, 1), xytext=(4, 3), xycoords="axes fraction", textcoords="offset points", size=SMALL, color=SOFT
    )


def bands(axes: Axes, count: int) -> None:
    """Lay a faint band under every second line, to lead the eye across."""
    for line in range(1, count, 2):
        axes.axhspan(line - 0.5, line + 0.5, color=FAINT, alpha=0.3, linewidth=0, zorder=0)


def height_of(count: int) -> float:
    """Return the inches that so many lines take, with axis, title and notes."""
    return ROW * max(count, 3) + 1.7
