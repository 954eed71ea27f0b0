"""Table 19: targets that never, almost always or always receive positive transfer."""

from results import Made, Results, item

from xltransfer.analysis import recipients

KEYS = ["base", "task", "metric", "steps"]


def table19(results: Results) -> Made:
    """The three groups with their size, their share of all targets, and how many of them the base has not seen."""
    frame = recipients(results.ts).dropna(subset=["percent_positive"])
    frame["unseen"] = frame["target"].isin(results.unseen)
    grouped = frame[frame["group"] != ""].groupby([*KEYS, "group"])
    table = grouped.agg(n=("target", "size"), n_unseen=("unseen", "sum"), targets=("target", " ".join)).reset_index()
    table["n_targets"] = table.merge(frame.groupby(KEYS).size().rename("size").reset_index(), on=KEYS)["size"]
    return {"table19_groups": table.assign(percent=100.0 * table["n"] / table["n_targets"]), "table19_targets": frame}


if __name__ == "__main__":
    item(table19)
