"""The Mantel test against every permutation tried naively, scipy's rho, and uniformity under the null."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis import mantel, transfer_matrix


def _rng(seed=0):
    return np.random.default_rng(seed)


def _square(seed, n=5):
    rng = _rng(seed)
    return rng.normal(size=(n, n)), rng.normal(size=(n, n))


def _brute(x, y):
    """Every joint permutation, with scipy's rho over off-diagonal pairs."""
    n = len(x)
    off = ~np.eye(n, dtype=bool)
    observed = abs(stats.spearmanr(x[off], y[off]).statistic)
    hits = 0
    for order in itertools.permutations(range(n)):
        moved = y[np.ix_(order, order)]
        hits += abs(stats.spearmanr(x[off], moved[off]).statistic) >= observed - 1e-12
    return hits / math.factorial(n)


@pytest.mark.parametrize("seed", [1, 2])
def test_five_by_five_is_the_brute_force_answer(seed):
    x, y = _square(seed)
    x = x - 0.7 * y
    off = ~np.eye(5, dtype=bool)
    answer = mantel(x, y, rng=_rng())
    assert answer.rho == pytest.approx(stats.spearmanr(x[off], y[off]).statistic)
    assert answer.p == pytest.approx(_brute(x, y))
    assert (answer.exact, answer.n_permutations, answer.n_pairs) == (True, 120, 20)
    drawn = mantel(x, y, rng=_rng(), permutations=119)
    assert not drawn.exact
    assert drawn.p == pytest.approx(answer.p, abs=0.15)


def test_many_draws_come_near_the_brute_force_answer():
    x, y = _square(3, n=6)
    exact = mantel(x, y, rng=_rng(), permutations=720)
    drawn = mantel(x, y, rng=_rng(), permutations=719)
    assert exact.exact and not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=0.06)


def test_rectangular_permutes_rows_and_columns_apart():
    rng = _rng(4)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    observed, hits = abs(stats.spearmanr(x.ravel(), y.ravel()).statistic), 0
    for rows in itertools.permutations(range(3)):
        for columns in itertools.permutations(range(4)):
            moved = y[np.ix_(rows, columns)]
            hits += abs(stats.spearmanr(x.ravel(), moved.ravel()).statistic) >= observed - 1e-12
    answer = mantel(x, y, rng=_rng())
    assert answer.p == pytest.approx(hits / 144)
    assert answer.n_permutations == 144


def test_p_is_uniform_under_the_null():
    rng = _rng(5)
    values = []
    for _ in range(200):
        points = rng.normal(size=(8, 2))
        distance = np.linalg.norm(points[:, None] - points[None, :], axis=2)
        scores = rng.normal(size=8)[:, None] + rng.normal(size=8)[None, :] + rng.normal(size=(8, 8))
        values.append(mantel(scores, distance, rng=rng, permutations=199).p)
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert np.mean(np.array(values) <= 0.05) < 0.10


def test_self_pairs_never_take_part():
    x, y = _square(6)
    before = mantel(x, y, rng=_rng())
    np.fill_diagonal(x, 1e6)
    np.fill_diagonal(y, np.nan)
    assert mantel(x, y, rng=_rng()) == before


def test_labels_decide_order_and_self_pairs():
    languages = list("abcde")
    x, y = (pd.DataFrame(m, index=languages, columns=languages) for m in _square(7))
    straight = mantel(x, y, rng=_rng())
    turned = mantel(x.iloc[::-1], y.sample(frac=1, axis=1, random_state=1), rng=_rng())
    assert turned.rho == pytest.approx(straight.rho)
    assert turned.p == pytest.approx(straight.p)
    assert (turned.low, turned.high) == pytest.approx((straight.low, straight.high))
    part = mantel(x.loc[["a", "b"]], y, rng=_rng())
    assert part.n_pairs == 8, "two of ten cells pair a language with itself"


def test_missing_cells_are_dropped():
    x, y = _square(8, n=7)
    x[0, 3] = y[2, 5] = np.nan
    kept = np.isfinite(x) & np.isfinite(y) & ~np.eye(7, dtype=bool)
    answer = mantel(x, y, rng=_rng(), permutations=99)
    assert answer.n_pairs == 40
    assert answer.rho == pytest.approx(stats.spearmanr(x[kept], y[kept]).statistic)


def test_interval_leaves_out_each_language_once():
    x, y = _square(9, n=8)
    x = x + y
    answer = mantel(x, y, rng=_rng(), permutations=9)
    without = []
    for i in range(8):
        a, b = (np.delete(np.delete(m, i, 0), i, 1) for m in (x, y))
        off = ~np.eye(7, dtype=bool)
        without.append(stats.spearmanr(a[off], b[off]).statistic)
    se = math.sqrt(7 / 8 * np.square(without - np.mean(without)).sum())
    width = stats.t.ppf(0.975, 7) * se
    assert answer.low == pytest.approx(max(-1, answer.rho - width))
    assert answer.high == pytest.approx(min(1, answer.rho + width))


