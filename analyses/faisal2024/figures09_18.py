"""Figures 9 to 18: the aggregated transfer of every transfer language over the number of steps."""

import pandas as pd
from results import Made, Results, item

from xltransfer.analysis import progression, rank_transfer_languages
from xltransfer.figures import progression as progression_figure

PANELS = 4


def figures09_18(results: Results) -> Made:
    """Four languages a figure as in the paper; shares of positive transfer and best and worst targets as tables."""
    lines = progression(results.changes)
    entries = lines.loc[lines["transfer"] != "", ["transfer", "corpus"]].drop_duplicates()
    figures = {}
    for number, start in enumerate(range(0, len(entries), PANELS), start=9):
        chosen = lines.merge(entries.iloc[start : start + PANELS], on=["transfer", "corpus"])
        figures[f"figure{number:02d}_progression"] = progression_figure(chosen, results.languages, lines="task")
    return {"figures09_18_lines": lines, "figures09_18_positive": positive(results), **figures}


def positive(results: Results) -> pd.DataFrame:
    """Return +(%) and the two best and worst targets of every transfer language, task and k."""
    keys = ["base", "task", "metric", "steps", "transfer", "corpus"]
    ranking = rank_transfer_languages(results.ts)[[*keys, "percent_positive", "percent_positive_if_no_effect"]]
    kept = results.ts[results.ts["aggregated"]].sort_values("ts", ascending=False)
    grouped = kept.groupby(keys)["target"]
    ends = pd.DataFrame(
        {"best": grouped.apply(lambda t: " ".join(t[:2])), "worst": grouped.apply(lambda t: " ".join(t[-2:]))}
    )
    return ranking.merge(ends.reset_index(), how="left", on=keys)


if __name__ == "__main__":
    item(figures09_18)
