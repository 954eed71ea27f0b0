"""What the numbers of an alignment run say, in sentences made from them."""

from typing import Any

import pandas as pd

from xltransfer.figures.labels import metric_label
from xltransfer.report.alignment.findings import AlignmentFindings
from xltransfer.report.alignment.states import state_label
from xltransfer.report.names import isolated, labels_of
from xltransfer.report.numbers import count, in_words, is_undefined, listed, number, p_value

LEVEL = 0.05


def of_set(found: AlignmentFindings, name: str) -> list[str]:
    """Return what is said of one set of texts, at its headline metric."""
    said = [_level(found, name), _cone(found, name), _best_layer(found, name)]
    said += _adapters(found, name) + _nudges(found, name) + _controls(found, name)
    return [sentence for sentence in said if sentence]


def of_prediction(found: AlignmentFindings) -> list[str]:
    """Return a sentence per regression of the paper's vector on translations, and what the run's notes say."""
    fits = found["prediction"]
    rows = fits[(fits["predictor"] == "cls_cosine") & ~fits["permuted"].astype(bool)]
    said = [_regression(row, fits) for row in rows.to_dict("records")]
    return [*said, *found.notes]


def zero_steps(found: AlignmentFindings) -> str:
    """Return whether zero steps through the whole nudge path changed nothing."""
    rows = found["changes"]
    rows = rows[rows["setting"] == "zero_steps"]
    if rows.empty:
        return "Control zero_steps: not measured."
    wrong = rows[rows["estimate"] != 0]
    if wrong.empty:
        return f"Control zero_steps: PASS, all {len(rows)} means equal those of the untouched model to the last bit."
    return f"Control zero_steps: FAIL, {len(wrong)} of {len(rows)} means differ. Nothing else can be trusted."


def _level(found: AlignmentFindings, name: str) -> str:
    row = _mean(found, name, permuted=False)
    if row is None:
        return ""
    return (
        f"In the untouched model the {_measure(found, name)} of {count(int(row['n_pairs']), 'pair')} of languages is "
        f"{number(row['estimate'], 3)} at the middle layer{_interval(row)}."
    )


def _cone(found: AlignmentFindings, name: str) -> str:
    own, permuted = _mean(found, name, permuted=False), _mean(found, name, permuted=True)
    if own is None or permuted is None or is_undefined(permuted["estimate"]):
        return ""
    above = number(own["estimate"] - permuted["estimate"], 3)
    return (
        f"Permuted pairs reach {number(permuted['estimate'], 3)} there, so {above} of it is owed to what the "
        "texts mean, the rest to vectors that are all alike."
    )


def _best_layer(found: AlignmentFindings, name: str) -> str:
    """Say in which layer translations find each other best, where retrieval was measured."""
    rows = found["levels"]
    rows = rows[(rows["task"] == name) & (rows["setting"] == "baseline") & ~rows["permuted"]]
    rows = rows[rows["metric"] == "mean_retrieval"].dropna(subset="estimate")
    if rows.empty:
        return ""
    best = rows.sort_values("estimate", ascending=False).iloc[0]
    sets = found["sets"]
    texts = int(sets.loc[sets["task"] == name, "most"].iloc[0])
    return (
        f"By the mean over tokens a text finds its translation among {texts} best in layer {int(best['layer'])}: "
        f"{number(best['estimate'], 1)} % of queries{_interval(best, 1)}; chance is {number(100 / texts, 1)} %."
    )


def _adapters(found: AlignmentFindings, name: str) -> list[str]:
    rows = found["changes"]
    rows = rows[(rows["task"] == name) & rows["setting"].str.endswith("adapters") & rows["middle"]]
    rows = rows[(rows["metric"] == found.metrics[name]) & ~rows["permuted"]]
    return [
        f"With {isolated(state_label(row))} the {_measure(found, name)} changes by {number(row['estimate'], 3, True)} "
        f"on average{_interval(row)}."
        for row in rows.to_dict("records")
    ]


def _nudges(found: AlignmentFindings, name: str) -> list[str]:
    """Say for every k how many nudges raise alignment, how many lower it, which most, and what is left net."""
    rows = found["nudges"]
    rows = rows[(rows["task"] == name) & (rows["setting"] == "nudge") & (rows["metric"] == found.metrics[name])]
    rows = rows[~rows["permuted"]].dropna(subset="estimate")
    said = []
    for steps in sorted({int(k) for k in rows["steps"]}):
        own = rows[rows["steps"] == steps].sort_values("estimate", ascending=False)
        sure = own[own["p_holm"] <= LEVEL]
        up, down = int((sure["estimate"] > 0).sum()), int((sure["estimate"] < 0).sum())
        tested = int(own["p"].notna().sum())
        entry = count(tested, "nudge with an interval", "nudges with an interval")
        raised = f"{in_words(up)} raise{'s' if up == 1 else ''} the {_measure(found, name)}"
        lowered = f"{in_words(down)} lower{'s' if down == 1 else ''} it"
        text = f"After k = {steps}, of {entry} {raised} and {lowered} (Holm over these)"
        ends = [own.iloc[0], own.iloc[-1]]
        words = ["the largest change is", "the smallest"]
        parts = [f"{word} {_nudged(found, row)}" for word, row in zip(words, ends, strict=True)]
        said.append(f"{text}; {listed(parts) if len(own) > 1 else parts[0]}.")
        said += _net(own)
    return said


