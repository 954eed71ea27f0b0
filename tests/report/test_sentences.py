"""Sentences against sentences written by hand; each must change when the numbers do."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from xltransfer.report import sentences as say
from xltransfer.report.sentences import Words

WORDS = Words("pos", "accuracy", "ts", {"wol": "Wolof (wol)", "fin": "Finnish (fin)"}, frozenset({"fin"}))


def plain(sentence: str | None) -> str:
    """Return a sentence without isolates and with plain spaces."""
    assert sentence is not None
    return sentence.replace("\u2068", "").replace("\u2069", "").replace("\u00a0", " ").replace("\u2212", "-")


def aggregates(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["transfer", "estimate", "low", "high"])
    fixed: dict[str, Any] = {"n_targets": 26, "level": 0.95, "estimand": "new_targets"}
    frame = frame.assign(corpus="text-" + frame["transfer"], **fixed)
    return frame.assign(why=np.where(frame["low"].isna(), "one replicate", ""))


def test_ends_of_the_ranking_help_or_hurt_only_where_the_interval_says_so() -> None:
    clear = say.extremes(aggregates(("wol", 1.2, 0.4, 2.0), ("fin", -3.25, -4.0, -2.5)), WORDS)
    assert plain(clear) == (
        "On pos accuracy, averaged over 26 targets, Wolof (wol) helps most with +1.20 % (95 % interval +0.40 to +2.00, "
        "over new target languages); Finnish (fin) on corpus text-fin hurts most with -3.25 % (95 % interval -4.00 to "
        "-2.50, over new target languages)."
    )
    unclear = plain(say.extremes(aggregates(("wol", 1.2, -0.4, 2.8), ("fin", -3.25, -7.0, 0.5)), WORDS))
    assert "Wolof (wol) comes first with" in unclear and "comes last with" in unclear
    all_good = plain(say.extremes(aggregates(("wol", 1.2, 0.4, 2.0), ("fin", 0.3, 0.1, 0.5)), WORDS))
    assert "helps least with +0.30 %" in all_good
    all_bad = plain(say.extremes(aggregates(("wol", -1.2, -1.5, -1.0), ("fin", -3.0, -3.5, -2.5)), WORDS))
    assert "Wolof (wol) hurts least" in all_bad


def test_one_language_no_interval_and_nothing_at_all() -> None:
    one = plain(say.extremes(aggregates(("wol", 1.2, np.nan, np.nan)), WORDS))
    assert one == (
        "On pos accuracy the only transfer language, Wolof (wol), gives +1.20 % (no interval: one replicate)."
    )
    none = plain(say.extremes(aggregates(("wol", np.nan, np.nan, np.nan)), WORDS))
    assert none.startswith("On pos accuracy nothing can be aggregated")


def test_amounts_have_the_unit_of_their_scale() -> None:
    amounts = {scale: plain(Words("t", "las", scale, {}).amount(-1.5)) for scale in ("ts", "delta", "log_ratio")}
    assert amounts == {"ts": "-1.50 %", "delta": "-1.50 points", "log_ratio": "-1.5000"}
    assert plain(Words("t", "nll", "delta", {}).amount(0.25)) == "+0.25 nats"
    assert Words("t", "las", "delta", {}).amount(float("nan")) == "–"


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (
            [(-1, 1)] * 20,
            "Of 20 transfer entries, none has an interval that leaves out zero: no average effect survives the noise.",
        ),
        (
            [(-1, 1)] * 19 + [(0.1, 1)],
            "Of 20 transfer entries, one has an interval that leaves out zero (above); about 1 would by chance.",
        ),
        (
            [(-1, 1)] * 7 + [(0.1, 1)] * 2 + [(-2, -1)],
            "Of ten transfer entries, three have an interval that leaves out zero (two above and one below); about 0.5 "
            "would by chance.",
        ),
        (
            [(-2, -1)] * 2,
            "Of two transfer entries, two have an interval that leaves out zero (all below); about 0.1 would by "
            "chance.",
        ),
        ([(np.nan, np.nan)], "No aggregate has an interval (one replicate)."),
    ],
)
def test_intervals_that_leave_out_zero_are_counted(bounds: list[tuple[float, float]], expected: str) -> None:
    rows = aggregates(*(("wol", (low + high) / 2, low, high) for low, high in bounds))
    assert plain(say.away_from_zero(rows)) == expected


def rank_rows(*rows: tuple[str, int, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["transfer", "rank", "rank_low", "rank_high"])
    return frame.assign(corpus="c", why=np.where(frame["rank_low"].isna(), "one replicate", ""))


def test_rank_sets_separate_the_ends_or_do_not() -> None:
    apart = say.ranks(rank_rows(("wol", 1, 1, 1), ("aaa", 2, 2, 3), ("bbb", 3, 2, 3)), WORDS)
    assert plain(apart) == (
        "The ranking separates its two ends: the simultaneous rank sets are rank 1 for Wolof (wol) and ranks 2 to 3 "
        "for bbb, of 3. Only Wolof (wol) could be the best."
    )
    close = plain(say.ranks(rank_rows(("wol", 1, 1, 2), ("aaa", 2, 1, 3), ("bbb", 3, 2, 3)), WORDS))
    assert (
        "is settled in part" in close
        and "ranks 1 to 2 for Wolof (wol) and ranks 2 to 3" in close
        and "Two of 3 could be the best." in close
    )
    nothing = plain(say.ranks(rank_rows(("wol", 1, 1, 2), ("aaa", 2, 1, 2)), WORDS))
    assert nothing == "The noise allows every transfer language every rank, 1 to 2: the ranking says nothing."
    unknown = plain(say.ranks(rank_rows(("wol", 1, np.nan, np.nan), ("aaa", 2, np.nan, np.nan)), WORDS))
    assert unknown == "There are no rank sets (one replicate)."


def cell_rows(p: list[float], p_bh: list[float], p_holm: list[float], estimate: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"p": p, "p_bh": p_bh, "p_holm": p_holm, "estimate": estimate, "why": ""})


def test_surviving_cells_are_counted_by_side_and_correction() -> None:
    none = say.surviving(cell_rows([0.04] + [0.5] * 39, [0.9] * 40, [1.0] * 40, [1.0] * 40))
    assert plain(none) == (
        "Of 40 cells, none survives Benjamini-Hochberg or Holm at 5 %. One has p ≤ 0.05 before correction; about 2 "
        "would by chance."
    )
    some = say.surviving(
        cell_rows([0.001, 0.002, 0.01, 0.5], [0.01, 0.02, 0.04, 0.5], [0.04, 0.1, 0.2, 1], [1, -1, 1, 0])
    )
    assert plain(some) == (
        "Of four cells, three survive Benjamini-Hochberg at 5 % (two up and one down), one also Holm. Three have p ≤ "
        "0.05 before correction; about 0.2 would by chance."
    )
    one = plain(say.surviving(cell_rows([0.001, 0.5], [0.01, 0.5], [0.1, 1], [-1, 1])))
    assert "one survives Benjamini-Hochberg at 5 % (down), none of them Holm" in one
    untested = pd.DataFrame(
        {"p": [np.nan], "p_bh": [np.nan], "p_holm": [np.nan], "estimate": [1.0], "why": ["one cluster"]}
    )
    assert plain(say.surviving(untested)) == "No cell could be tested (one cluster)."
    assert say.surviving(untested.assign(why="")) is None


def test_the_smallest_detectable_effect_stands_beside_the_usual_one() -> None:
    targets = pd.DataFrame({"target": ["wol", "fin", "xxx"], "measured": [1.0, 4.0, 9.0]})
    assert plain(say.detectable(targets, 0.5, WORDS)) == (
        "With 80 % power the median target can show a ts of 4.0 % (from 1.0 % for Wolof (wol) to 9.0 % for xxx); the "
        "median |ts| of a cell is 0.50 %: most effects of the usual size stay unseen."
    )
    assert "effects of the usual size are seen" in plain(say.detectable(targets, 5.0, WORDS))
    assert plain(say.detectable(targets[:1], float("nan"), WORDS)) == (
        "With 80 % power the median target can show a ts of 1.0 %."
    )
    assert say.detectable(targets.assign(measured=np.nan), 1.0, WORDS) is None


def test_noise_names_what_stays_and_what_moves() -> None:
    rows = [("noise_batching", "pos", "accuracy", 0.0), ("noise_batching", "mlm", "nll", 0.0),
            ("noise_precision", "pos", "accuracy", 0.25), ("noise_precision", "mlm", "nll", 0.00001),
            ("noise_precision", "pos", "nll", 9.0)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["setting", "task", "metric", "max_ts"])
    batches, precision = map(plain, say.noise(frame, {"pos": "accuracy", "mlm": "nll"}))
    assert (
        batches
        == "When the untouched model is scored again in other batches, no score of pos accuracy or mlm NLL changes."
    )
    assert precision == (
        "When the untouched model is scored again at another precision, ts moves by at most 0.250 % on pos accuracy "
        "and 0.00001 % on mlm NLL."
    )
    assert say.noise(frame[:0], {"pos": "accuracy"}) == []


def test_controls_are_compared_by_two_standard_errors() -> None:
    rows = pd.DataFrame({"difference": [1.0, 3.0, -3.0], "difference_se": [1.0, 1.0, 1.0], "n_targets": 5})
    rows = rows.assign(setting="random_sign", task="pos", metric="accuracy")
    some = plain(say.control(rows, "pos", "accuracy", "random_sign"))
    assert some.startswith(
        "On pos accuracy, a language's own text does better than a change of the same size with random"
    )
    assert "in one and worse in one of three comparisons" in some and "(median difference +1.00 %)" in some
    none = plain(say.control(rows[:1], "pos", "accuracy", "random_sign"))
    assert "cannot be told from a change of the same size with random signs in any of one comparison" in none
    assert say.control(rows, "pos", "accuracy", "shuffled_text") is None


def test_reliability_says_what_would_come_out_again() -> None:
    row = {"unit": "aggregate", "statistic": "icc_mean", "estimate": 0.91, "low": 0.8, "high": 0.96, "why": ""}
    high = plain(say.reliable(pd.DataFrame([row])))
    assert high.startswith("The reliability of the aggregates is 0.91 (0.80 to 0.96): most of what differs")
    assert "little or nothing" in plain(say.reliable(pd.DataFrame([row | {"estimate": -0.1}])))
    unknown = row | {"estimate": np.nan, "low": np.nan, "why": "one replicate"}
    assert (
        plain(say.reliable(pd.DataFrame([unknown]))) == "The reliability over replicates is not known (one replicate)."
    )
    assert say.reliable(pd.DataFrame([row])[:0]) is None


def test_gains_stand_beside_what_no_effect_gives() -> None:
    row: dict[str, Any] = {"estimate": 70.4, "percent_if_no_effect": 48.0, "low": 60.0, "high": 80.0, "level": 0.95}
    row |= {"p": 0.0002, "excess": 22.4, "why": ""}
    assert plain(say.more_than_chance(row)) == (
        "70 % of the cells gain (95 % interval 60 to 80); without any effect it would be 48 %, and this is more "
        "(p < 0.001)."
    )
    assert "this cannot be told from it (p = 0.300)" in plain(say.more_than_chance(row | {"p": 0.3}))
    assert "this is fewer" in plain(say.more_than_chance(row | {"excess": -5.0}))
    assert "(no interval: one target)" in plain(say.more_than_chance(row | {"low": np.nan, "why": "one target"}))


def test_seen_and_unseen_differ_or_may_not() -> None:
    row: dict[str, Any] = {"side": "target", "among": "all", "estimate": 1.0, "low": 0.5, "high": 1.5, "level": 0.95}
    row |= {"estimand": "new_targets", "why": ""}
    clear = plain(say.seen_or_not(pd.DataFrame([row]), WORDS))
    assert clear == (
        "Unseen target languages receive more than seen ones: +1.00 % (95 % interval +0.50 to +1.50, over new target "
        "languages)."
    )
    unclear = row | {"side": "transfer", "estimate": -0.2, "low": -1.0}
    assert plain(say.seen_or_not(pd.DataFrame([unclear]), WORDS)).startswith("Unseen transfer languages give less")
    assert plain(say.seen_or_not(pd.DataFrame([unclear]), WORDS)).endswith(", which may be nothing.")
    assert say.seen_or_not(pd.DataFrame([row | {"among": "seen"}]), WORDS) is None


def test_names_are_isolated() -> None:
    sentence = say.extremes(aggregates(("wol", 1.2, 0.4, 2.0)), Words("p", "las", "ts", {"wol": "عربي"}))
    assert "\u2068عربي\u2069" in sentence and "\u2068p\u2069 LAS" in sentence
