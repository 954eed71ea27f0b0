"""Transfer between languages that the base model has seen and languages that it has not.

Four blocks: seen or unseen transfer language, seen or unseen target. Source: faisal2024 §4.2, App. M, Figure 8.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.cell_means import cell_means
from xltransfer.analysis.contrasts import ENTRIES, contrast_frame, crossed_contrast
from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.scales import Scale
from xltransfer.analysis.score_tables import STUDY, ScoreTable, score_tables
from xltransfer.errors import near_match

_COUNTS: Final = ["n_transfers", "n_targets", "n_cells", "n_unknown"]
_BLOCK: Final = [*STUDY, "transfer_seen", "target_seen", *_COUNTS]
_DIFFERENCE: Final = [*STUDY, "side", "among", *_COUNTS]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


def seen_unseen(
    changes: pd.DataFrame, seen: pd.DataFrame, scale: Scale = "ts", include_self: bool = True, level: float = 0.95
) -> pd.DataFrame:
    """Return the mean change in each of the four blocks.

    Parameters
    ----------
    changes
        What :func:`.changes.replicate_changes` gives; rows that are not ``aggregated`` are not read.
    seen
        Columns code and seen (boolean, missing where it is not known), and base where there are several base models
        that have seen different languages.
    scale
        Which change.
    include_self
        Whether a language's effect on itself counts.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, transfer_seen, target_seen: n_transfers, n_targets, n_cells;
        n_unknown (cells of this base, setting, task, metric and steps that are in no block, because it is not known
        whether a language was seen); then estimate (unweighted mean over cells), se, df, low, high, p, scale,
        estimand, level, why. A block without cells has no row.

    Raises
    ------
    ValueError
        A column is missing, ``scale`` is unknown, or a language has no row in ``seen``.

    Notes
    -----
    Transfer entries and targets are both taken as drawn from their block, and crossed: the interval is for other
    languages like these, not for these alone. Replicates need no part of their own, since every entry has others.

    References
    ----------
    faisal2024, §4.2, App. M, Figure 8.
    """
    keys, contrasts = [], []
    for table, cells, rows, columns in _tables(changes, seen, scale, include_self):
        for row in (1, 0):
            for column in (1, 0):
                inside = np.isfinite(cells) & (rows == row)[:, None] & (columns == column)[None, :]
                if inside.any():
                    block = {"transfer_seen": bool(row), "target_seen": bool(column)}
                    keys.append({**table.key, **block, **_counts(cells, inside, rows, columns)})
                    contrasts.append(crossed_contrast(cells, inside / inside.sum(), names=ENTRIES))
    return contrast_frame(keys, contrasts, _BLOCK, scale, level)


def seen_unseen_differences(
    changes: pd.DataFrame, seen: pd.DataFrame, scale: Scale = "ts", include_self: bool = True, level: float = 0.95
) -> pd.DataFrame:
    """Return how much more unseen languages receive and give than seen ones.

    Parameters
    ----------
    changes, seen, scale, include_self, level
        As for :func:`seen_unseen`.

    Returns
    -------
    DataFrame
        One row per base, setting, task, metric, steps, ``side`` and ``among``. side ``target``: mean over cells with
        an unseen target less that over cells with a seen one; side ``transfer``: the same for the transfer language.
        ``among``: ``all`` cells, or those whose other side is ``seen`` or ``unseen``. n_transfers, n_targets, n_cells,
        n_unknown, then estimate, se, df, low, high, p, scale, estimand, level, why. A difference of which one half has
        no cells has no row.

    Notes
    -----
    The two halves of a difference share the languages of the other side, which are paired.
    """
    keys, contrasts = [], []
    for table, cells, rows, columns in _tables(changes, seen, scale, include_self):
        for side, among, weights in _differences(cells, rows, columns):
            counts = _counts(cells, weights != 0.0, rows, columns)
            keys.append({**table.key, "side": side, "among": among, **counts})
            contrasts.append(crossed_contrast(cells, weights, rows, columns, ENTRIES))
    return contrast_frame(keys, contrasts, _DIFFERENCE, scale, level)


def _tables(
    changes: pd.DataFrame, seen: pd.DataFrame, scale: Scale, include_self: bool
) -> Iterator[tuple[ScoreTable, Array, Codes, Codes]]:
    """Yield every table with its cells [A, T] and a code per entry and per target: 1 seen, 0 unseen, −1 not known."""
    require_columns(seen, ["code", "seen"], "seen")
    for table in score_tables(changes, scale):
        known = seen[seen["base"] == table.base] if "base" in seen else seen
        codes = dict(zip(known["code"], known["seen"].astype("boolean").astype("Int64").fillna(-1), strict=True))
        rows, columns = (_coded(side, codes) for side in (table.transfers["transfer"], table.targets["target"]))
        yield table, cell_means(table, include_self), rows, columns


def _coded(languages: "pd.Series[str]", codes: dict[str, int]) -> Codes:
    """Return the code of each language."""
    missing = [language for language in languages if language not in codes]
    if missing:
        raise ValueError(f"seen has no row for the language {missing[0]!r}{near_match(missing[0], codes)}")
    return np.array([codes[language] for language in languages], dtype=np.intp)


def _differences(cells: Array, rows: Codes, columns: Codes) -> Iterator[tuple[str, str, Array]]:
    """Yield side, among and the weights of each difference that has cells on both sides."""
    there = np.isfinite(cells) & (rows >= 0)[:, None] & (columns >= 0)[None, :]
    row, column = np.broadcast_to(rows[:, None], cells.shape), np.broadcast_to(columns[None, :], cells.shape)
    for side, own, other in (("target", column, row), ("transfer", row, column)):
        for among, wanted in (("all", there), ("seen", there & (other == 1)), ("unseen", there & (other == 0))):
            unseen, known = wanted & (own == 0), wanted & (own == 1)
            if unseen.any() and known.any():
                yield side, among, unseen / unseen.sum() - known / known.sum()


def _counts(cells: Array, inside: NDArray[np.bool_], rows: Codes, columns: Codes) -> dict[str, Any]:
    """Return how many entries, targets and cells are inside, and how many cells of the table are of unknown kind."""
    unknown = np.isfinite(cells) & ((rows < 0)[:, None] | (columns < 0)[None, :])
    sizes = (inside.any(axis=1).sum(), inside.any(axis=0).sum(), inside.sum(), unknown.sum())
    return dict(zip(_COUNTS, (int(size) for size in sizes), strict=True))
