"""Table 23: the target languages that receive their largest or smallest transfer from each transfer language."""

from results import Made, Results, item

from xltransfer.analysis import extreme_targets

KEYS = ["base", "task", "metric", "steps", "transfer", "corpus"]


def table23(results: Results) -> Made:
    """Targets per transfer language; those whose largest or smallest ts is tied stand with each of the tied."""
    frame = extreme_targets(results.ts)
    table = (
        frame.groupby([*KEYS, "extreme"])["target"].agg(lambda names: " ".join(sorted(set(names)))).unstack("extreme")
    )
    return {"table23_extremes": table.fillna("-").reset_index()}


if __name__ == "__main__":
    item(table23)
