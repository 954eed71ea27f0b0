"""Projections: the paper's worked example, hand-worked covariances, and a jackknife written as a loop."""

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis.interference_projection import interference_projections, projection
from xltransfer.analysis.interference_signs import GROUP, PATTERNS

PUBLISHED = Path(__file__).resolve().parents[2] / "data_manifests" / "published" / "faisal2024"
KEY = {"base": "b", "task": "pos", "metric": "accuracy", "fusion": "trained", "control": "same", "dead_zone": 0.0,
       "order": "listed", "language": "a"}  # fmt: skip


def patterns(found: dict[tuple[str, ...], str]) -> pd.DataFrame:
    """A frame of patterns of the language a: partners -> pattern."""
    rows = []
    for partners, pattern in found.items():
        second, third = (*partners, "")[:2]
        rows.append({**KEY, "size": len(partners) + 1, "second": second, "third": third, "pattern": pattern})
    return pd.DataFrame(rows)


def point(found: dict[tuple[str, ...], str], **how: float) -> "pd.Series":
    (row,) = interference_projections(patterns(found), **how).to_dict("records")
    return row


def vector(pattern: str) -> list[int]:
    return [1 if sign == "+" else -1 for sign in pattern if sign in "+-"]


def test_the_papers_worked_example():
    assert projection({"-A-B": 1, "-A+B": 1, "+A-B": 3, "+A+B": 2}) == pytest.approx([3 / 7, -1 / 7], abs=1e-15)


def test_published_counts_give_the_published_coordinates():
    counts = pd.read_csv(PUBLISHED / "table06_interference_example_counts.csv")
    stated = pd.read_csv(PUBLISHED / "stated_numbers.csv").set_index("key")["value"]
    found = projection(dict(zip(counts["combination"], counts["count"], strict=True)))
    assert counts["count"].sum() == int(stated["example_total"])
    assert [f"{value:.2f}" for value in found] == [stated["example_x"], stated["example_y"]]


def test_three_languages_by_hand():
    # x: 1+2−3 of 6; y: −1+2−3; z: 1−2−3.
    assert projection({"+A-B+C": 1, "+A+B-C": 2, "-A-B-C": 3}) == pytest.approx([0, -2 / 6, -4 / 6])


def test_projection_is_the_mean_sign_vector_in_exact_fractions():
    rng = np.random.default_rng(0)
    for size in (2, 3):
        counts = {pattern: int(n) for pattern, n in zip(PATTERNS[size], rng.integers(0, 9, 2**size), strict=True)}
        every = [vector(pattern) for pattern, count in counts.items() for _ in range(count)]
        wanted = [float(Fraction(sum(column), len(every))) for column in zip(*every, strict=True)]
        assert projection(counts) == pytest.approx(wanted)


def test_nothing_counted_is_undefined_and_not_the_middle():
    assert np.isnan(projection(dict.fromkeys(PATTERNS[3], 0))).tolist() == [True] * 3
    row = point({("p",): "tie", ("q",): "missing"})
    assert (row["n"], row["n_tie"], row["n_missing"]) == (0, 1, 1)
    assert all(math.isnan(row[name]) for name in ("x", "y", "z", "x_se", "x_low", "half_major"))
    assert row["why"] == "no composition has a pattern"


@pytest.mark.parametrize(
    ("counts", "message"),
    [({}, "expected some of"), ({"+A": 1}, "expected some of"), ({"+A+B": 1, "+A+B+C": 1}, "expected some of"),
     ({"+A+B": -1}, "negative number of compositions")],
)  # fmt: skip
def test_counts_that_are_none_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        projection(counts)


PAIRS = dict(zip([(f"p{i}",) for i in range(7)], ["-A-B", "-A+B", "+A-B", "+A-B", "+A-B", "+A+B", "+A+B"], strict=True))


def test_in_pairs_the_covariance_is_that_of_the_mean_over_partners():
    row = point({**PAIRS, ("p8",): "tie", ("p9",): "missing"})
    vectors = np.array([vector(pattern) for pattern in PAIRS.values()], dtype=float)
    wanted = np.cov(vectors.T, ddof=1) / 7
    assert [row["x"], row["y"]] == pytest.approx([3 / 7, -1 / 7])
    assert [row["x_se"] ** 2, row["y_se"] ** 2, row["xy_covariance"]] == pytest.approx(
        [wanted[0, 0], wanted[1, 1], wanted[0, 1]]
    )
    # By hand: Σ(x − 3/7)² = 7 − 9/7, so the variance of the mean is (40/7)/(6·7).
    assert row["x_se"] ** 2 == pytest.approx(40 / 7 / 42)
    assert (row["n"], row["n_partners"], row["n_tie"], row["n_missing"]) == (7, 7, 1, 1)
    assert math.isnan(row["z"]) and math.isnan(row["z_se"]) and row["why"] == ""


