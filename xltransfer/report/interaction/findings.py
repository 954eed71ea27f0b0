"""Everything that the report of an interaction run says, computed once: from the run to named tidy frames.

The steps stand in `STEPS`, in order; each takes what was found before and gives new frames. Nothing here is random.
"""

from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from xltransfer.analysis.composition_scores import SETTINGS, composition_scores
from xltransfer.analysis.interference import STUDY
from xltransfer.analysis.interference_balance import interference_balance
from xltransfer.analysis.interference_compared import control_effect, fusion_differences
from xltransfer.analysis.interference_frame import languages_of as members_of
from xltransfer.analysis.interference_gains import adapter_scores, improvement_shares
from xltransfer.analysis.interference_projection import interference_projections
from xltransfer.analysis.interference_regions import regions
from xltransfer.analysis.interference_signs import sign_patterns
from xltransfer.errors import ConfigError
from xltransfer.report.audited import audited
from xltransfer.report.choose import chosen_rows, ranked_metrics
from xltransfer.report.interaction.progress import progress
from xltransfer.report.interaction.reading import improvements, nearness, run_differences, sign_table
from xltransfer.report.names import languages_of
from xltransfer.report.one_device import on_one_device
from xltransfer.report.options import InteractionOptions
from xltransfer.report.steps import Found, Frames, OnStep, Step, Work, run_steps
from xltransfer.runs.open import Run

_CELL: Final = [*STUDY, "size", "composition", "members", "language", "position"]


Findings = Found[InteractionOptions]
"""The frames of an interaction run's report, see `STEPS`."""


@dataclass
class _Work(Work):
    """What the steps hand on: measurements (all metrics, no single labels), and what has been found."""

    run: Run
    options: InteractionOptions
    metrics: dict[str, str]
    rows: pd.DataFrame
    flags: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def main(self) -> pd.DataFrame:
        """Measurements on the metric of each task."""
        return self.rows[self.rows["metric"] == self.rows["task"].map(self.metrics)]


def findings(run: Run, options: InteractionOptions | None = None, on_step: OnStep | None = None) -> Findings:
    """Compute everything that the report of an interaction run says.

    Raises
    ------
    RunFolderError
        No unit has been finished, or no baseline has been scored.
    ConfigError
        A task, metric or feature set does not occur, several kinds of device have scores, or no pair has any yet.
    """
    options = options or InteractionOptions()
    if on_step is not None:
        on_step("reading measurements", 0.0)
    rows = chosen_rows(run, options.task)
    metrics = ranked_metrics(run, set(rows["task"].unique()), options.metric)
    ranked = on_one_device(rows[rows["task"].isin(metrics)].reset_index(drop=True), "compositions")
    work = _Work(run, options, metrics, ranked)
    run_steps(work, STEPS, on_step)
    members = {code for each in work.frames["scores"]["members"].unique() for code in members_of(each)}
    codes = {*(code.removesuffix("'") for code in members), *rows["target"].unique()} - {""}
    return Findings(run.header, options, metrics, languages_of(run.study, codes), work.frames)


def _audit(work: _Work) -> Frames:
    """Judge the test sets, and say what was made with what."""
    work.flags, frames = audited(work.run, work.rows, work.metrics, work.options.task)
    return frames


def _scores(work: _Work) -> Frames:
    """Score every composition, with its item standard error."""
    scores = composition_scores(work.main, work.run.cluster_counts(SETTINGS))
    if not scores["composition"].isin(["A+B", "A+B+C"]).any():
        raise ConfigError(
            "no composition of two or three languages has been scored yet; go on with 'xltransfer run' first"
        )
    return {"scores": scores, "progress": progress(work.run.header, scores)}


def _differences(work: _Work) -> Frames:
    """Compare every composition with the single adapter, and with two of the same language."""
    differences = run_differences(work.run, work.frames["scores"], work.flags, [work.options.dead_zone], errors=True)
    return {"differences": differences, "compositions": _beside(differences)}


def _beside(differences: pd.DataFrame) -> pd.DataFrame:
    """Return a row per composition and member, the controls side by side: reference, difference, se, sign of each."""
    values = ["reference", "difference", "standard_error", "sign", "why"]
    table = differences[[*_CELL, "score"]].drop_duplicates(_CELL, ignore_index=True)
    for control, own in differences.groupby("control"):
        named = own[[*_CELL, *values]].rename(columns={name: f"{name}_{control}" for name in values})
        named[f"in_se_{control}"] = named[f"difference_{control}"] / named[f"standard_error_{control}"].where(
            named[f"standard_error_{control}"] > 0.0
        )
        table = table.merge(named, how="left", on=_CELL, validate="one_to_one")
    return table.sort_values([*STUDY, "size", "members", "position"], ignore_index=True)


def _places(work: _Work) -> Frames:
    """Count signs, and place every language."""
    differences, order = work.frames["differences"], work.options.order
    near = None
    if order == "near_far":
        near = nearness(work.run.study, sorted(differences["language"].unique()), work.options.features)
    patterns = sign_patterns(differences, order, near)
    return {"signs": sign_table(patterns), "projections": regions(interference_projections(patterns))}


def _compared(work: _Work) -> Frames:
    """Ask whether there is any effect, what of it is capacity, and what the kind of fusion does."""
    differences = work.frames["differences"]
    return {
        "balance": interference_balance(differences),
        "control": control_effect(differences),
        "fusions": fusion_differences(differences),
    }


def _alone(work: _Work) -> Frames:
    """Compare with the task adapter alone."""
    adapters = adapter_scores(work.frames["scores"], "ignore", work.flags)
    parts = [improvement_shares(improvements(own)).assign(fusion=fusion) for fusion, own in adapters.groupby("fusion")]
    return {"adapters": adapters, "improvement": pd.concat(parts, ignore_index=True)}


STEPS: Final = (
    Step("judging test sets", 2, _audit),
    Step("scores of compositions", 5, _scores),
    Step("differences and their errors", 10, _differences),
    Step("signs and places", 3, _places),
    Step("balance, controls, fusions", 2, _compared),
    Step("with and without adapters", 1, _alone),
)
"""In order; weights are shares of the time."""
