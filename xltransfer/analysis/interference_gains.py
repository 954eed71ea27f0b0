"""Is a language scored better with language adapters than without? Its own, and fused with those of others.

The columns [1A], [2A] and [3A] of the paper's Tables 7, 9 and 11 and the bars of its Figure 2. The paper calls a
language improved if any of the three settings is better than no adapter; three chances are more than one, so each
setting stands by itself too.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from xltransfer.analysis.frames import TIE, require_columns
from xltransfer.analysis.interference import STUDY
from xltransfer.analysis.interference_frame import NonMembers, checked, outside
from xltransfer.analysis.metric_names import direction

SETTINGS: Final = {"A": "a1", "A+B": "a2", "A+B+C": "a3"}
"""Composition -> the published tables' name of the setting."""

ANY: Final = "any"
"""The setting of Figure 2: at least one of those that were scored is better."""

_LANGUAGE: Final = [*STUDY, "language"]


def adapter_scores(
    scores: pd.DataFrame, non_members: NonMembers = "refuse", out_of_aggregates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what every language scores on its own test data without adapter, and in compositions of one to three.

    Parameters
    ----------
    scores
        Columns as :func:`.interference_frame.checked` reads them.
    non_members
        A composition scored on a language that is no member of it: ``refuse`` or ``ignore``.
    out_of_aggregates
        What :func:`.aggregates.out_of_aggregates` gives: a test set with any flag (at the floor, small) has no say, and
        a language without another one has NaN for scores and missing answers. None: all have.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion (empty where nothing was fused at all) and language: base_score (``T``),
        a1, a2, a3 (metric's unit; means over the language's compositions; NaN where there is none), n_pairs and
        n_triples (compositions behind a2 and a3); improves_a1, improves_a2, improves_a3, improves_any (nullable: better
        than base_score, by more than rounding; ``any`` over the settings that the study has, missing where one that
        could decide is missing).

    Raises
    ------
    ValueError
        As :func:`.interference_frame.checked`, or the task adapter was not scored without language adapter.

    Notes
    -----
    Seeds and test sets are averaged first, strictly, so that the mean over compositions weighs each alike: one that
    lacks a seed or a test set which another composition of the language has, or has NaN there, does not count.

    References
    ----------
    faisal2024, Tables 7, 9, 11 ([1A], [2A], [3A]) and Figure 2.
    """
    rows = checked(scores, non_members).rename(columns={"target": "language"})
    if not (rows["composition"] == "T").any():
        raise ValueError("scores hold no row of the composition T; score the task adapter without language adapter too")
    wide = _wide(_averaged(rows, ~outside(rows.rename(columns={"language": "target"}), out_of_aggregates)))
    for name in SETTINGS.values():
        gain = wide["metric"].map(direction) * (wide[name] - wide["base_score"])
        wide[f"improves_{name}"] = (gain > TIE).astype("boolean").where(gain.notna())
    wide[f"improves_{ANY}"] = _any(wide)
    flags = [f"improves_{name}" for name in (*SETTINGS.values(), ANY)]
    return wide[[*_LANGUAGE, "base_score", *SETTINGS.values(), "n_pairs", "n_triples", *flags]]


def improvement_shares(improvements: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return the percentage of languages that improve.

    Parameters
    ----------
    improvements
        Columns base, task, metric, setting (text: ``k1``, ``a2``, ``any`` ...), language and improves (nullable
        boolean); further columns are not read. One row per language.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        One row per base, task, metric and setting: n_languages (with a defined answer), n_improved, percent (0 to 100,
        NaN for no language), low and high (exact binomial: languages as drawn at random), level.

    Raises
    ------
    ValueError
        A column is missing, a language is there twice, or ``level`` is not between 0 and 1.

    References
    ----------
    faisal2024, Figure 2; Clopper and Pearson 1934.
    """
    keys = ["base", "task", "metric", "setting"]
    require_columns(improvements, [*keys, "language", "improves"], "improvements")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level} is not between 0 and 1; write 0.95 for 95 %")
    twice = improvements.duplicated([*keys, "language"])
    if twice.any():
        named = {name: str(value) for name, value in improvements.loc[twice, [*keys, "language"]].iloc[0].items()}
        raise ValueError(f"improvements hold two rows for {named}; average a language's test sets first")
    grouped = improvements.groupby(keys)["improves"]
    table = pd.DataFrame({"n_languages": grouped.count(), "n_improved": grouped.sum().astype("int64")}).reset_index()
    n, gains = (table[name].to_numpy(np.float64) for name in ("n_languages", "n_improved"))
    tail = (1.0 - level) / 2.0
    with np.errstate(invalid="ignore"):
        table["percent"] = 100.0 * gains / np.where(n > 0, n, np.nan)
        low = np.where(gains > 0, betaincinv(np.maximum(gains, 1.0), n - gains + 1.0, tail), 0.0)
        high = np.where(gains < n, betaincinv(gains + 1.0, np.maximum(n - gains, 1.0), 1.0 - tail), 1.0)
    table["low"], table["high"] = (np.where(n > 0, 100.0 * bound, np.nan) for bound in (low, high))
    return table.assign(level=level)


