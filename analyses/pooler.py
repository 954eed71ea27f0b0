"""How much of the published collapse in language inference does a lost pooler alone explain?

    python analyses/pooler.py --out pooler [--model ../shared/models/mini-mbert --data-root ../shared] [--draws 10]

In Faisal and Anastasopoulos (2024), Table 13, mBERT falls from 81 to 45 % on XNLI after a single step, XLM-R does not.
Their code saves the nudged model from a masked-LM class, which for BERT has no pooler, and reads it into a class that
needs one and makes one up; XLM-R's classifier has a layer of its own in its place. Here inference is trained with a
head on the pooler, in an artificial world and on a local model, and scored after k = 0 and k = 1 steps with the pooler
kept, with ten fresh ones (normal, with the standard deviation of the base model's config, as there), and with the
first token's state in its place. Ten draws can mislead, so 200 more are scored at k = 0.

What is in ``--out`` is used again, so a stopped run goes on. Exit status 3: inference was not learnt (under 60 % in the
languages of training, where chance is 33 %), so that nothing follows; what the script says of a local model does not
change the status.

Files: pooler.csv (accuracy and ts by language, with intervals), pooler_shares.csv (what the lost pooler explains),
pooler_published.csv (the paper's numbers in the same terms), pooler_draws.csv (accuracy under every one of many fresh
poolers), pooler.png and .svg; pooler_draws-*.png and .svg, a histogram for every setup.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from pooler_draws import Draws, draws_figure, draws_shares, draws_table, many_draws, said_of
from pooler_figure import Panel, pooler_figure
from pooler_numbers import CHANCE, Measured, Scores, accuracies, mean_of, measured, shares, table
from pooler_published import published_panels, published_table_of
from pooler_studies import HEADS, Setup, model_setup, run_variant, variants, world_setup

from xltransfer.analysis import at_floor
from xltransfer.report.choose import untouched_items
from xltransfer.report.names import languages_of
from xltransfer.report.pictures import drawing
from xltransfer.runs.open import Run

NOTHING_TO_SHOW = 3
"""Exit status of a world in which inference was not learnt."""


@dataclass(frozen=True)
class Finding:
    """What a setup showed.

    Attributes
    ----------
    setup, languages
        The setup, and code, name, seen of its languages.
    heads
        Task -> scores; empty where inference was not learnt.
    groups
        Name -> languages whose mean is stated; the first is what the shares are of.
    draws
        What `pooler_draws.many_draws` gives for the head on the pooler; None where inference was not learnt.
    why_nothing
        Why there is nothing to show; empty where there is.
    """

    setup: Setup
    languages: pd.DataFrame
    heads: dict[str, Measured]
    groups: dict[str, list[str]]
    draws: Draws | None = None
    why_nothing: str = ""

    @property
    def over(self) -> tuple[str, list[str]]:
        """Name and languages of the group that is spoken of."""
        return next(iter(self.groups.items()))


def explore(setup: Setup, out: Path, draws: int, many: int = 200, workers: int = 0) -> Finding:
    """Train, in so many processes, and score a setup; only if inference was learnt, all its studies are run."""
    kept, *others = variants(draws)
    print(f"{setup.name}: training the task adapters", flush=True)
    first = run_variant(setup, replace(kept, replicates=1), out, workers)
    untouched = accuracies(list(first.cluster_counts(("baseline",), ("nli",))))
    languages = languages_of(first.study, untouched)
    groups, why = learnt_in(first, setup, untouched)
    if why:
        return Finding(setup, languages, {}, {}, why_nothing=why)
    runs: dict[str, list[Run]] = {"keep": [run_variant(setup, kept, out)]}
    for variant in others:
        print(f"{setup.name}: {variant.name}", flush=True)
        runs.setdefault(variant.pooler, []).append(run_variant(setup, variant, out))
    print(f"{setup.name}: {many} fresh poolers at k = 0", flush=True)
    heads = {task: measured(runs, task) for task in setup.heads}
    return Finding(setup, languages, heads, groups, many_draws(setup, out, "nli", many))


def learnt_in(run: Run, setup: Setup, untouched: Scores) -> tuple[dict[str, list[str]], str]:
    """Return the groups of languages whose mean is stated, those in which inference was learnt first, and why not.

    Where the setup says what is enough, those are the languages of training, and their mean must reach it; else the
    ones whose untouched score is above the trivial one (`xltransfer.analysis.at_floor`). These are chosen by the very
    premises that are scored again, so what they lose is overstated where they are few and hardly above it.
    """
    if setup.enough is not None:
        mean = mean_of(untouched[code] for code in setup.trained).mean
        why = f"{mean:.1f} % in the languages of training, less than {setup.enough:.0f} (chance is {CHANCE:.0f})"
        return _split(setup.trained, untouched, "training languages"), "" if mean >= setup.enough else why
    floor = at_floor(run.measurements(labels=False), untouched_items(run, "nli"))
    above = sorted(floor.loc[(floor["task"] == "nli") & ~floor["at_floor"], "target"])
    best = max(untouched, key=lambda code: untouched[code].mean)
    why = f"no language is above the trivial baseline; the best is {best} with {untouched[best].mean:.1f} %"
    return _split(above, untouched, "languages above the floor"), "" if above else why


def _split(chosen: Sequence[str], codes: Iterable[str], name: str) -> dict[str, list[str]]:
    """Return the chosen languages and the others, by name, without empty groups."""
    groups = {f"mean of {name}": list(chosen), "mean of others": sorted(set(codes) - set(chosen))}
    return {name: group for name, group in groups.items() if group}


def frames_of(findings: Sequence[Finding]) -> dict[str, pd.DataFrame]:
    """Return the tables by name of file."""
    by_language, explained, drawn = [], [], []
    for finding in findings:
        for task, result in finding.heads.items():
            where = {"setup": finding.setup.name, "head reads": HEADS[task]}
            by_language.append(table(result, finding.groups).assign(**where))
            name, codes = finding.over
            explained.append(shares(result, codes).assign(**where, over=name))
        if finding.draws is not None:
            name, codes = finding.over
            where = {"setup": finding.setup.name, "head reads": "pooler"}
            explained.append(draws_shares(finding.draws, codes).assign(**where, over=name))
            drawn.append(draws_table(finding.draws).assign(setup=finding.setup.name))
    frames = {"pooler_published": published_table_of()}
    if by_language:
        frames |= {"pooler": pd.concat(by_language), "pooler_shares": pd.concat(explained)}
        frames["pooler_draws"] = pd.concat(drawn)
    keys = ["setup", "head reads", "over"]
    return {
        name: frame[[*(key for key in keys if key in frame), *(c for c in frame if c not in keys)]]
        for name, frame in frames.items()
    }


def panels_of(findings: Sequence[Finding]) -> list[Panel]:
    """Return a panel for each setup that has something to show, then the paper's."""
    own = [
        Panel(finding.setup.name, table(finding.heads["nli"], finding.groups), finding.languages)
        for finding in findings
        if finding.heads
    ]
    return [*own, *published_panels()]


