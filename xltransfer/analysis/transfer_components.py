"""The parts of the variance of an aggregate over targets, for one transfer entry after another.

All targets of an entry are scored by the same replicates, and parallel targets on the same clusters. So the replicates'
part is that of the weighted sum over targets, replicate by replicate, and the items' part adds influences before it
squares them. For new targets, targets take the place of items; what targets vary together, because their clusters are
the same, comes on top.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.cluster_moments import ClusterMoments
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import ENTRY, STUDY
from xltransfer.analysis.seed_means import Changes
from xltransfer.analysis.weightings import WEIGHTINGS, Weighting, target_weights

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PARTS: Final = [
    "estimate", "n_targets", "n_replicates", "replicate", "item", "item_df", "item_rest", "n_units", "unit", "unit_df",
    "unit_rest",
]  # fmt: skip

TRANSFER_COMPONENTS: Final = [*STUDY, *ENTRY, "weighting", "include_self", "scale", *_PARTS]
"""Columns of the components of aggregates by transfer language; see :func:`.statistics.interval_statistics`."""


@dataclass(frozen=True)
class Receivers:
    """What an aggregate needs to know of a task's targets.

    Attributes
    ----------
    words, effective
        Shape [target]: as in :class:`.untouched.Untouched`.
    family
        Shape [target]: number of the family; None where families are not known.
    group_overlap
        For each group of targets that share clusters, shape [target, target]: Σ of the products of cluster sizes.
    """

    words: Array
    effective: Array
    family: NDArray[np.intp] | None
    group_overlap: tuple[Array, ...]


def transfer_rows(
    key: Mapping[str, Any],
    changes: Mapping[Scale, Changes],
    own: Flags,
    moments: ClusterMoments,
    receivers: Receivers,
) -> list[dict[str, Any]]:
    """Return a row for every scale, weighting and treatment of self-transfer of one transfer entry.

    Parameters
    ----------
    key
        Columns `STUDY` and `ENTRY`.
    changes
        The entry's changes on each scale.
    own
        Shape [target]: the target is the transfer language.
    """
    weightings = [name for name in WEIGHTINGS if name != "family" or receivers.family is not None]
    rows = []
    for scale, changed in changes.items():
        for include_self in (True, False):
            used = np.isfinite(changed.mean) & (include_self | ~own)
            for weighting in weightings:
                parts = _components(weighting, used, changed, moments, receivers)
                rows.append({**key, "weighting": weighting, "include_self": include_self, "scale": scale, **parts})
    return rows


def _components(
    weighting: Weighting, used: Flags, changes: Changes, moments: ClusterMoments, receivers: Receivers
) -> dict[str, Any]:
    """Return estimate and variance components of one aggregate."""
    replicates, targets = changes.deviation.shape
    family = np.arange(targets) if receivers.family is None else receivers.family
    weight = target_weights(weighting, used, receivers.words, family)
    parts: dict[str, Any] = dict.fromkeys(_PARTS, np.nan)
    parts |= {"n_targets": int(used.sum()), "n_replicates": replicates, "n_units": 0}
    if not used.any() or np.isnan(weight).any():
        return parts
    estimate = float(np.where(used, weight * changes.mean, 0.0).sum())
    between = changes.deviation @ weight
    scale = 1.0 / (replicates * (replicates - 1.0)) if replicates > 1 else np.nan
    parts |= {"estimate": estimate, "replicate": float((between**2).sum()) * scale}
    parts |= _items(weight, changes, moments, receivers)
    units = family if weighting == "family" else np.arange(targets)
    off = np.where(used, weight * (changes.mean - estimate), 0.0)
    left = weight * (changes.deviation - between[:, None])
    parts |= _units(units, weight, off, left, scale)
    return parts | _shared(parts, moments.between_units(weight * changes.factors, units), units, weight)


def _items(weight: Array, changes: Changes, moments: ClusterMoments, receivers: Receivers) -> dict[str, float]:
    """Return the items' part for fixed targets, its degrees of freedom, and the rest."""
    item, rest = moments.variances(weight * changes.factors)
    effective = receivers.effective.copy()
    for group, overlap in zip(moments.groups, receivers.group_overlap, strict=True):
        inside = weight[group.targets]
        with np.errstate(divide="ignore", invalid="ignore"):
            effective[group.targets[0]] = inside.sum() ** 2 / (inside @ overlap @ inside)
    varies = item > 0.0
    noise = (item[varies] ** 2 / (effective[varies] - 1.0)).sum()
    df = item.sum() ** 2 / noise if noise > 0.0 else np.inf
    return {"item": float(item.sum()), "item_df": float(df), "item_rest": float(rest.sum())}


def _units(units: NDArray[np.intp], weight: Array, off: Array, left: Array, scale: float) -> dict[str, float]:
    """Return the part of the units that are drawn anew (targets or families), its degrees of freedom, and the rest.

    The sum of squared deviations is corrected by 1/(1 − weight), which for equal weights is n/(n − 1).
    """
    inside = np.flatnonzero(weight > 0.0)
    order = inside[np.argsort(units[inside], kind="stable")]
    first = np.flatnonzero(np.diff(units[order], prepend=-1))
    share, deviation = (np.add.reduceat(values[order], first) for values in (weight, off))
    if len(share) < 2:
        return {"n_units": len(share)}
    pull = 1.0 / (1.0 - share)
    summed = np.add.reduceat(left[:, order], first, axis=1)
    return {
        "n_units": len(share),
        "unit": float((pull * deviation**2).sum()),
        "unit_df": float(1.0 / (share**2).sum() - 1.0),
        "unit_rest": float((pull * summed**2).sum()) * scale,
    }


def _shared(
    parts: Mapping[str, Any], between: tuple[float, float], units: NDArray[np.intp], weight: Array
) -> dict[str, float]:
    """Return the units' part with what units vary together, because they share clusters, and its degrees of freedom.

    The spread between units cannot show what moves them all alike. With C the covariance of two units' errors, the
    spread falls short by the mean of C, and Σ w w' C over pairs of units, over 1 − Σ w², makes up for it.
    """
    item, rest = between
    unit = parts["unit"]
    if item <= rest or np.isnan(unit):
        return {}
    shared = (item - rest) / (1.0 - (np.bincount(units, weights=weight) ** 2).sum())
    noise = unit**2 / parts["unit_df"] + shared**2 / parts["item_df"]
    return {"unit": unit + shared, "unit_df": (unit + shared) ** 2 / noise}


def transfer_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows as a frame with the columns `TRANSFER_COMPONENTS`, sorted by its keys."""
    keys = [*STUDY, *ENTRY, "weighting", "include_self", "scale"]
    kinds = dict.fromkeys(_PARTS, "float64") | dict.fromkeys(keys, "str") | {"steps": "Int64", "include_self": "bool"}
    kinds |= dict.fromkeys(["n_targets", "n_replicates", "n_units"], "int64")
    return pd.DataFrame(rows, columns=TRANSFER_COMPONENTS).astype(kinds).sort_values(keys, ignore_index=True)