def test_the_ellipse_is_where_hotellings_t_squared_reaches_its_quantile():
    row = point(PAIRS, level=0.9)
    covariance = np.array([[row["x_se"] ** 2, row["xy_covariance"]], [row["xy_covariance"], row["y_se"] ** 2]])
    turn = math.radians(row["angle"])
    for direction, half in ((turn, row["half_major"]), (turn + math.pi / 2, row["half_minor"])):
        edge = half * np.array([math.cos(direction), math.sin(direction)])
        t_squared = edge @ np.linalg.solve(covariance, edge)
        assert stats.f.cdf(t_squared * (7 - 2) / (2 * (7 - 1)), 2, 5) == pytest.approx(0.9)
    assert row["half_major"] > row["half_minor"] > 0


def triples(count: int, seed: int = 3) -> dict[tuple[str, ...], str]:
    rng = np.random.default_rng(seed)
    found = {pair: str(rng.choice(PATTERNS[3])) for pair in itertools.combinations([f"p{i}" for i in range(count)], 2)}
    found[("p0", "p1")] = "tie"
    return found


def test_of_three_languages_the_covariance_leaves_out_one_language_at_a_time():
    found = triples(6)
    row = point(found)
    signed = {pair: vector(pattern) for pair, pattern in found.items() if pattern != "tie"}
    without = np.array(
        [np.mean([v for pair, v in signed.items() if f"p{i}" not in pair], axis=0) for i in range(6)], dtype=float
    )
    wanted = 5 / 6 * sum(np.outer(v - without.mean(axis=0), v - without.mean(axis=0)) for v in without)
    assert [row[axis] for axis in "xyz"] == pytest.approx(np.mean(list(signed.values()), axis=0))
    assert [row[f"{axis}_se"] ** 2 for axis in "xyz"] == pytest.approx(np.diag(wanted))
    assert [row[f"{pair}_covariance"] for pair in ("xy", "xz", "yz")] == pytest.approx(
        [wanted[0, 1], wanted[0, 2], wanted[1, 2]]
    )
    assert (row["n"], row["n_partners"]) == (14, 6)


def test_counting_both_orders_makes_y_equal_z_and_gives_no_more_certainty():
    found = {pair: pattern for pair, pattern in triples(6).items() if pattern != "tie"}
    turned = {pair[::-1]: f"{p[:2]}{p[4]}B{p[2]}C" for pair, p in found.items()}
    one, both = point(found), point(found | turned)
    assert both["y"] == both["z"] == pytest.approx((one["y"] + one["z"]) / 2)
    assert both["n"] == 2 * one["n"] and both["n_partners"] == one["n_partners"]
    assert both["x"] == pytest.approx(one["x"]) and both["x_se"] == pytest.approx(one["x_se"])
    assert both["y_se"] == pytest.approx(both["z_se"])


def test_swapping_b_and_c_swaps_y_and_z():
    found = triples(6)
    swapped = {pair[::-1]: p if p == "tie" else f"{p[:2]}{p[4]}B{p[2]}C" for pair, p in found.items()}
    one, other = point(found), point(swapped)
    for first, second in (("y", "z"), ("y_se", "z_se"), ("y_low", "z_low"), ("xy_covariance", "xz_covariance")):
        assert one[first] == pytest.approx(other[second]) and one[second] == pytest.approx(other[first])
    assert one["x"] == pytest.approx(other["x"]) and one["yz_covariance"] == pytest.approx(other["yz_covariance"])


def test_turning_all_signs_turns_the_point_around_and_keeps_the_ellipse():
    flip = str.maketrans("+-", "-+")
    one, other = point(PAIRS), point({pair: pattern.translate(flip) for pair, pattern in PAIRS.items()})
    assert [other["x"], other["y"]] == pytest.approx([-one["x"], -one["y"]])
    assert [other["x_low"], other["x_high"]] == pytest.approx([-one["x_high"], -one["x_low"]])
    for name in ("half_major", "half_minor", "angle"):
        assert other[name] == pytest.approx(one[name])


def test_an_interval_of_one_axis_is_the_binomial_one():
    # Independent partners: n − 1 effective ones, 5/7 of them gains.
    row = point(PAIRS)
    gains, losses = 6 * 5 / 7, 6 * 2 / 7
    wanted = [2 * stats.beta.ppf(0.025, gains, losses + 1) - 1, 2 * stats.beta.ppf(0.975, gains + 1, losses) - 1]
    assert [row["x_low"], row["x_high"]] == pytest.approx(wanted)


