"""Figure 6: are the best transfer languages the same in all tasks, and are they unseen ones, more than by chance?"""

from results import Made, Results, item

from xltransfer.analysis import common_top, rank_transfer_languages, top_ranks
from xltransfer.figures import common_top_ranks


def figure06(results: Results) -> Made:
    """The paper looks at the top 20 of 38: here the better half of the transfer entries, at most 20."""
    ranks = top_ranks(rank_transfer_languages(results.ts))
    figures = {f"figure06_k{k}": common_top_ranks(ranks, results.languages, steps=k) for k in ranks["steps"].unique()}
    return {"figure06_common": common_top(ranks, results.unseen), "figure06_ranks": ranks, **figures}


if __name__ == "__main__":
    item(figure06)
