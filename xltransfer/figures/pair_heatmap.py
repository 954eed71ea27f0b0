"""The heatmap of one feature of pairs: how alike, or how far apart, every transfer and every target language are.

Looks like the transfer heatmap, in the same order of languages, so that the two can be laid side by side; but its
values are no changes, so its colours go from pale to dark and not from red to blue.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import SEQUENTIAL, UNDEFINED
from xltransfer.figures.heatmap_frame import draw_bar, framed
from xltransfer.figures.heatmap_grid import groups
from xltransfer.figures.heatmap_layout import Texts
from xltransfer.figures.look import INK, house_look
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Places, Show, ink_legend
from xltransfer.figures.text import shown

FEATURES: Final[Mapping[str, str]] = {
    "syntax_average": "syntax in URIEL",
    "phonology_average": "phonology in URIEL",
    "inventory_average": "sound inventory in URIEL",
    "fam": "family tree in URIEL",
    "learned": "learned vectors in URIEL",
    "kilometres": "kilometres",
    "same_script": "same script",
    "same_family": "same family",
    "same_genus": "same genus",
    "fertility_transfer": "subwords a word, transfer text",
    "fertility_target": "subwords a word, test text",
    "fertility_difference": "difference in subwords a word",
    "vocabulary_jaccard": "shared subwords (Jaccard)",
    "token_overlap": "token overlap",
}
"""What features are called in figures and reports; URIEL's other sets go by their names."""

_OWN = "the language itself"


@house_look()
def pair_heatmap(
    pairs: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    feature: str | None = None,
    limits: tuple[float, float] | None = None,
    sides: tuple[str, str] = ("transfer language", "target language"),
    show: Show = "name",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the heatmap of one feature.

    Parameters
    ----------
    pairs
        Columns transfer, target, self_transfer, feature, kind, value, why, as ``analysis.language_pairs`` gives them.
    languages
        Columns code, name, family, genus, seen.
    feature
        Which feature; may be left out where there is one.
    limits
        The values of the palest and the darkest colour, to compare several heatmaps; by default the smallest and the
        largest value. Values beyond them have the colour of the limit.
    sides
        What rows and columns are.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default what the labels ask for.

    Returns
    -------
    Figure
        Grey cells are undefined; the caption says why.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, a language is not in ``languages``,
        ``limits`` are not in order, or ``size`` is too small for labels of 5 points.
    """
    require_columns(pairs, ["transfer", "target", "self_transfer", "feature", "kind", "value", "why"], "pairs")
    rows, key = pick(pairs, "pairs", feature=feature, kind=None)
    require_unique(rows, ["transfer", "target"], "pairs")
    require_some(rows, "value", "pairs")
    norm = _norm(rows["value"].to_numpy(np.float64), limits)
    places = Places(languages, show)
    down, across = (
        [code for code, _ in places.sorted((code, "") for code in rows[side])] for side in ("transfer", "target")
    )
    sources, targets = ([places[code] for code in codes] for codes in (down, across))
    wide = rows.pivot(index="transfer", columns="target", values="value").reindex(index=down, columns=across)
    values = wide.to_numpy(np.float64)
    own = np.array(down, dtype=object)[:, None] == np.array(across, dtype=object)[None, :]
    texts = Texts(
        rows=places.labels([(code, "") for code in down]),
        columns=places.labels([(code, "") for code in across]),
        row_groups=groups(sources),
        column_groups=groups(targets),
        title=f"{feature_label(key['feature'])}: {sides[0]} by {sides[1]}",
        caption=_caption(rows),
        legend=[*_legend(values, own), *ink_legend([*sources, *targets])],
    )
    frame = framed(texts, sources, targets, size, sides)
    _draw(frame.axes, values, own, norm)
    kind = "" if key["kind"] == "one_sided" else f" ({key['kind']})"
    draw_bar(frame, norm, SEQUENTIAL, f"{feature_label(key['feature'])}{kind}")
    return frame.figure


def feature_label(name: str) -> str:
    """Return what a feature is called."""
    return FEATURES.get(name, shown(name))


def _norm(values: NDArray[np.float64], limits: tuple[float, float] | None) -> Normalize:
    """Return the colour limits."""
    low, high = (np.nanmin(values), np.nanmax(values)) if limits is None else limits
    if limits is not None and not low < high:
        raise ValueError(f"limits={limits!r}; expected two numbers, the smaller one first")
    # One value alone still needs a bar with a length.
    return Normalize(float(low), float(high) if high > low else float(low) + 1.0)


def _caption(rows: pd.DataFrame) -> str:
    """Say how many cells are undefined, and why."""
    reasons = rows.loc[rows["value"].isna(), "why"].astype(str).value_counts().sort_index()
    if reasons.empty:
        return ""
    listed = "; ".join(f"{shown(why) or 'no reason given'}: {count}" for why, count in reasons.items())
    return f"{int(reasons.sum())} of {len(rows)} undefined ({listed})."


def _legend(values: NDArray[np.float64], own: NDArray[np.bool_]) -> list[Artist]:
    """Return the legend entries of what occurs."""
    undefined = [Patch(facecolor=UNDEFINED, label="undefined")] if np.isnan(values).any() else []
    return [*undefined, *([Patch(facecolor="none", edgecolor=INK, linewidth=0.8, label=_OWN)] if own.any() else [])]


def _draw(axes: Axes, values: NDArray[np.float64], own: NDArray[np.bool_], norm: Normalize) -> None:
    """Draw the cells, and an outline around a language's cell with itself."""
    axes.set_facecolor(UNDEFINED)
    height, across = values.shape
    edges = np.arange(across + 1) - 0.5, np.arange(height + 1) - 0.5
    axes.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=colormaps[SEQUENTIAL], norm=norm, zorder=0.4)
    for row, column in np.argwhere(own):
        # A white line outside the dark one shows on dark cells.
        for inset, colour in ((0.04, "white"), (0.08, INK)):
            corner, side = (column - 0.5 + inset, row - 0.5 + inset), 1 - 2 * inset
            axes.add_patch(Rectangle(corner, side, side, facecolor="none", edgecolor=colour, linewidth=0.7))
