"""Table 21: Spearman correlation between the tasks' rankings of transfer languages, on the targets common to all.

``naive`` is what the paper prints; the estimate is from disjoint replicates, so that shared noise does not count.
"""

from results import Made, Results, item

from xltransfer.analysis import task_correlation
from xltransfer.figures import task_correlation_matrix


def table21(results: Results) -> Made:
    """The table over every k, and a matrix with intervals for each."""
    frame = task_correlation(results.changes, results.seed)
    steps = sorted(frame.loc[frame["estimate"].notna(), "steps"].unique())
    figures = {f"table21_k{k}": task_correlation_matrix(frame, steps=k) for k in steps}
    return {"table21_task_correlation": frame, **figures}


if __name__ == "__main__":
    item(table21)
