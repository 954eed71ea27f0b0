"""Table 4: the mean percentage of targets that a transfer language helps, beside what a zero effect would give."""

from results import Made, Results, item

from xltransfer.analysis import percent_positive


def table04(results: Results) -> Made:
    """One row per task and k; p tests the difference from the percentage without effect."""
    return {"table04_percent_positive": percent_positive(results.ts)}


if __name__ == "__main__":
    item(table04)
