"""Tables 8, 10 and 12: two base models side by side, from a results folder each.

Two runs of protocol ``transfer`` and, where they are given behind them, the runs of protocol ``interaction`` of the
same bases for the columns of language adapters ([1A], [2A], [3A]). What the paper compares by eye, averages of single
scores, stands beside the paired difference of the transfer scores with its interval.
"""

import pandas as pd
from results import Made, Results, item, self_scores, with_adapters

from xltransfer.analysis import compare_bases
from xltransfer.analysis.interference_gains import SETTINGS
from xltransfer.errors import ConfigError


def tables08_10_12(
    first: Results,
    second: Results,
    first_interaction: Results | None = None,
    second_interaction: Results | None = None,
) -> Made:
    """Self-transfer scores of both bases with the ``Avg.`` row, and the comparison of all their transfer scores.

    ``Avg.`` is over the rows with base scores of both; each column over those that have it.

    Raises
    ------
    ConfigError
        There is an interaction run of one base alone.
    """
    if (first_interaction is None) != (second_interaction is None):
        raise ConfigError(
            "3 results folders given; to compare language adapters give the interaction runs of both bases"
        )
    runs = ((first, first_interaction), (second, second_interaction))
    scores = pd.concat([with_adapters(self_scores(run), other) for run, other in runs], ignore_index=True)
    numbers = [column for column in scores if column in ("base_score", *SETTINGS.values()) or column.startswith("k")]
    keys = ["task", "metric", "transfer", "corpus", "dataset"]
    if "fusion" in scores:
        # A task that the interaction runs do not have has no kind of fusion.
        keys, scores = [*keys, "fusion"], scores.assign(fusion=scores["fusion"].fillna(""))
    wide = scores.pivot(index=keys, columns="base", values=numbers).dropna(how="all")
    wide.columns = [f"{number}_{base}" for number, base in wide.columns]
    both = wide.dropna(subset=[column for column in wide if column.startswith("base_score")]).reset_index()
    kinds = [key for key in ("task", "metric", "fusion") if key in keys]
    average = both.groupby(kinds)[list(wide.columns)].mean().reset_index().assign(transfer="Avg.")
    compared = compare_bases(pd.concat([first.changes, second.changes], ignore_index=True))
    return {"tables08_10_12_scores": pd.concat([both, average], ignore_index=True), "tables08_10_12_compared": compared}


if __name__ == "__main__":
    item(tables08_10_12)
