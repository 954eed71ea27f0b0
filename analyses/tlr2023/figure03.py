"""Figure 3 of Parović et al. (2023): alignment of source and targets layer by layer, task adapters side by side.

    python analyses/tlr2023/figure03.py RUN [--texts SET] [--source CODE] [--out DIR]

RUN is the results folder of an alignment study with a state ``language_and_task_adapters`` (as the paper: each
language's own adapter under each of two task adapters, say MAD-X's and a target-language-ready one), or
``task_adapters`` where there are no language adapters. The paper compares 500 examples a side whatever they say (a set
of kind ``unmatched``); on translations there are matched measures, and permuted pairs beside them.

Writes a figure per measure of [CLS], ``figure03_<measure>.png`` and ``.svg``, the curves as ``figure03_curves.csv``,
and what every further task adapter changes against the first one, text by text, as ``figure03_differences.csv``.
"""

from pathlib import Path
from typing import Annotated, Final

import pandas as pd
import typer

import xltransfer
from xltransfer.analysis.alignment_states import alignment_changes, alignment_states
from xltransfer.errors import ConfigError, near_match
from xltransfer.figures import alignment_curves
from xltransfer.report.names import languages_of
from xltransfer.report.pictures import drawing
from xltransfer.runs.open import Run

SETTINGS: Final = ("language_and_task_adapters", "task_adapters")
"""The paper's state first."""


def side_by_side(run: Run, texts: str | None, source: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves of [CLS] under each task adapter, and the differences from the first of them.

    Raises
    ------
    ConfigError
        The run has no state with task adapters, no such set of texts, several and none is named, or no pair of the
        source.
    """
    base, name = str(run.header.settings["base"]), _set(run, texts)
    items = run.items(task=name, labels=True, settings=SETTINGS)
    setting = next((each for each in SETTINGS if (items["setting"] == each).any()), None)
    if setting is None:
        raise ConfigError(f"{run.folder} has none of the states {', '.join(SETTINGS)} for {name!r}; name one in states")
    items = items[items["setting"] == setting]
    curves = alignment_states(items, base)
    known = sorted({*curves["source"], *curves["target"]})
    if source is not None and source not in known:
        raise ConfigError(f"--source {source}: {name!r} has no texts of it{near_match(source, known)}")
    first = curves[["adapter_seed", "task_adapter"]].drop_duplicates().iloc[0]
    against = {"task_adapter": first["task_adapter"], "adapter_seed": first["adapter_seed"]}
    frames = (curves, alignment_changes(items, base, against))
    kept = [frame[frame["metric"].str.startswith("cls_")] for frame in frames]
    if source is not None:
        kept = [frame[(frame["source"] == source) | (frame["target"] == source)] for frame in kept]
    return kept[0].reset_index(drop=True), kept[1].reset_index(drop=True)


def _set(run: Run, texts: str | None) -> str:
    known = [str(each["name"]) for each in run.study["alignment"]["compared"]]
    if texts is None and len(known) > 1:
        raise ConfigError(f"{run.folder} compares several sets of texts ({', '.join(known)}); name one with --texts")
    if texts is not None and texts not in known:
        raise ConfigError(f"--texts {texts}: the run has no such set of texts{near_match(texts, known)}")
    return texts or known[0]


def main(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Results folder of an alignment study.")],
    texts: Annotated[str | None, typer.Option(help="Set of texts; may be left out where there is one.")] = None,
    source: Annotated[str | None, typer.Option(help="Only pairs of this language, such as eng.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for CSV, PNG and SVG; made if absent.")] = Path("paper-items"),
) -> None:
    run = xltransfer.open_run(folder)
    curves, differences = side_by_side(run, texts, source)
    languages = languages_of(run.study, {*curves["source"], *curves["target"]})
    out.mkdir(parents=True, exist_ok=True)
    for name, frame in (("curves", curves), ("differences", differences)):
        frame.to_csv(out / f"figure03_{name}.csv", index=False, lineterminator="\n")
    for metric in sorted(curves.loc[curves["estimate"].notna(), "metric"].unique()):
        made = drawing(alignment_curves(curves, languages, metric=metric), in_page=False)
        for ending, content in ((".png", made.png), (".svg", made.svg)):
            path = out / f"figure03_{metric.removeprefix('cls_')}{ending}"
            path.write_bytes(content)
            print(path)


if __name__ == "__main__":
    typer.run(main)
