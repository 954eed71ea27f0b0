"""How often A gains or loses while its partners gain or lose: |±A,±B| over all partners, |±A,±B,±C| over all pairs.

A composition in which one member's score does not change has no sign pattern: it is a tie, counted apart, and in none
of the four or eight counts. One of which a member has no score is missing, which is something else again. Source:
faisal2024 §2, Table 1; protocols.md §2.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import plain, require_columns, require_one_of
from xltransfer.analysis.interference import STUDY
from xltransfer.analysis.interference_frame import languages_of

Order = Literal["listed", "near_far", "both"]

PATTERNS: Final = {
    size: tuple(
        "".join(f"{sign}{letter}" for sign, letter in zip(signs, "ABC", strict=False))
        for signs in itertools.product("-+", repeat=size)
    )
    for size in (2, 3)
}
"""Size -> sign patterns in the paper's order: ``-A-B``, ``-A+B``, ``+A-B``, ``+A+B``."""

UNSIGNED: Final = ("tie", "missing", "unordered")
"""What a composition without pattern is: a member with a tie; one without a score; B and C cannot be told apart."""

GROUP: Final = [*STUDY, "control", "dead_zone", "size", "order"]
"""What is the same for everything that is counted together."""

_COMPOSITION: Final = [*STUDY, "control", "dead_zone", "members"]
_PARTNERS: Final = ["second", "third"]
_SIGNS: Final = ["sign_a", "sign_b", "sign_c"]

Names = NDArray[np.object_]
Places = NDArray[np.intp]


