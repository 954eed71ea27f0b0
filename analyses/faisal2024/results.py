"""What every script of this folder starts from and ends with: a results folder in, tables and figures out."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from matplotlib.figure import Figure

import xltransfer
from xltransfer.analysis import interval_statistics, out_of_aggregates, transfer_scores
from xltransfer.analysis.changes import replicate_changes
from xltransfer.analysis.composition_scores import composition_scores
from xltransfer.analysis.interference_gains import adapter_scores
from xltransfer.analysis.interval_statistics import Statistics
from xltransfer.errors import ConfigError
from xltransfer.report.choose import chosen_rows, ranked_metrics, untouched_items
from xltransfer.report.names import languages_of
from xltransfer.report.pictures import drawing
from xltransfer.runs.open import Run

Made = Mapping[str, pd.DataFrame | Figure]
"""Name of a file without its ending -> what is in it."""


@dataclass(frozen=True)
class Results:
    """A results folder, read as far as a script asks for it; only the main metric of each task."""

    run: Run

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """Scores on the main metric of each task, those of single gold labels left out."""
        rows = chosen_rows(self.run)
        return rows[rows["metric"] == rows["task"].map(ranked_metrics(self.run, set(rows["task"])))]

    @cached_property
    def flags(self) -> pd.DataFrame:
        """Which targets leave the aggregates, and why."""
        return out_of_aggregates(self.measurements, untouched_items(self.run))

    @cached_property
    def ts(self) -> pd.DataFrame:
        """Transfer scores of the nudge, in percent."""
        ts = transfer_scores(self.measurements, out_of_aggregates=self.flags)
        return ts[ts["setting"] == "nudge"].reset_index(drop=True)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """The changes of every replicate of the nudge."""
        changes = replicate_changes(self.measurements, out_of_aggregates=self.flags)
        return changes[changes["setting"] == "nudge"].reset_index(drop=True)

    @cached_property
    def statistics(self) -> Statistics:
        """What the intervals of cells and aggregates are made of; reads the counts of every sentence."""
        entries, baselines = (self.run.cluster_counts(settings=(name,)) for name in ("nudge", "baseline"))
        return interval_statistics(entries, baselines, self.flags)

    @cached_property
    def languages(self) -> pd.DataFrame:
        """Code, name, family, genus, script, seen of all languages."""
        codes = {*self.measurements["transfer"], *self.measurements["target"]} - {""}
        return languages_of(self.run.study, codes)

    @cached_property
    def unseen(self) -> set[str]:
        """Codes of the languages that the base model is known not to have seen."""
        return set(self.languages.loc[self.languages["seen"].eq(False).fillna(False), "code"])

    @property
    def seed(self) -> int:
        """The study's seed, root of all draws."""
        return int(self.run.study["seed"])


def item(make: Callable[..., Made]) -> None:
    """Run a script: read the folders, make the item, write and name every file.

    ``make`` takes a `Results` for each folder of the script, in their order; those with a default need not be given.
    """
    folders = inspect.signature(make).parameters
    least = sum(folder.default is inspect.Parameter.empty for folder in folders.values())
    named = " ".join(name.upper() if place < least else f"[{name.upper()}]" for place, name in enumerate(folders))

    def command(
        runs: Annotated[list[Path], typer.Argument(help=f"Results folders, in this order: {named}.")],
        out: Annotated[Path, typer.Option(help="Folder for CSV, PNG and SVG; made if absent.")] = Path("paper-items"),
    ) -> None:
        if not least <= len(runs) <= len(folders):
            expected = str(least) if least == len(folders) else f"{least} to {len(folders)}"
            raise typer.BadParameter(f"{len(runs)} results folders given, expected {expected}: {named}")
        results = [Results(xltransfer.open_run(folder)) for folder in runs]
        out.mkdir(parents=True, exist_ok=True)
        for name, content in make(*results).items():
            for path in write(content, out / name):
                print(path)

    command.__doc__ = make.__globals__["__doc__"]
    typer.run(command)


def write(content: pd.DataFrame | Figure, stem: Path) -> list[Path]:
    """Write a table as CSV, unrounded, after printing it; a figure as PNG and SVG."""
    if isinstance(content, pd.DataFrame):
        print(content.to_string(index=False, max_rows=60, float_format=lambda value: f"{value:.2f}"))
        content.to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")
        return [stem.with_suffix(".csv")]
    made = drawing(content, in_page=False)
    stem.with_suffix(".png").write_bytes(made.png)
    stem.with_suffix(".svg").write_bytes(made.svg)
    return [stem.with_suffix(".png"), stem.with_suffix(".svg")]


def self_scores(results: Results) -> pd.DataFrame:
    """Return a row per task, transfer entry and target of the same language: scores at every k, and ts.

    ``base_score``, ``k1``, ``k10`` ...: percent, means over replicates and adapter seeds; ``ts_k1`` ...: percent.
    """
    own = results.ts[results.ts["self_transfer"]]
    keys = ["base", "task", "metric", "transfer", "corpus", "dataset"]
    means = own.groupby([*keys, "steps"])[["reference", "score", "ts"]].mean().reset_index()
    table = means.groupby(keys)["reference"].first().rename("base_score").to_frame()
    for column, name in (("score", "k{}"), ("ts", "ts_k{}")):
        wide = means.pivot(index=keys, columns="steps", values=column)
        table = table.join(wide.rename(columns=lambda steps, name=name: name.format(steps)))
    return table.reset_index()


def with_adapters(scores: pd.DataFrame, interaction: Results | None) -> pd.DataFrame:
    """Return `self_scores` with what an interaction run of the same base scores each language by language adapters.

    ``base_score_adapters`` (the task adapter alone, in that run), ``a1``, ``a2``, ``a3`` (its own adapter, and the mean
    over its pairs and threes, on the mean of its test sets), ``n_pairs``, ``n_triples``, ``improves_a1`` to
    ``improves_any``: columns [1A], [2A], [3A] of the paper. With several kinds of ``fusion`` there is a row for each.
    NaN for a language that is not in that run; without a run the scores are as they are.

    Raises
    ------
    ConfigError
        The two runs have no base, task and language in common.
    """
    if interaction is None:
        return scores
    adapters = adapter_scores(composition_scores(interaction.measurements), non_members="ignore")
    adapters = adapters.rename(columns={"language": "transfer", "base_score": "base_score_adapters"})
    keys = ["base", "task", "metric"]
    every_kind = scores.merge(adapters[[*keys, "fusion"]].drop_duplicates(), how="left", on=keys)
    both = every_kind.merge(adapters, how="left", on=[*keys, "fusion", "transfer"])
    if both["base_score_adapters"].isna().all():
        mine, others = (sorted({*zip(frame["base"], frame["task"], strict=True)}) for frame in (scores, adapters))
        raise ConfigError(
            f"{interaction.run.folder} has no scores of a base and task of the transfer run, {mine}; it has {others}, "
            "or other languages"
        )
    return both


def conditions(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return every base, task, metric and number of steps in ``frame``."""
    keys = ["base", "task", "metric", "steps"]
    return frame[keys].drop_duplicates().sort_values(keys).to_dict("records")


def file_name(name: str, where: Mapping[str, Any]) -> str:
    """Return ``name`` with base, task and k, for one file per condition."""
    return "_".join([name, *(f"k{value}" if key == "steps" else str(value) for key, value in where.items())])
