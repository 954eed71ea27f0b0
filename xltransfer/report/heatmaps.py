"""Heatmaps that the page draws itself: which cell of the table stands where, in the order and colours of the figure.

Numbers stand in the page once, in the table of cells; a heatmap points to its rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from xltransfer.analysis.metric_names import is_percent
from xltransfer.figures.colours import DIVERGING, UNDEFINED, centred
from xltransfer.figures.heatmap_grid import grid
from xltransfer.figures.labels import scale_label
from xltransfer.figures.places import Places

_SHADES: Final = 255


def colours() -> dict[str, Any]:
    """Return the colours of the figure's heatmap as hexadecimal text: from worst to best, and for undefined cells."""
    shades = colormaps[DIVERGING](np.linspace(0.0, 1.0, _SHADES))
    return {"diverging": [to_hex(shade) for shade in shades], "undefined": UNDEFINED}


def heatmap_spec(cells: pd.DataFrame, places: Places, names: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page's script needs to draw one condition.

    Parameters
    ----------
    cells
        Rows of one condition and adapter seed, indexed by their row in the page's table of cells.
    places
        The languages, in the figure's order.
    names
        Language code to what is told of it.

    Returns
    -------
    ``rows`` and ``columns`` (text, name, colour, ink), ``at`` (row of the table or null), ``marks`` (a digit a
    cell: 1 not separable from 0, 2 self-transfer, 3 both), ``limit``, ``level`` (percent), ``quantity``, ``unit``,
    ``short``, ``digits`` (of the change), ``score_digits``.
    """
    shape = grid(cells, places)
    row_of = {pair: i for i, pair in enumerate(shape.rows)}
    column_of = {pair: j for j, pair in enumerate(shape.columns)}
    at: list[int | None] = [None] * (len(shape.rows) * len(shape.columns))
    entries = zip(cells.index, cells["transfer"], cells["corpus"], cells["target"], cells["dataset"], strict=True)
    for index, transfer, corpus, target, dataset in entries:
        at[row_of[transfer, corpus] * len(shape.columns) + column_of[target, dataset]] = int(index)
    scale, metric = str(cells["scale"].iloc[0]), str(cells["metric"].iloc[0])
    return {
        "rows": list(_labels(shape.rows, places, names)),
        "columns": list(_labels(shape.columns, places, names, shape.left_out)),
        "at": at,
        "marks": "".join(map(str, (shape.marked + 2 * shape.own).ravel().tolist())),
        "limit": centred(shape.values).limit,
        "level": round(100 * float(cells["level"].iloc[0])),
        "unit": scale_label(scale, metric),
        "quantity": "ts" if scale == "ts" else "change",
        "short": "%" if scale == "ts" else "",
        "digits": 2 if scale in ("ts", "delta") else 4,
        "score_digits": 2 if is_percent(metric) else 3,
    }


def _labels(
    pairs: list[tuple[str, str]], places: Places, names: Mapping[str, str], out: Any = None
) -> Iterator[dict[str, str]]:
    """Yield text, full name, family colour and ink of each row or column."""
    for k, ((code, which), label) in enumerate(zip(pairs, places.labels(pairs), strict=True)):
        place = places[code]
        star = " *" if out is not None and out[k] else ""
        name = f"{names.get(code, code)}, {which}" if which else names.get(code, code)
        yield {"text": label.replace(r"\$", "$") + star, "name": name, "colour": place.colour, "ink": place.ink}