def test_monotone_transforms_change_nothing():
    x, y = _square(10)
    assert mantel(np.exp(x), y**3, rng=_rng()) == mantel(x, y, rng=_rng())


def test_centred_ignores_row_and_column_effects():
    x, y = _square(11, n=6)
    rng = _rng(12)
    shifted = x + 5 * rng.normal(size=(6, 1)) + 5 * rng.normal(size=(1, 6))
    plain, moved = (mantel(m, y, rng=_rng(), permutations=99, centred=True) for m in (x, shifted))
    assert moved.rho == pytest.approx(plain.rho)
    assert mantel(shifted, y, rng=_rng(), permutations=99).rho != pytest.approx(plain.rho)
    additive = rng.normal(size=(6, 1)) + rng.normal(size=(1, 6))
    assert math.isnan(mantel(additive, y, rng=_rng(), centred=True).rho), "nothing is left of an additive matrix"


def test_constant_matrix_is_undefined():
    answer = mantel(np.ones((4, 4)), _square(1, n=4)[1], rng=_rng())
    assert all(math.isnan(value) for value in (answer.rho, answer.p, answer.low, answer.high))


def test_same_stream_same_answer():
    x, y = _square(13, n=9)
    assert mantel(x, y, rng=_rng(1), permutations=50) == mantel(x, y, rng=_rng(1), permutations=50)


def test_matrix_of_ts(scored):
    frame = scored(
        {"transfer": "fin", "target": "wol", "corpus": "news", "ts": 1.0},
        {"transfer": "fin", "target": "wol", "corpus": "bible", "ts": 3.0},
        {"transfer": "wol", "target": "fin", "ts": 5.0},
        {"transfer": "wol", "target": "wol", "ts": 7.0, "aggregated": False},
    )
    matrix = transfer_matrix(frame, "pos", "accuracy", 10)
    assert matrix.loc["fin", "wol"] == pytest.approx(2.0)
    assert math.isnan(matrix.loc["wol", "wol"])
    assert matrix.loc["wol", "fin"] == 5.0


def test_a_cell_that_lacks_a_part_is_nan(scored):
    def cells(transfer, corpora, target, seeds=(0, 1)):
        return [
            {"transfer": transfer, "corpus": corpus, "target": target, "adapter_seed": seed, "ts": 10.0 * place + seed}
            for place, corpus in enumerate(corpora)
            for seed in seeds
        ]

    two = ["news", "bible"]
    rows = [*cells("fin", two, "wol"), *cells("fin", two, "hun"), *cells("hun", ["web"], "wol")]
    whole = transfer_matrix(scored(*rows), "pos", "accuracy", 10)
    # Finnish has two corpora (0 and 10) and Hungarian one; seeds add 0 and 1.
    assert whole.loc["fin"].to_dict() == {"hun": 5.5, "wol": 5.5} and whole.loc["hun", "wol"] == 0.5
    assert math.isnan(whole.loc["hun", "hun"])
    for place, cell in ((0, ("fin", "wol")), (5, ("fin", "hun")), (8, ("hun", "wol"))):
        absent = [row for number, row in enumerate(rows) if number != place]
        undefined = [row | {"ts": math.nan} if number == place else row for number, row in enumerate(rows)]
        for part in (absent, undefined):
            found = transfer_matrix(scored(*part), "pos", "accuracy", 10)
            assert math.isnan(found.loc[cell]), (place, cell)
            others = [other for other in (("fin", "wol"), ("fin", "hun"), ("hun", "wol")) if other != cell]
            assert [found.loc[other] for other in others] == [whole.loc[other] for other in others]


def _pairs(rows, columns, x, y):
    """The pairs of two languages that both matrices have, by name."""
    cells = itertools.product(enumerate(rows), enumerate(columns))
    return {(a, b): (x[i, j], y[i, j]) for (i, a), (j, b) in cells if a != b and np.isfinite(x[i, j] + y[i, j])}


def _residuals(pairs, rows, columns):
    """Scores of the pairs less the row and column effects of a regression on dummies."""
    design = np.array([[float(a == r) for r in rows] + [float(b == c) for c in columns] for a, b in pairs])
    scores = np.array([x for x, _ in pairs.values()])
    return scores - design @ np.linalg.lstsq(design, scores, rcond=None)[0]


