"""Does the change of alignment predict ts? The changes of this run beside the transfer scores of another one."""

from collections.abc import Collection
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
from xltransfer.report.names import isolated
from xltransfer.report.options import AlignmentOptions
from xltransfer.runs.folder import Header, differences
from xltransfer.runs.open import Run, open_run

PREDICTORS: Final = ("cls_cosine", "mean_cosine")
"""Fixed beforehand: the matched cosine, of the paper's vector first."""


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
        The folder holds no transfer run, one of another base model, or one whose nudges are other models: another seed,
        nudge, precision, rules, content of the base or of a corpus, or number of blocks.
    """
    matched = sets[sets["kind"] == "matched"]
    if options.transfer is None or matched.empty:
        return Prediction(_corrected(_joined([], RESULT)), pd.DataFrame(columns=["texts", *POINTS]))
    other = _opened(run, options.transfer)
    ts, notes = _transfer_scores(other), [_same_nudges(run, other, options.transfer)]
    fits, points = [], []
    for name, shared in zip(matched["task"], matched["shared_corpora"], strict=True):
        own = changes[(changes["task"] == name) & (changes["setting"] == "nudge")]
        out = {corpus for corpus in str(shared).split(", ") if corpus}
        own = own[~own["corpus"].isin(out)]
        scores = ts[ts["corpus"].isin(own["corpus"].unique())]
        own = own[own["corpus"].isin(scores["corpus"].unique())]
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


def _same_nudges(run: Run, other: Run, folder: Path) -> str:
    """Refuse a transfer run whose nudges are other models than this run's; else say what both share."""
    corpora = set(run.header.parts.get("blocks of corpus", {})) & set(other.header.parts.get("blocks of corpus", {}))
    theirs, ours = (_of_nudges(header, corpora) for header in (other.header, run.header))
    found = differences(theirs, ours)
    if found:
        lines = [f"  {name}: {before} in the transfer run, {now} in this one" for name, (before, now) in found.items()]
        remedy = "Give a transfer run with the values of this one, or measure alignment with those of the transfer run."
        wrong = f"--transfer {folder}: its nudges are not the models whose alignment was measured:"
        raise ConfigError("\n".join([wrong, *lines, remedy]))
    both = set(theirs.files) & set(ours.files)
    weights = any(name.startswith("base/") and name.endswith((".safetensors", ".bin")) for name in both)
    named = isolated(str(other.study.get("name", other.folder.name)))
    said = (
        f"Transfer scores are those of the run {named}, whose nudges are the same models: same base "
        f"({'weights by their SHA-256' if weights else 'by its name alone'}), seed, settings and blocks of the "
        f"{len(corpora)} corpora that both have."
    )
    devices = [str(header.environment.get("device", "?")) for header in (other.header, run.header)]
    if devices[0] != devices[1] and run.header.settings["nudge"].get("dropout"):
        said += (
            f" But those were made on {devices[0]} and these on {devices[1]}, which draw other dropout: same text and "
            "masks, another draw of the rest."
        )
    return said


def _of_nudges(header: Header, corpora: Collection[str]) -> Header:
    """Return of a header what decides the weights of its nudges, with the defaults that older runs did not write.

    The pooler, the rule of stacks, the token budget and the number of threads have no part in a nudged base beyond the
    last digits.
    """
    engine = {"precision": "float32", **header.settings["engine"]}
    nudge = {name: value for name, value in header.settings["nudge"].items() if name != "pooler"}
    blocks = header.parts.get("blocks of corpus", {})
    read = {f"{name}/train" for name in corpora}
    return Header(
        study={},
        settings={
            "seed": header.settings["seed"],
            "nudge": nudge,
            "engine": {name: engine.get(name) for name in ("rules", "precision")},
        },
        environment={},
        files={name: sha for name, sha in header.files.items() if name.startswith("base/") or name in read},
        parts={"blocks of corpus": {name: blocks[name] for name in corpora}},
    )
