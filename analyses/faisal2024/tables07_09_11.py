"""Tables 7, 9 and 11: what every transfer language scores on its own test sets by steps, and whether that improves.

The columns of language interaction ([1A], [2A], [3A]) need another protocol and are not here.
"""

import pandas as pd
from results import Made, Results, item, self_scores


def tables07_09_11(results: Results) -> Made:
    """One table per task; the columns ``improves_k...`` are ts > 0, missing where ts is undefined."""
    scores = self_scores(results)
    for name in [column for column in scores if column.startswith("ts_k")]:
        better = (scores[name] > 0).astype("boolean").where(scores[name].notna())
        scores[name.replace("ts_", "improves_")] = better
    scores["unseen"] = scores["transfer"].isin(results.unseen)
    return {f"tables07_09_11_{task}": pd.DataFrame(rows) for task, rows in scores.groupby("task")}


if __name__ == "__main__":
    item(tables07_09_11)
