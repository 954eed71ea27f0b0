"""Which part of a run is asked about: its task, metric and k, checked against what the folder holds.

One place for every command that takes ``--task``, ``--metric`` and ``--steps``; a name that does not occur is answered
with the nearest one that does.
"""

from collections.abc import Collection

import pandas as pd

from xltransfer.analysis.frames import plain
from xltransfer.errors import ConfigError, RunFolderError, near_match
from xltransfer.metrics import SHAPES
from xltransfer.runs.open import Run


def chosen_rows(run: Run, task: str | None = None, labels: bool = False) -> pd.DataFrame:
    """Return the measurements, of one task if it is named; with ``labels`` also the scores of single gold labels.

    Raises
    ------
    RunFolderError
        No baseline has been scored yet, so there is nothing to compare with.
    ConfigError
        The results have no such task.
    """
    rows = run.measurements(labels=labels)
    if "baseline" not in rows["setting"].unique():
        raise RunFolderError(f"{run.folder} has no baseline scores yet; go on with 'xltransfer run' first")
    if task is None:
        return rows
    known = sorted(rows["task"].unique())
    if task not in known:
        raise ConfigError(f"--task {task}: the results have no such task{near_match(task, known)}")
    return rows[rows["task"] == task]


def ranked_metrics(run: Run, tasks: Collection[str], metric: str | None = None) -> dict[str, str]:
    """Return the metric to rank by for each task: the named one where a task has it, else the main one of its shape.

    Raises
    ------
    ConfigError
        No task has the named metric.
    """
    shapes = {task["name"]: task["shape"] for task in run.study["tasks"] if task["name"] in tasks}
    if metric is None:
        return {name: SHAPES[shape][0].name for name, shape in shapes.items()}
    known = {name: {each.name for each in SHAPES[shape]} for name, shape in shapes.items()}
    having = {name: metric for name, metrics in known.items() if metric in metrics}
    if not having:
        raise ConfigError(f"--metric {metric}: no task here has it{near_match(metric, set().union(*known.values()))}")
    return having


def check_steps(rows: pd.DataFrame, steps: int | None) -> None:
    """Refuse a k that was not scored.

    Raises
    ------
    ConfigError
        With the k that were.
    """
    known = sorted({int(k) for k in rows.loc[rows["setting"] == "nudge", "steps"].dropna()})
    if steps is not None and steps not in known:
        raise ConfigError(f"--steps {steps}: no nudge of that many steps was scored; known: {known}")


def untouched_items(run: Run, task: str | None = None) -> pd.DataFrame:
    """Return what the floor test and the sizes of targets read: items of the untouched model and the trivial predictor.

    Text columns are plain, counts are float64: NaN where a task has no such count.
    """
    items = plain(run.items(task=task, settings=("baseline", "trivial")))
    counts = list(items.columns)[list(items.columns).index("cluster") + 1 :]
    return items.astype(dict.fromkeys(counts, "float64"))
