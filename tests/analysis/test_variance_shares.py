"""Variance shares: statsmodels' mean squares, recovery of known components, and what is left out."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from changes_frame import changes_frame

from xltransfer.analysis.frames import CELL
from xltransfer.analysis.variance_shares import SOURCES, variance_shares

NAN = float("nan")


def components(values: np.ndarray, statistics: pd.DataFrame | None = None, **columns) -> pd.DataFrame:
    return variance_shares(changes_frame(values, **columns), statistics).set_index("source")


def test_components_of_one_seed_are_those_of_an_analysis_of_variance() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3, 6))
    values += np.arange(5.0)[:, None, None] + 2.0 * np.arange(6.0)
    a, r, t = np.indices(values.shape).reshape(3, -1)
    long = pd.DataFrame({"y": values.ravel(), "a": a, "r": r, "t": t})
    table = sm.stats.anova_lm(smf.ols("y ~ C(a) + C(t) + C(a):C(t) + C(a):C(r)", long).fit())["mean_sq"]
    entry, target, pair, replicate, rest = table[["C(a)", "C(t)", "C(a):C(t)", "C(a):C(r)", "Residual"]]
    found = components(values)["variance"]
    assert found["transfer"] == pytest.approx((entry - pair - replicate + rest) / 18)
    assert found["target"] == pytest.approx((target - pair) / 15)
    assert found["transfer_x_target"] == pytest.approx(max((pair - rest) / 3, 0.0))
    assert found["replicate"] == pytest.approx(max((replicate - rest) / 6, 0.0))
    assert found["replicate_x_target"] == pytest.approx(rest)


def test_known_components_are_recovered_on_average() -> None:
    rng = np.random.default_rng(1)
    language = np.repeat(np.arange(6), [1, 1, 2, 2, 3, 3])
    truth = {
        "transfer": 2.0,
        "corpus": 0.5,
        "target": 2.0,
        "transfer_x_target": 1.5,
        "replicate": 0.4,
        "replicate_x_target": 0.8,
        "adapter_seed": 0.6,
        "adapter_seed_x_cell": 0.9,
    }

    def noise(name: str, *shape: int, share: float = 1.0) -> np.ndarray:
        return math.sqrt(truth[name] * share) * rng.normal(size=shape)

    found = []
    for _ in range(60):
        values = noise("transfer", 6)[language][None, :, None, None] + noise("corpus", 1, 12, 1, 1)
        values = values + noise("target", 1, 1, 1, 10) + noise("transfer_x_target", 1, 12, 1, 10)
        values = values + noise("replicate", 1, 12, 3, 1) + noise("replicate_x_target", 1, 12, 3, 10)
        values = values + noise("adapter_seed", 3, 1, 1, 1) + noise("adapter_seed_x_cell", 3, 1, 1, 10, share=0.5)
        values = values + noise("adapter_seed_x_cell", 3, 12, 3, 10, share=0.5)
        names = [f"l{place}" for place in language]
        found.append(components(values, transfer=names, corpus=[f"c{i}" for i in range(12)])["variance"])
    means, errors = pd.concat(found, axis=1).mean(axis=1), pd.concat(found, axis=1).sem(axis=1)
    for source, variance in truth.items():
        assert means[source] == pytest.approx(variance, abs=3.0 * errors[source] + 0.02), source


def test_shares_add_up_and_rows_come_in_order() -> None:
    found = variance_shares(changes_frame(np.random.default_rng(2).normal(size=(4, 3, 5)) + np.arange(5.0)))
    assert found["source"].tolist() == list(SOURCES)
    assert found["share"].sum() == pytest.approx(1.0)
    known = found.dropna(subset="variance")
    np.testing.assert_allclose(known["share"], known["variance"] / known["variance"].sum())
    why = found.set_index("source")["why"]
    assert why[["corpus", "item", "adapter_seed"]].tolist() == ["one corpus each", "no items given", "one adapter seed"]


def test_the_seed_shifts_every_score_or_single_cells() -> None:
    values = np.random.default_rng(3).normal(size=(4, 3, 5))
    shifted = np.stack([values - 1.0, values + 1.0])
    found, alone = components(shifted)["variance"], components(values)["variance"]
    assert found["adapter_seed"] == pytest.approx(2.0)
    assert found["adapter_seed_x_cell"] == pytest.approx(0.0, abs=1e-20)
    assert found[["target", "replicate_x_target"]].tolist() == pytest.approx(
        alone[["target", "replicate_x_target"]].tolist()
    )
    opposed = np.stack([values, -values])
    assert components(opposed)["variance"]["adapter_seed"] == 0.0


def test_items_come_out_of_the_pairs_and_then_out_of_the_targets() -> None:
    values = np.random.default_rng(4).normal(size=(6, 4, 8)) + 4.0 * np.random.default_rng(5).normal(size=(6, 1, 8))
    values += 5.0 * np.arange(8.0)
    frame = changes_frame(values)
    cells = frame[CELL].drop_duplicates()
    plain = components(values)["variance"]
    some = components(values, cells.assign(v_item=3.0, v_res=1.0))["variance"]
    assert some["item"] == pytest.approx(2.0)
    assert some["transfer_x_target"] == pytest.approx(plain["transfer_x_target"] - 2.0)
    assert some["target"] == pytest.approx(plain["target"])
    pair = plain["transfer_x_target"]
    more = components(values, cells.assign(v_item=pair + 3.0, v_res=0.0))["variance"]
    assert more["transfer_x_target"] == 0.0
    assert more["target"] == pytest.approx(plain["target"] - 3.0)
    other = components(values, cells.assign(v_item=3.0, v_res=1.0, task="dep"))
    assert other.loc["item", "why"] == "no items given"


def test_an_unfinished_table_is_cut_to_what_is_complete() -> None:
    values = np.random.default_rng(6).normal(size=(6, 4, 5))
    holed = values.copy()
    holed[0, 1:] = NAN  # an entry with one replicate
    holed[1:, :, 2] = NAN  # a target that one entry alone was scored on
    holed[3, 2, 4] = NAN  # one score
    found = variance_shares(changes_frame(holed)).iloc[0]
    assert (found["n_transfers"], found["n_replicates"], found["n_targets"]) == (4, 4, 4)
    assert found["n_left_out"] == np.isfinite(holed).sum() - 4 * 4 * 4
    cut = components(values[[1, 2, 4, 5]][:, :, [0, 1, 3, 4]])["variance"]
    assert components(holed)["variance"]["replicate"] == pytest.approx(cut["replicate"])


@pytest.mark.parametrize(
    ("shape", "why"), [((1, 3, 4), "one transfer entry"), ((3, 1, 4), "one replicate"), ((3, 3, 1), "one target")]
)
def test_no_components_say_why(shape: tuple[int, int, int], why: str) -> None:
    found = components(np.random.default_rng(7).normal(size=shape))
    assert found.loc["replicate", "why"] == why
    assert found["share"].isna().all()


def test_a_scale_that_is_undefined_says_so() -> None:
    found = variance_shares(changes_frame(np.ones((3, 3, 4))).assign(delta=NAN), scale="delta").set_index("source")
    assert found.loc["target", "why"] == "undefined baseline" and found[["variance", "share"]].isna().all(axis=None)


def test_a_task_without_adapter_has_no_seeds() -> None:
    frame = changes_frame(np.random.default_rng(8).normal(size=(3, 3, 4))).assign(adapter_seed=pd.NA)
    assert variance_shares(frame)["n_seeds"].eq(1).all()
