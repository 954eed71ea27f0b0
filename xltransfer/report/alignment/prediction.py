"""Does the change of alignment predict ts? The changes of this run beside the transfer scores of another one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from xltransfer.analysis import out_of_aggregates, transfer_scores
from xltransfer.analysis.alignment_predicts import POINTS, RESULT, alignment_predicts, prediction_points
from xltransfer.analysis.multiplicity import holm
from xltransfer.errors import ConfigError
from xltransfer.report.choose import chosen_rows, ranked_metrics, untouched_items
from xltransfer.report.options import AlignmentOptions
from xltransfer.runs.open import Run, open_run

PREDICTORS: Final = ("cls_cosine", "mean_cosine")
"""Fixed beforehand: the matched cosine, of the paper's vector first."""

_FIXED: Final = ("seed", "nudge", "engine")
"""Settings that make two runs' nudges the same models, beside the base and the texts."""


@dataclass(frozen=True)
class Prediction:
    """What was found beside a transfer run.

    Attributes
    ----------
    fits, points
        What `alignment_predicts` and `prediction_points` give, with ``texts``: the set that the change is of; fits
        also with p_holm.
    notes
        Sentences on what the two runs share, and what was left out.
    """

    fits: pd.DataFrame
    points: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def languages(self) -> set[str]:
        """Codes of the languages of the points."""
        return {*self.points["transfer"], *self.points["target"]}


def prediction(run: Run, changes: pd.DataFrame, sets: pd.DataFrame, options: AlignmentOptions) -> Prediction:
    """Regress the transfer scores of ``options.transfer`` on the changes of this run, for each matched set of texts.

    Parameters
    ----------
    run
        The alignment run.
    changes
        Its `alignment_changes` of the middle layer.
    sets
        Its sets of texts.
    options
        ``transfer``: results folder of the transfer run; None: nothing is found.

    Raises
    ------
    ConfigError
        The folder holds no transfer run, or one of another base model.
    """
    matched = sets[sets["kind"] == "matched"]
    if options.transfer is None or matched.empty:
        return Prediction(_corrected(_joined([], RESULT)), pd.DataFrame(columns=["texts", *POINTS]))
    other = _opened(run, options.transfer)
    ts, notes = _transfer_scores(other), [*_same_nudges(run, other)]
    fits, points = [], []
    for name, shared in zip(matched["task"], matched["shared_corpora"], strict=True):
        own = changes[(changes["task"] == name) & (changes["setting"] == "nudge")]
        out = {corpus for corpus in str(shared).split(", ") if corpus}
        own = own[~own["corpus"].isin(out)]
        scores = ts[ts["corpus"].isin(own["corpus"].unique())]
        if out:
            notes.append(f"Left out of the prediction from {name}: {', '.join(sorted(out))}, whose texts are compared.")
        if own.empty or scores.empty:
            notes.append(f"No nudge of the transfer run was measured on {name}.")
            continue
        for predictor in PREDICTORS:
            for permuted in (False, True):
                how: dict[str, Any] = {"predictor": predictor, "permuted": permuted}
                fits.append(alignment_predicts(scores, own, seed=options.seed, **how).assign(texts=name))
                points.append(prediction_points(scores, own, **how).assign(texts=name))
    return Prediction(_corrected(_joined(fits, RESULT)), _joined(points, POINTS), tuple(notes))


def _corrected(fits: pd.DataFrame) -> pd.DataFrame:
    """Return the regressions with p_holm, over those of one predictor and pairing: all sets, tasks and k."""
    corrected = np.full(len(fits), np.nan)
    p = fits["p"].to_numpy(dtype=np.float64)
    for places in fits.groupby(["predictor", "permuted"]).indices.values():
        tested = places[np.isfinite(p[places])]
        corrected[tested] = holm(p[tested])
    return fits.assign(p_holm=corrected)


def _joined(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    there = [part for part in parts if len(part)]
    order = ["texts", *columns]
    return pd.concat(there, ignore_index=True)[order] if there else pd.DataFrame(columns=order)


def _opened(run: Run, folder: Path) -> Run:
    """Open the transfer run and refuse one that cannot be laid beside this one."""
    other = open_run(folder)
    protocol, base = str(other.study["protocol"]), str(other.header.settings["base"])
    if protocol != "transfer":
        raise ConfigError(f"--transfer {folder}: a run of protocol {protocol}; expected one of protocol transfer")
    if base != str(run.header.settings["base"]):
        raise ConfigError(
            f"--transfer {folder}: scores of base model {base}, this run is of {run.header.settings['base']}; give a "
            "transfer run of the same base"
        )
    return other


def _transfer_scores(run: Run) -> pd.DataFrame:
    """Return ts of the nudges of a transfer run on the main metric of each task."""
    rows = chosen_rows(run)
    metrics = ranked_metrics(run, set(rows["task"].unique()))
    untouched = rows[rows["setting"].isin(["baseline", "trivial"])]
    flags = out_of_aggregates(untouched, untouched_items(run))
    rows = rows[rows["setting"].isin(["nudge", "baseline"]) & (rows["metric"] == rows["task"].map(metrics))]
    return transfer_scores(rows, out_of_aggregates=flags)


def _same_nudges(run: Run, other: Run) -> list[str]:
    """Say whether both runs nudge the same models: seed, nudge, arithmetic, blocks of the corpora, files."""
    ours, theirs = run.header, other.header
    differ = [name for name in _FIXED if _plain(ours.settings.get(name)) != _plain(theirs.settings.get(name))]
    blocks = (header.parts.get("blocks of corpus", {}) for header in (ours, theirs))
    mine, yours = blocks
    common = set(mine) & set(yours)
    differ += ["blocks of corpora"] if any(mine[name] != yours[name] for name in common) else []
    files = set(ours.files) & set(theirs.files)
    differ += ["files"] if any(ours.files[name] != theirs.files[name] for name in files) else []
    named = str(other.study.get("name", other.folder.name))
    if differ:
        return [
            f"The transfer run {named} was made with other settings ({', '.join(differ)}), so its nudges are not the "
            "models whose alignment was measured."
        ]
    return [
        f"Transfer scores are those of the run {named}, whose nudges are the same models: same base, seed, settings "
        f"and blocks of the {len(common)} corpora that both have."
    ]


def _plain(value: Any) -> Any:
    """Return settings without what an older run did not write down: its default."""
    return (
        {k: v for k, v in value.items() if (k, v) != ("precision", "float32")} if isinstance(value, Mapping) else value
    )
