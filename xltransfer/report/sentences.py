"""The summary of a report: sentences that are made from the numbers, with their intervals, and from nothing else.

Each function looks at one kind of finding of one condition (base, task, metric, steps) and returns a sentence, or None
where there is nothing to say. What the noise does not allow to say is said to be so. Names of languages are isolated
(`names.isolated`), for they may be written from right to left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from xltransfer.analysis.metric_names import is_percent
from xltransfer.figures.labels import metric_label
from xltransfer.report.names import isolated
from xltransfer.report.numbers import count, in_words, is_undefined, listed, number, p_value, percent

LEVEL: Final = 0.05
"""Of p-values, adjusted or not."""

_OVER: Final = {
    "this_test_set": "for these test sets",
    "new_sentences": "over new sentences",
    "new_targets": "over new target languages",
}


@dataclass(frozen=True)
class Words:
    """What numbers and languages of one condition are called.

    Attributes
    ----------
    task, metric, scale
        Of the condition.
    labels
        Language code to name.
    several
        Transfer languages with more than one corpus: there the corpus is named too.
    """

    task: str
    metric: str
    scale: str
    labels: Mapping[str, str]
    several: frozenset[str] = frozenset()

    @property
    def scored(self) -> str:
        """Task and metric."""
        return f"{isolated(self.task)} {metric_label(self.metric)}"

    @property
    def digits(self) -> int:
        """Decimals of a change."""
        return 2 if self.scale in ("ts", "delta") else 4

    def entry(self, row: Any) -> str:
        """Return the name of a transfer entry."""
        name = isolated(self.labels.get(row["transfer"], row["transfer"]))
        return f"{name} on corpus {isolated(row['corpus'])}" if row["transfer"] in self.several else name

    def target(self, row: Any) -> str:
        """Return the name of a target language."""
        return isolated(self.labels.get(row["target"], row["target"]))

    def amount(self, value: Any, signed: bool = True) -> str:
        """Return a change in the scale's unit."""
        if self.scale == "ts":
            return percent(value, signed=signed)
        shown = number(value, self.digits, signed)
        if self.scale != "delta" or is_undefined(value):
            return shown
        return f"{shown}\u00a0{'points' if is_percent(self.metric) else 'nats'}"

    def with_interval(self, row: Any) -> str:
        """Return an estimate with its interval, or why it has none."""
        shown = self.amount(row["estimate"])
        if is_undefined(row["low"]):
            return f"{shown} (no interval: {row['why'] or 'undefined'})"
        bounds = f"{number(row['low'], self.digits, True)} to {number(row['high'], self.digits, True)}"
        return f"{shown} ({100 * row['level']:g}\u00a0% interval {bounds}, {_OVER[row['estimand']]})"


def extremes(aggregates: pd.DataFrame, words: Words) -> str:
    """Say which transfer languages come out first and last on average, and whether they are shown to help or hurt.

    ``aggregates`` are the rows of one condition, weighting and include_self.
    """
    known = aggregates[aggregates["estimate"].notna()].sort_values(["estimate", "transfer", "corpus"], ascending=False)
    if known.empty:
        return f"On {words.scored} nothing can be aggregated: every target is at the floor, too small or undefined."
    best, worst = known.iloc[0], known.iloc[-1]
    if len(known) == 1:
        return f"On {words.scored} the only transfer language, {words.entry(best)}, gives {words.with_interval(best)}."
    first = f"{words.entry(best)} {_verb(best, 'helps most', 'hurts least', 'comes first')}"
    last = f"{words.entry(worst)} {_verb(worst, 'helps least', 'hurts most', 'comes last')}"
    over = count(int(known["n_targets"].max()), "target")
    return (
        f"On {words.scored}, averaged over {over}, {first} with {words.with_interval(best)}; {last} with "
        f"{words.with_interval(worst)}."
    )


def away_from_zero(aggregates: pd.DataFrame) -> str | None:
    """Say for how many transfer languages the interval of the aggregate leaves out zero, and on which side."""
    known = aggregates[aggregates["low"].notna()]
    if known.empty:
        return _without_interval(aggregates, "No aggregate has an interval")
    up, down = int((known["low"] > 0).sum()), int((known["high"] < 0).sum())
    total = count(len(known), "transfer entry", "transfer entries")
    if up + down == 0:
        return f"Of {total}, none has an interval that leaves out zero: no average effect survives the noise."
    return (
        f"Of {total}, {in_words(up + down)} {_have(up + down)} an interval that leaves out zero "
        f"({_sides(up, down, 'above', 'below')}); {_by_chance(len(known))} would by chance."
    )


