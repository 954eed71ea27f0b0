"""Alignment over all pairs of languages: the mean in every layer, and what states and single nudges change of it.

A language stands in many pairs, so pairs are not independent. Means over all pairs of a set leave out one language at a
time (jackknife); the change by one nudge takes its replicates and the partner languages as crossed, as aggregates of
transfer scores do. All of it reads scores alone, no items: intervals are for other languages, on these texts.
"""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from xltransfer.analysis.alignment import RANGES, interval
from xltransfer.analysis.alignment_states import PAIR, SIZES, STATE
from xltransfer.analysis.frames import require_columns, require_one_device
from xltransfer.analysis.language_jackknife import over_languages
from xltransfer.analysis.multiplicity import holm

SCORES: Final = [*STATE, "replicate", *PAIR, *SIZES, "layer", "middle", "metric", "permuted", "score"]
"""Columns of `alignment_scores`."""

POOLED: Final = ["base", "setting", "steps", "adapter_seed", "task_adapter", "task", "layer", "middle", "metric",
                 "permuted"]  # fmt: skip
"""Keys of means over pairs: nudges are pooled over the languages nudged on."""

MEAN: Final = ["estimate", "se", "df", "low", "high", "level", "n_pairs", "n_languages", "why"]

NUDGED: Final = [*STATE[:5], "task", "metric", "permuted", "estimate", "se", "df", "low", "high", "p", "p_holm", "net",
                 "net_low", "net_high", "net_p", "net_p_holm", "level", "n_pairs", "n_up", "n_replicates",
                 "why"]  # fmt: skip
"""Columns of `nudge_changes`."""

_READ: Final = ["base", "setting", "transfer", "corpus", "steps", "adapter_seed", "replicate", "task", "dataset",
                "target", "metric", "device", "options", "score"]  # fmt: skip
_PERMUTED: Final = "permuted_"
_LEAST: Final = 4  # languages of a jackknife: with fewer its intervals are as wide as the measure's range


