"""Table 5: transfer languages of large and of small variance of ts over targets, and which way they go."""

from results import Made, Results, item

from xltransfer.analysis import rank_transfer_languages

KEYS = ["base", "task", "metric", "steps"]
AT_EITHER_END = 4


def table05(results: Results) -> Made:
    """The four of largest and the four of smallest variance; ``type`` says which extremes they cause."""
    ranking = rank_transfer_languages(results.ts)
    ranking = ranking[ranking["n_targets"] > 1]
    ranking["variance_rank"] = ranking.groupby(KEYS)["variance"].rank(ascending=False, method="min").astype(int)
    from_below = ranking.groupby(KEYS)["variance"].rank(method="min")
    ends = ranking[(ranking["variance_rank"] <= AT_EITHER_END) | (from_below <= AT_EITHER_END)]
    names = ["variance_rank", "transfer", "corpus", "n_max", "n_min", "aggregated_transfer", "variance"]
    table = ends[[*KEYS, *names, "variance_corrected"]].sort_values([*KEYS, "variance_rank"])
    table["type"] = [kind(*counts) for counts in zip(table["n_max"], table["n_min"], strict=True)]
    return {"table05_variance": table}


def kind(n_max: int, n_min: int) -> str:
    """Return whether an entry causes largest effects (+), smallest (-), both or none; one-sided means twice as many."""
    if n_max == n_min == 0:
        return "neutral"
    if n_max > 2 * n_min:
        return "+"
    return "-" if n_min > 2 * n_max else "+ and -"


if __name__ == "__main__":
    item(table05)
