"""``xltransfer check``: the audit of a study's data, joined with the smallest effect that each target can show."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from xltransfer.config.resolve import ResolvedStudy
    from xltransfer.config.study import Study
    from xltransfer.data.audit import Audit

SHOWN_OVERLAPS = 25


def check(
    study: Annotated[str, typer.Argument(help="Study file (YAML), or the name of a shipped study.")],
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Folder for the tables as CSV, unrounded and whole; made if absent.")
    ] = None,
) -> None:
    """Audit the data of STUDY before anything runs: sizes, blank forms, unknown tokens, overlaps, transfer corpora.

    'detectable' is the smallest change in percent of the baseline that the target can show: two-sided 5 % level, 80 %
    power, baseline 60 %, 3 % of the words (pairs, texts) changed, design effect 2. Of questions, 'unscored' leave no
    room for windows of their paragraph, 'unheld' are scored although no window holds an answer whole, 'misplaced' have
    an answer that does not stand at its offset, 'longer' have answers of over max_answer subwords only. Exit status 2
    means that the study cannot run.
    """
    from xltransfer.cli.tables import write_csv
    from xltransfer.config.load import load_study
    from xltransfer.data.audit import audit
    from xltransfer.data.tokenizer import load_tokenizer
    from xltransfer.protocols.by_name import foreseen

    resolved = load_study(study, data_root)
    found = audit(resolved, load_tokenizer(resolved.model))
    targets = with_detectable(found.targets, resolved.study)
    _show_targets(targets)
    _show_training(found.training)
    _show_overlap(found.overlap)
    _show_corpora(found)
    stopped, left_out = foreseen(resolved)
    warnings = [*found.warnings, *left_out]
    refusals = list(dict.fromkeys([*found.refusals, *_compared_texts(resolved), *stopped]))
    if csv is not None:
        names = ("training", "corpora", "replicates", "overlap", "misplaced")
        write_csv({"targets": targets} | {name: found.frame(name) for name in names}, csv)
    for warning in warnings:
        print(f"warning: {warning}")
    for refusal in refusals:
        print(f"refused: {refusal}")
    print(f"{len(warnings)} warnings, {len(refusals)} refusals")
    if refusals:
        raise typer.Exit(2)


def _compared_texts(resolved: "ResolvedStudy") -> list[str]:
    """Print what an alignment study compares, read as it will be; return why it cannot be."""
    import pandas as pd

    from xltransfer.cli.tables import show
    from xltransfer.errors import ConfigError, DataError
    from xltransfer.protocols.alignment.pairs import pairs_of, sides_of

    rows, refusals = [], []
    for spec in resolved.study.alignment.compared:
        try:
            sides = sides_of(resolved, spec).values()
        except (ConfigError, DataError) as error:
            refusals += str(error).splitlines()
            continue
        sizes = sorted(len(side.texts) for side in sides)
        row = {"set": spec.name, "kind": spec.kind, "sides": len(sizes), "pairs": len(pairs_of(resolved, spec))}
        rows.append(row | {"least texts": sizes[0], "most texts": sizes[-1]})
    if rows:
        show(pd.DataFrame(rows), "compared texts")
    return refusals


def with_detectable(targets: "pd.DataFrame", study: "Study") -> "pd.DataFrame":
    """Return the targets with ``detectable`` (percent), missing where neither words nor items are what is counted."""
    from xltransfer.analysis import smallest_detectable_effect

    shape = targets["task"].map({task.name: task.shape for task in study.tasks})
    words, decisions = (targets[name].astype("float64") for name in ("n_words", "n_items"))
    counted = words.where(shape.isin(["pos", "dep"]), decisions.where(shape.isin(["nli", "classification"])))
    effect = smallest_detectable_effect(counted, score=0.6, discordant=0.03, design_effect=2.0)
    return targets.assign(detectable=effect)


def marks(row: "pd.Series[Any]") -> str:
    """Return what is doubtful about a target, in a few words."""
    from xltransfer.data.audit_doubts import BLANK_REFUSED, OVERLAP_MARKED, UNKNOWN_MARKED

    found = {
        "blank": row["blank_share"] > BLANK_REFUSED,
        "unknown": row["unknown_rate"] > UNKNOWN_MARKED,
        "small": row["small"],
        "in training": row["in_train"] > OVERLAP_MARKED,
        "foreign labels": row["n_foreign_labels"] > 0,
        "not aggregated": not row["aggregate"],
    }
    return ", ".join(name for name, holds in found.items() if holds)


_COUNTS = {
    "entry": "entry",
    "language": "lang",
    "n_items": "items",
    "n_words": "words",
    "blank_share": "blank %",
    "unknown_rate": "unknown %",
    "fertility": "fertility",
    "n_too_long": "too long",
    "n_entities": "entities",
    "n_unscored": "unscored",
    "n_unheld": "unheld",
    "n_misplaced": "misplaced",
    "n_longer": "longer",
}
_OF_SOME_SHAPES = ("n_entities", "n_unscored", "n_unheld", "n_misplaced", "n_longer")


def _show_targets(targets: "pd.DataFrame") -> None:
    """Print a table per task of its targets."""
    from xltransfer.cli.tables import show

    names = _COUNTS | {"detectable": "detectable %", "marks": "marks"}
    rows = targets.assign(marks=targets.apply(marks, axis=1) if len(targets) else "")
    rows = rows.assign(**{name: 100.0 * rows[name] for name in ("blank_share", "unknown_rate")})
    for task, own in rows.groupby("task", sort=False):
        unused = [name for name in _OF_SOME_SHAPES if own[name].isna().all()]
        show(own[list(names)].drop(columns=unused).rename(columns=names), f"{task}: targets")


def _show_training(training: "pd.DataFrame") -> None:
    """Print a row per task of what its adapters are trained on."""
    from xltransfer.cli.tables import show

    sums = {"n_items": "items", "n_words": "words", "n_subwords": "subwords", "n_unknown": "unknown"}
    sums |= {"n_too_long": "too long", "n_entities": "entities"}
    grouped = training.groupby("task", sort=False)
    table = grouped[list(sums)].sum(min_count=1).rename(columns=sums)
    table.insert(0, "entries", grouped.size())
    show(table.reset_index(), "training sets, all entries of a task together (--csv has them one by one)")


def _show_overlap(overlap: "pd.DataFrame") -> None:
    """Print the pairs of texts that share something, the largest shares first."""
    from xltransfer.cli.tables import show

    names = {"kind": "kind", "task": "task", "source": "source", "target": "target", "n_items": "items"}
    names |= {"n_exact": "exact", "n_contained": "contained", "share": "share %"}
    rows = overlap[overlap["n_overlap"] > 0].sort_values("share", ascending=False, kind="stable")
    rows = rows.assign(share=100.0 * rows["share"])
    title = f"overlaps: {len(rows)} of {len(overlap)} pairs share sentences (equal, or over half of the 8-grams)"
    show(rows[list(names)].head(SHOWN_OVERLAPS).rename(columns=names), title)
    if len(rows) > SHOWN_OVERLAPS:
        print(f"... and {len(rows) - SHOWN_OVERLAPS} more; --csv writes all of them")


def _show_corpora(found: "Audit") -> None:
    """Print the transfer corpora with the expected overlap of two replicates for each k."""
    from xltransfer.cli.tables import show

    overlap = found.replicates.pivot(index="corpus", columns="steps", values="expected_overlap")
    overlap.columns = [f"overlap k={steps}" for steps in overlap.columns]
    names = {"corpus": "corpus", "language": "lang", "tokens": "tokens", "blocks": "blocks", "blocks_used": "used"}
    shown = found.corpora.merge(overlap.reset_index(), how="left", on="corpus")
    shown = shown.assign(short=shown["short"].map({True: "short", False: ""}))
    columns = [*names, *map(str, overlap.columns), "short"]
    show(
        shown[columns].rename(columns=names), "transfer corpora: blocks, and expected overlap of two replicates' blocks"
    )
