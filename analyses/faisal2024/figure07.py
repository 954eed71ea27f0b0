"""Figure 7: the distributions of ts over targets, transfer languages sorted by variance, unseen ones coloured."""

from results import Made, Results, conditions, file_name, item

from xltransfer.figures import transfer_violins


def figure07(results: Results) -> Made:
    """One figure per task and k; adapter seeds are averaged."""
    keys = [name for name in results.ts if name not in ("adapter_seed", "ts", "ts_sd", "reference", "score")]
    ts = (
        results.ts[results.ts["aggregated"]].groupby(keys, as_index=False)[["ts", "ts_sd", "reference", "score"]].mean()
    )
    ts["adapter_seed"] = 0
    return {
        file_name("figure07_violins", where): transfer_violins(ts, results.languages, **where)
        for where in conditions(ts)
    }


if __name__ == "__main__":
    item(figure07)