def sentences(findings: Sequence[Finding]) -> list[str]:
    """Return what the paper printed and what was found, in a line each."""
    printed = published_table_of().set_index("model").loc["mBERT"].iloc[0]
    said = [
        f"{printed['source']}, mBERT on XNLI: {printed['untouched']:.1f} to {printed['k1']:.1f} % at k = 1, "
        f"{printed['skill_lost']:.1f} % of what it had above chance."
    ]
    for finding in findings:
        if finding.draws is None:
            said.append(f"{finding.setup.name}: inference was not learnt: {finding.why_nothing}. Nothing follows.")
            continue
        over, codes = finding.over
        found = shares(finding.heads["nli"], codes).set_index("quantity")

        def told(name: str, found: pd.DataFrame = found) -> str:
            low, high = found.loc[name, ["low", "high"]]
            return f"{found.loc[name, 'estimate']:.2f} ({low:.2f} to {high:.2f})"

        said.append(
            f"{finding.setup.name}, {over}: accuracy {told('accuracy of the untouched model')} %. Points lost at k = 1 "
            f"with the pooler kept {told('fall at k = 1, pooler kept')}, with a lost one "
            f"{told('fall at k = 1, pooler lost')}, of which at k = 0 {told('fall at k = 0, pooler lost')}: a share of "
            f"{told('share of the fall at k = 1 that the lost pooler alone explains')}. "
            + said_of(finding.draws, codes, _few(finding))
        )
    return said


