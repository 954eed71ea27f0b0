"""Frames of alignment: intervals against resampling, clusters, replicates, and states laid side by side."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.alignment import Side, cka
from xltransfer.analysis.alignment import INTERVAL, alignment, interval, unmatched_alignment
from xltransfer.analysis.alignment_states import alignment_changes, alignment_states
from xltransfer.analysis.crossed import crossed_df


def sides(n: int, d: int = 6, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 1.0
    return x, x + noise * rng.normal(size=(n, d))


def row(frame: pd.DataFrame, **key: object) -> "pd.Series[object]":
    kept = frame
    for name, value in key.items():
        kept = kept[kept[name] == value]
    assert len(kept) == 1, key
    return kept.iloc[0]


def test_a_row_per_layer_measure_and_pairing() -> None:
    x, y = sides(30)
    found = alignment(np.stack([x, x, y]), np.stack([x, y, y]), seed=1)
    assert found.columns.tolist() == ["layer", "measure", "permuted", *INTERVAL]
    assert len(found) == 3 * 3 * 2
    assert row(found, layer=0, measure="cka", permuted=False).estimate == pytest.approx(1)
    assert row(found, layer=0, measure="retrieval", permuted=False).estimate == 100
    assert abs(row(found, layer=0, measure="cka", permuted=True).estimate) < 0.3
    assert row(found, layer=0, measure="retrieval", permuted=True).estimate == 0
    middle = row(found, layer=1, measure="cosine", permuted=False)
    assert row(found, layer=1, measure="cosine", permuted=True).high < middle.low


def test_permuted_pairs_show_the_cone_that_all_vectors_lie_in() -> None:
    x, y = sides(60)
    cone = 20.0
    found = alignment(x + cone, y + cone)
    assert row(found, measure="cosine", permuted=True).estimate > 0.99
    assert abs(row(found, measure="cka", permuted=True).estimate) < 0.2


def test_intervals_are_those_of_resampled_pairs() -> None:
    x, y = sides(150, noise=1.5)
    found = alignment(x, y)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        # A pair drawn twice would match itself in CKA's sums, so pairs are left out in halves, and the spread scaled.
        kept = rng.permutation(150)[:75]
        drawn.append(cka(Side(x[kept]), Side(y[kept])).mean())
    assert row(found, measure="cka", permuted=False).se == pytest.approx(np.std(drawn), rel=0.15)
    cosine = row(found, measure="cosine", permuted=False)
    plain = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert cosine.estimate == pytest.approx(plain.mean())
    assert cosine.se == pytest.approx(plain.std(ddof=1) / np.sqrt(150))
    assert cosine.df == 149


def test_items_of_one_cluster_are_kept_together() -> None:
    x, y = sides(40, noise=2.0)
    once = row(alignment(x, y), measure="cosine", permuted=False)
    thrice = alignment(np.repeat(x, 3, axis=0), np.repeat(y, 3, axis=0), np.repeat(np.arange(40), 3))
    again = row(thrice, measure="cosine", permuted=False)
    assert (again.estimate, again.se, again.df) == pytest.approx((once.estimate, once.se, once.df))
    assert (again.n_items, again.n_clusters) == (120, 40)


def test_unmatched_texts_of_unequal_number() -> None:
    rng = np.random.default_rng(3)
    mean = np.ones(5)

    def draw() -> dict[str, object]:
        return unmatched_alignment(mean + rng.normal(size=(40, 5)), mean + rng.normal(size=(90, 5)))

    found = [draw() for _ in range(300)]
    estimates = np.array([each["estimate"] for each in found], dtype=float)
    assert np.mean([each["se"] for each in found]) == pytest.approx(estimates.std(), rel=0.15)  # type: ignore[arg-type]
    assert found[0]["n_items"] == 130


def test_no_interval_has_a_reason_and_undefined_is_nan() -> None:
    x, _ = sides(8)
    still = alignment(np.ones((8, 3)), np.ones((8, 3)))
    assert row(still, measure="cosine", permuted=False).why == "nothing varies"
    assert row(still, measure="cka", permuted=False).why == "undefined"
    assert np.isnan(row(still, measure="cka", permuted=False).estimate)
    assert row(still, measure="retrieval", permuted=False).estimate == pytest.approx(100 / 8)
    one = alignment(x, x, np.zeros(8))
    assert row(one, measure="cosine", permuted=True).why == "undefined"
    assert row(one, measure="cosine", permuted=False).why == "fewer than two texts that are independent"


def test_bounds_stay_inside_the_range_of_the_measure() -> None:
    x, y = sides(6, noise=0.3)
    found = alignment(x, y)
    for measure, (low, high) in {"cosine": (-1, 1), "cka": (-1, 1), "retrieval": (0, 100)}.items():
        own = found[(found.measure == measure) & found.low.notna()]
        assert (own.low >= low).all() and (own.high <= high).all()


def test_a_crossed_interval_is_that_of_the_two_way_table() -> None:
    rng = np.random.default_rng(8)
    replicates, items = 4, 9
    values = rng.normal(size=(1, items)) + rng.normal(size=(replicates, 1)) + 0.5 * rng.normal(size=(replicates, items))
    rows, columns, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    rest = values - rows[:, None] - columns + mean
    squares = [items * np.var(rows, ddof=1), replicates * np.var(columns, ddof=1)]
    squares.append((rest**2).sum() / ((replicates - 1) * (items - 1)))
    variance = (squares[0] + squares[1] - squares[2]) / values.size
    freedom = (replicates - 1, items - 1, (replicates - 1) * (items - 1))
    df = float(crossed_df(*(np.array(part / values.size) for part in squares), *map(np.array, freedom)))
    found = interval(values, np.arange(items), 0.95)
    half = stats.t.ppf(0.975, df) * variance**0.5
    assert (found["se"], found["df"]) == pytest.approx((variance**0.5, df))
    assert (found["low"], found["high"]) == pytest.approx((mean - half, mean + half))


def test_crossed_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(500):
        values = rng.normal(size=(1, 50)) + 0.3 * rng.normal(size=(5, 1)) + 0.5 * rng.normal(size=(5, 50))
        found = interval(values, np.arange(50), 0.95)
        inside.append(found["low"] <= 0 <= found["high"])
    assert 0.92 < np.mean(inside) < 0.99


def test_arrays_that_do_not_fit_are_refused() -> None:
    x, y = sides(6)
    with pytest.raises(ValueError, match="same layers and items"):
        alignment(x, y[:5])
    with pytest.raises(ValueError, match=r"clusters has shape \[2\]"):
        alignment(x, y, [0, 1])
    with pytest.raises(ValueError, match="level=95"):
        alignment(x, y, level=95)


def items(shift: float = 0.0) -> pd.DataFrame:
    """Items as a run gives them: two layers, a baseline and three replicates of a nudge, texts that differ a lot."""
    rng = np.random.default_rng(0)
    texts = rng.normal(0.5, 0.1, size=(2, 40))
    frames = []
    for setting, replicate in (("baseline", None), ("nudge", 0), ("nudge", 1), ("nudge", 2)):
        for layer in (0, 1):
            value = texts[layer]
            if setting == "nudge":
                value = value + shift * (layer + 1) + 0.001 * rng.normal(size=40)
            frames.append(
                pd.DataFrame(
                    {
                        "unit": f"u{setting}{replicate}", "setting": setting,
                        "transfer": "wol" if setting == "nudge" else "", "corpus": "",
                        "steps": 10 if setting == "nudge" else None, "replicate": replicate, "adapter_seed": None,
                        "task": "pud", "dataset": "eng+wol", "target": "wol", "label": str(layer),
                        "options": '{"layer":1,"n_source":40,"n_target":40,"source":"eng"}',
                        "item": [f"s{i}" for i in range(40)],
                        "cluster": [f"s{i}" for i in range(40)], "compared": 1, "cls_cosine": value,
                        "permuted_cls_cosine": value - 0.2, "cls_retrieval": (value > 0.5) * 1.0,
                    }
                )
            )  # fmt: skip
    return pd.concat(frames).astype({"replicate": "Int64", "steps": "Int64", "adapter_seed": "Int64"})


def test_states_average_replicates_and_mark_the_middle_layer() -> None:
    found = alignment_states(items(shift=0.1), "b")
    assert len(found) == 2 * 2 * 3
    nudged = row(found, setting="nudge", layer=1, metric="cls_cosine", permuted=False)
    base = row(found, setting="baseline", layer=1, metric="cls_cosine", permuted=False)
    assert nudged.estimate == pytest.approx(base.estimate + 0.2, abs=1e-3)
    assert (nudged.n_replicates, base.n_replicates, nudged.source, bool(nudged.middle)) == (3, 1, "eng", True)
    assert row(found, setting="baseline", layer=1, metric="cls_cosine", permuted=True).estimate == pytest.approx(
        base.estimate - 0.2
    )
    assert row(found, setting="baseline", layer=0, metric="cls_retrieval", permuted=False).estimate > 30


def test_a_change_is_taken_item_by_item_so_texts_take_no_part_in_its_interval() -> None:
    states = alignment_states(items(shift=0.01), "b")
    found = alignment_changes(items(shift=0.01), "b")
    assert set(found.setting) == {"nudge"}
    change = row(found, layer=1, metric="cls_cosine", permuted=False)
    assert abs(change.estimate - 0.02) < 4 * change.se
    assert change.se < 0.02 * row(states, setting="nudge", layer=1, metric="cls_cosine", permuted=False).se


def test_any_two_states_side_by_side() -> None:
    base = items().query("setting == 'baseline'")
    first = base.assign(
        setting="task_adapters",
        adapter_seed=0,
        options='{"layer":1,"n_source":40,"n_target":40,"source":"eng","task_adapter":"m"}',
    )
    second = first.assign(
        options='{"layer":1,"n_source":40,"n_target":40,"source":"eng","task_adapter":"a"}',
        cls_cosine=first.cls_cosine + 0.1,
    )
    table = pd.concat([base, first, second]).astype({"adapter_seed": "Int64"})
    found = alignment_changes(table, "b", {"setting": "task_adapters", "task_adapter": "m"})
    ours = found[(found.task_adapter == "a") & (found.metric == "cls_cosine") & ~found.permuted]
    assert ours.estimate.to_numpy() == pytest.approx([0.1, 0.1])
    with pytest.raises(ValueError, match="names 2 states"):
        alignment_changes(table, "b", {"setting": "task_adapters"})
    with pytest.raises(ValueError, match="names 0 states"):
        alignment_changes(table, "b", {"setting": "nudge"})
    with pytest.raises(ValueError, match="against names settings"):
        alignment_changes(table, "b", {"settings": "nudge"})


def test_one_model_measured_by_two_units_is_refused() -> None:
    table = items()
    other = table[table.setting == "baseline"]
    both = pd.concat([table, other.assign(unit="on another device", cls_cosine=other.cls_cosine - 0.1)])
    for ask in (alignment_states, alignment_changes):
        with pytest.raises(ValueError, match="baseline of eng.wol from the units on another device, ubaselineNone"):
            ask(both, "b")


def test_replicates_on_different_items_are_refused() -> None:
    table = items()
    mixed = table[~((table.replicate == 1).fillna(False) & (table.item == "s3"))]
    with pytest.raises(ValueError, match="measured on different items"):
        alignment_states(mixed, "b")