def _every_p(rows, columns, x, y, centred):
    """Every permutation by names: which language's distances stand in the place of which; scipy's ranks, by hand r."""
    pairs = _pairs(rows, columns, x, y)
    scores = _residuals(pairs, rows, columns) if centred else np.array([a for a, _ in pairs.values()])
    first = dict(zip(pairs, stats.rankdata(np.round(scores, 9)), strict=True))
    second = dict(zip(pairs, stats.rankdata([b for _, b in pairs.values()]), strict=True))
    joint = set(rows) == set(columns)
    values = []
    for order in itertools.permutations(rows):
        others = [order] if joint else itertools.permutations(columns)
        for other in others:
            moved = dict(zip(rows, order, strict=True)), dict(zip(columns, other, strict=True))
            both = [(first[a, b], second[moved[0][a], moved[1][b]]) for a, b in pairs
                    if (moved[0][a], moved[1][b]) in pairs]  # fmt: skip
            values.append(np.corrcoef(np.array(both).T)[0, 1])
    observed = abs(values[0])
    return values[0], sum(abs(value) >= observed - 1e-9 for value in values) / len(values), len(values)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns", "missing"),
    [
        ("abcd", "abcd", []),
        ("abcde", "abcde", [(0, 3), (4, 1)]),
        ("abc", "cdefg", []),  # a rectangle with one language on both sides
        ("abcd", "abxyz", [(2, 4)]),
        ("abc", "vwxyz", [(0, 0)]),
    ],
)
def test_p_is_that_of_every_permutation_tried_by_names(rows, columns, missing, centred):
    rng = _rng(20)
    x, y = rng.normal(size=(len(rows), len(columns))), rng.normal(size=(len(rows), len(columns)))
    for place in missing:
        x[place] = np.nan
    labels = {"index": list(rows), "columns": list(columns)}
    rho, p, tried = _every_p(list(rows), list(columns), x, y, centred)
    answer = mantel(
        pd.DataFrame(x, **labels), pd.DataFrame(y, **labels), rng=_rng(), permutations=tried, centred=centred
    )
    assert answer.exact and answer.n_permutations == tried
    assert (answer.rho, answer.p) == (pytest.approx(rho), pytest.approx(p, abs=1e-12))


def test_p_of_drawn_permutations_counts_the_observed_one():
    x, y = _square(21, n=7)
    off = ~np.eye(7, dtype=bool)
    observed, rng, hits = abs(stats.spearmanr(x[off], y[off]).statistic), _rng(22), 0
    for _ in range(60):
        order = rng.permutation(7)
        hits += abs(stats.spearmanr(x[off], y[np.ix_(order, order)][off]).statistic) >= observed - 1e-12
    answer = mantel(x, y, rng=_rng(22), permutations=60)
    assert 0 < hits < 60 and answer.p == (hits + 1) / 61
    # The best rho there can be is reached by no other order, and p is still not 0.
    assert mantel(y, y, rng=_rng(22), permutations=60).p == 1 / 61


def test_the_interval_of_centred_scores_centres_anew_without_each_language():
    rng = _rng(23)
    rows, columns = list("abcd"), list("acdefghijk")
    x, y = (rng.normal(size=(4, 10)) + 3 * rng.normal(size=(4, 1)) for _ in "xy")
    labels = {"index": rows, "columns": columns}
    answer = mantel(pd.DataFrame(x, **labels), pd.DataFrame(y, **labels), rng=_rng(), permutations=9, centred=True)
    pairs, without = _pairs(rows, columns, x, y), []
    for language in sorted({*rows, *columns}):
        kept = {pair: both for pair, both in pairs.items() if language not in pair}
        scores = np.round(_residuals(kept, rows, columns), 9)
        without.append(stats.spearmanr(scores, [b for _, b in kept.values()]).statistic)
    count = len(without)
    width = stats.t.ppf(0.975, count - 1) * math.sqrt((count - 1) / count * np.square(without - np.mean(without)).sum())
    assert (answer.low, answer.high) == pytest.approx((max(-1, answer.rho - width), min(1, answer.rho + width)))


def test_errors(scored):
    x = pd.DataFrame(np.ones((2, 2)), index=["a", "b"], columns=["a", "b"])
    with pytest.raises(ValueError, match="y has no distance for b; drop them"):
        mantel(x, x.drop(index="b"), rng=_rng())
    with pytest.raises(ValueError, match="x has a language twice"):
        mantel(pd.concat([x, x]), x, rng=_rng())
    with pytest.raises(ValueError, match="one of x and y is a labelled frame, the other an array"):
        mantel(x, np.ones((2, 2)), rng=_rng())
    with pytest.raises(ValueError, match=r"x has shape \(2, 2\) and y \(3, 3\); expected two matrices of one shape"):
        mantel(np.ones((2, 2)), np.ones((3, 3)), rng=_rng())
    with pytest.raises(ValueError, match="permutations=0 draws nothing"):
        mantel(x, x, rng=_rng(), permutations=0)
    with pytest.raises(ValueError, match="no aggregated nudge row has task='dep'"):
        transfer_matrix(scored({}), "dep", "las", 10)
    with pytest.raises(ValueError, match="ts holds the base models b, c; name one with base="):
        transfer_matrix(scored({}, {"base": "c"}), "pos", "accuracy", 10)
