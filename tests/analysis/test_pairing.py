"""Pairs of tables: what is common, and a variance that a simulation confirms."""

import numpy as np
import pytest
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.pairing import difference, entry_keys, paired
from xltransfer.analysis.score_tables import score_tables

NAN = float("nan")


def table(values: np.ndarray, **columns):
    (only,) = score_tables(changes_frame(values, **columns))
    return only


def test_pairs_are_cut_to_what_both_have() -> None:
    first = table(np.arange(12.0).reshape(2, 2, 3), transfer=["ewe", "wol"], target=["bam", "kin", "wol"])
    second = table(
        100.0 + np.arange(8.0).reshape(2, 1, 4), transfer=["wol", "zho"], target=["kin", "wol", "xho", "zul"]
    )
    pair = paired(first, second)
    assert entry_keys(pair.transfers) == [{"transfer": "wol", "corpus": "text-wol"}]
    assert pair.targets["target"].tolist() == ["kin", "wol"]
    np.testing.assert_array_equal(pair.x, [[[7.0, 8.0], [10.0, 11.0]]])
    np.testing.assert_array_equal(pair.y, [[[100.0, 101.0]]])
    without = paired(first, second, include_self=False)
    np.testing.assert_array_equal(without.y, [[[100.0, NAN]]])
    np.testing.assert_array_equal(without.cells()[0], [[8.5, NAN]])


def test_a_cell_that_one_side_lacks_is_missing_on_both() -> None:
    values = np.arange(6.0).reshape(1, 2, 3)
    holed = values.copy()
    holed[:, :, 1] = NAN
    pair = paired(table(values), table(np.concatenate([holed, values]) + 1.0))
    assert np.isfinite(pair.x[0, 0]).tolist() == np.isfinite(pair.y[0, 0]).tolist() == [True, False, True]


def test_without_replicate_noise_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 10))
    found = difference(np.tile(x, (3, 1)), np.tile(y, (4, 1)))
    reference = stats.ttest_rel(y, x)
    assert found.estimate / np.sqrt(found.variance) == pytest.approx(reference.statistic)
    assert found.df == pytest.approx(reference.df)


def test_the_variance_is_that_of_repeated_experiments() -> None:
    rng = np.random.default_rng(1)
    estimates, variances = [], []
    for _ in range(1500):
        shared = rng.normal(0.0, 5.0, size=15)
        x, y = (
            shared + rng.normal(size=15) + rng.normal(0.0, 0.5, size=(r, 1)) + rng.normal(size=(r, 15)) for r in (3, 6)
        )
        found = difference(x, y)
        estimates.append(found.estimate)
        variances.append(found.variance)
    assert np.mean(variances) == pytest.approx(np.var(estimates), rel=0.1)