def ranks(rank_sets: pd.DataFrame, words: Words) -> str | None:
    """Say whether the rank sets of the first and the last overlap, and how many entries could be the best."""
    known = rank_sets[rank_sets["rank_low"].notna() & rank_sets["rank"].notna()]
    if len(known) < 2:
        return _without_interval(rank_sets, "There are no rank sets")
    ordered = known.sort_values(["rank", "transfer", "corpus"])
    best, worst = ordered.iloc[0], ordered.iloc[-1]
    if ((known["rank_low"] == 1) & (known["rank_high"] == len(known))).all():
        return f"The noise allows every transfer language every rank, 1 to {len(known)}: the ranking says nothing."
    sets = f"{_ranks(best)} for {words.entry(best)} and {_ranks(worst)} for {words.entry(worst)}, of {len(known)}"
    could = int((known["rank_low"] == 1).sum())
    # Sets that overlap may still hold a pair that differs, so only sets without overlap say something of the ends.
    apart = best["rank_high"] < worst["rank_low"]
    verdict = "The ranking separates its two ends" if apart else "The ranking is settled in part"
    only, several = f"Only {words.entry(best)}", f"{_capital(in_words(could))} of {len(known)}"
    candidates = only if could == 1 else f"All {len(known)}" if could == len(known) else several
    return f"{verdict}: the simultaneous rank sets are {sets}. {candidates} could be the best."


def surviving(cells: pd.DataFrame) -> str | None:
    """Say how many cells survive the corrections for having looked at all of them."""
    tested = cells[cells["p"].notna()]
    if tested.empty:
        return _without_interval(cells, "No cell could be tested")
    bh, holm = tested["p_bh"] <= LEVEL, tested["p_holm"] <= LEVEL
    total, plain = count(len(tested), "cell"), int((tested["p"] <= LEVEL).sum())
    before = f"{_capital(in_words(plain))} {_have(plain)} p ≤ {LEVEL:g} before correction; "
    before += f"{_by_chance(len(tested))} would by chance."
    if not bh.any():
        return f"Of {total}, none survives Benjamini-Hochberg or Holm at 5\u00a0%. {before}"
    up, down = int((bh & (tested["estimate"] > 0)).sum()), int((bh & (tested["estimate"] < 0)).sum())
    found = f"{in_words(int(bh.sum()))} {'survives' if bh.sum() == 1 else 'survive'} Benjamini-Hochberg at 5\u00a0%"
    also = f"{in_words(int(holm.sum()))} also Holm" if holm.any() else "none of them Holm"
    return f"Of {total}, {found} ({_sides(up, down, 'up', 'down')}), {also}. {before}"


def detectable(targets: pd.DataFrame, usual: float, words: Words) -> str | None:
    """Say how large an effect has to be to be seen, beside how large effects are.

    ``targets`` has target and ``measured`` (percent of the baseline, as ts), ``usual`` is the median |ts| of cells.
    """
    known = targets[targets["measured"].notna()].sort_values("measured")
    if known.empty:
        return None
    median = float(known["measured"].median())
    text = f"With 80\u00a0% power the median target can show a ts of {percent(median, 1, False)}"
    if len(known) > 1:
        ends = [f"{percent(row['measured'], 1, False)} for {words.target(row)}" for row in _ends(known)]
        text += f" (from {ends[0]} to {ends[1]})"
    if is_undefined(usual):
        return f"{text}."
    verdict = "most effects of the usual size stay unseen" if usual < median else "effects of the usual size are seen"
    return f"{text}; the median |ts| of a cell is {percent(usual, 2, False)}: {verdict}."


def noise(noise_floor: pd.DataFrame, metrics: Mapping[str, str]) -> list[str]:
    """Say how far the scores of each task (task to metric) move when only the arithmetic changes."""
    own = noise_floor[noise_floor["metric"] == noise_floor["task"].map(metrics)]
    said = {"noise_batching": "in other batches", "noise_precision": "at another precision"}
    found = []
    for setting, how in said.items():
        largest = own[own["setting"] == setting].groupby("task")["max_ts"].max().dropna()
        scored = {task: f"{isolated(task)} {metric_label(metrics[task])}" for task in metrics if task in largest}
        still = [name for task, name in scored.items() if largest[task] == 0]
        moved = [f"{percent(largest[task], 3, False)} on {name}" for task, name in scored.items() if largest[task]]
        parts = [f"no score of {listed(still, 'or')} changes"] if still else []
        parts += [f"ts moves by at most {listed(moved)}"] if moved else []
        if parts:
            found.append(f"When the untouched model is scored again {how}, {', and '.join(parts)}.")
    return found


