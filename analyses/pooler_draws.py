"""Many fresh poolers at k = 0, without any nudge: how far apart the scores of single draws are.

Where one direction tells the classes apart, a fresh pooler keeps it, turns it round or hides it behind the rest, and
accuracy has a wide and lopsided distribution: the mean of ten draws says little of it, that of one, as in print, less.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pooler_numbers import CHANCE, Quantity, Scores, mean_of, skill_lost
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

_Right = Mapping[str, "pd.Series[float]"]
"""Language -> share of right answers by premise, all of the same premises."""


@dataclass(frozen=True)
class Draws:
    """What a task adapter scores with the pooler that it was trained on, and with many fresh ones.

    Attributes
    ----------
    untouched
        Language -> accuracy; one replicate.
    fresh
        The same with a replicate a draw. The first draws are those of the studies ``reinitialise-01`` ...
    """

    untouched: Scores
    fresh: Scores

    def mean(self, codes: Sequence[str]) -> tuple[Quantity, Quantity]:
        """Return the mean over languages, untouched and fresh."""
        untouched, fresh = (mean_of(scores[code] for code in codes) for scores in (self.untouched, self.fresh))
        return untouched, fresh


def many_draws(setup: Setup, out: Path, task: str, draws: int) -> Draws:
    """Score the task adapter in ``out / "keep"`` on every language under fresh poolers, without a nudge."""
    context = open_context(load_study(out / "keep.yaml"), out / "keep")
    seeds = [child_seed(setup.seed + draw, "pooler") for draw in range(1, draws + 1)]
    return Draws(_scores([_right(context, task)]), _scores([_with_fresh(context, task, seed) for seed in seeds]))


def _with_fresh(context: Context, task: str, seed: int) -> _Right:
    """Return what is right with the pooler of this seed; the model is as before afterwards."""
    blocks = next(iter(context.corpora.values()))
    # No step is made, so the other seeds decide nothing.
    settings, seeds = NudgeSettings(steps=0, pooler="reinitialise"), NudgeSeeds(0, 0, 0, 0, pooler=seed)
    with nudge(context.model, blocks, context.vocabulary, settings, seeds) as path:
        (found,) = (_right(context, task) for _ in path.stop_at(0))
    return found


def _right(context: Context, task: str) -> _Right:
    """Return what is right with the model as it stands now."""
    scorer = scorer_name(context.specs[task], 0)
    context.load_scorer(scorer)
    return dict(_by_premise(context, task, scorer))


def _by_premise(context: Context, task: str, scorer: str) -> Iterator[tuple[str, "pd.Series[float]"]]:
    for ref in context.resolved.targets[task]:
        prepared = context.prepared(task, ref.name)
        counts = score(context.task(task), context.model, Stack(scorer), scorer, prepared).overall
        frame = pd.DataFrame({name: counts[name] for name in ("correct", "total")}, dtype=np.float64)
        sums = frame.groupby(list(prepared.encoded.clusters)).sum()
        yield ref.language, sums["correct"] / sums["total"]


def _scores(models: Sequence[_Right]) -> Scores:
    """Return the accuracies in percent; premises have the same number of pairs, so each counts alike."""
    found = {}
    for language in models[0]:
        right = 100 * np.stack([model[language].to_numpy() for model in models])
        value = right.mean(axis=1)
        found[language] = Quantity(value, (right - value[:, None]) / right.shape[1])
    return found


def draws_table(draws: Draws) -> pd.DataFrame:
    """Return ``draw`` (from 1), ``language``, ``accuracy`` (percent)."""
    rows = [
        (draw, language, accuracy)
        for language, quantity in draws.fresh.items()
        for draw, accuracy in enumerate(quantity.value, start=1)
    ]
    return pd.DataFrame(rows, columns=["draw", "language", "accuracy"])


def draws_shares(draws: Draws, codes: Sequence[str]) -> pd.DataFrame:
    """Return what a lost pooler takes at k = 0 by all draws, in the columns of `pooler_numbers.shares`."""
    untouched, fresh = draws.mean(codes)
    named = {
        ("accuracy at k = 0, pooler lost", "%"): fresh,
        ("fall at k = 0, pooler lost", "points"): untouched.plus(fresh, -1),
        ("skill lost at k = 0, pooler lost", "%"): skill_lost(fresh, untouched),
    }
    rows = [(name, unit, *quantity.interval(), len(fresh.value)) for (name, unit), quantity in named.items()]
    return pd.DataFrame(rows, columns=["quantity", "unit", "estimate", "low", "high", "poolers"])


def said_of(draws: Draws, codes: Sequence[str], few: int) -> str:
    """Return the distribution over the draws in a sentence, and what its first ``few`` gave."""
    found = draws_shares(draws, codes).set_index("quantity")
    _, fresh = draws.mean(codes)
    under, over = np.quantile(fresh.value, (0.05, 0.95))
    accuracy, lost = (
        f"{found.loc[name, 'estimate']:.1f} % ({found.loc[name, 'low']:.1f} to {found.loc[name, 'high']:.1f})"
        for name in ("accuracy at k = 0, pooler lost", "skill lost at k = 0, pooler lost")
    )
    return (
        f"{len(fresh.value)} fresh poolers at k = 0: accuracy {accuracy} on average, where chance is {CHANCE:.0f}; one "
        f"in twenty under {under:.1f}, one in twenty over {over:.1f}. Of what the untouched model has above chance, a "
        f"lost pooler takes {lost}. The first {few}, which the studies have: {fresh.value[:few].mean():.1f} %."
    )


@house_look()
def draws_figure(draws: Draws, codes: Sequence[str], few: int, title: str) -> Figure:
    """Return a histogram of the draws' accuracy, the first ``few`` as ticks below."""
    untouched, fresh = draws.mean(codes)
    figure = new_figure((4.6, 2.9))
    axes = figure.subplots()
    axes.hist(fresh.value, bins=list(np.arange(0.0, 102.5, 2.5)), color=TASK[2][0], alpha=0.6, linewidth=0)
    axes.plot(fresh.value[:few], np.zeros(few), "|", color=INK, markersize=9, clip_on=False)
    marks = {"chance": (CHANCE, SOFT, (0, (4, 3))), "untouched": (untouched.mean, TASK[0][0], "-")}
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
