"""The frame that the analyses of language interaction read, checked at the border.

Every row is one composition of language adapters under one task adapter, scored on the test data of one language. What
a composition may be, and what its members have to look like, stands here and nowhere else. See protocols.md §2.
"""

from typing import Final, Literal, get_args

import pandas as pd

from xltransfer.analysis.aggregates import flag_columns
from xltransfer.analysis.frames import plain, require_columns, require_one_of
from xltransfer.analysis.scores import flagged

NonMembers = Literal["refuse", "ignore"]

SECOND: Final = "'"
"""Ends the code of a language's second adapter: ``wol'`` beside ``wol``."""

SIZES: Final = {"A+B": 2, "A+B+C": 3}
"""Compositions of several languages, and of how many."""

COMPOSITIONS: Final = ("T", "A", "A+A'", *SIZES)
"""The task adapter alone; under one language adapter; under two of one language; under two or three languages."""

CELL: Final = ["base", "task", "metric", "dataset", "target", "adapter_seed"]
"""What two compositions must share to be compared."""

SCORES: Final = [*CELL, "composition", "members", "fusion", "score"]


def checked(scores: pd.DataFrame, non_members: NonMembers = "refuse") -> pd.DataFrame:
    """Return the scores of compositions on the data of their own members, after every check.

    Parameters
    ----------
    scores
        Columns base, task, metric, dataset, target (a language), adapter_seed, composition (one of `COMPOSITIONS`),
        members (codes in the study's order, joined by ``+``; empty for ``T``; a second adapter ends in `SECOND`),
        fusion (empty where nothing is fused) and score.
    non_members
        What to do with a composition that is scored on a language that is no member of it: ``refuse`` or ``ignore``.

    Returns
    -------
    DataFrame
        ``scores`` with text for categories, and without what was to be ignored.

    Raises
    ------
    ValueError
        A column is missing, or a text in one; a composition or option is unknown; the members are not those of the
        composition (a pair of one language, three languages of which two are the same); a cell is there twice, with the
        members in whatever order; or a composition is scored on a language that is no member and ``non_members`` is
        ``refuse``.
    """
    require_columns(scores, SCORES, "scores")
    require_one_of(non_members, get_args(NonMembers), "non_members")
    rows = plain(scores).reset_index(drop=True)
    _refuse_unknown(rows)
    for composition in rows["composition"].unique():
        require_one_of(composition, COMPOSITIONS, "composition")
    named = rows[["composition", "members"]].drop_duplicates()
    for composition, members in named.itertuples(index=False):
        _check_members(composition, members)
    _refuse_twice(rows)
    inside = _inside(rows)
    if non_members == "refuse" and not inside.all():
        first = rows.loc[~inside].iloc[0]
        raise ValueError(
            f"scores hold {first['members']} scored on {first['target']!r}, which is no member of it "
            f"({int((~inside).sum())} such rows); leave them out or write non_members='ignore'"
        )
    return rows[inside].reset_index(drop=True)


def outside(rows: pd.DataFrame, flags: pd.DataFrame | None) -> "pd.Series[bool]":
    """Say of each row whether its test set leaves the aggregates; ``flags`` as `aggregates.out_of_aggregates`."""
    if flags is None:
        return pd.Series(False, index=rows.index)
    cells = flagged(rows.reset_index(drop=True), flags)
    return pd.Series(cells[flag_columns(cells)].any(axis=1).to_numpy(), index=rows.index)


def languages_of(members: str) -> list[str]:
    """Return the codes of a composition's members in their order, second adapters with their mark."""
    return members.split("+") if members else []


def _refuse_unknown(rows: pd.DataFrame) -> None:
    """Refuse missing texts: a row without them would drop out of every group unseen."""
    texts = [name for name in SCORES if name not in ("adapter_seed", "score")]
    lacking = [name for name in texts if rows[name].isna().any()]
    if lacking:
        raise ValueError(f"scores have rows without {', '.join(lacking)}; write an empty text where there is nothing")


def _check_members(composition: str, members: str) -> None:
    """Refuse members that do not make the composition."""
    codes = languages_of(members)
    place = f"scores hold the composition {composition} of {members!r}"
    wanted = {"T": 0, "A": 1, "A+A'": 2}.get(composition) or SIZES.get(composition, 0)
    if len(codes) != wanted or not all(codes):
        raise ValueError(f"{place}; expected {wanted} codes joined by '+', in the order of the study")
    if composition == "A+A'":
        if codes[1] != codes[0] + SECOND:
            raise ValueError(f"{place}; expected a language and its second adapter, such as wol+wol{SECOND}")
        return
    second = [code for code in codes if code.endswith(SECOND)]
    if second:
        raise ValueError(f"{place}, and {second[0]} is a second adapter; it belongs to the composition A+A' alone")
    if len(set(codes)) < len(codes):
        raise ValueError(f"{place}; expected {wanted} different languages, since no language interacts with itself")


def _refuse_twice(rows: pd.DataFrame) -> None:
    """Refuse two scores of one cell, also where they differ in the order of the members."""
    keys = {members: "+".join(sorted(languages_of(members))) for members in rows["members"].unique()}
    cells = rows[[*CELL, "fusion"]].assign(members=rows["members"].map(keys))
    twice = cells.duplicated()
    if twice.any():
        named = {name: str(value) for name, value in cells[twice].iloc[0].items()}
        raise ValueError(f"scores hold two rows for {named}; keep one of them")


def _inside(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Say of each row whether its target is a member; the task adapter alone may be scored on every language."""
    pairs = zip(rows["target"], rows["members"], strict=True)
    return pd.Series([not members or target in languages_of(members) for target, members in pairs], dtype=bool)
