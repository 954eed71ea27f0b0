"""Faisal and Anastasopoulos (2024): the scores of Tables 2 and 7 to 14, and what the text says about them."""

from collections.abc import Iterator

import pandas as pd

from audit.comparison import Finding, Read, Value, flag, mean, number, share, text, values
from audit.stated import Stated

TASKS = ("dep", "pos", "ner")
INTERACTIONS = ("a1", "a2", "a3")


def findings(read: Read) -> Iterator[Finding]:
    """Compare averages, copies and improvements with the scores."""
    scores = read("tables07-14_scores")
    flags = read("tables07_09_11_improvement")
    yield from _averages(scores, read("tables08_10_12_averages"))
    yield from _copies(scores)
    yield from _unseen(read("table02_unseen_transfer_scores"), scores)
    yield from _improvements(scores, flags)
    yield from _stated(Stated(read("stated_numbers")), scores, flags, read("table02_unseen_transfer_scores"))


def _averages(scores: pd.DataFrame, averages: pd.DataFrame) -> Iterator[Finding]:
    """Tables 8, 10 and 12, `Avg.`: mean over the languages of the table."""
    for row in averages.to_dict("records"):
        same = (scores["table"] == row["table"]) & (scores["model"] == row["model"])
        cells = scores[same & (scores["setting"] == row["setting"])]["score"]
        what = f"Avg., {row['model']}, {row['setting']}"
        yield number(f"Table {row['table']}", what, row["avg"], mean(values(cells)), f"mean of {len(cells)} languages")


def _copies(scores: pd.DataFrame) -> Iterator[Finding]:
    """Tables 8, 10 and 12 repeat the multilingual BERT scores of Tables 7, 9 and 11."""
    keys = ["model", "task", "lang", "setting"]
    first = scores[scores["table"].isin(["7", "9", "11"])]
    again = scores[scores["table"].isin(["8", "10", "12"])]
    for row in first.merge(again, on=keys, suffixes=("", "_again")).to_dict("records"):
        what = f"{row['model']}, {row['lang']}, {row['setting']}"
        yield text(f"Table {row['table_again']}", what, row["score_again"], row["score"], f"Table {row['table']}")


def _unseen(table: pd.DataFrame, scores: pd.DataFrame) -> Iterator[Finding]:
    """Table 2 repeats scores of Tables 7, 9 and 11 with fewer digits."""
    keys = ["model", "task", "lang", "setting"]
    source = scores[scores["table"].isin(["7", "9", "11"])]
    for row in table.merge(source, on=keys, how="left", suffixes=("", "_source")).to_dict("records"):
        what = f"{row['task']}, {row['lang']}, {row['setting']}"
        value = Value.printed(row["score_source"])
        yield number("Table 2", what, row["score"], value, f"Table {row['table_source']}")


def _settings(scores: pd.DataFrame) -> pd.DataFrame:
    """Return Tables 7, 9 and 11 with a row per task and language, a column per setting."""
    own = scores[scores["table"].isin(["7", "9", "11"])]
    return own.pivot(index=["table", "task", "lang"], columns="setting", values="score")


def _gain(row: pd.Series, *settings: str) -> Value:
    """Return the largest gain of ``settings`` over the untouched model."""
    base = Value.printed(row["base"])
    return max((Value.printed(row[name]) - base for name in settings), key=lambda gain: gain.nominal)


def _improvements(scores: pd.DataFrame, flags: pd.DataFrame) -> Iterator[Finding]:
    """Tables 7, 9 and 11: above the untouched model after 1 step, after 1000, with any of the adapter settings."""
    wide = _settings(scores)
    columns = {"imp_c1": ("k1",), "imp_c1000": ("k1000",), "imp_i": INTERACTIONS}
    for row in flags.to_dict("records"):
        printed = wide.loc[(row["table"], row["task"], row["lang"])]
        for column, settings in columns.items():
            yield flag(f"Table {row['table']}", f"{row['lang']}, {column}", row[column], _gain(printed, *settings))


def _stated(stated: Stated, scores: pd.DataFrame, flags: pd.DataFrame, unseen: pd.DataFrame) -> Iterator[Finding]:
    """Shares of improvement: Figure 2 and §4.1."""
    yes = {column: {task: _share_of_yes(flags, task, column) for task in TASKS} for column in flags.columns[-3:]}
    shares = ", ".join(f"{task} {float(part.nominal):.1f}" for task, part in yes["imp_c1"].items())
    note = f"mean over tasks of the shares of yes in Tables 7, 9 and 11: {shares}"
    yield stated.more_than("improved_k1_over", mean(yes["imp_c1"].values()), note)
    yield stated.number("improved_k1", mean(yes["imp_c1"].values()), note)
    yield stated.number("improved_k1000", mean(yes["imp_c1000"][task] for task in ("dep", "pos")), "parsing, tagging")
    yield stated.number("improved_k1000_ner", yes["imp_c1000"]["ner"])
    yield stated.number("improved_interaction", mean(yes["imp_i"].values()), "mean over the three tasks")
    wide = _settings(scores)
    ner = [wide.loc[("11", "ner", lang)] for lang in unseen[unseen["task"] == "ner"]["lang"].unique()]
    gains = [_gain(row, name).nominal > 0 for row in ner for name in ("k1000", *INTERACTIONS)]
    yield stated.count("improved_unseen_ner", sum(gains), f"of {len(gains)} scores of the languages in Table 2")
    sizes = ", ".join(str(size) for size in flags.groupby("table", sort=False)["lang"].nunique())
    yield stated.count("languages_of_tables_7_9_11", flags["lang"].nunique(), f"all three together; {sizes} in each")
    yield stated.count("settings_of_tables_7_9_11", wide.shape[1])


def _share_of_yes(flags: pd.DataFrame, task: str, column: str) -> Value:
    own = flags[flags["task"] == task][column]
    return share(int((own == "yes").sum()), len(own))