def _net(own: pd.DataFrame) -> list[str]:
    """Say what is left of the changes where those of permuted pairs are taken off."""
    rows = own.dropna(subset="net")
    if rows.empty:
        return []
    sure = rows[rows["net_p_holm"] <= LEVEL]
    closer, apart = int((sure["net"] > 0).sum()), int((sure["net"] < 0).sum())
    alike = float(rows["estimate"].mean() - rows["net"].mean())
    moved = f"{in_words(apart)} move{'s' if apart == 1 else ''} them apart"
    brought = (
        f"{in_words(closer)} of {len(rows)} bring{'s' if closer == 1 else ''} translations closer than other texts"
    )
    return [
        f"Permuted pairs move too, by {number(alike, 4, True)} on average. Net of them the mean change is "
        f"{number(rows['net'].mean(), 4, True)}: {brought}, {moved} (Holm)."
    ]


def _controls(found: AlignmentFindings, name: str) -> list[str]:
    """Lay the controls of a nudge beside it."""
    rows = found["nudges"]
    rows = rows[(rows["task"] == name) & (rows["metric"] == found.metrics[name]) & ~rows["permuted"]]
    said = []
    for row in rows[rows["setting"].isin(["shuffled_text", "random_sign"])].to_dict("records"):
        same = rows[(rows["setting"] == "nudge") & (rows["corpus"] == row["corpus"]) & (rows["steps"] == row["steps"])]
        if len(same) != 1:
            continue
        control = "shuffled text" if row["setting"] == "shuffled_text" else "the same step with random signs"
        said.append(
            f"Control on {isolated(row['corpus'])}, k = {int(row['steps'])}: {control} changes the "
            f"{_measure(found, name)} by {number(row['estimate'], 4, True)}{_interval(row, 4)}, the nudge by "
            f"{number(same['estimate'].iloc[0], 4, True)}."
        )
    return said


def _regression(row: dict[Any, Any], fits: pd.DataFrame) -> str:
    scored = f"{isolated(row['task'])} {metric_label(row['metric'])}"
    where = f"{scored}, k = {int(row['steps'])}, texts {isolated(row['texts'])}"
    if is_undefined(row["slope"]):
        return f"{where}: no slope ({row['why']})."
    sure = row["p_holm"] <= LEVEL
    verdict = "predicts ts" if sure else "does not predict ts beyond chance"
    interval = ""
    if not is_undefined(row["low"]):
        interval = f", 95 % interval {number(row['low'] / 100, 3)} to {number(row['high'] / 100, 3)}"
    same = fits[fits["permuted"].astype(bool)]
    for name in ("texts", "task", "metric", "steps", "predictor", "base"):
        same = same[same[name] == row[name]]
    beside = ""
    if len(same) == 1 and not is_undefined(same["p"].iloc[0]):
        beside = f" (the change of permuted pairs: p {p_value(same['p'].iloc[0])})"
    p = f"p {p_value(row['p'])} (Holm {p_value(row['p_holm'])})"
    return (
        f"{where}: the change of alignment {verdict}; {number(row['slope'] / 100, 3, True)} % of ts per hundredth "
        f"of the cosine{interval}, {p}, {count(int(row['n_pairs']), 'pair')}{beside}."
    )


def _mean(found: AlignmentFindings, name: str, permuted: bool) -> dict[Any, Any] | None:
    """Return the mean over pairs of the untouched model at the middle layer, by the headline metric."""
    rows = found["levels"]
    rows = rows[(rows["task"] == name) & (rows["setting"] == "baseline") & (rows["metric"] == found.metrics[name])]
    rows = rows[rows["middle"] & (rows["permuted"] == permuted)]
    return None if rows.empty else dict(rows.iloc[0])


def _measure(found: AlignmentFindings, name: str) -> str:
    return f"mean {metric_label(found.metrics[name])}"


def _nudged(found: AlignmentFindings, row: Any) -> str:
    language = labels_of(found.languages).get(row["transfer"], row["transfer"])
    return f"{number(row['estimate'], 4, True)}{_interval(row, 4)} by {isolated(language)} ({isolated(row['corpus'])})"


def _interval(row: Any, digits: int = 3) -> str:
    if is_undefined(row["low"]):
        return ""
    return f" (95 % interval {number(row['low'], digits)} to {number(row['high'], digits)})"
