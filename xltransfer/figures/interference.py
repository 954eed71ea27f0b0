"""Language interaction: every language as a point, x for what it receives from others, y for what others receive.

One panel for pairs and one for threes, side by side, because the paper compares them: pairs in the colours of seen and
unseen languages, threes in the colour of what the third language receives. The paper's picture has neither intervals
nor counts of ties. Source: faisal2024 §4.3 and Figure 4.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke

from xltransfer.analysis.frames import require_columns
from xltransfer.figures.colours import DIVERGING
from xltransfer.figures.interference_labels import Box, beside_points
from xltransfer.figures.labels import condition
from xltransfer.figures.look import FAINT, INK, SMALL, SOFT, TEXT, house_look, new_figure
from xltransfer.figures.notes import GAP, Notes
from xltransfer.figures.pick import pick, require_some, require_unique
from xltransfer.figures.places import Place, Places, Show, ink_legend, seen_legend
from xltransfer.figures.text import LINE, shown, width

_SIDE, _LEFT, _BOTTOM, _TOP, _BETWEEN, _BAR = 193.0, 40.0, 32.0, 16.0, 46.0, 46.0
"""Points: a panel; its y axis; its x axis; its heading; air between panels; the colour bar with its axis."""

_LIMIT: Final = 1.16
"""Half the width of a panel; coordinates end at 1."""

_RADIUS: Final = 2.6  # points

_BAR_WIDTH: Final = 7.0  # points

_NEEDED: Final = [
    "language", "n", "n_partners", "n_tie", "n_missing", "n_unordered", "x", "y", "z", "x_low", "x_high", "y_low",
    "y_high", "half_major", "half_minor", "angle", "level", "why",
]  # fmt: skip

_HALO: Final = withStroke(linewidth=1.6, foreground="white")
"""Keeps texts readable across ellipses."""

_HEADINGS: Final = {2: "Two languages: [AB]", 3: "Three languages: [ABC]"}

_CORNERS: Final = (("−A +B", "+A +B"), ("−A −B", "+A −B"))


@house_look()
def interference_plane(
    projections: pd.DataFrame,
    languages: pd.DataFrame,
    *,
    base: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    fusion: str | None = None,
    control: str | None = None,
    dead_zone: float | None = None,
    order: str | None = None,
    show: Show = "code",
    size: tuple[float, float] | None = None,
) -> Figure:
    """Return the plane of what languages receive and give, a panel for pairs and one for threes.

    Parameters
    ----------
    projections
        What :func:`~xltransfer.analysis.interference_projection.interference_projections` gives: columns base, task,
        metric, fusion, control, dead_zone, size, order, language, n, n_partners, n_tie, n_missing, n_unordered, x, y,
        z, x_low, x_high, y_low, y_high, half_major, half_minor, angle, level, why.
    languages
        Columns code, name, family, genus, seen.
    base, task, metric, fusion, control, dead_zone, order
        Which rows; what is left out must be the same in the whole frame.
    show
        Languages by ``name`` or by ``code``.
    size
        Width and height in inches; by default those of a printed page.

    Returns
    -------
    Figure
        A point per language with its ellipse; with the bars of its two intervals where it has no ellipse; no point
        where nothing has a sign pattern, which the caption says.

    Raises
    ------
    ValueError
        A column is missing, there is nothing to show, what to show is not clear, a language is not in ``languages``, or
        ``size`` is too small for the labels.

    References
    ----------
    faisal2024, §4.3, Figure 4.
    """
    require_columns(projections, ["size", *_NEEDED], "projections")
    wanted = {"base": base, "task": task, "metric": metric, "fusion": fusion, "control": control}
    rows, key = pick(projections, "projections", **wanted, dead_zone=dead_zone, order=order, level=None)
    require_unique(rows, ["size", "language"], "projections")
    require_some(rows, "x", "projections")
    sizes = sorted(int(number) for number in rows["size"].unique())
    coloured = 3 in sizes and key["order"] != "both"
    places = Places(languages, show)
    members = [places[code] for code in rows["language"]]
    notes = (
        f"Language interaction: {condition(key)}, {_fusion(key)}",
        _caption(rows, key),
        [*_legend(rows), *(seen_legend(members) if 2 in sizes or not coloured else []), *ink_legend(members)],
    )
    figure, panels, side = _panels(len(sizes), coloured, notes, size)
    for number, axes in zip(sizes, panels, strict=True):
        own = rows[rows["size"] == number].reset_index(drop=True)
        _frame(axes, number, key)
        _draw(axes, own, [places[code] for code in own["language"]], side, number == 3 and coloured)
    if coloured:
        _bar(figure, panels[-1], side)
    return figure


def _panels(
    count: int, coloured: bool, notes: tuple[str, str, Sequence[Artist]], size: tuple[float, float] | None
) -> tuple[Figure, list[Axes], float]:
    """Return a figure with its notes, square panels in a row, and how many points wide a panel is."""
    beside = count * _LEFT + (count - 1) * (_BETWEEN - _LEFT) + (_BAR if coloured else 2 * GAP)
    across = 72 * size[0] if size else max(beside + count * _SIDE, 330.0)
    fitted = Notes.fitted(*notes, across)
    around = fitted.above + fitted.below + _TOP + _BOTTOM
    up = 72 * size[1] if size else around + _SIDE
    figure = new_figure((across / 72, up / 72), layout=None)
    side = min(_SIDE if size is None else np.inf, (across - beside) / count, up - around)
    if side <= 0:
        raise ValueError(f"size={size!r} leaves no room for {count} panels; make it larger or give no size")
    fitted.write(figure)
    bottom = fitted.below + _BOTTOM + max(0.0, up - around - side)
    panels = []
    for number in range(count):
        left = _LEFT + number * (side + _BETWEEN)
        panels.append(figure.add_axes((left / across, bottom / up, side / across, side / up)))
    return figure, panels, float(side)


def _frame(axes: Axes, size: int, key: dict[str, Any]) -> None:
    """Draw what stands around the points: heading, axes, zero lines and the signs of the quadrants."""
    axes.set(xlim=(-_LIMIT, _LIMIT), ylim=(-_LIMIT, _LIMIT), aspect="equal")
    for at in ("xaxis", "yaxis"):
        getattr(axes, at).set_ticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
    axes.grid(color=FAINT)
    axes.axhline(0, color=SOFT, linewidth=0.8, zorder=1)
    axes.axvline(0, color=SOFT, linewidth=0.8, zorder=1)
    axes.set_title(_HEADINGS[size], size=TEXT, loc="left", pad=4)
    against = "[AA′]" if key["control"] == "second_adapter" else "[A]"
    axes.set_xlabel(f"x: A, the language itself, against {against}", labelpad=3)
    partner = "B or C" if size == 3 and key["order"] == "both" else "B"
    axes.set_ylabel(f"y: {partner}, fused with it, against {against.replace('A', 'B')}", labelpad=2)


def _draw(axes: Axes, rows: pd.DataFrame, members: list[Place], side: float, by_third: bool) -> None:
    """Draw ellipses or bars, points, and labels that touch nothing."""
    shown_rows = np.flatnonzero(rows["x"].notna())
    faint = min(0.8, 8.0 / max(len(shown_rows), 1))
    for row in shown_rows:
        _draw_interval(axes, rows.iloc[row], faint)
    norm, palette = Normalize(-1, 1), colormaps[DIVERGING]
    fills = [palette(norm(rows["z"].iloc[row])) if by_third else members[row].fill for row in shown_rows]
    x, y = (rows[axis].to_numpy(np.float64)[shown_rows] for axis in ("x", "y"))
    axes.scatter(x, y, s=(2 * _RADIUS - 0.6) ** 2, c=fills, edgecolors=INK, linewidths=0.6, zorder=3, clip_on=False,
                 label="languages")  # fmt: skip
    corners = _corners(axes, side)
    unit = side / (2 * _LIMIT)
    at = [((a + _LIMIT) * unit, (b + _LIMIT) * unit) for a, b in zip(x, y, strict=True)]
    texts = [members[row].label for row in shown_rows]
    sizes = [(width(text, SMALL), LINE * SMALL) for text in texts]
    boxes = beside_points(at, sizes, (side, side), _RADIUS, corners)
    for point, text, row, box in zip(at, texts, shown_rows, boxes, strict=True):
        _label(axes, point, text, members[row].ink, box)


def _draw_interval(axes: Axes, row: "pd.Series[Any]", faint: float) -> None:
    """Draw a language's ellipse; where it has none, the intervals of its two coordinates as bars."""
    if np.isfinite(row["half_major"]):
        shape = Ellipse((row["x"], row["y"]), 2 * row["half_major"], 2 * row["half_minor"], angle=row["angle"])
        shape.set(facecolor="none", edgecolor=SOFT, linewidth=0.6, alpha=faint, zorder=2, label="ellipse")
        axes.add_patch(shape)
        return
    style: dict[str, Any] = {"colors": SOFT, "linewidth": 0.6, "alpha": faint, "zorder": 2, "label": "interval"}
    axes.hlines(row["y"], row["x_low"], row["x_high"], **style)
    axes.vlines(row["x"], row["y_low"], row["y_high"], **style)


