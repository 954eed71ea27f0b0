"""What ``xltransfer scores`` prints of an interaction run: scores with and without adapters, who gains, signs."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from xltransfer.runs.open import Run


def print_interaction(run: "Run", task: str | None, metric: str | None, csv: Path | None) -> None:
    """Print composition scores, the balance of gains and the sign counts of a run; write the frames where asked."""
    from xltransfer.cli.scores import show_failures
    from xltransfer.cli.tables import show, write_csv
    from xltransfer.report.interaction.findings import findings
    from xltransfer.report.options import InteractionOptions

    found = findings(run, InteractionOptions(task=task, metric=metric))
    adapters = found["adapters"].filter(regex="^(?!improves)")
    names = {"base_score": "[T]", "a1": "[A]", "a2": "[AB]", "a3": "[ABC]"}
    show(_escaped(adapters.rename(columns=names)), "scores on the language's own test data; percent, nll in nats")
    counted = ["fusion", "control", "size", "n_cells", "n_gain", "n_loss", "n_tie", "n_missing", "estimate", "low",
               "high", "percent_if_no_effect", "p", "mean"]  # fmt: skip
    named = {"estimate": "gain %", "percent_if_no_effect": "if no effect %", "n_cells": "members"}
    show(
        found["balance"][["task", "metric", *counted]].rename(columns=named),
        "members of compositions that gain; control same: against [A], second_adapter: against [AA']; 95 % intervals "
        "for other languages, mean difference in points or nats",
        places={"p": 3},
    )
    signs = found["signs"].drop(columns=["base", "metric", "dead_zone", "order"])
    for size, rows in signs.groupby("size"):
        own = rows.drop(columns="size").dropna(axis=1, how="all")
        show(own, f"signs of every language A in {'pairs' if size == 2 else 'threes'}; ties and missing stand apart")
    show_failures(run)
    if csv is not None:
        write_csv({name: found[name] for name in ("scores", "adapters", "balance", "signs", "projections")}, csv)


def _escaped(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the frame with heads that rich does not take for markup."""
    return frame.rename(columns=lambda name: str(name).replace("[", "\\["))