def alignment_scores(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of an alignment run layer by layer.

    Parameters
    ----------
    measurements
        ``run.measurements()``, with the scores of labels (there: layers).

    Returns
    -------
    DataFrame
        A row per state, replicate, pair, layer, metric and ``permuted``; the columns `SCORES`. An undefined score has
        no row.

    Raises
    ------
    ValueError
        A column is missing, or the scores are of several kinds of device.
    """
    require_columns(measurements, _READ, "measurements")
    require_one_device(measurements, "measurements", "keep the rows of one: measurements[measurements.device == 'cpu']")
    rows = measurements[measurements["metric"].str.endswith("]")].reset_index(drop=True)
    names = {name: _layered(name) for name in rows["metric"].unique()}
    said = {text: json.loads(text) for text in rows["options"].unique()}
    parts = pd.DataFrame([names[name] for name in rows["metric"]], columns=["metric", "layer", "permuted"])
    stored = pd.DataFrame(
        [
            (each.get("task_adapter", ""), each["source"], *(int(each[name]) for name in SIZES), int(each["layer"]))
            for each in (said[text] for text in rows["options"])
        ],
        columns=["task_adapter", "source", *SIZES, "of_middle"],
    )
    found = pd.concat([rows.drop(columns=["metric", "options"]), parts, stored], axis=1)
    return found.assign(middle=found["layer"] == found["of_middle"])[SCORES]


def level_means(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return the mean alignment over the pairs of each state, by layer and metric.

    Parameters
    ----------
    scores
        Of `alignment_scores`, the states to average.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        `POOLED`, then `MEAN`. Replicates are averaged within a pair first. Intervals stay within the measure's range.
    """
    rows = _pooled(_by_pair(scores, "score"), level)
    ranges = pd.DataFrame([RANGES[metric.split("_", 1)[1]] for metric in rows["metric"]], columns=["low", "high"])
    return rows.assign(low=rows["low"].clip(lower=ranges["low"]), high=rows["high"].clip(upper=ranges["high"]))


def change_means(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return the mean change against the untouched model over the pairs of each state, by layer and metric.

    Each pair is compared with itself, so it does not matter that nudges are measured on the pairs of their language
    alone; n_pairs counts a pair once for each language nudged on. Parameters and columns as of `level_means`;
    ``scores`` holds the baseline too.
    """
    return _pooled(_by_pair(paired_changes(scores), "change"), level)


def _by_pair(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the mean of a column over the replicates of each pair in each state, as ``value``."""
    keys = [*POOLED, "dataset", "source", "target", "transfer"]
    means = rows.groupby(keys, dropna=False, observed=True, sort=True)[column].mean()
    return means.rename("value").reset_index()


def paired_changes(scores: pd.DataFrame) -> pd.DataFrame:
    """Return all rows but the baseline's with ``change``: score less that of the untouched model on the same pair.

    Raises
    ------
    ValueError
        The untouched model was scored twice on a pair.
    """
    cell = ["base", *PAIR, "layer", "metric", "permuted"]
    base = scores.loc[scores["setting"] == "baseline", [*cell, "score"]].rename(columns={"score": "reference"})
    if base.duplicated(cell).any():
        first = base.loc[base.duplicated(cell), cell].iloc[0].to_dict()
        raise ValueError(f"the untouched model has two scores for {first}; give the rows of one device and one run")
    moved = scores[scores["setting"] != "baseline"].merge(base, on=cell, how="inner")
    return moved.assign(change=moved["score"] - moved["reference"])


def nudge_changes(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return by how much every nudge changes alignment at the middle layer, over the pairs it was measured on.

    Parameters
    ----------
    scores
        Of `alignment_scores`, the baseline among them.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        A row per transfer entry, k, set of texts, metric and ``permuted``; the columns `NUDGED`. n_up: pairs whose
        change is above 0. The interval is for other replicates and other partner languages; p is two-sided, p_holm
        corrected over the entries of one setting, k, set, metric and ``permuted``. With one pair there is no interval.
        net, with its own interval and p: the change less that of the same texts in permuted pairs, so what the nudge
        does to translations and not to all vectors alike; missing where pairs are not, or cannot be, permuted.
    """
    changes = paired_changes(scores)
    changes = changes[changes["middle"] & changes["replicate"].notna()]
    keys = [*STATE[:5], "task", "metric"]
    rows = []
    for key, part in changes.groupby(keys, dropna=False, observed=True, sort=True):
        tables = {bool(permuted): _replicates(own) for permuted, own in part.groupby("permuted")}
        for permuted, table in tables.items():
            own = {"n_pairs": table.shape[1], "n_up": int((table.mean() > 0).sum()), "permuted": permuted}
            rows.append(dict(zip(keys, key, strict=True)) | _tested(table, level) | own)
        if len(tables) == 2:
            net = _tested((tables[False] - tables[True]).dropna(axis=1), level)
            names = {"net": "estimate", "net_low": "low", "net_high": "high", "net_p": "p"}
            rows[-2] |= {name: net[source] for name, source in names.items()}
    frame = pd.DataFrame(rows, columns=[name for name in NUDGED if not name.endswith("p_holm")])
    family = [name for name in [*keys, "permuted"] if name not in ("transfer", "corpus")]
    corrected = {f"{name}_holm": _corrected(frame, name, family) for name in ("p", "net_p")}
    return frame.assign(**corrected)[NUDGED].astype({"steps": "Int64"})


def _replicates(changes: pd.DataFrame) -> pd.DataFrame:
    """Return the changes as replicate × pair, of pairs that all replicates have."""
    table: pd.DataFrame = changes.pivot_table(index="replicate", columns="dataset", values="change", dropna=False)
    return table.dropna(axis=1)


def _tested(table: pd.DataFrame, level: float) -> dict[str, Any]:
    """Return the mean of replicate × pair with its interval and p."""
    values = table.to_numpy(dtype=np.float64)
    found = interval(values, np.arange(values.shape[1]), level)
    if values.shape[1] < 2:
        found["why"] = "one pair only"
    return found | {"p": _two_sided(found)}


def _corrected(frame: pd.DataFrame, name: str, family: list[str]) -> NDArray[np.float64]:
    """Return the p-values of a column corrected within each family; NaN where there is none."""
    corrected = np.full(len(frame), np.nan)
    p = frame[name].to_numpy(dtype=np.float64)
    for places in frame.groupby(family, dropna=False, observed=True).indices.values():
        tested = places[np.isfinite(p[places])]
        corrected[tested] = holm(p[tested])
    return corrected


def mean_of_pairs(values: Sequence[float], languages: Iterable[Sequence[str]], level: float = 0.95) -> dict[str, Any]:
    """Return the mean of one value per pair of languages with an interval for other languages.

    Parameters
    ----------
    values
        [pair], finite.
    languages
        The languages of each pair (two, or more where a third one was nudged on).
    level
        Of the interval.

    Returns
    -------
    The columns `MEAN`; the variance is that of `language_jackknife.over_languages`.
    """
    members = [frozenset(each) for each in languages]
    found = over_languages(np.asarray(values, dtype=np.float64)[:, None], members)
    row: dict[str, Any] = dict.fromkeys(MEAN, math.nan) | {"level": level, "why": ""}
    row |= {"estimate": float(found.mean[0]), "n_pairs": len(members), "n_languages": found.languages}
    if found.df < _LEAST - 1:
        return row | {"why": f"fewer than {_LEAST} languages to leave out"}
    se = math.sqrt(found.variance[0])
    if not se > 0:
        return row | {"why": "nothing varies"}
    half = se * float(stdtrit(found.df, 0.5 + level / 2.0))
    return row | {"se": se, "df": float(found.df), "low": row["estimate"] - half, "high": row["estimate"] + half}


def _pooled(pairs: pd.DataFrame, level: float) -> pd.DataFrame:
    rows = []
    for key, part in pairs.groupby(POOLED, dropna=False, observed=True, sort=True):
        members = (
            [name for name in each if name]
            for each in zip(part["source"], part["target"], part["transfer"], strict=True)
        )
        found = mean_of_pairs(part["value"].tolist(), members, level)
        rows.append(dict(zip(POOLED, key, strict=True)) | found)
    return pd.DataFrame(rows, columns=[*POOLED, *MEAN]).astype({"steps": "Int64", "adapter_seed": "Int64"})


def _layered(metric: str) -> tuple[str, int, bool]:
    """Return metric, layer and whether pairs were permuted, of ``permuted_cls_cosine[2]``."""
    name, _, layer = metric.removesuffix("]").partition("[")
    return name.removeprefix(_PERMUTED), int(layer), name.startswith(_PERMUTED)


def _two_sided(found: dict[str, Any]) -> float:
    """Return p of no change; NaN where there is no interval."""
    if not found["se"] > 0:
        return math.nan
    return float(2.0 * stdtr(found["df"], -abs(found["estimate"]) / found["se"]))
