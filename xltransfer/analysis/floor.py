"""The floor test: does the task adapter know anything at all about a target?

A cell whose baseline is not above the trivial predictor (majority tag, best of left and right attachment, an F1 of 0)
cannot get worse and has nothing to transfer. The test is one-sided at 5 % on the task's main metric: what cannot be
shown to be above the trivial score is at the floor. See protocols.md §1, "floor test".
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from xltransfer.analysis.frames import MODEL, REFERENCE, TARGET, plain, require_columns
from xltransfer.analysis.metric_names import main_metric
from xltransfer.metrics import Metric

LEVEL: Final = 0.05
"""One-sided."""

_CELL: Final = [*MODEL, *TARGET]
_RESULT: Final = [*_CELL, "metric", "baseline", "trivial", "difference", "se", "df", "p", "at_floor", "method"]


def at_floor(measurements: pd.DataFrame, items: pd.DataFrame | None = None, design_effect: float = 2.0) -> pd.DataFrame:
    """Return, per model and target, whether the baseline score is above the trivial predictor's.

    Parameters
    ----------
    measurements
        Columns unit, base, device, setting, adapter_seed, task, dataset, target, metric, score, n_scored (items that
        were scored: sentences, pairs). Rows of the settings baseline and trivial are read.
    items
        Columns unit, setting, task, dataset, target, item, cluster and the count columns of the main metrics; settings
        baseline and, where the trivial predictor has items, trivial. ``unit`` leads to the base, device and adapter
        seed in ``measurements``; units with several adapter seeds need the column adapter_seed too.
    design_effect
        For the bound without items: how much sentences of unequal length and from shared documents inflate the
        variance.

    Returns
    -------
    DataFrame
        One row per base, device, adapter_seed, task, dataset, target: metric; baseline, trivial, difference and se in
        percent; df; p (one-sided); at_floor; method. NaN p and ``method`` "none" where the task has no trivial score
        (mlm) or no baseline score: such a row is not at the floor, it is untested.

    Raises
    ------
    ValueError
        A column is missing, the trivial predictor has two scores for a target, or its items do not cover the
        baseline's.

    Notes
    -----
    ``paired_clusters`` (with items). A score is a ratio A/B of summed counts. Item i contributes
    ``u_i = (a_i − θ b_i)/B − (a⁰_i − θ⁰ b⁰_i)/B⁰``; with U_c the sums over J clusters,
    ``se² = J/(J−1) Σ (U_c − Ū)²`` and the difference over se is a t with J − 1 degrees of freedom. For F1,
    a = 2tp and b = 2tp + fp + fn, and the trivial F1 is the constant 0.

    ``bound`` (without items, or for a target that has none). Correlation of words within a sentence and the share of
    discordant words are unknown, so both are put at their worst: each sentence one single decision, discordance
    ``d = min(p + p⁰, 2 − p − p⁰)``, and ``se² = design_effect · (d − (p − p⁰)²)/n_scored``, normal. It may call at the
    floor what the items would clear; it hardly ever does the opposite.

    One cluster leaves no degrees of freedom: not shown to be above, so at the floor.
    """
    require_columns(measurements, ["unit", "setting", *REFERENCE, "score", "n_scored"], "measurements")
    measurements = plain(measurements)
    cells = _compared(measurements)
    tested = _bound(cells, design_effect)
    if items is not None:
        tested = _paired(tested, measurements, plain(items))
    untested = tested["difference"].isna()
    tested["p"] = np.where(untested, np.nan, _one_sided(tested))
    tested["at_floor"] = ~untested & ~(tested["p"] <= LEVEL)
    tested["method"] = np.where(untested, "none", np.where(tested["df"].isna(), "bound", "paired_clusters"))
    return tested[_RESULT]


def _one_sided(tested: pd.DataFrame) -> NDArray[np.float64]:
    """Return p for "above the trivial score": normal where df is missing, 1 where there is no degree of freedom."""
    difference, se, df = (tested[name].to_numpy(dtype=np.float64) for name in ("difference", "se", "df"))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(se > 0, difference / se, np.where(difference > 0, np.inf, -np.inf))
    p: NDArray[np.float64] = np.where(np.isnan(df), ndtr(-statistic), stdtr(np.where(df >= 1, df, np.nan), -statistic))
    return np.where(df < 1, 1.0, p)


def _compared(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return the baseline cells on the main metric, each beside the trivial score of its target."""
    names = measurements.groupby("task", observed=True)["metric"].unique()
    mains = pd.Series({task: main_metric(of_task).name for task, of_task in names.items()}, dtype="object")
    main = measurements[measurements["metric"] == measurements["task"].map(mains)]
    columns = [*_CELL, "metric", "score", "n_scored"]
    baseline = main.loc[main["setting"] == "baseline", columns].drop_duplicates().rename(columns={"score": "baseline"})
    trivial = main.loc[main["setting"] == "trivial", [*TARGET, "score"]].drop_duplicates()
    twice = trivial.duplicated(TARGET)
    if twice.any():
        named = trivial.loc[twice, TARGET].iloc[0].to_dict()
        raise ValueError(f"measurements hold two different trivial scores for {named}; keep those of one run")
    cells = baseline.merge(trivial.rename(columns={"score": "trivial"}), how="left", on=TARGET)
    cells["difference"] = cells["baseline"] - cells["trivial"]
    return cells.sort_values(_CELL, ignore_index=True)