def control(controls: pd.DataFrame, task: str, metric: str, setting: str) -> str | None:
    """Say whether the language's own text did more than a control of the same size."""
    own = controls[(controls["setting"] == setting) & (controls["task"] == task) & (controls["metric"] == metric)]
    own = own[own["difference"].notna() & own["difference_se"].notna() & (own["n_targets"] > 1)]
    if own.empty:
        return None
    said = {"random_sign": "a change of the same size with random signs", "shuffled_text": "the same text shuffled"}
    clear = own[own["difference"].abs() > 2 * own["difference_se"]]
    more, fewer = int((clear["difference"] > 0).sum()), int((clear["difference"] < 0).sum())
    scored, total = f"{isolated(task)} {metric_label(metric)}", count(len(own), "comparison")
    if clear.empty:
        return (
            f"On {scored}, a language's own text cannot be told from {said[setting]} in any of {total} (all within two "
            "standard errors over targets)."
        )
    middle = percent(own["difference"].median())
    return (
        f"On {scored}, a language's own text does better than {said[setting]} in {in_words(more)} and worse in "
        f"{in_words(fewer)} of {total}, by more than two standard errors over targets (median difference {middle})."
    )


def seen_or_not(differences: pd.DataFrame, words: Words) -> str | None:
    """Say whether languages that the base model has not seen receive, or give, other than seen ones.

    ``differences`` are the rows of one condition of `analysis.seen_unseen_differences`.
    """
    said = {"target": "Unseen target languages receive", "transfer": "Unseen transfer languages give"}
    parts = []
    for side, who in said.items():
        for _, row in differences[(differences["side"] == side) & (differences["among"] == "all")].iterrows():
            if is_undefined(row["estimate"]):
                continue
            more = "more" if row["estimate"] > 0 else "less"
            clear = "" if is_undefined(row["low"]) or row["low"] > 0 or row["high"] < 0 else ", which may be nothing"
            parts.append(f"{who} {more} than seen ones: {words.with_interval(row)}{clear}.")
    return " ".join(parts) or None


def reliable(rows: pd.DataFrame) -> str | None:
    """Say how far aggregates would come out again with other replicates; rows of `analysis.reliability`."""
    found = rows[(rows["unit"] == "aggregate") & (rows["statistic"] == "icc_mean")]
    if found.empty:
        return None
    row = found.iloc[0]
    if is_undefined(row["estimate"]):
        return f"The reliability over replicates is not known ({row['why']})." if row["why"] else None
    bounds = "" if is_undefined(row["low"]) else f" ({number(row['low'])} to {number(row['high'])})"
    worth = "most" if row["estimate"] >= 0.75 else "part" if row["estimate"] >= 0.4 else "little or nothing"
    again = f"{worth} of what differs between transfer languages would come out again with other replicates"
    return f"The reliability of the aggregates is {number(row['estimate'])}{bounds}: {again}."


def more_than_chance(row: Any) -> str:
    """Say whether more or fewer cells gain than without any effect; a row of `analysis.percent_positive`."""
    gain, chance = percent(row["estimate"], 0, False), percent(row["percent_if_no_effect"], 0, False)
    if is_undefined(row["low"]):
        return f"{gain} of the cells gain; without any effect it would be {chance} (no interval: {row['why']})."
    bounds = f"{100 * row['level']:g}\u00a0% interval {number(row['low'], 0)} to {number(row['high'], 0)}"
    verdict = "cannot be told from it" if row["p"] > LEVEL else "is more" if row["excess"] > 0 else "is fewer"
    told = f"{gain} of the cells gain ({bounds}); without any effect it would be {chance}"
    return f"{told}, and this {verdict} (p {_p(row['p'])})."


def _p(value: Any) -> str:
    """Return a p-value with its relation."""
    shown = p_value(value)
    return shown if shown.startswith("<") else f"= {shown}"


def _without_interval(rows: pd.DataFrame, what: str) -> str | None:
    """Return that there is no interval, with the reasons that the rows give."""
    reasons = sorted(set(rows["why"].astype(str)) - {""})
    return f"{what} ({listed(reasons)})." if reasons else None


def _ends(rows: pd.DataFrame) -> tuple[Any, Any]:
    """Return the first and the last row."""
    return rows.iloc[0], rows.iloc[-1]


def _verb(row: Any, helps: str, hurts: str, unknown: str) -> str:
    """Return what a language is shown to do: its interval decides, not the sign of its estimate."""
    return helps if row["low"] > 0 else hurts if row["high"] < 0 else unknown


def _ranks(row: Any) -> str:
    """Return a rank set in words."""
    low, high = int(row["rank_low"]), int(row["rank_high"])
    return f"rank {low}" if low == high else f"ranks {low} to {high}"


def _sides(up: int, down: int, above: str, below: str) -> str:
    """Return how many lie on either side."""
    if up and down:
        return f"{in_words(up)} {above} and {in_words(down)} {below}"
    side = above if up else below
    return side if up + down == 1 else f"all {side}"


def _by_chance(n: int) -> str:
    """Return how many of ``n`` true nulls a test at `LEVEL` finds."""
    expected = LEVEL * n
    return f"about {number(expected, 0 if expected >= 1 else 1)}"


def _have(n: int) -> str:
    return "has" if n == 1 else "have"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
