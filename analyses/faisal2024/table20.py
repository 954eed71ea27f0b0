"""Table 20: for each transfer language and number of steps, the target with the largest ts."""

from results import Made, Results, item

from xltransfer.analysis import max_recipients


def table20(results: Results) -> Made:
    """The table as printed (tied targets joined by +), and with ts and the gap to the next target."""
    frame = max_recipients(results.ts)
    wide = frame.pivot_table(index=["base", "transfer", "corpus"], columns=["task", "steps"], values="target",
                             aggfunc=lambda names: "+".join(dict.fromkeys(names)))  # fmt: skip
    wide.columns = [f"{task}_k{steps}" for task, steps in wide.columns]
    return {"table20_max_recipients": wide.reset_index(), "table20_gaps": frame}


if __name__ == "__main__":
    item(table20)
