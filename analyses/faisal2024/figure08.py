"""Figure 8: transfer between languages seen and unseen by the base, and the whole transfer x target heatmap."""

from results import Made, Results, conditions, file_name, item

from xltransfer.analysis import adjusted, cell_intervals, seen_unseen
from xltransfer.figures import seen_unseen_blocks, transfer_heatmap


def figure08(results: Results) -> Made:
    """The four blocks with intervals, and a heatmap per task and k; cells that 0 could have given are small."""
    blocks = seen_unseen(results.changes, results.languages)
    cells = adjusted(cell_intervals(results.statistics))
    mains = results.measurements[["task", "metric"]].drop_duplicates()
    first = cells[cells["adapter_seed"].isna() | (cells["adapter_seed"] == 0)].merge(mains, on=["task", "metric"])
    heatmaps = {
        file_name("figure08_heatmap", where): transfer_heatmap(first, results.languages, **where)
        for where in conditions(first[first["estimate"].notna()])
    }
    return {"figure08_blocks": blocks, "figure08_seen_unseen": seen_unseen_blocks(blocks), **heatmaps}


if __name__ == "__main__":
    item(figure08)
