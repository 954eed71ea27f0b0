"""The house look: sizes, fonts, colours and the frame of every figure, and nothing that outlives a call.

matplotlib's settings are replaced while a figure is made or drawn and put back afterwards; pyplot is never used, so
nothing is registered anywhere. SVG files are the same twice if they are saved with ``metadata={"Date": None}``. Blue
is improvement, red is harm, white is no change. Sizes are in points (1/72 inch).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from matplotlib import style
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from xltransfer.figures.text import FONT

SMALLEST = 5.0
"""Points. No text of any figure is smaller."""

TEXT, TITLE, SMALL = 7.5, 9.5, 6.5
"""Points: labels and legends, the title, and notes and numbers."""

INK, SOFT, FAINT = "#222222", "#6B6B6B", "#D9D9D9"
"""Text and marks; secondary text; grid lines and links."""

_SETTINGS: dict[str, Any] = {
    "font.family": [FONT],
    "font.size": TEXT,
    "text.usetex": False,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "hatch.linewidth": 0.4,
    "svg.hashsalt": "xltransfer",
}


@contextmanager
def house_look() -> Iterator[None]:
    """Use matplotlib's defaults and the house's settings for one call; usable as a decorator too."""
    with style.context(["default", _SETTINGS]):
        yield


class _HouseFigure(Figure):
    """A figure that is drawn in the house look too: matplotlib makes ticks only then, and asks the settings again."""

    @house_look()
    def draw(self, renderer: RendererBase) -> None:
        super().draw(renderer)


def new_figure(size: tuple[float, float], layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure of ``size`` inches that pyplot does not know; raises ``ValueError`` for a size ≤ 0."""
    if not (len(size) == 2 and size[0] > 0 and size[1] > 0):
        raise ValueError(f"size={size!r} is not a width and height in inches; expected two positive numbers")
    figure = _HouseFigure(figsize=size, layout=layout)
    FigureCanvasAgg(figure)
    return figure
