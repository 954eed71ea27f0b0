"""What a language gains or loses when its adapter is fused with those of one or two others.

``+A`` means: the fused composition scores higher than A's own adapter on A's test data. What the fusion itself adds is
the subject of ``control``: a fusion has weights that a single adapter lacks, so [AB] − [A] mixes what B does with what
more capacity does, and [AB] − [AA'] (A' a second adapter of A) does not. See protocols.md §2; faisal2024 §2, Table 1.
"""

import math
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from xltransfer.analysis.frames import TIE, plain, require_columns, require_one_of
from xltransfer.analysis.interference_frame import CELL, SECOND, SIZES, NonMembers, checked, languages_of, outside
from xltransfer.analysis.metric_names import direction

Control = Literal["same", "second_adapter"]

STUDY: Final = ["base", "task", "metric", "fusion"]
"""Between which nothing is compared or counted together."""

_MEMBER: Final = [*STUDY, "composition", "members", "language"]


def interference(
    scores: pd.DataFrame,
    control: Control = "same",
    dead_zone: float = 0.0,
    non_members: NonMembers = "refuse",
    out_of_aggregates: pd.DataFrame | None = None,
    errors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return, for every composition of two or three languages, what each of its members gains.

    Parameters
    ----------
    scores
        Columns as :func:`.interference_frame.checked` reads them, and standard_error (item level, in the metric's unit;
        NaN if unknown).
    control
        What a composition is compared with, on the member's own test data: ``same``: the member's adapter alone, [A];
        ``second_adapter``: two adapters of the member under the same kind of fusion, [AA'].
    dead_zone
        Differences of up to so many item standard errors are ties; 0 leaves only equal scores. In units of the
        standard error of the difference, see Notes.
    non_members
        A composition scored on a language that is no member of it: ``refuse`` or ``ignore``.
    out_of_aggregates
        What :func:`.aggregates.out_of_aggregates` gives: a test set with any flag (at the floor, small) has no say.
        None: all have.
    errors
        What :func:`.interference_errors.paired_errors` gives for the same control: the standard errors of the
        differences, in place of those of the scores.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion, composition, members and language (every member, measured or not):
        size (2 or 3), position (of the language in ``members``, from 0), control, dead_zone; score and reference (the
        metric's unit); difference (positive is better, also for nll); standard_error (of the difference); sign (1, 0
        for a tie, −1, NaN where missing); n_datasets; why (why the sign is missing, else empty).

    Raises
    ------
    ValueError
        As :func:`.interference_frame.checked`; or an option is unknown; ``dead_zone`` is negative or not finite; there
        is no composition of two or three languages; there is no second adapter where ``control`` needs one; ``errors``
        are those of another control.

    Notes
    -----
    A language's value is the mean over its test sets of the mean over task-adapter seeds; a member is missing as soon
    as one of these pairs of scores lacks a part. The standard error of a difference is taken as that of two independent
    scores, √(se² + se_reference²). Both score the same items, so it is too large by a factor that grows with their
    agreement: the dead zone errs on the side of ties.

    One adapter of A stands behind all differences of A. Its luck is shared by all partners, so a language may gain
    from everybody, or from nobody, without any effect of the others.

    References
    ----------
    faisal2024, §2 "Negative Interference", Table 1.
    """
    require_columns(scores, ["standard_error"], "scores")
    require_one_of(control, get_args(Control), "control")
    if not (math.isfinite(dead_zone) and dead_zone >= 0.0):
        raise ValueError(f"dead_zone={dead_zone!r}; expected a number of item standard errors, 0 or more")
    rows = checked(scores, non_members)
    fused = rows[rows["composition"].isin(list(SIZES))]
    if fused.empty:
        present = sorted({code for members in rows["members"] for code in languages_of(members)})
        raise ValueError(
            f"scores hold no composition of two or three languages (languages: {', '.join(present) or 'none'}); "
            "interference needs at least two"
        )
    out = outside(fused, out_of_aggregates)
    pairs = _with_reference(fused[~out], rows, control)
    pairs = pairs if errors is None else _with_errors(pairs, errors, control)
    table = _members(fused).merge(_averaged(pairs), how="left", on=_MEMBER, validate="one_to_one")
    table["n_datasets"] = table["n_datasets"].fillna(0).astype("int64")
    left_out = fused[out].rename(columns={"target": "language"})[_MEMBER].drop_duplicates().assign(left_out=True)
    table = table.merge(left_out, how="left", on=_MEMBER)
    table["why"] = _reasons(table, dead_zone)
    zone = np.maximum(TIE, dead_zone * table["standard_error"]) if dead_zone > 0.0 else TIE
    tied = table["difference"].abs() <= zone
    table["sign"] = np.sign(table["difference"]).mask(tied, 0.0).where(table["why"] == "")
    table = table.assign(control=control, dead_zone=dead_zone)
    shown = ["size", "position", "control", "dead_zone", "score", "reference", "difference", "standard_error", "sign"]
    ordered = table.sort_values([*STUDY, "size", "members", "position"], ignore_index=True)
    return ordered[[*_MEMBER, *shown, "n_datasets", "why"]]


def reference_of(control: Control) -> str:
    """Return the composition that others are compared with."""
    return "A" if control == "same" else f"A+A{SECOND}"


def _with_reference(fused: pd.DataFrame, rows: pd.DataFrame, control: Control) -> pd.DataFrame:
    """Return the fused rows, each with the score and the error of what it is compared with."""
    wanted = reference_of(control)
    references = rows[rows["composition"] == wanted]
    if references.empty:
        remedy = "score the single adapters too" if control == "same" else "write control='same'"
        raise ValueError(f"scores hold no row of the composition {wanted}, which control={control!r} needs; {remedy}")
    # One adapter is not fused; two are compared with others under their own kind of fusion.
    keys = CELL if control == "same" else [*CELL, "fusion"]
    known = references[[*keys, "score", "standard_error"]]
    known = known.rename(columns={"score": "reference", "standard_error": "reference_error"})
    pairs = fused.merge(known, how="left", on=keys, validate="many_to_one").rename(columns={"target": "language"})
    signs = pairs["metric"].map({name: direction(name) for name in pairs["metric"].unique()})
    # The difference comes first: equal scores then give exactly 0.
    pairs["difference"] = signs.astype("float64") * (pairs["score"] - pairs["reference"])
    pairs["standard_error"] = np.hypot(pairs["standard_error"], pairs["reference_error"])
    return pairs


def _with_errors(pairs: pd.DataFrame, errors: pd.DataFrame, control: Control) -> pd.DataFrame:
    """Return the pairs with the standard errors of their differences, NaN where there is none."""
    keys = ["base", "task", "metric", "dataset", "language", "adapter_seed", "fusion", "members"]
    require_columns(errors, [*keys[:4], "target", *keys[5:], "control", "standard_error"], "errors")
    others = sorted(set(errors["control"]) - {control})
    if others:
        raise ValueError(f"errors are those of control={others[0]!r}, differences those of {control!r}; give the same")
    known = plain(errors).rename(columns={"target": "language"})[[*keys, "standard_error"]]
    return pairs.drop(columns="standard_error").merge(known, how="left", on=keys, validate="many_to_one")


def _averaged(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return means over adapter seeds, then over test sets; NaN as soon as one of the averaged numbers is."""
    values = ["score", "reference", "difference", "standard_error"]
    # Seeds share the items, so their errors do not average out; different test sets have different items.
    by_set = pairs.groupby([*_MEMBER, "dataset"])[values].mean(skipna=False).reset_index()
    by_set["standard_error"] = by_set["standard_error"] ** 2
    grouped = by_set.groupby(_MEMBER)
    table = grouped[values[:3]].mean(skipna=False)
    table["n_datasets"] = grouped.size()
    table["standard_error"] = np.sqrt(grouped["standard_error"].sum(skipna=False)) / table["n_datasets"]
    return table.reset_index()


def _members(fused: pd.DataFrame) -> pd.DataFrame:
    """Return a row per composition and member, whether it was scored there or not."""
    known = fused[[*STUDY, "composition", "members"]].drop_duplicates(ignore_index=True)
    known["size"] = known["composition"].map(SIZES).astype("int64")
    known["language"] = known["members"].map(languages_of)
    long = known.explode("language", ignore_index=True).astype({"language": "str"})
    long["position"] = long.groupby([*STUDY, "members"]).cumcount()
    return long


def _reasons(table: pd.DataFrame, dead_zone: float) -> "pd.Series[str]":
    """Say why a sign is missing; empty where it is not."""
    conditions = [
        (table["n_datasets"] == 0) & table["left_out"].eq(True),
        table["n_datasets"] == 0,
        table["score"].isna(),
        table["reference"].isna(),
        (dead_zone > 0.0) & table["standard_error"].isna(),
    ]
    words = ["left out of aggregates", "not scored on this language", "undefined score", "nothing to compare with",
             "no standard error"]  # fmt: skip
    return pd.Series(np.select(conditions, words, ""), index=table.index, dtype="str")
