"""Seen and unseen: blocks and differences by hand, unknown languages, and coverage."""

import math

import numpy as np
import pandas as pd
import pytest
from changes_frame import changes_frame
from scipy import stats

from xltransfer.analysis.seen_unseen import seen_unseen, seen_unseen_differences

NAN = float("nan")


def known(transfers: int, targets: int, unseen: set[str]) -> pd.DataFrame:
    codes = [f"a{i:02d}" for i in range(transfers)] + [f"b{i:02d}" for i in range(targets)]
    return pd.DataFrame({"code": codes, "seen": pd.array([code not in unseen for code in codes], dtype="boolean")})


UNSEEN = {"a02", "a03", "b03", "b04"}


def test_four_blocks_and_their_differences() -> None:
    values = np.random.default_rng(0).normal(size=(4, 3, 5))
    cells = values.mean(axis=1)
    seen = known(4, 5, UNSEEN)
    blocks = seen_unseen(changes_frame(values), seen).set_index(["transfer_seen", "target_seen"])
    parts = {(True, True): cells[:2, :3], (True, False): cells[:2, 3:],
             (False, True): cells[2:, :3], (False, False): cells[2:, 3:]}  # fmt: skip
    assert blocks.index.tolist() == list(parts)
    for key, part in parts.items():
        assert blocks.loc[key, "estimate"] == pytest.approx(part.mean())
        assert blocks.loc[key, ["n_transfers", "n_targets", "n_cells"]].tolist() == [*part.shape, part.size]
    found = seen_unseen_differences(changes_frame(values), seen).set_index(["side", "among"])["estimate"]
    assert found["target", "all"] == pytest.approx(cells[:, 3:].mean() - cells[:, :3].mean())
    assert found["target", "seen"] == pytest.approx(parts[True, False].mean() - parts[True, True].mean())
    assert found["target", "unseen"] == pytest.approx(parts[False, False].mean() - parts[False, True].mean())
    assert found["transfer", "all"] == pytest.approx(cells[2:].mean() - cells[:2].mean())
    assert found["transfer", "seen"] == pytest.approx(parts[False, True].mean() - parts[True, True].mean())
    assert found["transfer", "unseen"] == pytest.approx(parts[False, False].mean() - parts[True, False].mean())


def test_entries_that_agree_leave_a_welch_test_over_targets() -> None:
    targets = np.random.default_rng(1).normal(size=9) * np.repeat([1.0, 3.0], (5, 4))
    values = np.tile(targets, (6, 2, 1))
    seen = known(6, 9, {"b05", "b06", "b07", "b08"})
    row = seen_unseen_differences(changes_frame(values), seen).iloc[0]
    reference = stats.ttest_ind(targets[5:], targets[:5], equal_var=False)
    assert row["estimate"] / row["se"] == pytest.approx(reference.statistic)
    assert row["df"] == pytest.approx(reference.df)
    assert row["p"] == pytest.approx(reference.pvalue)


def test_what_all_targets_share_is_not_noise_of_their_difference() -> None:
    rng = np.random.default_rng(2)
    level = 50.0 * rng.normal(size=(8, 1, 1))
    values = level + rng.normal(size=(8, 2, 10))
    found = seen_unseen_differences(changes_frame(values), known(8, 10, {"a00", "a01", "a02", "b00", "b01", "b02"}))
    widths = found.set_index(["side", "among"])["se"]
    assert widths["target", "all"] < 1.0 < 10.0 < widths["transfer", "all"]


def test_coverage_of_blocks_and_differences() -> None:
    rng = np.random.default_rng(3)
    seen = known(10, 14, {"a00", "a01", "a02", "a03", "b00", "b01", "b02", "b03", "b04", "b05"})
    held = []
    for _ in range(70):
        values = rng.normal(size=(10, 1, 1)) + rng.normal(size=(1, 1, 14)) + rng.normal(size=(10, 1, 14))
        values = values + 0.5 * rng.normal(size=(10, 3, 1)) + 0.5 * rng.normal(size=(10, 3, 14))
        frame = changes_frame(values)
        for found in (seen_unseen(frame, seen), seen_unseen_differences(frame, seen)):
            held.append(found["low"].le(0.0).mul(found["high"].ge(0.0)).mean())
    assert 0.92 <= np.mean(held) <= 0.985


def test_self_transfer_can_be_left_out() -> None:
    values = np.random.default_rng(4).normal(size=(2, 2, 3))
    frame = changes_frame(values, transfer=["b00", "b01"])
    found = seen_unseen(frame, known(0, 3, set()), include_self=False).iloc[0]
    cells = values.mean(axis=1)
    assert found["n_cells"] == 4
    assert found["estimate"] == pytest.approx(np.mean([cells[0, 1], cells[0, 2], cells[1, 0], cells[1, 2]]))


def test_languages_of_unknown_kind_are_counted_and_left_out() -> None:
    values = np.random.default_rng(5).normal(size=(3, 2, 4))
    seen = known(3, 4, {"a02"})
    seen.loc[seen["code"].isin(["a00", "b03"]), "seen"] = pd.NA
    found = seen_unseen(changes_frame(values), seen)
    assert found["n_cells"].tolist() == [3, 3]
    assert found["n_unknown"].eq(6).all()
    assert found["estimate"].iloc[0] == pytest.approx(values[1, :, :3].mean())


def test_one_language_on_a_side_says_why_and_base_models_differ() -> None:
    values = np.random.default_rng(6).normal(size=(3, 2, 4))
    both = pd.concat([changes_frame(values), changes_frame(values, base="other")], ignore_index=True)
    seen = pd.concat([known(3, 4, {"a02"}).assign(base="b"), known(3, 4, {"b03"}).assign(base="other")])
    found = seen_unseen(both, seen).set_index("base")
    assert found.loc["b", "transfer_seen"].tolist() == [True, False]
    assert found.loc["other", "target_seen"].tolist() == [True, False]
    assert found["why"].tolist() == ["", "one transfer entry", "", "one target"]
    assert math.isnan(found["low"].iloc[1]) and math.isfinite(found["estimate"].iloc[1])


def test_a_language_without_a_row_is_an_error_with_the_nearest() -> None:
    frame = changes_frame(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="no row for the language 'a01'"):
        seen_unseen(frame, known(1, 2, set()))
    with pytest.raises(ValueError, match="seen lacks the columns code"):
        seen_unseen(frame, pd.DataFrame({"seen": [True]}))
