"""Common top languages: counts by hand, chances by enumeration and by simulation."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.common_top import common_top, top_ranks


def ranking(**tasks: str) -> pd.DataFrame:
    """A ranking per task, best first, one letter a language."""
    rows = [(task, code, place + 1) for task, order in tasks.items() for place, code in enumerate(order)]
    frame = pd.DataFrame(rows, columns=["task", "transfer", "rank"]).astype({"rank": "Int64"})
    return frame.assign(base="m", steps=1, corpus=frame["transfer"], metric="x")


def test_counts_worked_by_hand() -> None:
    ranks = top_ranks(ranking(pos="abcdef", dep="bacfed", ner="fabcde"), top=3)
    (row,) = common_top(ranks, unseen={"a", "f"}).to_dict("records")
    assert row["common"] == "a b"  # pos abc, dep bac, ner fab
    assert (row["n_common"], row["n_transfers"], row["n_tasks"]) == (2, 6, 3)
    assert row["share_unseen"] == pytest.approx(100 * 4 / 9)
    assert row["share_unseen_all"] == pytest.approx(100 * 2 / 6)
    assert row["expected_common"] == pytest.approx(6 * 0.5**3)


def test_the_chance_of_common_languages_is_that_of_enumeration() -> None:
    ranks = top_ranks(ranking(pos="abcdef", dep="bacfed"), top=3)
    (row,) = common_top(ranks, unseen=set()).to_dict("records")
    sets = [set(chosen) for chosen in combinations("abcdef", 3)]
    at_least = np.mean([len({"a", "b", "c"} & other) >= row["n_common"] for other in sets])
    assert row["p_common"] == pytest.approx(at_least)


def test_the_chance_of_unseen_languages_is_that_of_simulation() -> None:
    ranks = top_ranks(ranking(pos="abcdefgh", dep="badchgfe"), top=4)
    (row,) = common_top(ranks, unseen={"a", "b", "c"}).to_dict("records")
    rng = np.random.default_rng(1)
    drawn = [(rng.permutation(8)[:4] < 3).sum() + (rng.permutation(8)[:4] < 3).sum() for _ in range(20_000)]
    seen_in_tops = round(row["share_unseen"] * 8 / 100)
    assert seen_in_tops == 6
    assert row["p_unseen"] == pytest.approx(np.mean(np.array(drawn) >= seen_in_tops), abs=0.01)


def test_a_task_that_ranks_nobody_and_an_entry_that_one_task_lacks_do_not_count() -> None:
    frame = ranking(pos="abc", dep="cba", ner="abc")
    frame.loc[frame["task"] == "ner", "rank"] = pd.NA
    frame.loc[(frame["task"] == "dep") & (frame["transfer"] == "a"), "rank"] = pd.NA
    ranks = top_ranks(frame, top=2)
    assert set(ranks["task"]) == {"pos", "dep"}
    assert set(ranks["transfer"]) == {"b", "c"}


def test_two_metrics_of_a_task_and_an_empty_top_are_refused() -> None:
    frame = ranking(pos="abc")
    with pytest.raises(ValueError, match="one metric"):
        top_ranks(pd.concat([frame, frame]))
    with pytest.raises(ValueError, match="top=0"):
        top_ranks(frame, top=0)


def test_the_top_is_the_better_half_unless_it_is_named() -> None:
    ranks = top_ranks(ranking(pos="abcde", dep="edcba"))
    assert set(ranks["top"]) == {3}
    assert set(top_ranks(ranking(pos="".join(map(chr, range(97, 97 + 60)))))["top"]) == {20}