def _corners(axes: Axes, side: float) -> list[Box]:
    """Write the signs of the four quadrants into the corners and return where."""
    boxes = []
    for up, texts in zip((True, False), _CORNERS, strict=True):
        for right, text in zip((False, True), texts, strict=True):
            across, high = width(text, SMALL), LINE * SMALL
            corner = (side - across - 2 if right else 2.0, side - high - 1 if up else 1.0)
            boxes.append(Box(*corner, across, high))
            _write(axes, text, boxes[-1], SOFT)
    return boxes


def _label(axes: Axes, point: tuple[float, float], text: str, ink: str, box: Box) -> None:
    """Write a label into its box, with a thin line to a point that is not right beside it."""
    nearest = (np.clip(point[0], box.left, box.left + box.across), np.clip(point[1], box.bottom, box.bottom + box.up))
    if np.hypot(nearest[0] - point[0], nearest[1] - point[1]) > _RADIUS + 2.0:
        axes.annotate(
            "", nearest, point, xycoords="axes points", textcoords="axes points", zorder=2.5,
            arrowprops={"arrowstyle": "-", "color": SOFT, "linewidth": 0.4, "shrinkA": _RADIUS, "shrinkB": 0},
        )  # fmt: skip
    _write(axes, text, box, ink)


def _write(axes: Axes, text: str, box: Box, ink: str) -> None:
    """Write a text into the middle of its box."""
    axes.annotate(
        text, box.middle, xycoords="axes points", ha="center", va="center", size=SMALL, color=ink, zorder=4,
        path_effects=[_HALO],
    )  # fmt: skip


