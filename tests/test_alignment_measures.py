"""Measures of alignment against sums written out, against scipy, and in cases whose answer is known."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist, cosine
from scipy.stats import ortho_group

from xltransfer.alignment import FEWEST, Side, all_pairs, cka, cosines, influences, partners, retrieval


def sides(n: int, d: int, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 2.0
    return x, x + noise * rng.normal(size=(n, d))


def hsic_by_loops(k: np.ndarray, other: np.ndarray) -> float:
    """The U-statistic of Song et al. (eq. 4) over all 4-tuples of different items: slow and independent."""
    n, total, count = len(k), 0.0, 0
    for i, j, q, r in itertools.permutations(range(n), 4):
        total += k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
        count += 1
    return total / count


def cka_by_loops(x: np.ndarray, y: np.ndarray) -> float:
    k, other = x @ x.T, y @ y.T
    return hsic_by_loops(k, other) / np.sqrt(hsic_by_loops(k, k) * hsic_by_loops(other, other))


def test_cosines_are_scipys() -> None:
    x, y = sides(20, 7)
    assert cosines(Side(x), Side(y)) == pytest.approx([1 - cosine(a, b) for a, b in zip(x, y, strict=True)])


def test_debiased_cka_is_the_u_statistic_over_all_four_tuples() -> None:
    x, y = sides(8, 5)
    assert cka(Side(x), Side(y)).mean() == pytest.approx(cka_by_loops(x, y), rel=1e-10)


def test_cka_values_are_the_jackknife_of_cka_made_anew_without_each_pair() -> None:
    x, y = sides(12, 4, seed=3)
    whole = cka(Side(x), Side(y)).mean()
    without = np.array(
        [cka(Side(np.delete(x, i, axis=0)), Side(np.delete(y, i, axis=0))).mean() for i in range(len(x))]
    )
    assert cka(Side(x), Side(y)) == pytest.approx(whole + 11 * (without.mean() - without), rel=1e-9)


def test_the_variance_of_influences_is_the_jackknifes() -> None:
    rng = np.random.default_rng(1)
    without, n = rng.normal(size=15), 15
    values = influences(0.3, without)
    assert values.mean() == pytest.approx(0.3)
    textbook = (n - 1) / n * ((without - without.mean()) ** 2).sum()
    assert values.var(ddof=1) / n == pytest.approx(textbook)


def test_identical_sides_are_aligned_as_far_as_can_be() -> None:
    x, _ = sides(30, 6)
    side = Side(x)
    assert cosines(side, side) == pytest.approx(np.ones(30))
    assert cka(side, side) == pytest.approx(np.ones(30))
    assert (retrieval(side, side) == 1).all()


def test_rotation_scale_and_shift_leave_cka_1_and_change_the_cosine() -> None:
    x, _ = sides(30, 6)
    y = 3.0 * x @ ortho_group.rvs(6, random_state=1) + 5.0
    assert cka(Side(x), Side(y)) == pytest.approx(np.ones(30))
    assert cosines(Side(x), Side(y)).mean() < 0.9


def test_debiased_cka_of_independent_sides_is_near_0_where_the_biased_one_is_not() -> None:
    rng = np.random.default_rng(5)
    found, biased = [], []
    for _ in range(40):
        x, y = rng.normal(size=(40, 200)), rng.normal(size=(40, 200))
        found.append(cka(Side(x), Side(y)).mean())
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        biased.append(np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y))
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40)
    assert np.mean(biased) > 0.7


def test_the_mean_of_cka_over_all_orders_of_one_side_is_0() -> None:
    x, y = sides(6, 3)
    orders = [cka(Side(x), Side(y[list(order)])).mean() for order in itertools.permutations(range(6))]
    assert np.mean(orders) == pytest.approx(0, abs=1e-12)


def test_the_jackknife_interval_of_cka_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    load = rng.normal(size=(3, 8))

    def draw(n: int) -> np.ndarray:
        shared = rng.normal(size=(n, 3)) @ load
        return cka(Side(shared + rng.normal(size=(n, 8))), Side(shared + rng.normal(size=(n, 8))))

    truth = np.mean([draw(600).mean() for _ in range(12)])
    inside = []
    for _ in range(200):
        values = draw(60)
        inside.append(abs(values.mean() - truth) < 2.0 * values.std(ddof=1) / np.sqrt(60))
    assert 0.88 < np.mean(inside) <= 1


def test_cka_is_undefined_where_nothing_varies_or_items_are_few() -> None:
    x, y = sides(10, 4)
    still = np.tile(y[:1], (10, 1)) * (1 + 1e-8 * np.arange(10)[:, None])
    assert np.isnan(cka(Side(x), Side(still))).all()
    assert np.isnan(cka(Side(x[: FEWEST - 1]), Side(y[: FEWEST - 1]))).all()
    assert np.isfinite(cka(Side(x[:FEWEST]), Side(y[:FEWEST]))).all()


def test_retrieval_is_a_plain_search_in_both_directions() -> None:
    x, y = sides(40, 5, noise=1.5)
    distances = cdist(x, y, "cosine")
    forward, back = distances.argmin(axis=1) == np.arange(40), distances.argmin(axis=0) == np.arange(40)
    found = retrieval(Side(x), Side(y))
    assert found.tolist() == ((forward.astype(float) + back) / 2).tolist()
    assert 0 < found.mean() < 1


def test_ties_share_what_is_found() -> None:
    x = np.tile([[1.0, 2.0]], (4, 1))
    assert retrieval(Side(x), Side(x)).tolist() == [0.25] * 4


def test_resampled_queries_against_a_fixed_pool_have_the_variance_of_the_values() -> None:
    x, y = sides(80, 5, noise=1.5)
    values = retrieval(Side(x), Side(y))
    rng = np.random.default_rng(0)
    distances = cdist(x, y, "cosine")
    accuracies = []
    for _ in range(4000):
        queries = rng.integers(0, 80, 80)
        right = (distances[queries].argmin(axis=1) == queries).mean() + (
            distances[:, queries].argmin(axis=0) == queries
        ).mean()
        accuracies.append(right / 2)
    assert np.std(accuracies) == pytest.approx(values.std(ddof=1) / np.sqrt(80), rel=0.05)


def test_a_zero_vector_makes_its_own_values_undefined() -> None:
    x, y = sides(6, 3)
    x[2] = 0
    assert np.isnan(cosines(Side(x), Side(y))).tolist() == [False, False, True, False, False, False]
    assert np.isnan(retrieval(Side(x), Side(y))).tolist() == [False, False, True, False, False, False]


def test_all_pairs_is_the_mean_over_all_pairs_with_the_variance_of_two_samples() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 4)) + 1, rng.normal(size=(14, 4)) + 1
    similar = 1 - cdist(x, y, "cosine")
    values = np.concatenate(all_pairs(Side(x), Side(y)))
    assert values.mean() == pytest.approx(similar.mean())
    expected = similar.mean(axis=1).var() / 9 + similar.mean(axis=0).var() / 14
    assert values.var() / 23 == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [[1] * 9, [3] * 7, [1, 4, 2, 1], [2, 2]])
def test_partners_are_all_items_and_never_of_the_own_cluster(sizes: list[int]) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    seen = set()
    for seed in range(30):
        order = np.random.default_rng(seed).permutation(len(clusters))
        own = clusters[order]
        partner = partners(own, np.random.default_rng(seed))
        assert partner is not None
        assert sorted(partner) == list(range(len(own)))
        assert (own[partner] != own).all()
        seen.add(tuple(partner))
    assert len(seen) > 5 or len(own) == 4


def test_no_partners_where_one_cluster_is_more_than_half() -> None:
    assert partners(np.array([0, 0, 0, 1]), np.random.default_rng(0)) is None
    assert partners(np.array([0]), np.random.default_rng(0)) is None


def test_reordered_sides_give_what_reordered_vectors_give() -> None:
    x, y = sides(15, 4)
    order = np.random.default_rng(0).permutation(15)
    side = Side(y)
    _ = side.gram
    for measure in (cosines, cka, retrieval):
        assert measure(Side(x), side.reordered(order)) == pytest.approx(measure(Side(x), Side(y[order])), abs=1e-12)


def test_sides_of_different_length_and_bad_values_are_refused() -> None:
    x, y = sides(6, 3)
    for measure in (cosines, cka, retrieval):
        with pytest.raises(ValueError, match="6 and 5 items"):
            measure(Side(x), Side(y[:5]))
    with pytest.raises(ValueError, match="not finite"):
        Side([[np.nan, 1.0]])
    with pytest.raises(ValueError, match=r"expected \[item, dimension\]"):
        Side([1.0, 2.0])
