"""Table 6 and Appendix F: how often each language gains or loses in pairs and threes, and where that puts it.

From a run of protocol ``interaction``: the counts of every language with its coordinates and their intervals, against
its own adapter as in the paper and against two of its own, which takes the gain by more capacity out; with equal scores
alone as ties, and with all differences within one item standard error. Beside them the paper's worked example,
recomputed from its printed counts.
"""

from collections.abc import Sequence

import pandas as pd
from results import Made, Results, item

from xltransfer.analysis.composition_scores import composition_scores
from xltransfer.analysis.interference_projection import interference_projections, projection
from xltransfer.analysis.interference_signs import GROUP, sign_patterns
from xltransfer.config.published import published_table
from xltransfer.report.interaction.reading import run_differences, sign_table

DEAD_ZONES = (0.0, 1.0)
"""Item standard errors up to which a difference is a tie: the paper's way, and what sampling sentences alone gives."""


def table06(results: Results) -> Made:
    """Counts and coordinates of every language in the run, and of the paper's example."""
    patterns = run_patterns(results, DEAD_ZONES)
    points = interference_projections(patterns).drop(columns=["n_tie", "n_missing", "n_unordered"])
    return {
        "table06_counts": sign_table(patterns).merge(points, on=[*GROUP, "language"], validate="one_to_one"),
        "table06_published": published(),
    }


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


def run_patterns(results: Results, dead_zones: Sequence[float] = (0.0,)) -> pd.DataFrame:
    """Return the sign patterns of a run against every control that it has, ties as wide as each of the dead zones."""
    scores = composition_scores(results.measurements)
    return sign_patterns(run_differences(results.run, scores, results.flags, dead_zones))


def _decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


if __name__ == "__main__":
    item(table06)
