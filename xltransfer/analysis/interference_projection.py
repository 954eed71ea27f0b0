"""Languages as points: x is what a language receives, y and z what its partners receive while it is there.

The point is the mean sign vector over the compositions that have a pattern. The paper prints points alone; how far
other partners would have moved them is the ellipse, by leaving out one partner language at a time. In pairs that is the
covariance of the mean over partners exactly; of three languages, compositions share partners, and their number says
nothing about how sure the mean is. Source: faisal2024 §2 and App. F; protocols.md §2.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv, fdtri, stdtrit

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.interference_signs import GROUP, PATTERNS, sign_counts

Array = NDArray[np.float64]

AXES: Final = ("x", "y", "z")

LEAST_PARTNERS: Final = 4
"""With fewer partner languages an ellipse would cover the plane."""

_SIGNS: Final = {
    pattern: np.array([1.0 if sign == "+" else -1.0 for sign in pattern[::2]])
    for patterns in PATTERNS.values()
    for pattern in patterns
}

_SPREAD: Final = [f"{axis}_se" for axis in AXES] + ["xy_covariance", "xz_covariance", "yz_covariance"]
_ELLIPSE: Final = ["half_major", "half_minor", "angle"]


def projection(counts: Mapping[str, int]) -> Array:
    """Return the coordinates of one language: Σ count · sign vector / Σ count.

    Parameters
    ----------
    counts
        Pattern -> count, the patterns all of two or all of three languages (`interference_signs.PATTERNS`); what is
        left out counts as 0.

    Returns
    -------
    Shape [2] or [3], each within −1 to 1; NaN where all counts are 0.

    Raises
    ------
    ValueError
        There is no pattern, one is unknown, their sizes differ, or a count is negative.

    References
    ----------
    faisal2024, §2, the equation of (x_A, y_A); App. F: (−A−B, −A+B, +A−B, +A+B) = (1, 1, 3, 2) gives (3/7, −1/7).
    """
    unknown = [pattern for pattern in counts if pattern not in _SIGNS]
    sizes = {len(_SIGNS[pattern]) for pattern in counts if pattern in _SIGNS}
    if unknown or len(sizes) != 1:
        raise ValueError(f"counts has the patterns {list(counts)}; expected some of {PATTERNS[2]} or of {PATTERNS[3]}")
    if min(counts.values()) < 0:
        raise ValueError(f"counts={dict(counts)!r} holds a negative number of compositions")
    total = sum(counts.values())
    added = sum((count * _SIGNS[pattern] for pattern, count in counts.items()), np.zeros(sizes.pop()))
    return added / total if total else np.full(len(added), np.nan)


def interference_projections(patterns: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return every language's coordinates with interval ellipses.

    Parameters
    ----------
    patterns
        What :func:`.interference_signs.sign_patterns` gives.
    level
        Of the ellipses and intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion, control, dead_zone, size, order and language: n (compositions with a
        pattern; with ``order: both`` each stands twice), n_partners (languages in them), n_tie, n_missing,
        n_unordered; x, y, z (−1 to 1; z NaN in pairs, all NaN where n is 0); x_se, y_se, z_se, xy_covariance,
        xz_covariance, yz_covariance (jackknife over partner languages); x_low, x_high and so on for each axis (interval
        of that axis alone); half_major, half_minor, angle (of the ellipse of x and y together, the angle in degrees
        from the x axis to the long axis); level; why (why there is no ellipse, else empty).

    Raises
    ------
    ValueError
        A column is missing or ``level`` is not between 0 and 1.

    Notes
    -----
    Partner languages are taken as drawn at random; the data, the adapters and A itself are held fixed. With m partners
    the jackknife covariance is (m − 1)/m · Σ (c₋ₗ − mean)(c₋ₗ − mean)ᵀ, with c₋ₗ the coordinates without the
    compositions that hold l. Ellipses are Hotelling's, with the F quantile of 2 and m − 2 degrees of freedom. Where all
    partners agree on an axis, or no single one of them moves it, the covariance is 0, which says nothing about further
    partners: there is no ellipse.

    The interval of one axis is the exact binomial one for as many compositions as would give that variance if they were
    independent, so it stays within −1 and 1, and has a length where that variance is 0: there it counts as many
    compositions as the partners make without sharing one.

    References
    ----------
    faisal2024, §2, App. F. Arvesen 1969 (jackknife of statistics over pairs); Hotelling 1931 (ellipse); Korn and
    Graubard 1998 (interval of a share).
    """
    require_columns(patterns, [*GROUP, "language", "second", "third", "pattern"], "patterns")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level} is not between 0 and 1; write 0.95 for 95 %")
    counts = sign_counts(patterns)
    found = {}
    for key, part in counts.groupby([*GROUP, "language"], sort=True):
        found[key] = dict(zip(part["pattern"], part["count"], strict=True))
    rows = []
    for key, part in patterns.groupby([*GROUP, "language"], sort=True):
        known: dict[str, Any] = dict(zip([*GROUP, "language"], key, strict=True))
        rows.append(known | _point(found[key], part, known["size"], level))
    return pd.DataFrame(rows, columns=[*GROUP, "language", *_columns()])


