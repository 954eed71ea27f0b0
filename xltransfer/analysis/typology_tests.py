"""Does transfer go with this feature of the pair? Every feature tested on ts and on doubly centred ts, with Holm.

A language that helps everybody, or a target that everybody helps, makes ts go with whatever is special about that
language. Doubly centred ts has these row and column effects taken out. What a single test is stands in :mod:`.mantel`:
self-pairs left out, rows and columns permuted apart where they are different languages, jackknife over languages
(protocols.md §6).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from xltransfer.analysis.distances import distance_correlations
from xltransfer.analysis.frames import plain, require_columns
from xltransfer.analysis.mantel import Mantel
from xltransfer.analysis.multiplicity import holm
from xltransfer.analysis.pair_features import pair_matrix

_CELL: Final = ["base", "task", "metric", "steps"]

NOT_AGGREGATED: Final = "no target is aggregated: all are at the floor, small or unreadable"
CENTRED_OUT: Final = "of one language alone: centring takes it out"
NO_VALUE: Final = "no pair of two languages has a value"
CONSTANT: Final = "fewer than three pairs, or all have one value"
"""Why there is no test."""


def typology_tests(
    ts: pd.DataFrame,
    pairs: pd.DataFrame,
    features: Sequence[str] | None = None,
    *,
    seed: int,
    permutations: int = 9999,
) -> pd.DataFrame:
    """Correlate ts, as it is and doubly centred, with every feature of the pairs.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows of setting nudge that are ``aggregated`` are read.
    pairs
        What :func:`.pair_features.language_pairs` gives; needs every transfer and target language of ``ts``.
    features
        Which of them to test; None tests all. Holm's correction counts those that are tested, and URIEL's single
        sources say little that its average does not: name the features that the question is about.
    seed
        Root of the random streams, one a test, named by what is tested.
    permutations
        Draws behind each p; the smallest p is one over this plus one, and Holm multiplies it by the number of features.

    Returns
    -------
    DataFrame
        ``base, task, metric, steps, feature, kind, centred``, the fields of :class:`.mantel.Mantel`, ``p_holm``
        (corrected over the features of one base, task, metric, k and ``centred``) and ``why`` (why there is no test).
        ``kind`` gives the sign its meaning: for a similarity rho > 0, for a distance rho < 0 says that near languages
        help more. Both tests of a feature are there, those that cannot be made with NaN, also for a base, task, metric
        and k of which no target is aggregated.

    Raises
    ------
    ValueError
        A column, a feature, or a language of ``ts`` among the pairs, is missing.

    Notes
    -----
    Features are correlated with each other (near languages tend to share family, script and words), so these are tests
    of each feature alone; none says which of them matters given the others.
    """
    require_columns(ts, [*_CELL, "setting", "aggregated"], "ts")
    require_columns(pairs, ["transfer", "target", "feature", "kind", "value"], "pairs")
    kinds = pairs.drop_duplicates("feature").set_index("feature")["kind"]
    names = [str(name) for name in (kinds.index if features is None else features)]
    matrices = {name: pair_matrix(pairs, name) for name in names}
    nudged = plain(ts)
    nudged = nudged[nudged["setting"] == "nudge"]
    table = _every_test(nudged[_CELL].drop_duplicates(), kinds[names])
    nudged = nudged[nudged["aggregated"]]
    for centred in (False, True):
        testable = {name: matrices[name] for name in _testable(matrices, kinds, centred)}
        found = distance_correlations(nudged, testable, seed=seed, permutations=permutations, centred=centred)
        _enter(table, found.assign(centred=centred))
    table["p_holm"] = table.groupby([*_CELL, "centred"])["p"].transform(_holm)
    out = table["centred"] & (table["kind"] == "one_sided")
    left = pd.MultiIndex.from_frame(nudged[_CELL].drop_duplicates())
    none = ~pd.MultiIndex.from_frame(table[_CELL]).isin(left)
    table["why"] = np.select(
        [none, out, table["n_pairs"] == 0, table["rho"].isna()], [NOT_AGGREGATED, CENTRED_OUT, NO_VALUE, CONSTANT], ""
    )
    return table


def _testable(matrices: dict[str, pd.DataFrame], kinds: "pd.Series[str]", centred: bool) -> list[str]:
    """Return the features that have a value of two languages and are not taken out by centring."""
    return [
        name for name, matrix in matrices.items() if not (centred and kinds[name] == "one_sided") and _has_value(matrix)
    ]


def _has_value(matrix: pd.DataFrame) -> bool:
    """Return whether any pair of two languages has a value."""
    other = matrix.index.to_numpy()[:, None] != matrix.columns.to_numpy()[None, :]
    return bool((matrix.notna().to_numpy() & other).any())


def _every_test(cells: pd.DataFrame, kinds: "pd.Series[str]") -> pd.DataFrame:
    """Return a row per cell, feature and centring, as if none could be tested."""
    features = pd.DataFrame({"feature": kinds.index.to_numpy(), "kind": kinds.to_numpy()})
    table = cells.merge(features, how="cross").merge(pd.DataFrame({"centred": [False, True]}), how="cross")
    return table.assign(rho=np.nan, p=np.nan, n_pairs=0, low=np.nan, high=np.nan, n_permutations=0, exact=False)


def _enter(table: pd.DataFrame, found: pd.DataFrame) -> None:
    """Write the tests that were made into their rows."""
    row_of = {key: row for row, key in enumerate(table[[*_CELL, "feature", "centred"]].itertuples(False, None))}
    rows = [row_of[key] for key in found[[*_CELL, "distance", "centred"]].itertuples(False, None)]
    for field in Mantel.__dataclass_fields__:
        values = table[field].to_numpy(copy=True)
        values[rows] = found[field].to_numpy()
        table[field] = values


def _holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """Return Holm's p-values of the defined ones."""
    values = np.array(p, dtype=np.float64)
    tested = np.isfinite(values)
    values[tested] = holm(values[tested])
    return pd.Series(values, index=p.index)
