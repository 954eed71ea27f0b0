"""Table 2: what the transfer languages unseen by the base model score on their own test sets, by steps."""

from results import Made, Results, item, self_scores


def table02(results: Results) -> Made:
    """Untouched model and every k; ``ts`` in percent of the untouched model's score."""
    scores = self_scores(results)
    return {"table02_unseen": scores[scores["transfer"].isin(results.unseen)]}


if __name__ == "__main__":
    item(table02)