def _columns() -> list[str]:
    bounds = [f"{axis}_{end}" for axis in AXES for end in ("low", "high")]
    return ["n", "n_partners", "n_tie", "n_missing", "n_unordered", *AXES, *_SPREAD, *bounds, *_ELLIPSE, "level", "why"]


def _point(counts: Mapping[str, int], part: pd.DataFrame, size: int, level: float) -> dict[str, Any]:
    """Return the columns of one language."""
    signed = {pattern: counts[pattern] for pattern in PATTERNS[size]}
    row: dict[str, Any] = dict.fromkeys(_columns(), math.nan) | {"level": level, "n": sum(signed.values())}
    row |= {f"n_{name}": counts[name] for name in ("tie", "missing", "unordered")}
    point = projection(signed)
    without = _without_each(part[part["pattern"].isin(signed)])
    row |= dict(zip(AXES, point, strict=False)) | {"n_partners": len(without), "why": _why(row["n"], point, without)}
    if row["n"] == 0:
        return row
    covariance = _jackknife(without)
    row |= _spread(covariance) | _ellipse(row["why"], covariance, len(without), level)
    for axis, value, variance in zip(AXES, point, np.diag(covariance), strict=False):
        bounds = _bounds(float(value), float(variance), row["n"], len(without), size - 1, level)
        row |= dict(zip((f"{axis}_low", f"{axis}_high"), bounds, strict=True))
    return row


def _without_each(part: pd.DataFrame) -> Array:
    """Return the coordinates without each partner language, shape [partner, axis]; NaN where nothing is left."""
    if part.empty:
        return np.empty((0, 2))
    vectors = np.stack([_SIGNS[pattern] for pattern in part["pattern"]])
    partners = part[["second", "third"]].to_numpy(dtype=object)
    known = sorted(set(partners.ravel()) - {""})
    held = np.stack([(partners == language).any(axis=1) for language in known]).astype(np.float64)
    left = len(part) - held.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        without: Array = (vectors.sum(axis=0) - held @ vectors) / np.where(left > 0, left, np.nan)
    return without


def _jackknife(without: Array) -> Array:
    """Return the jackknife covariance of the coordinates, shape [axis, axis]; NaN where one partner is in all."""
    count = len(without)
    centred = without - without.mean(axis=0)
    covariance: Array = (count - 1) / count * centred.T @ centred
    # What rounding leaves of no variance at all.
    covariance[np.abs(covariance) < 1e-15] = 0.0
    return covariance


def _why(n: int, point: Array, without: Array) -> str:
    """Say why there is no ellipse."""
    if n == 0:
        return "no composition has a pattern"
    if len(without) < LEAST_PARTNERS:
        return f"fewer than {LEAST_PARTNERS} partner languages"
    if np.isnan(without).any():
        return "one partner is in all compositions"
    variances = dict(zip("xy", np.diag(_jackknife(without)), strict=False))
    still = {axis: value for axis, value in zip("xy", point, strict=False) if variances[axis] == 0.0}
    agreed = [axis for axis, value in still.items() if abs(value) == 1.0]
    unmoved = [axis for axis in still if axis not in agreed]
    said = [f"all partners agree on {' and '.join(agreed)}"] if agreed else []
    said += [f"no single partner moves {' or '.join(unmoved)}"] if unmoved else []
    return "; ".join(said)


def _spread(covariance: Array) -> dict[str, float]:
    """Return standard errors and covariances by their columns."""
    found = {}
    for place, axis in enumerate(AXES[: len(covariance)]):
        found[f"{axis}_se"] = math.sqrt(covariance[place, place])
        for other in range(place):
            found[f"{AXES[other]}{axis}_covariance"] = float(covariance[other, place])
    return found


def _bounds(value: float, variance: float, n: int, partners: int, each: int, level: float) -> tuple[float, float]:
    """Return the interval of one axis: that of a share of an effective number of compositions."""
    tail = (1.0 - level) / 2.0
    if math.isnan(variance):
        effective = 1.0
    elif variance == 0.0:
        # As many compositions as can be made of the partners without any standing in two of them.
        effective = partners / each
    else:
        quantiles = stdtrit(n - 1, 1.0 - tail) / stdtrit(partners - 1, 1.0 - tail)
        effective = (1.0 - value**2) / variance * float(quantiles) ** 2
    gains = effective * (1.0 + value) / 2.0
    losses = effective - gains
    low = 0.0 if gains <= 0.0 else float(betaincinv(gains, losses + 1.0, tail))
    high = 1.0 if losses <= 0.0 else float(betaincinv(gains + 1.0, losses, 1.0 - tail))
    return 2.0 * low - 1.0, 2.0 * high - 1.0


def _ellipse(why: str, covariance: Array, partners: int, level: float) -> dict[str, float]:
    """Return half axes and angle of Hotelling's ellipse of x and y."""
    if why:
        return {}
    variances, vectors = np.linalg.eigh(covariance[:2, :2])
    scale = 2.0 * (partners - 1) / (partners - 2) * float(fdtri(2, partners - 2, level))
    minor, major = np.sqrt(scale * np.maximum(variances, 0.0))
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])) % 180.0
    return {"half_major": float(major), "half_minor": float(minor), "angle": angle}
