"""Table 3: the five transfer languages with the largest aggregated transfer, with what the paper lacks: rank sets."""

from results import Made, Results, item

from xltransfer.analysis import rank_sets, rank_transfer_languages

KEYS = ["base", "task", "metric", "steps", "transfer", "corpus"]


def table03(results: Results) -> Made:
    """Aggregated ts and +(%), rank set, and the probability of really being among the five best."""
    sets = rank_sets(results.changes, results.seed)[[*KEYS, "rank_low", "rank_high", "p_top5"]]
    ranking = rank_transfer_languages(results.ts)
    columns = [*KEYS, "rank", "aggregated_transfer", "percent_positive", "percent_positive_if_no_effect", "n_targets"]
    best = ranking.loc[ranking["rank"] <= 5, columns].merge(sets, on=KEYS, validate="one_to_one")
    return {"table03_top5": best.assign(unseen=best["transfer"].isin(results.unseen))}


if __name__ == "__main__":
    item(table03)