def _bar(figure: Figure, panel: Axes, side: float) -> None:
    """Draw the colour bar of the third language beside a panel."""
    place = panel.get_position()
    point = place.width / side
    axes = figure.add_axes((place.x1 + 5 * point, place.y0, _BAR_WIDTH * point, place.height))
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), colormaps[DIVERGING]), cax=axes, ticks=[-1, 0, 1])
    axes.set_yticklabels(["−1", "0", "1"])
    bar.outline.set_visible(False)
    bar.set_label("z: C, the third language", labelpad=0)


def _fusion(key: dict[str, Any]) -> str:
    return f"{shown(key['fusion'])} fusion" if key["fusion"] else "fusion not given"


def _legend(rows: pd.DataFrame) -> list[Artist]:
    """Return the legend entries of what stands for intervals."""
    ellipse = Line2D([], [], linestyle="", marker="o", markersize=8, markerfacecolor="none", markeredgecolor=SOFT,
                     markeredgewidth=0.7, label="ellipse")  # fmt: skip
    bars = Line2D([], [], linestyle="", marker="+", markersize=8, markeredgecolor=SOFT, markeredgewidth=0.7,
                  label="an interval per axis, no ellipse")  # fmt: skip
    drawn = rows["half_major"].notna()
    return [*([ellipse] if drawn.any() else []), *([bars] if (~drawn & rows["x"].notna()).any() else [])]


def _caption(rows: pd.DataFrame, key: dict[str, Any]) -> str:
    """Say what a coordinate is, what the ellipses are, and what is in none of the points."""
    sentences = [
        "Each coordinate is the share of compositions with a gain minus the share with a loss; those with a tie "
        f"({_share(rows, 'n_tie')}) are left out."
    ]
    if key["dead_zone"]:
        sentences.append(f"A tie is a difference of at most {key['dead_zone']:g} item standard errors.")
    if key["order"] == "near_far":
        sentences.append("B is the partner typologically nearer to A.")
    if key["order"] == "both" and 3 in set(rows["size"]):
        sentences.append("Both partners count as B and as C, so z equals y.")
    sentences.append(f"{100 * key['level']:g} % ellipses for other partner languages (jackknife over partners).")
    without = rows[rows["half_major"].isna()]
    if len(without):
        reasons = without["why"].astype(str).value_counts().sort_index()
        listed = "; ".join(f"{shown(why)}: {count}" for why, count in reasons.items())
        sentences.append(f"{len(without)} of {len(rows)} without ellipse ({listed}).")
    for name, words in (("n_missing", "Missing"), ("n_unordered", "B and C equally near, or not known")):
        if rows[name].sum():
            sentences.append(f"{words}: {_share(rows, name)}.")
    return " ".join(sentences)


def _share(rows: pd.DataFrame, name: str) -> str:
    """Return which percentage of the compositions of all languages ``name`` counts."""
    total = int(rows[["n", "n_tie", "n_missing", "n_unordered"]].to_numpy().sum())
    return f"{100 * rows[name].sum() / total:.0f} % of {total:,}, counted for each member"
