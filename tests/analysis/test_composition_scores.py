"""The frame of compositions: worked by hand, and standard errors against their formula written here."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import xltransfer
from xltransfer.analysis import composition_scores
from xltransfer.analysis.composition_scores import COMPOSITION_SCORES, SETTINGS, composition_of


def row(setting: str, transfer: str, score: float, **changes: Any) -> dict[str, Any]:
    """Return one measurement."""
    return {
        "protocol": "interaction", "base": "b", "setting": setting, "transfer": transfer, "adapter_seed": 0,
        "task": "pos", "dataset": "D", "target": "wol", "metric": "accuracy", "score": score, "n_items": 9,
        "device": "cpu",
    } | changes  # fmt: skip


@pytest.fixture
def measured() -> pd.DataFrame:
    return pd.DataFrame(
        [
            row("baseline", "", 50.0),
            row("trivial", "", 20.0),
            row("language_adapter", "wol", 51.0),
            row("fusion_trained", "wol+wol'", 52.0),
            row("fusion_trained", "wol+yor", 53.0),
            row("fusion_uniform", "wol+yor", 54.0),
            row("fusion_untrained", "wol+yor+fra", 55.0),
            row("baseline", "", 3.0, task="mlm", metric="nll", adapter_seed=pd.NA),
        ]
    ).astype({"adapter_seed": "Int64"})


def test_frame_is_the_one_worked_by_hand(measured: pd.DataFrame) -> None:
    found = composition_scores(measured)
    assert list(found.columns) == COMPOSITION_SCORES
    pos = found[found.task == "pos"].set_index("score")
    assert pos.loc[50.0, ["composition", "members", "fusion"]].tolist() == ["T", "", ""]
    assert pos.loc[51.0, ["composition", "members", "fusion"]].tolist() == ["A", "wol", ""]
    assert pos.loc[52.0, ["composition", "members", "fusion"]].tolist() == ["A+A'", "wol+wol'", "trained"]
    assert pos.loc[53.0, ["composition", "members", "fusion"]].tolist() == ["A+B", "wol+yor", "trained"]
    assert pos.loc[54.0, ["composition", "members", "fusion"]].tolist() == ["A+B", "wol+yor", "uniform"]
    assert pos.loc[55.0, ["composition", "members", "fusion"]].tolist() == ["A+B+C", "wol+yor+fra", "untrained"]
    assert len(found) == 7 and found.standard_error.isna().all() and (found.n_items == 9).all()
    assert found[found.task == "mlm"].adapter_seed.isna().all()


@pytest.mark.parametrize(
    ("members", "composition"),
    [("", "T"), ("wol", "A"), ("wol+wol'", "A+A'"), ("wol+yor", "A+B"), ("wol+wolx", "A+B"), ("a+b+c", "A+B+C")],
)
def test_names_of_compositions(members: str, composition: str) -> None:
    assert composition_of(members) == composition


def test_order_of_the_rows_does_not_matter(measured: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(composition_scores(measured[::-1]), composition_scores(measured))


def test_two_devices_are_never_mixed(measured: pd.DataFrame) -> None:
    both = pd.concat([measured, measured.assign(device="cuda", score=measured.score + 1)])
    with pytest.raises(ValueError, match="of the devices cpu, cuda; choose one of them by device="):
        composition_scores(both)
    pd.testing.assert_frame_equal(composition_scores(both, device="cpu"), composition_scores(measured))
    with pytest.raises(ValueError, match="device='gpu'"):
        composition_scores(both, device="gpu")


def test_other_protocols_and_lost_columns_are_refused(measured: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="measurements holds scores of protocol 'transfer'"):
        composition_scores(measured.assign(protocol="transfer"))
    with pytest.raises(ValueError, match="measurements holds scores of no composition"):
        composition_scores(measured.assign(setting="nudge"))
    with pytest.raises(ValueError, match="measurements lacks the columns device"):
        composition_scores(measured.drop(columns="device"))


def test_standard_errors_are_those_of_a_ratio_over_sentences(interaction_study: Any) -> None:
    run = xltransfer.open_run(interaction_study.folder)
    found = composition_scores(run.measurements(labels=False), run.cluster_counts(SETTINGS))
    own = found[(found.composition == "A+B") & (found.fusion == "trained") & (found.target == "qba")]
    items = run.items(target="qba")
    for task, metric, count in (("pos", "accuracy", "correct"), ("pos", "nll", "nll"), ("mlm", "nll", "nll")):
        (cell,) = own[(own.task == task) & (own.metric == metric) & (own.members == "qab+qba")].itertuples()
        rows = items[(items.task == task) & (items["transfer"] == "qab+qba") & (items.setting == "fusion_trained")]
        sums = rows.groupby("cluster", observed=True)[[count, "total"]].sum().astype(float)
        a, b = sums[count].to_numpy(), sums.total.to_numpy()
        a = 100 * a if metric == "accuracy" else a
        score, whole = a.sum() / b.sum(), b.sum()
        assert cell.score == pytest.approx(score)
        # Linearised, each cluster's square enlarged by its own share of the words.
        expected = np.sqrt((((a - score * b) / whole) ** 2 / (1 - b / whole)).sum())
        assert cell.standard_error == pytest.approx(expected, rel=1e-6)
    # Where no cluster decides anything there is nothing to know; everywhere else there is.
    assert found[found.metric.isin(["accuracy", "nll"])].standard_error.notna().all()


def test_analysis_of_interference_takes_the_frame(interaction_study: Any) -> None:
    from xltransfer.analysis.interference_frame import checked

    found = composition_scores(xltransfer.open_run(interaction_study.folder).measurements(labels=False))
    assert len(checked(found)) == len(found)
