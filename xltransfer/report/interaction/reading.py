"""From the results folder of an interaction run to differences, sign patterns and improvements.

The one way from a folder to these frames, for the report, the command line and the scripts that make the paper's items.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from xltransfer.analysis.composition_scores import FUSED, SINGLE
from xltransfer.analysis.interference import Control, interference
from xltransfer.analysis.interference_errors import paired_errors
from xltransfer.analysis.interference_gains import ANY, SETTINGS
from xltransfer.analysis.interference_signs import GROUP, PATTERNS, UNSIGNED, sign_counts
from xltransfer.analysis.typology import similarity
from xltransfer.report.names import table_of
from xltransfer.runs.open import Run

CONTROLS: Final[tuple[Control, ...]] = ("same", "second_adapter")
"""As in the paper, against [A]; and against [AA'], which takes the gain by more capacity out."""


def controls_of(scores: pd.DataFrame) -> list[Control]:
    """Return the controls that a run has; ``scores`` as `analysis.composition_scores` gives them."""
    second = (scores["composition"] == "A+A'").any()
    return [control for control in CONTROLS if control == "same" or second]


def run_differences(
    run: Run,
    scores: pd.DataFrame,
    flags: pd.DataFrame,
    dead_zones: Sequence[float] = (0.0,),
    errors: bool | None = None,
) -> pd.DataFrame:
    """Return what every member of every composition gains, against every control that the run has.

    Parameters
    ----------
    run
        The results folder; its counts per sentence are read where errors are wanted.
    scores
        What `analysis.composition_scores` gives.
    flags
        What `analysis.out_of_aggregates` gives: a test set with a flag has no say.
    dead_zones
        Item standard errors up to which a difference is a tie; several stand one below the other.
    errors
        Whether differences get item standard errors; None: where a dead zone needs them.

    Returns
    -------
    DataFrame
        As `analysis.interference.interference` gives it. What is scored on a language that is no member is left out.
    """
    wanted = any(dead_zones) if errors is None else errors
    found = []
    for control in controls_of(scores):
        known = run_errors(run, scores, control) if wanted else None
        how: dict[str, Any] = {"non_members": "ignore", "out_of_aggregates": flags, "errors": known}
        found += [interference(scores, control, dead_zone, **how) for dead_zone in dead_zones]
    return pd.concat(found, ignore_index=True)


def run_errors(run: Run, scores: pd.DataFrame, control: Control) -> pd.DataFrame:
    """Return the item standard errors of all differences against one control."""
    kinds = [f"{FUSED}{kind}" for kind in scores["fusion"].unique() if kind]
    references = run.cluster_counts([SINGLE] if control == "same" else kinds)
    return paired_errors(run.cluster_counts(kinds), references, control)


def sign_table(patterns: pd.DataFrame) -> pd.DataFrame:
    """Return the sign counts of every language in a row, a column per pattern, tie, missing and unordered.

    ``patterns`` as `analysis.interference_signs.sign_patterns` gives them. A pair has no third sign: those cells are
    empty, not 0.
    """
    wide = sign_counts(patterns).pivot(index=[*GROUP, "language"], columns="pattern", values="count")
    shown = [pattern for pattern in (*PATTERNS[2], *PATTERNS[3], *UNSIGNED) if pattern in wide]
    return wide[shown].astype("Int64").reset_index().rename_axis(columns=None)


def nearness(study: Mapping[str, Any], languages: Sequence[str], features: str) -> pd.DataFrame:
    """Return how alike a study's languages are, for the order ``near_far``; NaN where URIEL lacks one of them.

    Raises
    ------
    ConfigError
        The feature set is unknown.
    """
    return similarity(languages, features, table=table_of(study))


def improvements(adapters: pd.DataFrame) -> pd.DataFrame:
    """Return whether language adapters improve a language, a row per setting that the study has.

    ``adapters`` as `analysis.interference_gains.adapter_scores` gives it; with setting and improves added.
    """
    names = [name for name in (*SETTINGS.values(), ANY) if adapters[f"improves_{name}"].notna().any()]
    answers = [adapters.assign(setting=name, improves=adapters[f"improves_{name}"]) for name in names]
    return pd.concat(answers) if answers else adapters.iloc[:0].assign(setting="", improves=pd.array([], "boolean"))
