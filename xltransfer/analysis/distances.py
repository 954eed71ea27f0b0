"""Which distances between languages go with transfer: one row a task, metric, k and distance. See :mod:`.mantel`."""

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from xltransfer.analysis.frames import require_columns
from xltransfer.analysis.mantel import Mantel, mantel
from xltransfer.analysis.matrix import transfer_matrix
from xltransfer.randomness import stream

_CELL = ["base", "task", "metric", "steps"]


def distance_correlations(
    ts: pd.DataFrame,
    distances: Mapping[str, pd.DataFrame],
    *,
    seed: int,
    permutations: int = 9999,
    centred: bool = False,
) -> pd.DataFrame:
    """Correlate ts with every distance, by ranks and without self-pairs.

    Parameters
    ----------
    ts
        What :func:`.scores.transfer_scores` gives; rows of setting nudge that are ``aggregated`` are read.
    distances
        Name -> square frame by language code; needs every language of ``ts``.
    seed
        Root of the random streams, one a row, named by base, task, metric, k and distance.
    permutations, centred
        See :func:`.mantel.mantel`.

    Returns
    -------
    DataFrame
        ``base, task, metric, steps, distance`` and the fields of :class:`.mantel.Mantel`, in the order of ``ts`` and of
        ``distances``. rho < 0: the nearer language helps more. A cell in which no target is aggregated has no row.

    Raises
    ------
    ValueError
        A column, or the distance of a language, is missing.
    """
    require_columns(ts, [*_CELL, "setting", "aggregated"], "ts")
    nudged = ts[(ts["setting"] == "nudge") & ts["aggregated"]]
    rows = []
    for base, task, metric, steps in nudged[_CELL].drop_duplicates().itertuples(index=False, name=None):
        matrix = transfer_matrix(ts, task, metric, steps, base)
        for name, distance in distances.items():
            rng = stream(seed, "mantel", str(base), str(task), str(metric), int(steps), name)
            found = mantel(matrix, distance, rng=rng, permutations=permutations, centred=centred)
            cell = dict(zip(_CELL, (base, task, metric, steps), strict=True))
            rows.append({**cell, "distance": name, **asdict(found)})
    return pd.DataFrame(rows, columns=[*_CELL, "distance", *Mantel.__dataclass_fields__])
