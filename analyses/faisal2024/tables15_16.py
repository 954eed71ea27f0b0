"""Tables 15 and 16: all transfer languages by aggregated transfer, one table per base model, with rank sets."""

from results import Made, Results, item

from xltransfer.analysis import rank_sets, rank_transfer_languages

KEYS = ["base", "task", "metric", "steps", "transfer", "corpus"]


def tables15_16(results: Results) -> Made:
    """Table 15 for a study of mBERT, Table 16 for one of XLM-R (17 and 18 for the sentence tasks)."""
    sets = rank_sets(results.changes, results.seed)[[*KEYS, "rank_low", "rank_high", "p_top5", "why"]]
    ranking = rank_transfer_languages(results.ts).merge(sets, how="left", on=KEYS, validate="one_to_one")
    return {"tables15_16_ranking": ranking.assign(unseen=ranking["transfer"].isin(results.unseen))}


if __name__ == "__main__":
    item(tables15_16)