def _averaged(rows: pd.DataFrame, read: "pd.Series[bool]") -> pd.DataFrame:
    """Return each language's mean in each composition over seeds and test sets to be ``read``; NaN if one lacks."""
    keys = [*_LANGUAGE, "composition", "members"]
    by_set = rows[read].groupby([*keys, "dataset"])["score"].mean(skipna=False).reset_index()
    means = by_set.groupby(keys)["score"].mean(skipna=False)
    language = [name for name in _LANGUAGE if name != "fusion"]
    parts = rows[read & rows["composition"].isin(["T", *SETTINGS])]
    wanted = parts.drop_duplicates([*language, "dataset", "adapter_seed"]).groupby(language).size()
    found = rows[keys].drop_duplicates(ignore_index=True)
    found = found.join(means, on=keys).join(rows[read].groupby(keys).size().rename("there"), on=keys)
    complete = found["there"] == found[language].join(wanted.rename("wanted"), on=language)["wanted"]
    return found.assign(score=found["score"].where(complete)).drop(columns="there")


def _wide(by_members: pd.DataFrame) -> pd.DataFrame:
    """Return a row per fusion and language with the scores of the four settings and the numbers of compositions."""
    plain_keys = [name for name in _LANGUAGE if name != "fusion"]
    settings = by_members["composition"].map({**SETTINGS, "T": "base_score"})
    named = by_members.assign(setting=settings).dropna(subset=["setting"])
    means = named.groupby([*_LANGUAGE, "setting"])["score"].agg(["mean", "count"]).unstack("setting")
    # What is not fused stands beside every kind of fusion.
    fused = by_members.loc[by_members["fusion"] != "", ["base", "task", "metric", "fusion"]].drop_duplicates()
    everyone = by_members.loc[by_members["composition"] != "T", plain_keys].drop_duplicates()
    keys = everyone.merge(fused, how="left", on=["base", "task", "metric"]).fillna({"fusion": ""})
    table = keys.sort_values(_LANGUAGE, ignore_index=True)[_LANGUAGE]
    for name in ("base_score", *SETTINGS.values()):
        own = means["mean"][name] if name in means["mean"] else pd.Series(dtype="float64")
        table[name] = _looked_up(own, table.assign(fusion="") if name in ("base_score", "a1") else table)
    for name, setting in (("n_pairs", "a2"), ("n_triples", "a3")):
        own = means["count"][setting] if setting in means["count"] else pd.Series(dtype="float64")
        table[name] = _looked_up(own, table).fillna(0).astype("int64")
    return table


def _looked_up(values: "pd.Series[float]", keys: pd.DataFrame) -> "pd.Series[float]":
    """Return the value of each row of keys, NaN where there is none."""
    known = values.to_dict()
    found = [known.get(key, np.nan) for key in keys[_LANGUAGE].itertuples(index=False, name=None)]
    return pd.Series(found, index=keys.index, dtype="float64")


def _any(wide: pd.DataFrame) -> "pd.Series[bool]":
    """Return whether any setting is better, over the settings that the group has."""
    had = wide.groupby(STUDY)[list(SETTINGS.values())].transform(lambda column: column.notna().any())
    answer = pd.Series(False, index=wide.index, dtype="boolean")
    for name in SETTINGS.values():
        answer = answer | wide[f"improves_{name}"].where(had[name], False)
    return answer.where(had.any(axis=1) & wide["base_score"].notna())
