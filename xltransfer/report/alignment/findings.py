"""Everything that the report of an alignment run says, computed once: from a run to named tidy frames.

Curves and means over pairs come from the stored scores; intervals of single pairs from their items, one set of texts at
a time. The prediction of ts needs a transfer run of the same nudges beside the run.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from xltransfer.analysis.alignment_means import alignment_scores, change_means, level_means, nudge_changes
from xltransfer.analysis.alignment_states import alignment_changes, alignment_states
from xltransfer.errors import ConfigError, RunFolderError, near_match
from xltransfer.report.alignment.prediction import Prediction, prediction
from xltransfer.report.alignment.sets import compared_sets
from xltransfer.report.names import languages_of
from xltransfer.report.one_device import on_one_device
from xltransfer.report.options import AlignmentOptions
from xltransfer.report.provenance import failed_units, stored_options
from xltransfer.report.steps import Found, OnStep
from xltransfer.runs.open import Run

HEADLINE: Final = {"matched": "cls_cosine", "unmatched": "cls_all_pairs"}
"""Kind of a set to the metric that sentences speak of: the paper's vector and cosine."""

WHOLE: Final = ("baseline", "language_adapters", "task_adapters", "language_and_task_adapters")
"""Settings that are measured on all pairs of a set; nudges and their controls on those of their language."""

_LEVEL: Final = 0.95


AlignmentFindings = Found[AlignmentOptions]
"""The frames of an alignment run's report; ``metrics``: set of texts to its headline metric.

Frames: sets, levels, changes (means over pairs by layer), pairs, pair_changes (middle layer, single pairs),
pair_layers, nudges, failures, stored_options, progress; prediction and points are empty without a transfer run.
``notes``: what has to be said of the transfer run.
"""


def findings(run: Run, options: AlignmentOptions | None = None, on_step: OnStep | None = None) -> AlignmentFindings:
    """Compute everything that the report of an alignment run says.

    Parameters
    ----------
    run
        The results folder; it may still grow.
    options
        ``task`` names a set of texts, ``transfer`` a transfer run of the same nudges.
    on_step
        Told of the progress.

    Raises
    ------
    RunFolderError
        The untouched model has not been measured yet.
    ConfigError
        The set of texts does not occur, several kinds of device have scores, or `prediction` refuses the transfer run.
    """
    options, tell = options or AlignmentOptions(), on_step or (lambda name, share: None)
    tell("reading measurements", 0.0)
    rows = _chosen(run, options.task)
    sets = compared_sets(run.study, run.header, rows)
    metrics = {str(name): HEADLINE[str(kind)] for name, kind in zip(sets["task"], sets["kind"], strict=True)}
    scores = alignment_scores(rows)
    tell("means over pairs", 0.15)
    whole = scores["setting"].isin(WHOLE)
    frames = {
        "sets": sets,
        "levels": level_means(scores[whole], _LEVEL),
        "changes": change_means(_unshared(scores, sets), _LEVEL),
        "nudges": nudge_changes(scores, _LEVEL),
        "failures": failed_units(run),
        "stored_options": stored_options(rows),
        "progress": _progress(run.study, scores),
    }
    frames |= _single_pairs(run, list(metrics), tell)
    tell("does alignment predict ts", 0.9)
    predicted = prediction(run, frames["pair_changes"], frames["sets"], options)
    codes = {*scores["transfer"], *scores["source"], *scores["target"], *predicted.languages} - {""}
    return AlignmentFindings(
        run.header, options, metrics, languages_of(run.study, codes), frames | _frames_of(predicted), predicted.notes
    )


def _chosen(run: Run, task: str | None) -> pd.DataFrame:
    """Return the measurements, of one set of texts if it is named."""
    rows = run.measurements()
    if "baseline" not in rows["setting"].unique():
        raise RunFolderError(f"{run.folder} has no untouched model yet; go on with 'xltransfer run' first")
    known = sorted(rows["task"].unique())
    if task is not None and task not in known:
        raise ConfigError(f"--task {task}: the results have no such set of texts{near_match(task, known)}")
    chosen = rows if task is None else rows[rows["task"] == task].reset_index(drop=True)
    return on_one_device(chosen, "states of the model")


def _unshared(scores: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Return the scores without those of nudges on the very texts that are compared."""
    shared = {
        (name, corpus)
        for name, corpora in zip(sets["task"], sets["shared_corpora"], strict=True)
        for corpus in str(corpora).split(", ")
        if corpus
    }
    own = [pair in shared for pair in zip(scores["task"], scores["corpus"], strict=True)]
    return scores[~np.array(own, dtype=bool)]


def _single_pairs(run: Run, sets: list[str], tell: OnStep) -> dict[str, pd.DataFrame]:
    """Return the alignment of every pair, and its changes, with intervals from the items."""
    base = str(run.header.settings["base"])
    parts: dict[str, list[pd.DataFrame]] = {"pair_layers": [], "pair_changes": []}
    for place, name in enumerate(sets):
        tell(f"pairs of {name}", 0.2 + 0.7 * place / len(sets))
        items = run.items(task=name, labels=True)
        parts["pair_layers"].append(alignment_states(items[items["setting"].isin(WHOLE)], base, _LEVEL))
        parts["pair_changes"].append(alignment_changes(_middle(items), base, level=_LEVEL))
    frames = {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
    layers = frames["pair_layers"]
    return frames | {"pairs": layers[layers["middle"]].reset_index(drop=True)}


def _middle(items: pd.DataFrame) -> pd.DataFrame:
    """Return the items of the middle layer, whose number is among a cell's options."""
    layers = {text: str(json.loads(str(text))["layer"]) for text in items["options"].unique()}
    return items[items["label"].astype(str) == items["options"].astype(str).map(layers)]


def _progress(study: Mapping[str, Any], scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row per state with the replicates that a study asks for of each nudge, and how many nudges have fewer.

    setting, steps, entries (corpora; of a state without nudge 1), replicates asked for, models there, short (entries
    with fewer replicates than asked for). A corpus of which nothing is there cannot be told from one without pairs.
    Zero steps are made once: nothing in them is drawn.
    """
    replicates = int(study.get("transfer", {}).get("replicates", 1))
    rows = []
    for (setting, steps, adapter), part in scores.groupby(["setting", "steps", "task_adapter"], dropna=False):
        asked = 1 if setting == "zero_steps" else replicates
        there = part[["corpus", "adapter_seed", "replicate"]].drop_duplicates()
        nudged = bool(part["replicate"].notna().any())
        sizes = there.groupby("corpus").size()
        short = int((sizes < asked).sum()) if nudged else 0
        rows.append((setting, steps, adapter, len(sizes), asked if nudged else None, len(there), short))
    columns = ["setting", "steps", "task_adapter", "entries", "replicates", "there", "short"]
    return pd.DataFrame(rows, columns=columns).astype({"steps": "Int64", "replicates": "Int64"})


def _frames_of(predicted: Prediction) -> dict[str, pd.DataFrame]:
    return {"prediction": predicted.fits, "points": predicted.points}