def sign_patterns(
    differences: pd.DataFrame, order: Order = "listed", similarity: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return, for every composition and every member of it as A, who gains and who loses.

    Parameters
    ----------
    differences
        What :func:`.interference.interference` gives.
    order
        Which of A's two partners is B: ``listed``: the earlier one in the study's order; ``near_far``: the one that is
        typologically nearer to A; ``both``: each once, so that B and C have the same counts and y = z. With one
        partner there is nothing to choose.
    similarity
        For ``near_far``: columns language_a, language_b, similarity, in either direction, as
        :func:`.typology.similarity` gives them for one feature set.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion, control, dead_zone, size, order, language (A), second (B) and third (C;
        empty in a pair): pattern (one of `PATTERNS`, or of `UNSIGNED`), sign_a, sign_b, sign_c (1, 0, −1, NaN where
        missing; of an unordered composition only sign_a). With ``both`` every composition of three stands twice for
        each A.

    Raises
    ------
    ValueError
        A column is missing or ``order`` is unknown; ``near_far`` without ``similarity``, or with one that lacks a pair
        of languages, has it twice, or holds several feature sets.

    Notes
    -----
    A pair of languages whose similarity is undefined, or equally near partners, leave the composition ``unordered``:
    it is counted apart rather than put in the order of the study.
    """
    require_columns(differences, [*_COMPOSITION, "size", "position", "language", "sign"], "differences")
    require_one_of(order, get_args(Order), "order")
    rows = plain(differences)
    near = _nearness(rows, similarity) if order == "near_far" else None
    frames = []
    for size, part in rows.groupby("size", sort=True):
        wide = part.pivot(index=_COMPOSITION, columns="position", values=["language", "sign"])
        keys = wide.index.to_frame(index=False).drop(columns="members").assign(size=size, order=order)
        languages = wide["language"].to_numpy(dtype=object)
        for roles in _roles(languages, order, near):
            frames.append(pd.concat([keys, _patterns(languages, wide["sign"].to_numpy(np.float64), *roles)], axis=1))
    whole = pd.concat(frames, ignore_index=True)[[*GROUP, "language", *_PARTNERS, "pattern", *_SIGNS]]
    return whole.sort_values([*GROUP, "language", *_PARTNERS], ignore_index=True)


def sign_counts(patterns: pd.DataFrame) -> pd.DataFrame:
    """Return how many compositions of every language have each pattern.

    Parameters
    ----------
    patterns
        What :func:`sign_patterns` gives.

    Returns
    -------
    DataFrame
        One row per base, task, metric, fusion, control, dead_zone, size, order, language and pattern, with count: the
        four or eight of `PATTERNS`, then `UNSIGNED`. A language of which nothing is measured has its compositions under
        ``missing``.

    Raises
    ------
    ValueError
        A column is missing.
    """
    require_columns(patterns, [*GROUP, "language", "pattern"], "patterns")
    keys = [*GROUP, "language"]
    known = patterns[keys].drop_duplicates().sort_values(keys)
    known["pattern"] = [[*PATTERNS[int(size)], *UNSIGNED] for size in known["size"]]
    every = known.explode("pattern", ignore_index=True).astype({"pattern": "str"})
    counted = patterns.groupby([*keys, "pattern"]).size().rename("count").reset_index()
    table = every.merge(counted, how="left", on=[*keys, "pattern"], validate="one_to_one")
    return table.assign(count=table["count"].fillna(0).astype("int64"))  # a count of nothing is 0


@dataclass(frozen=True)
class _Near:
    """Similarities of unordered pairs of languages."""

    values: "pd.Series[float]"

    def between(self, a: Names, b: Names) -> NDArray[np.float64]:
        """Return the similarity of each pair [composition]."""
        pairs = pd.MultiIndex.from_arrays([np.minimum(a, b), np.maximum(a, b)])
        found: NDArray[np.float64] = np.asarray(self.values.reindex(pairs), dtype=np.float64)
        return found


def _roles(languages: Names, order: Order, near: _Near | None) -> Iterator[tuple[Places, NDArray[np.bool_]]]:
    """Yield which members are A, B and C [composition, member], and whether B and C could be told apart."""
    count, size = languages.shape
    for a in range(size):
        partners = [place for place in range(size) if place != a]
        listed = np.broadcast_to([a, *partners], (count, size))
        told = np.ones(count, dtype=np.bool_)
        if size == 2 or order == "listed":
            yield listed, told
            continue
        turned = listed[:, [0, 2, 1]]
        if near is None:
            yield listed, told
            yield turned, told
            continue
        first, second = (near.between(languages[:, a], languages[:, place]) for place in partners)
        nearer = second > first
        # Two languages that one vector stands for may differ by rounding.
        yield np.where(nearer[:, None], turned, listed), np.abs(first - second) > 1e-12


def _patterns(languages: Names, signs: NDArray[np.float64], roles: Places, told: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the columns of every composition under one assignment of roles; NaN differences compare as not told."""
    size = languages.shape[1]
    names, found = (np.take_along_axis(values, roles, axis=1) for values in (languages, signs))
    signed = np.zeros(len(names), dtype=np.int64)
    for column in found.T:
        signed = 2 * signed + (column > 0.0)
    conditions = [np.isnan(found).any(axis=1), (found == 0.0).any(axis=1), ~told]
    pattern = np.select(conditions, ["missing", "tie", "unordered"], np.array(PATTERNS[size])[signed])
    # Nobody is B or C where it is not known who.
    found[pattern == "unordered", 1:] = np.nan
    columns = {"language": names[:, 0], "second": names[:, 1], "third": names[:, 2] if size == 3 else ""}
    frame = pd.DataFrame({**columns, "pattern": pattern}).astype("str")
    for place, column in enumerate(_SIGNS):
        frame[column] = found[:, place] if place < size else np.nan
    return frame


def _nearness(differences: pd.DataFrame, similarity: pd.DataFrame | None) -> _Near:
    """Return the similarity of all pairs of languages that meet as partners of three."""
    if similarity is None:
        raise ValueError("order='near_far' needs similarity=, such as typology.similarity(languages, 'syntax_knn')")
    require_columns(similarity, ["language_a", "language_b", "similarity"], "similarity")
    if "features" in similarity and similarity["features"].nunique() > 1:
        names = ", ".join(sorted(similarity["features"].astype(str).unique()))
        raise ValueError(f"similarity holds several feature sets ({names}); near_far needs one of them")
    ends = [similarity[side].to_numpy(dtype=object) for side in ("language_a", "language_b")]
    pairs = pd.MultiIndex.from_arrays([np.minimum(*ends), np.maximum(*ends)])
    values = pd.Series(similarity["similarity"].to_numpy(dtype=np.float64), index=pairs)
    twice = values.index.duplicated()
    if twice.any():
        named = " and ".join(values.index[twice][0])
        raise ValueError(f"similarity holds two values for {named}; give each unordered pair once")
    threes = differences.loc[differences["size"] == 3, "members"].unique()
    wanted = {pair for members in threes for pair in itertools.combinations(sorted(languages_of(members)), 2)}
    lacking = sorted("–".join(pair) for pair in wanted - set(values.index))
    if lacking:
        raise ValueError(
            f"similarity lacks {len(lacking)} pairs of languages: {', '.join(lacking[:5])}; "
            "ask for the similarity of all languages of the study"
        )
    return _Near(values)
