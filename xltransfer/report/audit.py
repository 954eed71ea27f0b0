"""What is known of a study's data: sizes, lost items, the floor, small and unreadable targets, overlaps.

The results folder tells most of it. Overlaps between texts need the data files; the command audits them by
`xltransfer.data.audit` where the study is at hand and hands the frames in.
"""

from typing import Final

import pandas as pd

from xltransfer.analysis.aggregates import UNKNOWN_SHARE
from xltransfer.analysis.floor import at_floor
from xltransfer.analysis.frames import TARGET, plain
from xltransfer.analysis.sizes import small_targets
from xltransfer.report.tables import Column, Table

COLUMNS: Final = [
    *TARGET, "n_items", "n_scored", "n_lost", "n_unscored", "n_unheld", "n_misplaced", "n_longer", "n_clusters",
    "counted", "size", "limit", "small", "subwords", "unknown", "unknown_share", "unreadable", "baseline", "trivial",
    "p_floor", "at_floor",
]  # fmt: skip

ODD: Final = ("unheld", "misplaced", "longer")
"""Count columns of questions, see `xltransfer.tasks.qa.Qa.trivial`."""


def target_audit(measurements: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of every target's test set.

    Parameters
    ----------
    measurements
        Rows of the settings baseline and trivial.
    items
        Items of the same settings.

    Returns
    -------
    DataFrame
        A row per task, dataset, target: n_items, n_scored, n_lost (over the length limit or blank); of questions, as
        in `xltransfer.data.audit.Audit`, n_unscored, n_unheld, n_misplaced and n_longer (missing for other tasks, the
        last three also in runs that did not store them); n_clusters (documents or sentences that are drawn as a
        whole); counted (words, entities, pairs), size, limit and small (below the limit);
        subwords, unknown, unknown_share (0 to 1; missing where subwords were not counted) and unreadable; baseline and
        trivial (score on the main metric, mean over task adapters and devices), p_floor (largest over them, one-sided,
        of a baseline above the trivial score) and at_floor (in any of them).
    """
    measurements = plain(measurements)
    own = measurements[measurements["setting"] == "baseline"]
    rows = own.groupby(TARGET, observed=True)[["n_items", "n_scored"]].max().astype("int64").reset_index()
    rows["n_lost"] = rows["n_items"] - rows["n_scored"]
    floor = (
        at_floor(measurements, items)
        .groupby(TARGET, observed=True)
        .agg(
            baseline=("baseline", "mean"),
            trivial=("trivial", "mean"),
            p_floor=("p", "max"),
            at_floor=("at_floor", "any"),
        )
    )
    sizes = small_targets(measurements, items).set_index(TARGET)
    table = rows.join(_counted(items), on=TARGET).join(_questions(items), on=TARGET)
    table = table.join(sizes, on=TARGET).join(floor, on=TARGET)
    table["n_unscored"] = table["n_lost"].where(table["questions"].eq(True))
    for name in ("small", "at_floor"):
        table[name] = table[name].eq(True).fillna(False).astype(bool)
    table["unknown_share"] = table["unknown"] / table["subwords"].where(table["subwords"] > 0)
    table["unreadable"] = (table["unknown_share"] > UNKNOWN_SHARE).fillna(False).astype(bool)
    return table[COLUMNS].sort_values(TARGET, ignore_index=True)


def _counted(items: pd.DataFrame) -> pd.DataFrame:
    """Return clusters and subwords of every target, from the items of the untouched model, each item once."""
    rows = plain(items[items["setting"] == "baseline"]).drop_duplicates([*TARGET, "item"])
    grouped = rows.groupby(TARGET, observed=True)
    table = pd.DataFrame({"n_clusters": grouped["cluster"].nunique()})
    for name in ("subwords", "unknown"):
        table[name] = grouped[name].sum(min_count=1) if name in rows else float("nan")
    return table


def _questions(items: pd.DataFrame) -> pd.DataFrame:
    """Return what is odd about the questions of every target, which the trivial predictor's items hold."""
    rows = plain(items[items["setting"] == "trivial"]).drop_duplicates([*TARGET, "item"])
    grouped = rows.groupby(TARGET, observed=True)
    table = pd.DataFrame(index=grouped.size().index)
    table["questions"] = grouped["in_window"].count() > 0 if "in_window" in rows else False
    for name in ODD:
        table[f"n_{name}"] = grouped[name].sum(min_count=1) if name in rows else float("nan")
    return table


def overlap_tables(overlap: pd.DataFrame, corpora: pd.DataFrame, replicates: pd.DataFrame) -> dict[str, Table]:
    """Return the audit's frames as tables by name: ``overlaps`` (pairs that share something) and ``corpora``.

    Parameters
    ----------
    overlap, corpora, replicates
        As in `xltransfer.data.audit.Audit`.
    """
    shared = overlap[overlap["n_overlap"] > 0].sort_values("share", ascending=False, kind="stable")
    pairs = f"{len(shared):,} of {len(overlap):,} pairs of texts share sentences (equal, or over half of the 8-grams)."
    by_steps = replicates.pivot(index="corpus", columns="steps", values="expected_overlap")
    by_steps.columns = [f"overlap_k{steps}" for steps in by_steps.columns]
    expected = tuple(
        Column(name, f"overlap at k = {name.removeprefix('overlap_k')}", "number")
        for name in map(str, by_steps.columns)
    )
    return {
        "overlaps": Table(
            "overlaps",
            "Texts that hold parts of a test set",
            f"{pairs} A transfer corpus that holds a test set would pass for transfer.",
            shared.reset_index(drop=True),
            (
                Column("kind", "kind"), Column("task", "task"), Column("source", "text"), Column("target", "test set"),
                Column("n_items", "items", "integer"), Column("n_exact", "equal", "integer"),
                Column("n_contained", "contained", "integer"), Column("share", "share", "number", 3),
            ),
        ),
        "corpora": Table(
            "corpora",
            "Transfer corpora",
            "Blocks as they are cut; overlap: expected share of blocks that two replicates have in common.",
            corpora.merge(by_steps.reset_index(), how="left", on="corpus"),
            (
                Column("corpus", "corpus"), Column("n_lines", "lines", "integer"),
                Column("tokens", "tokens", "integer"),
                Column("blocks", "blocks", "integer"), Column("blocks_used", "used", "integer"),
                Column("unknown_rate", "unknown", "number", 3), Column("short", "short", "flag"), *expected,
            ),
        ),
    }  # fmt: skip
