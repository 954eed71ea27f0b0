"""Corrected p-values by hand, against statsmodels, and against a simulation of what they promise."""

import numpy as np
import pandas as pd
import pytest

from xltransfer.analysis.multiplicity import adjusted


def _cells(p, **more):
    keys = {"base": "b", "setting": "nudge", "task": "dep", "metric": "las", "steps": 10}
    return pd.DataFrame({"p": p}).assign(**(keys | more))


def test_four_cells_by_hand():
    found = adjusted(_cells([0.04, 0.005, np.nan, 0.03, 0.02]))
    # Holm: 4 · 0.005; 3 · 0.02; 2 · 0.03; then not below the one before. BH: 4/1, 4/2, 4/3, 4/4, not above the next.
    assert found["p_holm"].tolist() == pytest.approx([0.06, 0.02, np.nan, 0.06, 0.06], nan_ok=True)
    assert found["p_bh"].tolist() == pytest.approx([0.04, 0.02, np.nan, 0.04, 0.04], nan_ok=True)
    assert found["separable"].tolist() == [True, True, False, True, True]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_thousand_cells_with_ties_against_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.round(np.random.default_rng(1).beta(0.3, 1.0, 1000), 3)
    found = adjusted(_cells(p))
    np.testing.assert_allclose(found["p_holm"], multipletests(p, method="holm")[1])
    np.testing.assert_allclose(found["p_bh"], multipletests(p, method="fdr_bh")[1])


def test_each_study_is_a_family_of_its_own():
    one, other = _cells([0.01, 0.04]), _cells([0.03], steps=100)
    found = adjusted(pd.concat([one, other], ignore_index=True))
    assert found["p_holm"].tolist() == pytest.approx([0.02, 0.04, 0.03])
    shuffled = adjusted(pd.concat([one, other], ignore_index=True).iloc[[2, 0, 1]])
    assert shuffled["p_holm"].tolist() == pytest.approx([0.03, 0.02, 0.04])
    assert shuffled.index.tolist() == [2, 0, 1]


def test_error_rates_of_940_cells():
    rng = np.random.default_rng(0)
    true_null = np.arange(940) >= 200
    wrong, discoveries = [], []
    for _ in range(200):
        p = np.where(true_null, rng.random(940), rng.random(940) * 1e-5)
        found = adjusted(_cells(p))
        wrong.append((found["p_holm"] <= 0.05)[true_null].any())
        discoveries.append(true_null[found["separable"]].mean())
    assert np.mean(wrong) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(discoveries) == pytest.approx(0.05 * 740 / 940, abs=0.008)


def test_nothing_to_test():
    found = adjusted(_cells([np.nan, np.nan]))
    assert found[["p_holm", "p_bh"]].isna().all(axis=None) and not found["separable"].any()
    assert adjusted(_cells([])).empty
    with pytest.raises(ValueError, match="cells lacks the columns p"):
        adjusted(_cells([0.1]).drop(columns="p"))
