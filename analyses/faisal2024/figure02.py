"""Figure 2: how many languages improve on their own test data, by few-step training and by language adapters.

From two folders, a run of protocol ``transfer`` and one of protocol ``interaction``, in this order. The paper shows one
bar for interaction, of the languages that any of [A], [AB] and [ABC] improves; here each stands by itself, too. Test
sets that leave the aggregates (at the floor, small) have no say, in either run.
"""

import pandas as pd
from results import Made, Results, item

from xltransfer.analysis.composition_scores import composition_scores
from xltransfer.analysis.interference_gains import adapter_scores, improvement_shares
from xltransfer.figures.interference_shares import improvement_bars
from xltransfer.report.interaction.reading import improvements


def figure02(transfer: Results, interaction: Results) -> Made:
    """A figure per base and kind of fusion, and the shares and scores behind them."""
    scores = adapter_scores(composition_scores(interaction.measurements), "ignore", interaction.flags)
    trained = steps(transfer)
    made: dict[str, object] = {"figure02_scores": scores}
    tables = []
    for fusion, part in scores.groupby("fusion", sort=True):
        shares = improvement_shares(pd.concat([trained, improvements(part)], ignore_index=True))
        tables.append(shares.assign(fusion=fusion))
        for base in sorted(shares["base"].unique()):
            made["_".join(filter(None, ["figure02", str(base), str(fusion)]))] = improvement_bars(shares, base=base)
    return {**made, "figure02_shares": pd.concat(tables, ignore_index=True)}


def steps(results: Results) -> pd.DataFrame:
    """Return whether training on a language improves it, per k: the mean of ts over its corpora and test sets."""
    own = results.ts[results.ts["self_transfer"] & results.ts["aggregated"]]
    means = own.groupby(["base", "task", "metric", "steps", "transfer"])["ts"].mean().reset_index()
    improves = (means["ts"] > 0).astype("boolean").where(means["ts"].notna())
    setting = "k" + means["steps"].astype(str)
    return means.rename(columns={"transfer": "language"}).assign(setting=setting, improves=improves)


if __name__ == "__main__":
    item(figure02)
