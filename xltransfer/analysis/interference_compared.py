"""Two ways to the same interference, compared cell by cell: against which control, and by which kind of fusion.

What [AB] gains over [A] is partly what a fusion adds whatever it fuses. Fusing A with a second adapter of its own, A',
has the same weights and none of B, so [AA'] − [A] is that part. See protocols.md §2, "capacity control".
"""

import itertools
from typing import Any, Final

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.interference import STUDY
from xltransfer.analysis.interference_frame import languages_of
from xltransfer.analysis.language_jackknife import over_languages
from xltransfer.analysis.metric_names import direction

_CELL: Final = [*STUDY, "dead_zone", "size", "members", "language"]
_BOUNDS: Final = ("estimate", "low", "high")


def control_effect(differences: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return how much of the published gain, [AB] − [A], a second adapter of A gives as well.

    Parameters
    ----------
    differences
        What :func:`.interference.interference` gives for both controls, one frame below the other.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion, dead_zone and size: n_cells (members measured against both),
        n_languages; published ([AB] − [A]), controlled ([AB] − [AA']) and removed (their difference, [AA'] − [A]): the
        means in the metric's unit, each with _low and _high; percent_removed (removed in percent of published; NaN
        where the interval of published holds 0, for then there is no gain to speak of); n_gain (cells that gain against
        [A]), n_kept (those of them that also gain against [AA']); level, why (why there is no interval). No rows where
        there are not both controls.

    Raises
    ------
    ValueError
        A column is missing.
    """
    require_columns(differences, [*_CELL, "control", "difference", "sign"], "differences")
    measured = differences[differences["sign"].notna()]
    same, second = (measured[measured["control"] == name] for name in ("same", "second_adapter"))
    kept = [*_CELL, "difference", "sign"]
    both = same[kept].merge(second[kept], on=_CELL, suffixes=("", "_controlled"), validate="one_to_one")
    groups = both.groupby([*STUDY, "dead_zone", "size"], sort=True)
    rows = [dict(zip([*STUDY, "dead_zone", "size"], key, strict=True)) | _effect(part, level) for key, part in groups]
    bounds = [f"{name}{end}" for name in ("published", "controlled", "removed") for end in ("", "_low", "_high")]
    shown = ["n_cells", "n_languages", *bounds, "percent_removed", "n_gain", "n_kept", "level", "why"]
    return pd.DataFrame(rows, columns=[*STUDY, "dead_zone", "size", *shown])


def _effect(part: pd.DataFrame, level: float) -> dict[str, Any]:
    """Return the columns of one condition."""
    published, controlled = (part[name].to_numpy(np.float64) for name in ("difference", "difference_controlled"))
    values = np.column_stack([published, controlled, published - controlled])
    found = over_languages(values, [languages_of(each) for each in part["members"]])
    table = found.intervals("delta", level)
    row: dict[str, Any] = {"n_cells": len(part), "n_languages": found.languages, "level": level}
    for name, bounds in zip(("published", "controlled", "removed"), table.to_dict("records"), strict=True):
        row |= {f"{name}{end}": bounds[column] for column, end in zip(_BOUNDS, ("", "_low", "_high"), strict=True)}
    clear = row["published_low"] > 0.0 or row["published_high"] < 0.0
    gains = part["sign"] > 0.0
    return row | {
        "percent_removed": 100.0 * row["removed"] / row["published"] if clear else np.nan,
        "n_gain": int(gains.sum()),
        "n_kept": int((gains & (part["sign_controlled"] > 0.0)).sum()),
        "why": found.why,
    }


def fusion_differences(differences: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return how kinds of fusion differ on the same compositions and languages.

    Parameters
    ----------
    differences
        What :func:`.interference.interference` gives with ``control="same"``, so that every kind is compared with the
        same single adapter. Other controls are left out.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base, task, metric, dead_zone, size and pair of kinds: fusion, other (in the order trained,
        untrained, uniform); n_cells, n_languages; score and other_score (means, metric's unit); estimate (their
        difference, positive where ``fusion`` is better, also for nll), low, high, p (jackknife over languages); n_same
        (cells in which both have the same sign against [A], ties included); level, why. No rows for a single kind.

    Raises
    ------
    ValueError
        A column is missing.
    """
    require_columns(differences, [*_CELL, "control", "score", "sign"], "differences")
    rows = []
    measured = differences[differences["sign"].notna() & (differences["control"] == "same")]
    study = [name for name in [*STUDY, "dead_zone", "size"] if name != "fusion"]
    for key, part in measured.groupby(study, sort=True):
        kinds = [kind for kind in ("trained", "untrained", "uniform") if (part["fusion"] == kind).any()]
        known: dict[str, Any] = dict(zip(study, key, strict=True))
        for fusion, other in itertools.combinations(kinds, 2):
            rows.append(known | {"fusion": fusion, "other": other} | _compared(part, fusion, other, level))
    shown = ["n_cells", "n_languages", "score", "other_score", "estimate", "low", "high", "p", "n_same", "level", "why"]
    return pd.DataFrame(rows, columns=[*study, "fusion", "other", *shown])


def _compared(part: pd.DataFrame, fusion: str, other: str, level: float) -> dict[str, Any]:
    """Return the columns of two kinds of fusion."""
    keys, values = ["members", "language"], ["score", "sign"]
    one, two = (part[part["fusion"] == kind][[*keys, *values]] for kind in (fusion, other))
    both = one.merge(two, on=keys, suffixes=("", "_other"), validate="one_to_one")
    change = direction(str(part["metric"].iloc[0])) * (both["score"] - both["score_other"])
    found = over_languages(change.to_numpy(np.float64)[:, None], [languages_of(each) for each in both["members"]])
    bounds = found.intervals("delta", level).iloc[0]
    return {
        "n_cells": len(both),
        "n_languages": found.languages,
        "score": both["score"].mean(),
        "other_score": both["score_other"].mean(),
        **{name: bounds[name] for name in (*_BOUNDS, "p", "level", "why")},
        "n_same": int((both["sign"] == both["sign_other"]).sum()),
    }
