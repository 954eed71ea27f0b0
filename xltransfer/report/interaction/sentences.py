"""Sentences about language interaction, made from the numbers with their intervals, and from nothing else.

Each function looks at one kind of finding of one condition and returns a sentence, or None where there is nothing to
say. Names of languages are isolated, for they may be written from right to left.
"""

from typing import Any, Final

import pandas as pd

from xltransfer.report.interaction.subject import AGAINST, CALLED
from xltransfer.report.names import isolated
from xltransfer.report.numbers import count, in_words, is_undefined, listed, number, p_value, percent
from xltransfer.report.sentences import LEVEL, Words

_SHOWN_LANGUAGES: Final = 6
_WITHIN: Final = 2.0
"""Item standard errors within which a difference is what sampling sentences alone gives."""


def balance(row: Any, words: Words) -> str:
    """Say how many members gain, beside what no effect gives; a row of `analysis.interference_balance`."""
    where = f"In {CALLED[row['size']]}, against {AGAINST[row['control']]}"
    if row["n_cells"] == 0:
        return f"{where}, no member has been measured."
    counted = (
        f"{where}, {in_words(row['n_gain'])} of {count(row['n_cells'], 'member')} {_verb(row['n_gain'], 'gain')}, "
        f"{in_words(row['n_loss'])} {_verb(row['n_loss'], 'lose')} and {in_words(row['n_tie'])} "
        f"{_verb(row['n_tie'], 'tie')}{_missing(row)}"
    )
    shares = f"{percent(row['estimate'], 0, False)} gain; without any effect it would be "
    shares += percent(row["percent_if_no_effect"], 0, False)
    mean = f"the mean difference is {words.amount(row['mean'])}"
    if is_undefined(row["low"]) or is_undefined(row["p"]):
        return f"{counted}. {shares} (no interval: {row['why'] or 'undefined'}); {mean}."
    bounds = f"{100 * row['level']:g}\u00a0% interval {number(row['low'], 0)} to {number(row['high'], 0)}"
    clear = "is more" if row["excess"] > 0 else "is fewer"
    verdict = "cannot be told from it" if row["p"] > LEVEL else clear
    if not is_undefined(row["mean_low"]):
        mean += f" ({number(row['mean_low'], 2, True)} to {number(row['mean_high'], 2, True)})"
    return f"{counted}. {shares} ({bounds}, for other languages): this {verdict} (p {_p(row['p'])}); {mean}."


def places(rows: pd.DataFrame, size: int, control: str, labels: dict[str, str]) -> str | None:
    """Say how many languages' ellipses leave the origin, and which languages are off an axis.

    ``rows`` are those of one condition, control and size of `analysis.interference_regions.regions`.
    """
    shown = rows[rows["x"].notna()]
    if shown.empty:
        return None
    where = f"In the plane of {CALLED[size]} against {AGAINST[control]}"
    drawn = shown[shown["leaves_origin"].notna()]
    if drawn.empty:
        text = f"{where}, none of {count(len(shown), 'language')} has an ellipse ({_reasons(shown)})"
    else:
        out, without = int(drawn["leaves_origin"].sum()), len(shown) - len(drawn)
        text = f"{where}, {in_words(out)} of {len(drawn)} {'ellipses' if len(drawn) > 1 else 'ellipse'} "
        text += f"{'leaves' if out == 1 else 'leave'} the origin out; about {number(LEVEL * len(drawn), 1)} would by "
        text += "chance" + (f" ({count(without, 'language')} without ellipse)" if without else "")
    sides = [
        _side(shown[shown["side_x"] > 0], labels, "receives more than it loses", "receive more than they lose"),
        _side(shown[shown["side_x"] < 0], labels, "loses more than it receives", "lose more than they receive"),
        _side(shown[shown["side_y"] > 0], labels, "is good for its partners", "are good for their partners"),
        _side(shown[shown["side_y"] < 0], labels, "is bad for its partners", "are bad for their partners"),
    ]
    said = [side for side in sides if side]
    tail = f"Shown by the interval of an axis: {'; '.join(said)}" if said else "No interval of an axis leaves out 0"
    return f"{text}. {tail}."


