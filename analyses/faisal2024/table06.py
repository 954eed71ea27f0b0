"""Table 6 and Appendix F: how often each language gains or loses in pairs and threes, and where that puts it.

From a run of protocol ``interaction``: the counts of every language with its coordinates and their intervals, against
its own adapter as in the paper and against two of its own, which takes the gain by more capacity out; with equal scores
alone as ties, and with all differences within one item standard error. Beside them the paper's worked example,
recomputed from its printed counts.
"""

from collections.abc import Sequence

import pandas as pd
from results import Made, Results, item

from xltransfer.analysis.composition_scores import FUSED, SINGLE, composition_scores
from xltransfer.analysis.interference import Control, interference
from xltransfer.analysis.interference_errors import paired_errors
from xltransfer.analysis.interference_projection import interference_projections, projection
from xltransfer.analysis.interference_signs import GROUP, sign_counts, sign_patterns
from xltransfer.config.published import published_table

DEAD_ZONES = (0.0, 1.0)
"""Item standard errors up to which a difference is a tie: the paper's way, and what sampling sentences alone gives."""


def table06(results: Results) -> Made:
    """Counts and coordinates of every language in the run, and of the paper's example."""
    patterns = run_patterns(results, DEAD_ZONES)
    counts = sign_counts(patterns)
    keys = [*GROUP, "language"]
    wide = counts.pivot(index=keys, columns="pattern", values="count")
    order = counts["pattern"].drop_duplicates().tolist()
    # A pair has no third sign: those cells are empty, not 0.
    table = wide[order].astype("Int64").reset_index().rename_axis(columns=None)
    points = interference_projections(patterns).drop(columns=["n_tie", "n_missing", "n_unordered"])
    return {"table06_counts": table.merge(points, on=keys, validate="one_to_one"), "table06_published": published()}


def published() -> pd.DataFrame:
    """Return the paper's worked example: what is printed, and what its printed counts give."""
    printed = published_table("faisal2024", "table06_interference_example_counts").read()
    stated = published_table("faisal2024", "stated_numbers").read().set_index("key")["value"]
    counts = {row["combination"]: int(row["count"]) for row in printed.to_dict("records")}
    x, y = projection(counts)
    rows = [("C", "example_total", float(sum(counts.values()))), ("x", "example_x", x), ("y", "example_y", y)]
    table = pd.DataFrame(
        [(name, stated[key], value, f"{value:.{_decimals(stated[key])}f}" == stated[key]) for name, key, value in rows],
        columns=["quantity", "printed", "recomputed", "agrees"],
    )
    return table


def run_scores(results: Results) -> pd.DataFrame:
    """Return the composition scores of a run on the main metric of each task."""
    scores = composition_scores(results.run.measurements(labels=False))
    main = results.measurements[["task", "metric"]].drop_duplicates()
    return scores.merge(main, on=["task", "metric"])


def run_patterns(results: Results, dead_zones: Sequence[float] = (0.0,)) -> pd.DataFrame:
    """Return the sign patterns of a run against every control that it has, ties as wide as each of the dead zones."""
    scores = run_scores(results)
    controls: list[Control] = ["same"]
    if (scores["composition"] == "A+A'").any():
        controls.append("second_adapter")
    found = []
    for control in controls:
        # Sentences say how wide a dead zone is; without one they need not be read.
        errors = run_errors(results, scores, control) if any(dead_zones) else None
        how = {"non_members": "ignore", "out_of_aggregates": results.flags, "errors": errors}
        found += [interference(scores, control, dead_zone, **how) for dead_zone in dead_zones]
    return sign_patterns(pd.concat(found, ignore_index=True))


def run_errors(results: Results, scores: pd.DataFrame, control: Control) -> pd.DataFrame:
    """Return the standard errors of a run's differences."""
    kinds = [f"{FUSED}{kind}" for kind in scores["fusion"].unique() if kind]
    references = results.run.cluster_counts([SINGLE] if control == "same" else kinds)
    return paired_errors(results.run.cluster_counts(kinds), references, control)


def _decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


if __name__ == "__main__":
    item(table06)
