"""Figures as files, and as pictures small enough for the page; the same figure always has the same bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

DPI: Final = 300
LEAST_DPI: Final = 150
PRINTED: Final = 7.2
"""Of PNG files: dots per inch at the width of a printed page (inches); a wider figure is printed smaller."""

CSS_DPI: Final = 96
"""CSS pixels per inch; pictures in the page have twice as many."""

_SALT: Final = "xltransfer"


@dataclass(frozen=True)
class Drawing:
    """A figure in both formats.

    Attributes
    ----------
    png, svg
        The files.
    picture
        PNG of at most 256 colours for the page; empty if it does not show the figure itself.
    width, height
        Of the figure, in CSS pixels.
    """

    png: bytes
    svg: bytes
    picture: bytes
    width: int
    height: int


def drawing(figure: Figure, in_page: bool = True) -> Drawing:
    """Return a figure as PNG and SVG; text in the SVG is outlines, so it looks the same everywhere."""
    width, height = map(float, figure.get_size_inches())
    # Without a salt and with a date, two runs would differ.
    with rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path"}), _settled(figure):
        svg = _saved(figure, format="svg", metadata={"Date": None, "Creator": None})
    dpi = max(LEAST_DPI, DPI * min(1.0, PRINTED / max(width, 0.7 * height)))
    png = _saved(figure, format="png", dpi=dpi, metadata={"Software": None})
    size = round(width * CSS_DPI), round(height * CSS_DPI)
    return Drawing(png, svg, _small(png, 2 * size[0], 2 * size[1]) if in_page else b"", *size)


@contextmanager
def _settled(figure: Figure) -> Iterator[None]:
    """Hold the axes where the layout puts them, to a millionth of the figure.

    The last digits of what the layout's solver finds differ from call to call, and the SVG names its clips by them.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        yield
        return
    figure.draw_without_rendering()
    placed = [(axes, axes.get_in_layout()) for axes in figure.axes]
    for axes, _ in placed:
        left, bottom, width, height = (round(float(x), 6) for x in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))
    figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_layout_engine(engine)
        for axes, in_layout in placed:
            axes.set_in_layout(in_layout)


def _saved(figure: Figure, **how: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, **how)
    return stream.getvalue()


def _small(png: bytes, width: int, height: int) -> bytes:
    """Return a picture at no more than the given size, with a palette: a fifth of the bytes, no difference to see."""
    whole = Image.open(io.BytesIO(png)).convert("RGB")
    if whole.width > width:
        whole = whole.resize((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    whole.quantize(256, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()
