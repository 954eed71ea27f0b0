"""How large a target is in the unit that its task counts, and whether that is too small for an aggregate.

Words for tagging and parsing, gold entities for NER, pairs (texts, questions) for tasks of one decision per item.
Masked-LM text is cut to a length by the study and is never small. See protocols.md §1, "floor test".
"""

from typing import Final

import pandas as pd

from xltransfer.analysis.frames import TARGET, plain, require_columns
from xltransfer.analysis.metric_names import shape_of

LIMITS: Final = {"pos": ("words", 300), "dep": ("words", 300), "ner": ("entities", 50), "qa": ("questions", 50)}
"""Task shape -> unit and the smallest size that enters the aggregates; other shapes are pairs.

protocols.md names no number of questions. They are as few as entities may be: the F1 of a question is graded, so it
says more than a right or wrong pair, and test sets are small (TyDi QA's in Bengali has 113), so a sample of them falls
below a hundred at once.
"""

PAIRS: Final = ("pairs", 100)

_COLUMNS: Final = [*TARGET, "counted", "size", "limit", "small"]


def small_targets(measurements: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Return the size of every target and whether it is below its task's limit.

    Parameters
    ----------
    measurements
        Columns task, metric: the metrics say which shape a task has.
    items
        Columns setting, task, dataset, target, item and the count columns; only the setting baseline is read. Gold
        counts do not depend on the model, so each item is taken once.

    Returns
    -------
    DataFrame
        One row per task, dataset, target: counted (words, entities, questions or pairs), size, limit, small.
    """
    require_columns(measurements, ["task", "metric"], "measurements")
    require_columns(items, ["setting", *TARGET, "item"], "items")
    measurements = plain(measurements)
    rows = plain(items[items["setting"] == "baseline"])
    parts = []
    for task, names in measurements.groupby("task", observed=True)["metric"].unique().items():
        shape = shape_of(names)
        chosen = rows[rows["task"] == task]
        if shape != "mlm" and len(chosen):
            parts.append(_sizes(chosen, shape))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)


def _sizes(rows: pd.DataFrame, shape: str) -> pd.DataFrame:
    """Return the sizes of one task's targets."""
    counted, limit = LIMITS.get(shape, PAIRS)
    gold = ["tp", "fn"] if counted == "entities" else ["total"]
    require_columns(rows, gold, "items")
    once = rows.drop_duplicates([*TARGET, "item"])
    sizes = once.groupby(TARGET, observed=True)[gold].sum().sum(axis=1).rename("size").reset_index()
    return sizes.assign(counted=counted, limit=limit, small=(sizes["size"] < limit).astype(bool))[_COLUMNS]
