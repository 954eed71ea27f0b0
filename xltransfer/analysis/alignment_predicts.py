"""Does the change of alignment predict ts? One regression per task over pairs of languages.

Whether nudging on language a helps language b more where it brings the two closer together: ts(a→b) against the change
of their matched cosine, at the middle layer, which is fixed beforehand. A language that helps everybody or that comes
closer to everybody says nothing about this, so row and column effects are taken out of both. See protocols.md section
6 for what is permuted and what the jackknife leaves out.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from xltransfer.analysis.frames import plain, require_columns, require_one_of, strict_mean
from xltransfer.analysis.mantel import Matrix, count_extreme, doubly_centred, drawn_orders, every_order
from xltransfer.analysis.matrix import mean_matrix, transfer_matrix
from xltransfer.analysis.metric_names import main_metric
from xltransfer.randomness import stream

_CELL: Final = ["base", "task", "metric", "steps"]
RESULT: Final = [
    *_CELL, "predictor", "permuted", "slope", "se", "low", "high", "correlation", "p", "n_pairs", "n_transfers",
    "n_targets", "n_permutations", "exact", "level", "why",
]  # fmt: skip

POINTS: Final = [
    *_CELL, "predictor", "permuted", "transfer", "target", "change", "ts", "change_centred", "ts_centred",
]  # fmt: skip

_LEAST: Final = 3  # transfer and target languages


def alignment_predicts(
    ts: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    seed: int,
    predictor: str = "cls_cosine",
    permuted: bool = False,
    permutations: int = 9999,
    level: float = 0.95,
) -> pd.DataFrame:
    """Regress doubly centred ts on the doubly centred change of alignment, for each task by its main metric.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives of the transfer run; rows of setting nudge that are ``aggregated``
        are read, self-pairs are not.
    changes
        What :func:`.alignment_states.alignment_changes` gives of the alignment run of the same nudges; rows of setting
        nudge at the middle layer are read. Of one set of texts.
    seed
        Root of the random streams, one a row, named by base, task, metric and k.
    predictor
        Which change; ``cls_cosine`` is the paper's vector.
    permuted
        Use the change between permuted partners: what would be found if the change had nothing to do with translation.
    permutations
        Number of draws; where there are at most that many permutations, all are tried.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        A row per base, task, metric and steps that both runs have: predictor, permuted; slope, se, low, high (percent
        of ts per 1 of the change, so divide by 100 for a hundredth of a cosine); correlation (of the centred values); p
        (two-sided, from the correlation); n_pairs, n_transfers, n_targets that have both; n_permutations, exact (all
        were tried), level and why (why there is no slope). Where leaving out some language leaves no slope, as with
        three languages, there is no interval, and then neither slope nor p.

    Raises
    ------
    ValueError
        A column is missing, ``changes`` holds several sets of texts, an option is unknown, ``permutations`` is below 1,
        or ``level`` is not between 0 and 1.

    Notes
    -----
    Both sides are centred: the slope is that of ts = row + column + slope · change. Centring ts alone would shrink it
    towards 0 by the share of the change that row and column effects hold.

    Rows (transfer) and columns (target) of the change are permuted apart, as neither ts nor the change is symmetric;
    cells without a value move with their languages, and both masks apply. The jackknife leaves out a language as row
    and as column at once, and centres anew. A language takes a row and a column of pairs with it, so their independent
    errors are counted about twice: in simulations of nothing but such errors, with 8 and with 20 languages, se is 1.5
    to 1.7 times the true one and 95 % intervals cover 98 %. It errs on the wide side, as that of :mod:`.mantel` does.

    Texts and test sets are of different sentences, but one nudged model gives both the score and the change. They share
    its luck, so with few replicates a slope may be that of the replicates and not of the languages.

    References
    ----------
    protocols.md, sections 4 and 6; Krackhardt 1988 (QAP); Frisch and Waugh 1933 (both sides centred).
    """
    if permutations < 1:
        raise ValueError(f"permutations={permutations} draws nothing; expected at least 1, such as 9999")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level={level} is not between 0 and 1; write 0.95 for 95 %")
    require_columns(ts, [*_CELL, "setting", "aggregated", "transfer", "target", "ts"], "ts")
    moved = _chosen(changes, predictor, permuted)
    records = []
    for key in _cells(plain(ts)):
        matrix = _change_matrix(moved, str(key["base"]), int(key["steps"]))
        if matrix is None:
            continue
        scores = transfer_matrix(ts, key["task"], key["metric"], key["steps"], key["base"])
        rng = stream(seed, "alignment predicts", *(str(value) for value in key.values()), predictor)
        found = regress(scores, matrix, rng=rng, permutations=permutations, level=level)
        records.append({**key, "predictor": predictor, "permuted": permuted, **found, "level": level})
    return pd.DataFrame(records, columns=RESULT).astype({"steps": "Int64"})


def prediction_points(
    ts: pd.DataFrame, changes: pd.DataFrame, *, predictor: str = "cls_cosine", permuted: bool = False
) -> pd.DataFrame:
    """Return the pairs behind `alignment_predicts`, a row per pair of languages and regression; parameters as there.

    Returns
    -------
    DataFrame
        base, task, metric, steps, predictor, permuted, transfer, target; change, ts (percent) as they are;
        change_centred, ts_centred: row and column effects taken out of both, the values that the slope goes through.
    """
    require_columns(ts, [*_CELL, "setting", "aggregated", "transfer", "target", "ts"], "ts")
    moved = _chosen(changes, predictor, permuted)
    frames = []
    for key in _cells(plain(ts)):
        matrix = _change_matrix(moved, str(key["base"]), int(key["steps"]))
        if matrix is None:
            continue
        scores = transfer_matrix(ts, key["task"], key["metric"], key["steps"], key["base"])
        rows, columns, y, x, together = _together(scores, matrix)
        if not together.any():
            continue
        _, _, left, right = _fit(y, x, together)
        first, second = np.nonzero(together)
        values = {"change": x, "ts": y, "change_centred": right, "ts_centred": left}
        names = {"transfer": np.array(rows)[first], "target": np.array(columns)[second]}
        own = {name: each[first, second] for name, each in values.items()}
        frames.append(pd.DataFrame({**key, "predictor": predictor, "permuted": permuted, **names, **own}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=POINTS)


def regress(
    ts: pd.DataFrame, change: pd.DataFrame, *, rng: np.random.Generator, permutations: int = 9999, level: float = 0.95
) -> dict[str, Any]:
    """Return the regression of one transfer × target frame on another; see `alignment_predicts` for its columns."""
    rows, columns, y, x, together = _together(ts, change)
    own = {
        "n_pairs": int(together.sum()),
        "n_transfers": int(together.any(axis=1).sum()) if together.size else 0,
        "n_targets": int(together.any(axis=0).sum()) if together.size else 0,
    }
    numbers = ("slope", "se", "low", "high", "correlation", "p")
    empty: dict[str, Any] = dict.fromkeys(numbers, math.nan) | own | {"n_permutations": 0, "exact": False}
    if min(own["n_transfers"], own["n_targets"]) < _LEAST:
        return empty | {"why": f"fewer than {_LEAST} transfer or target languages have both"}
    slope, correlation, left, right = _fit(y, x, together)
    if math.isnan(slope):
        return empty | {"why": "the change, or ts, is the sum of row and column effects alone"}
    bounds = _jackknife(y, x, together, rows, columns, slope, level)
    if bounds is None:
        return empty | {"why": "too few languages: without some of them there is no slope, so no interval"}
    p, tried, exact = _permutation_test(left, right, together, correlation, rng, permutations)
    fitted = {"slope": slope, "correlation": correlation, "p": p, "n_permutations": tried, "exact": exact, "why": ""}
    return empty | fitted | bounds


def _together(ts: pd.DataFrame, change: pd.DataFrame) -> tuple[list[str], list[str], Matrix, Matrix, NDArray[np.bool_]]:
    """Return the languages of rows and columns that both have, both matrices, and the pairs that take part."""
    rows = [str(name) for name in ts.index if name in change.index]
    columns = [str(name) for name in ts.columns if name in change.columns]
    y = ts.loc[rows, columns].to_numpy(dtype=np.float64)
    x = change.loc[rows, columns].to_numpy(dtype=np.float64)
    own = np.array(rows, dtype=object)[:, None] == np.array(columns, dtype=object)[None, :]
    return rows, columns, y, x, np.isfinite(x) & np.isfinite(y) & ~own


def _chosen(changes: pd.DataFrame, predictor: str, permuted: bool) -> pd.DataFrame:
    """Return base, steps, transfer, other and estimate of the middle layer under nudges."""
    needed = ["base", "setting", "transfer", "corpus", "steps", "task", "source", "target", "middle", "metric",
              "permuted"]  # fmt: skip
    require_columns(changes, [*needed, "estimate"], "changes")
    rows = plain(changes)
    rows = rows[(rows["setting"] == "nudge") & rows["middle"]]
    require_one_of(predictor, sorted(rows["metric"].unique()), "predictor")
    rows = rows[(rows["metric"] == predictor) & (rows["permuted"] == permuted)]
    sets = sorted(rows["task"].unique())
    if len(sets) > 1:
        raise ValueError(f"changes holds several sets of texts ({', '.join(sets)}); keep the rows of one")
    with_transfer = (rows["transfer"] == rows["source"]) | (rows["transfer"] == rows["target"])
    rows = rows[with_transfer]
    other = rows["source"].where(rows["target"] == rows["transfer"], rows["target"])
    return rows.assign(other=other)[["base", "steps", "transfer", "corpus", "other", "estimate"]]


def _cells(ts: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield base, task, main metric and steps of what ts has."""
    nudged = ts[(ts["setting"] == "nudge") & ts["aggregated"]]
    main = {task: main_metric(part.unique()).name for task, part in nudged.groupby("task")["metric"]}
    kept = nudged[nudged["metric"] == nudged["task"].map(main)]
    for values in kept[_CELL].drop_duplicates().sort_values(_CELL).itertuples(index=False, name=None):
        yield dict(zip(_CELL, values, strict=True))