def capacity(row: Any, words: Words) -> str:
    """Say how much of the published gain a second adapter gives too; a row of `analysis.control_effect`."""
    of = f"In {CALLED[row['size']]}, [AB] − [A] is {words.amount(row['published'])} on average"
    if row["size"] == 3:
        of = of.replace("[AB]", "[ABC]")
    bounds = _bounds(row, "published")
    left = f"{words.amount(row['controlled'])}{_bounds(row, 'controlled')} are left against [AA′]"
    if is_undefined(row["percent_removed"]):
        why = f"no interval: {row['why']}" if is_undefined(row["published_low"]) else "its interval holds 0"
        share = f"there is no clear gain of which the capacity control could remove a part ({why})"
    elif row["published"] > 0:
        share = f"{percent(row['percent_removed'], 0, False)} of the gain disappears under the capacity control"
    else:
        share = f"{percent(row['percent_removed'], 0, False)} of the loss disappears under the capacity control"
    kept = f"{in_words(row['n_kept'])} of {count(row['n_gain'], 'gain')} against [A]"
    too = "is also a gain" if row["n_kept"] == 1 else "are also gains"
    return f"{of}{bounds}; {left}: {share}. Counted, {kept} {too} against [AA′]."


def sampling(rows: pd.DataFrame, control: str) -> str | None:
    """Say how many differences are more than sampling sentences gives; rows of the frame of compositions."""
    known = rows[f"in_se_{control}"].dropna()
    if known.empty:
        return None
    beyond = int((known.abs() > _WITHIN).sum())
    return (
        f"Against {AGAINST[control]}, {in_words(beyond)} of {count(len(known), 'difference')} "
        f"{'exceeds' if beyond == 1 else 'exceed'} two item standard errors; about {number(LEVEL * len(known), 0)} "
        "would if there were nothing but the choice of sentences."
    )


def fusions(row: Any, words: Words) -> str:
    """Say how two kinds of fusion differ; a row of `analysis.fusion_differences`."""
    bounds = "" if is_undefined(row["low"]) else f" ({number(row['low'], 2, True)} to {number(row['high'], 2, True)})"
    clear = not is_undefined(row["low"]) and (row["low"] > 0 or row["high"] < 0)
    verdict = "" if clear else ", which may be nothing" if bounds else f" (no interval: {row['why'] or 'undefined'})"
    return (
        f"In {CALLED[row['size']]}, {row['fusion']} fusions score {words.amount(row['estimate'])}{bounds} beside "
        f"{row['other']} ones on the same compositions{verdict}; both give the same sign against [A] in "
        f"{row['n_same']:,} of {row['n_cells']:,}."
    )


def improved(rows: pd.DataFrame) -> str | None:
    """Say how many languages score above the task adapter alone; rows of `analysis.improvement_shares`."""
    said = {
        "a1": "under their own adapter [A]",
        "a2": "in the mean of their pairs [AB]",
        "a3": "in the mean of their threes [ABC]",
    }
    parts = []
    for setting, where in said.items():
        for row in rows[(rows["setting"] == setting) & (rows["n_languages"] > 0)].to_dict("records"):
            bounds = f"{number(row['low'], 0)} to {number(row['high'], 0)}\u00a0%"
            parts.append(f"{row['n_improved']} of {row['n_languages']} {where} (interval {bounds})")
    return f"Languages that score higher than under the task adapter alone, [T]: {listed(parts)}." if parts else None


def _side(rows: pd.DataFrame, labels: dict[str, str], one: str, many: str) -> str:
    """Return which languages are on one side of an axis."""
    if rows.empty:
        return ""
    names = [isolated(labels.get(code, code)) for code in rows["language"]]
    if len(names) > _SHOWN_LANGUAGES:
        return f"{in_words(len(names))} languages {many}"
    return f"{listed(names)} {one if len(names) == 1 else many}"


def _reasons(rows: pd.DataFrame) -> str:
    return listed(sorted(set(rows["why"].astype(str)) - {""})) or "undefined"


def _missing(row: Any) -> str:
    """Return how many members were not measured."""
    return f" ({in_words(row['n_missing'])} not measured)" if row["n_missing"] else ""


def _bounds(row: Any, name: str) -> str:
    """Return the interval of one of several estimates of a row."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if is_undefined(low) else f" ({number(low, 2, True)} to {number(high, 2, True)})"


def _p(value: Any) -> str:
    """Return a p-value with its relation."""
    shown = p_value(value)
    return shown if shown.startswith("<") else f"= {shown}"


def _verb(n: int, verb: str) -> str:
    return f"{verb}s" if n == 1 else verb
