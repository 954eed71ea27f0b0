"""Tables 8, 10 and 12: two base models side by side, from a results folder each.

Without the columns of language interaction. What the paper compares by eye, averages of single scores, stands beside
the paired difference of the transfer scores with its interval.
"""

import pandas as pd
from results import Made, Results, item, self_scores

from xltransfer.analysis import compare_bases


def tables08_10_12(first: Results, second: Results) -> Made:
    """Self-transfer scores of both bases with the ``Avg.`` row, and the comparison of all their transfer scores."""
    scores = pd.concat([self_scores(results) for results in (first, second)], ignore_index=True)
    numbers = [column for column in scores if column == "base_score" or column.startswith("k")]
    keys = ["task", "metric", "transfer", "corpus", "dataset"]
    wide = scores.pivot(index=keys, columns="base", values=numbers).dropna(how="all")
    wide.columns = [f"{number}_{base}" for number, base in wide.columns]
    both = wide.dropna(subset=[column for column in wide if column.startswith("base_score")]).reset_index()
    average = both.groupby(["task", "metric"])[list(wide.columns)].mean().reset_index().assign(transfer="Avg.")
    compared = compare_bases(pd.concat([first.changes, second.changes], ignore_index=True))
    return {"tables08_10_12_scores": pd.concat([both, average], ignore_index=True), "tables08_10_12_compared": compared}


if __name__ == "__main__":
    item(tables08_10_12)