def test_an_interval_of_threes_has_as_many_effective_compositions_as_its_variance_says():
    # Korn and Graubard (1998): the binomial interval of n·(t of n / t of the design)² in place of n.
    row = point(triples(6))
    for axis in "xyz":
        effective = (
            (1 - row[axis] ** 2) / row[f"{axis}_se"] ** 2 * (stats.t.ppf(0.975, 13) / stats.t.ppf(0.975, 5)) ** 2
        )
        gains = effective * (1 + row[axis]) / 2
        wanted = (
            stats.beta.ppf(0.025, gains, effective - gains + 1),
            stats.beta.ppf(0.975, gains + 1, effective - gains),
        )
        assert [row[f"{axis}_low"], row[f"{axis}_high"]] == pytest.approx([2 * share - 1 for share in wanted])


def test_where_all_partners_agree_there_is_no_ellipse_but_an_interval():
    row = point({(f"p{i}",): "+A-B" if i else "+A+B" for i in range(8)})
    assert row["why"] == "all partners agree on x" and math.isnan(row["half_major"])
    assert row["x"] == 1.0 and row["x_se"] == 0.0
    # None of eight lost: the bound of the exact interval is 0.025^(1/8).
    assert row["x_low"] == pytest.approx(2 * 0.025 ** (1 / 8) - 1) and row["x_high"] == 1.0
    three = point({pair: "+A+B+C" for pair in itertools.combinations([f"p{i}" for i in range(8)], 2)})
    assert three["why"] == "all partners agree on x and y"
    # An axis that no single partner moves has no spread either, but its partners do not agree: + in a round of four
    # partners, - across it. Each of them stands in three of the six, and leaves one of three - wherever it leaves.
    rounds = {("p", "q"), ("q", "r"), ("r", "s"), ("p", "s")}
    places = list(itertools.combinations("pqrs", 2))
    unmoved = point({
        pair: f"{'+' if pair in rounds else '-'}A{'+' if i % 2 else '-'}B{'+' if i < 3 else '-'}C"
        for i, pair in enumerate(places)
    })  # fmt: skip
    assert unmoved["x"] == pytest.approx(1 / 3) and unmoved["x_se"] == 0.0
    assert unmoved["why"] == "no single partner moves x" and math.isnan(unmoved["half_major"])
    # Eight partners make four compositions that share none.
    assert three["z_low"] == pytest.approx(2 * 0.025 ** (1 / 4) - 1)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({("p",): "+A+B", ("q",): "-A-B", ("r",): "+A-B"}, "fewer than 4 partner languages"),
        ({("p",): "+A+B"}, "fewer than 4 partner languages"),
        ({("p", f"q{i}"): p for i, p in enumerate(["+A+B+C", "-A-B+C", "+A-B-C"])}, "one partner is in all"),
    ],
)  # fmt: skip
def test_too_few_partners_have_no_ellipse(found, why):
    row = point(found)
    assert row["why"].startswith(why) and math.isnan(row["half_major"])
    assert -1.0 <= row["x_low"] <= row["x"] <= row["x_high"] <= 1.0


def test_intervals_hold_the_truth_for_new_partners():
    rng = np.random.default_rng(11)
    frames = []
    for number in range(300):
        signs = np.where(rng.random((11, 2)) < (0.8, 0.5), "+", "-")
        drawn = patterns({(f"p{i}",): f"{a}A{b}B" for i, (a, b) in enumerate(signs)})
        frames.append(drawn.assign(language=f"a{number}"))
    table = interference_projections(pd.concat(frames))
    assert len(table) == 300
    assert ((table["x_low"] <= 0.6) & (table["x_high"] >= 0.6)).mean() >= 0.93
    assert ((table["y_low"] <= 0.0) & (table["y_high"] >= 0.0)).mean() >= 0.93


def test_groups_are_kept_apart_and_columns_are_stable():
    one = patterns(PAIRS)
    both = pd.concat([one, one.assign(language="b", pattern="+A+B"), patterns(triples(5))])
    table = interference_projections(both)
    assert table[["size", "language"]].to_numpy().tolist() == [[2, "a"], [2, "b"], [3, "a"]]
    assert table["x"].tolist()[:2] == pytest.approx([3 / 7, 1.0])
    assert list(table)[: len(GROUP) + 2] == [*GROUP, "language", "n"]
    assert table.equals(interference_projections(both.sample(frac=1.0, random_state=0)))


def test_level_and_columns_are_checked():
    with pytest.raises(ValueError, match="level=95 is not between 0 and 1"):
        interference_projections(patterns(PAIRS), level=95)
    with pytest.raises(ValueError, match="patterns lacks the columns pattern"):
        interference_projections(patterns(PAIRS).drop(columns="pattern"))
