"""Table 22: transfer languages by the variance of their ts over targets, with counts of maxima and minima."""

from results import Made, Results, item

from xltransfer.analysis import rank_transfer_languages

KEYS = ["base", "task", "metric", "steps"]


def table22(results: Results) -> Made:
    """``variance_corrected`` takes the noise of the replicates out; counts credit every language of a tie."""
    ranking = rank_transfer_languages(results.ts)
    ranking["variance_rank"] = ranking.groupby(KEYS)["variance"].rank(ascending=False, method="min").astype("Int64")
    names = ["variance_rank", "transfer", "corpus", "aggregated_transfer", "variance", "variance_corrected"]
    table = ranking[[*KEYS, *names, "n_max", "n_min", "n_targets"]].sort_values([*KEYS, "variance_rank"])
    return {"table22_variance": table.assign(unseen=table["transfer"].isin(results.unseen))}


if __name__ == "__main__":
    item(table22)