def _bound(cells: pd.DataFrame, design_effect: float) -> pd.DataFrame:
    """Attach the largest standard error that scores and number of sentences allow, in percent."""
    score, trivial = cells["baseline"] / 100.0, cells["trivial"] / 100.0
    together = score + trivial
    discordant = together.where(together <= 1.0, 2.0 - together)
    variance = design_effect * (discordant - (score - trivial) ** 2).clip(lower=0.0) / cells["n_scored"]
    return cells.assign(se=100.0 * np.sqrt(variance.astype("float64")), df=np.nan)


def _paired(bounded: pd.DataFrame, measurements: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Replace the bound by the paired standard error over clusters, in percent, in cells that have items."""
    require_columns(items, ["unit", "setting", *TARGET, "item", "cluster"], "items")
    baseline, trivial = items[items["setting"] == "baseline"], items[items["setting"] == "trivial"]
    names = measurements.groupby("task", observed=True)["metric"].unique()
    parts = []
    for task in bounded.loc[bounded["trivial"].notna(), "task"].unique():
        rows = _with_model(baseline[baseline["task"] == task], measurements)
        if rows.empty:
            continue
        metric = main_metric(names[task])
        require_columns(items, metric.columns, "items")
        parts.append(_errors(_contributions(rows, trivial[trivial["task"] == task], metric)))
    if not parts:
        return bounded
    errors = pd.concat(parts, ignore_index=True)
    cells = bounded.drop(columns=["se", "df"]).merge(errors, how="left", on=_CELL, validate="one_to_one")
    return cells.assign(se=cells["se"].where(cells["df"].notna(), bounded["se"]))


def _with_model(rows: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Attach base, device and adapter seed of the unit that scored each item; a unit may hold several seeds."""
    scored = measurements.loc[measurements["setting"] == "baseline", ["unit", *_CELL]].drop_duplicates()
    keys = ["unit", *TARGET, *(["adapter_seed"] if "adapter_seed" in rows.columns else [])]
    return rows.merge(scored, how="inner", on=keys)


def _contributions(rows: pd.DataFrame, trivial: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Return ``u_i`` of every item: its linearised share in the difference between baseline and trivial score."""
    a, b = _ratio(rows, metric)
    keys = [rows[column] for column in _CELL]
    sums = pd.DataFrame({"a": a, "b": b}).groupby(keys, dropna=False, observed=True).transform("sum")
    u = (a - sums["a"] / sums["b"] * b) / sums["b"]
    if len(trivial):
        u = u - _trivial_contributions(rows, trivial, metric)
    return rows[[*_CELL, "cluster"]].assign(u=100.0 * u)


def _trivial_contributions(rows: pd.DataFrame, trivial: pd.DataFrame, metric: Metric) -> "pd.Series[float]":
    """Return the trivial predictor's own contribution for the item of each row."""
    once = trivial.drop_duplicates([*TARGET, "item"]).reset_index(drop=True)
    a, b = _ratio(once, metric)
    keys = [once[column] for column in TARGET]
    sums = pd.DataFrame({"a": a, "b": b}).groupby(keys, observed=True).transform("sum")
    own = once[[*TARGET, "item"]].assign(u=(a - sums["a"] / sums["b"] * b) / sums["b"])
    matched = rows[[*TARGET, "item"]].merge(own, how="left", on=[*TARGET, "item"], indicator=True)
    missing = (matched["_merge"] == "left_only").to_numpy()
    if missing.any():
        named = rows.loc[missing, TARGET].iloc[0].to_dict()
        raise ValueError(f"items of the trivial setting lack {int(missing.sum())} baseline items, first of {named}")
    return matched["u"].set_axis(rows.index)


def _ratio(rows: pd.DataFrame, metric: Metric) -> "tuple[pd.Series[float], pd.Series[float]]":
    """Return numerator and denominator of the metric per item."""
    a, *rest = (rows[column].astype("float64") for column in metric.columns)
    if metric.form == "f1":
        return 2.0 * a, 2.0 * a + rest[0] + rest[1]
    return a, rest[0]


def _errors(contributions: pd.DataFrame) -> pd.DataFrame:
    """Return se and df per cell from the clusters' summed contributions."""
    clusters = contributions.groupby([*_CELL, "cluster"], dropna=False, observed=True)["u"].sum()
    by_cell = clusters.groupby(level=_CELL, dropna=False)
    count = by_cell.size()
    # J/(J−1) Σ(U − Ū)² is J times the sample variance; one cluster gives NaN.
    return pd.DataFrame({"se": np.sqrt(count * by_cell.var(ddof=1)), "df": count - 1.0}).reset_index()
