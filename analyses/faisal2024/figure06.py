"""Figure 6: are the best transfer languages the same in all tasks, and are they unseen ones, more than by chance?"""

import pandas as pd
from results import Made, Results, item

from xltransfer.analysis import common_top, rank_transfer_languages, top_ranks
from xltransfer.figures import common_top_ranks


def figure06(results: Results) -> Made:
    """The paper looks at the top 20 of 38: here the better half of the transfer entries, at most 20."""
    rankings = dict(list(rank_transfer_languages(results.ts).groupby("steps")))
    tops = {k: max(1, min(20, ranking["corpus"].nunique() // 2)) for k, ranking in rankings.items()}
    ranks = {k: top_ranks(ranking, tops[k]) for k, ranking in rankings.items()}
    tables = [common_top(part, results.unseen, tops[k]) for k, part in ranks.items()]
    figures = {f"figure06_k{k}": common_top_ranks(part, results.languages) for k, part in ranks.items() if len(part)}
    return {"figure06_common": pd.concat(tables), "figure06_ranks": pd.concat(ranks.values()), **figures}


if __name__ == "__main__":
    item(figure06)
