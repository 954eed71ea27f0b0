"""Tables 7, 9 and 11: what every transfer language scores on its own test sets by steps, and whether that improves.

From a run of protocol ``transfer``; with a second folder, a run of protocol ``interaction`` of the same base, the
columns of language adapters ([1A], [2A], [3A]) stand beside it.
"""

import pandas as pd
from results import Made, Results, item, self_scores, with_adapters


def tables07_09_11(transfer: Results, interaction: Results | None = None) -> Made:
    """One table per task; the columns ``improves_k...`` are ts > 0, missing where ts is undefined."""
    scores = self_scores(transfer)
    for name in [column for column in scores if column.startswith("ts_k")]:
        better = (scores[name] > 0).astype("boolean").where(scores[name].notna())
        scores[name.replace("ts_", "improves_")] = better
    scores["unseen"] = scores["transfer"].isin(transfer.unseen)
    scores = with_adapters(scores, interaction)
    return {f"tables07_09_11_{task}": pd.DataFrame(rows) for task, rows in scores.groupby("task")}


if __name__ == "__main__":
    item(tables07_09_11)
