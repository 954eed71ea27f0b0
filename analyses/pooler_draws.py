"""Many fresh poolers at k = 0, without any nudge: how far apart the scores of single draws are.

Where one direction tells the classes apart, a fresh pooler keeps it, turns it round or hides it behind the rest, and
accuracy has a wide and lopsided distribution: the mean of ten draws says little of it, that of one, as in print, less.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pooler_numbers import CHANCE
from pooler_studies import Setup

from xltransfer.config.load import load_study
from xltransfer.engine import Stack
from xltransfer.engine.nudge import NudgeSeeds, NudgeSettings, nudge
from xltransfer.figures.colours import TASK
from xltransfer.figures.look import INK, SOFT, house_look, new_figure
from xltransfer.figures.notes import entitle
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.predictions import open_context
from xltransfer.protocols.transfer.wanted import scorer_name
from xltransfer.randomness import child_seed
from xltransfer.tasks.score import score

COLUMNS = ("setup", "draw", "language", "accuracy")


def many_draws(setup: Setup, out: Path, task: str, draws: int) -> pd.DataFrame:
    """Return the accuracy (percent) of the task adapter in ``out / "keep"`` on every language under fresh poolers.

    Returns
    -------
    DataFrame
        ``setup``, ``draw`` (from 1; the first ones are those of the studies ``reinitialise-01`` ...), ``language``,
        ``accuracy``.
    """
    context = open_context(load_study(out / "keep.yaml"), out / "keep")
    rows = [
        (setup.name, draw, language, accuracy)
        for draw in range(1, draws + 1)
        for language, accuracy in _scores(context, task, child_seed(setup.seed + draw, "pooler")).items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _scores(context: Context, task: str, seed: int) -> dict[str, float]:
    """Return accuracy by language with the pooler of this seed; the model is as before afterwards."""
    scorer = scorer_name(context.specs[task], 0)
    context.load_scorer(scorer)
    blocks = next(iter(context.corpora.values()))
    # No step is made, so the other seeds decide nothing.
    settings, seeds = NudgeSettings(steps=0, pooler="reinitialise"), NudgeSeeds(0, 0, 0, 0, pooler=seed)
    found = {}
    with nudge(context.model, blocks, context.vocabulary, settings, seeds) as path:
        for _ in path.stop_at(0):
            for ref in context.resolved.targets[task]:
                prepared = context.prepared(task, ref.name)
                counts = score(context.task(task), context.model, Stack(scorer), scorer, prepared)
                right, total = (counts.overall[name].sum() for name in ("correct", "total"))
                found[ref.language] = 100 * float(right) / float(total)
    return found


def means(draws: pd.DataFrame, codes: Sequence[str]) -> "pd.Series[float]":
    """Return the mean accuracy over some languages of every draw."""
    return draws[draws["language"].isin(codes)].groupby("draw")["accuracy"].mean()


def said_of(accuracy: "pd.Series[float]", few: int) -> str:
    """Return the distribution in a sentence, and what its first ``few`` draws gave."""
    mean, error = accuracy.mean(), accuracy.sem()
    low, high = np.quantile(accuracy, (0.05, 0.95))
    return (
        f"{len(accuracy)} fresh poolers at k = 0: accuracy {mean:.1f} % on average (standard error {error:.1f}; chance "
        f"is {CHANCE:.0f}), one in twenty under {low:.1f}, one in twenty over {high:.1f}; the first {few}, which the "
        f"rest is about, {accuracy.iloc[:few].mean():.1f}."
    )


@house_look()
def draws_figure(accuracy: "pd.Series[float]", untouched: float, few: int, title: str) -> Figure:
    """Return a histogram of the draws' accuracy, the first ``few`` as ticks below."""
    figure = new_figure((4.6, 2.9))
    axes = figure.subplots()
    axes.hist(accuracy, bins=list(np.arange(0.0, 102.5, 2.5)), color=TASK[2][0], alpha=0.6, linewidth=0)
    axes.plot(accuracy.iloc[:few], np.zeros(few), "|", color=INK, markersize=9, clip_on=False)
    marks = {"chance": (CHANCE, SOFT, (0, (4, 3))), "untouched": (untouched, TASK[0][0], "-")}
    for at, colour, line in marks.values():
        axes.axvline(at, color=colour, linestyle=line, linewidth=1.0)
    axes.set(xlabel="accuracy (%), mean over languages", ylabel="fresh poolers", xlim=(0, 100))
    legend = [
        Line2D([], [], color=colour, linestyle=line, linewidth=1.0, label=name)
        for name, (_, colour, line) in marks.items()
    ]
    legend.append(Line2D([], [], color=INK, marker="|", linestyle="", markersize=7, label=f"the first {few}"))
    entitle(figure, title, "k = 0: another pooler, no step.", legend)
    return figure
