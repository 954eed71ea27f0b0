"""Tables 15 to 18: all transfer languages by aggregated transfer, one table per base model, with rank sets.

Tables 15 and 16 are those of pos, dep and ner with mBERT and XLM-R, 17 and 18 those of nli and qa: every task that the
run has is in one frame.
"""

from results import Made, Results, item

from xltransfer.analysis import rank_sets, rank_transfer_languages

KEYS = ["base", "task", "metric", "steps", "transfer", "corpus"]


def tables15_18(results: Results) -> Made:
    """The ranking of every task and number of steps."""
    sets = rank_sets(results.changes, results.seed)[[*KEYS, "rank_low", "rank_high", "p_top5", "why"]]
    ranking = rank_transfer_languages(results.ts).merge(sets, how="left", on=KEYS, validate="one_to_one")
    return {"tables15_18_ranking": ranking.assign(unseen=ranking["transfer"].isin(results.unseen))}


if __name__ == "__main__":
    item(tables15_18)
