"""What a report of scored test sets begins with, whatever the protocol: how they are judged, and what was made how."""

import pandas as pd

from xltransfer.analysis import out_of_aggregates
from xltransfer.report.audit import target_audit
from xltransfer.report.choose import untouched_items
from xltransfer.report.overview import baseline_scores_by_task
from xltransfer.report.provenance import failed_units, stored_options
from xltransfer.report.published_options import compared_options
from xltransfer.report.steps import Frames
from xltransfer.runs.open import Run


def audited(run: Run, rows: pd.DataFrame, metrics: dict[str, str], task: str | None) -> tuple[pd.DataFrame, Frames]:
    """Return which test sets leave the aggregates, and the frames that say what was judged and made.

    Parameters
    ----------
    run
        The results folder.
    rows
        Its measurements over all labels, those of the untouched model and of the trivial predictor among them.
    metrics
        Task to the metric that it is read by.
    task
        The only task of ``rows``; None: there may be several.

    Returns
    -------
    DataFrame, frames
        What `analysis.out_of_aggregates` gives; targets, baseline, options, stored_options, failures.
    """
    untouched = rows[rows["setting"].isin(["baseline", "trivial"])]
    items = untouched_items(run, task)
    flags = out_of_aggregates(untouched, items)
    return flags, {
        "targets": target_audit(untouched, items),
        "baseline": baseline_scores_by_task(untouched, flags, metrics),
        "options": compared_options(run.study),
        "stored_options": stored_options(rows),
        "failures": failed_units(run),
    }