def _change_matrix(moved: pd.DataFrame, base: str, steps: int) -> pd.DataFrame | None:
    """Return the mean change with transfer languages as rows; corpora are averaged, NaN where one has no value."""
    rows = moved[(moved["base"] == base) & (moved["steps"] == steps)]
    if rows.empty:
        return None
    by_corpus = strict_mean(rows, ["transfer", "corpus", "other"], ["estimate"]).reset_index()
    return mean_matrix(by_corpus, ["transfer", "other"], "estimate", ["corpus"], [])


def _fit(y: Matrix, x: Matrix, together: NDArray[np.bool_]) -> tuple[float, float, Matrix, Matrix]:
    """Return slope, correlation and both centred matrices, 0 where a pair takes no part."""
    left, right = (np.where(together, doubly_centred(np.where(together, each, np.nan)), 0.0) for each in (y, x))
    own, other, both = float((right**2).sum()), float((left**2).sum()), float((left * right).sum())
    if not (own > 0 and other > 0):
        return math.nan, math.nan, left, right
    return both / own, both / math.sqrt(own * other), left, right


def _permutation_test(
    left: Matrix,
    right: Matrix,
    together: NDArray[np.bool_],
    observed: float,
    rng: np.random.Generator,
    permutations: int,
) -> tuple[float, int, bool]:
    """Return p, how many permutations are behind it, and whether these are all."""
    rows, columns = left.shape
    exact = math.factorial(rows) * math.factorial(columns) <= permutations
    orders = every_order(rows, columns, False) if exact else drawn_orders(rows, columns, False, permutations, rng)
    extreme, tried = count_extreme(left, right, together, orders, abs(observed))
    return (extreme / tried if exact else (extreme + 1) / (tried + 1)), tried, exact


def _jackknife(
    y: Matrix, x: Matrix, together: NDArray[np.bool_], rows: list[str], columns: list[str], slope: float, level: float
) -> dict[str, float] | None:
    """Return se, low and high from leaving out one language at a time, as row and as column; None if one is needed."""
    without = []
    first, second = np.array(rows), np.array(columns)
    for language in dict.fromkeys([*rows, *columns]):
        kept = together & (first != language)[:, None] & (second != language)[None, :]
        if (kept != together).any():
            without.append(_fit(y, x, kept)[0])
    values = np.array(without)
    count = len(values)
    if count < _LEAST or not np.isfinite(values).all():
        return None
    se = math.sqrt((count - 1) / count * float(((values - values.mean()) ** 2).sum()))
    half = float(stdtrit(count - 1, 0.5 + level / 2.0)) * se
    return {"se": se, "low": slope - half, "high": slope + half}