def _few(finding: Finding) -> int:
    """Return the number of fresh poolers with studies of their own."""
    return len(next(iter(finding.heads["nli"].after["reinitialise", 0].values())).value)


def main(
    out: Annotated[Path, typer.Option(help="Folder for the studies, tables and the figure; made, or gone on with.")],
    model: Annotated[Path | None, typer.Option(help="Folder of a local model, to be tried on XNLI's samples.")] = None,
    data_root: Annotated[Path, typer.Option(help="Folder of xnli-small and text-small.")] = Path("../shared"),
    draws: Annotated[int, typer.Option(help="Fresh poolers, and half as many nudges of the others; 2 or more.")] = 10,
    many: Annotated[int, typer.Option(help="Fresh poolers that are scored at k = 0 beside them; no fewer.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of world, base and studies.")] = 1,
    world: Annotated[bool, typer.Option(help="Whether to make the artificial world.")] = True,
    first: Annotated[bool, typer.Option(help="Whether the world has a head on the first token beside it.")] = True,
    workers: Annotated[int, typer.Option(help="Processes that train the task adapters. 0: this one.")] = 0,
) -> None:
    """Run the experiment, write the tables and the figure, and print what was found and where it lies."""
    if draws < 2:
        raise typer.BadParameter(f"--draws {draws}: one fresh pooler says nothing of others; give 2 or more")
    if many < draws:
        raise typer.BadParameter(f"--many {many}: these begin with the {draws} of --draws; give {draws} or more")
    torch.set_num_threads(1)
    findings = []
    if world:
        print(f"making an artificial world and its base in {out / 'world'}, where they are not there", flush=True)
        setup = world_setup(out / "world", seed)
        setup = setup if first else replace(setup, heads=("nli",))
        findings.append(explore(setup, out / "studies-world", draws, many, workers))
    if model is not None:
        setup = model_setup(model, data_root)
        findings.append(explore(setup, out / f"studies-{model.name}", draws, many, workers))
    written = write(findings, out)
    print("\n".join([*sentences(findings), *map(str, written)]))
    if world and not findings[0].heads:
        raise typer.Exit(NOTHING_TO_SHOW)


def write(findings: Sequence[Finding], out: Path) -> list[Path]:
    """Write tables and figure and return their paths."""
    paths = []
    for name, frame in frames_of(findings).items():
        paths.append(out / f"{name}.csv")
        frame.to_csv(paths[-1], index=False, float_format="%.4f", lineterminator="\n")
    shown = [finding for finding in findings if finding.heads]
    figures = {"pooler": pooler_figure(panels_of(findings))} if shown else {}
    for finding in shown:
        name, codes = finding.over
        title = f"Language inference with a fresh pooler: {finding.setup.name}, {name}"
        if finding.draws is not None:
            figure = draws_figure(finding.draws, codes, _few(finding), title)
            figures[f"pooler_draws-{finding.setup.name.replace(' ', '_')}"] = figure
    for file, figure in figures.items():
        made = drawing(figure, in_page=False)
        for kind, content in (("png", made.png), ("svg", made.svg)):
            paths.append(out / f"{file}.{kind}")
            paths[-1].write_bytes(content)
    return paths


if __name__ == "__main__":
    typer.run(main)
