"""The floor test against scipy's paired t, against a delete-one jackknife and against its own error rate."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis import at_floor, out_of_aggregates, small_targets

POS = ("accuracy", "span_f1", "nll")


def _pos_items(correct, trivial, total, clusters=None, target="wol"):
    """Return the items of a baseline and a trivial unit, one row a sentence."""
    n = len(correct)
    common = {
        "task": "pos",
        "dataset": "ud",
        "target": target,
        "item": range(n),
        "cluster": range(n) if clusters is None else clusters,
        "total": total,
    }
    own = pd.DataFrame({"unit": "u0", "setting": "baseline", "correct": correct, **common})
    return pd.concat([own, pd.DataFrame({"unit": "t", "setting": "trivial", "correct": trivial, **common})])


def _pos_measurements(measure, items, **more):
    """Return the measurements that such items lead to, with all metrics of the task named."""
    rows = []
    for (setting, target), part in items.groupby(["setting", "target"]):
        score = 100.0 * part["correct"].sum() / part["total"].sum()
        unit = part["unit"].iloc[0]
        more_rows = {"setting": setting, "target": target, "unit": unit, "n_scored": len(part), **more}
        rows += [{"metric": name, "score": score if name == "accuracy" else 1.0, **more_rows} for name in POS]
    return measure(*rows)


def _draw(rng, n=40, share=0.6, words=10):
    total = np.full(n, words)
    return rng.binomial(words, share, n), rng.binomial(words, 0.5, n), total


def test_equal_sentences_are_the_paired_t_test(measure):
    correct, trivial, total = _draw(np.random.default_rng(1))
    items = _pos_items(correct, trivial, total)
    row = at_floor(_pos_measurements(measure, items), items).iloc[0]
    expected = stats.ttest_rel(correct / total, trivial / total, alternative="greater")
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["df"] == expected.df
    assert row["difference"] / row["se"] == pytest.approx(expected.statistic)
    assert row["method"] == "paired_clusters"


def test_clusters_are_the_units(measure):
    correct, trivial, total = _draw(np.random.default_rng(2))
    clusters = np.repeat(np.arange(10), 4)
    items = _pos_items(correct, trivial, total, clusters)
    row = at_floor(_pos_measurements(measure, items), items).iloc[0]
    documents = [x.reshape(10, 4).mean(axis=1) / 10 for x in (correct, trivial)]
    assert row["p"] == pytest.approx(stats.ttest_rel(*documents, alternative="greater").pvalue)
    assert row["df"] == 9


def test_unequal_sentences_agree_with_the_jackknife(measure):
    rng = np.random.default_rng(3)
    total = rng.integers(1, 40, 200)
    correct, trivial = rng.binomial(total, 0.6), rng.binomial(total, 0.5)
    items = _pos_items(correct, trivial, total)
    row = at_floor(_pos_measurements(measure, items), items).iloc[0]
    without = [100 * np.delete(correct - trivial, i).sum() / np.delete(total, i).sum() for i in range(200)]
    jackknife = math.sqrt(199 / 200 * np.square(without - np.mean(without)).sum())
    assert row["se"] == pytest.approx(jackknife, rel=0.02)


def test_no_better_than_trivial_is_found_in_95_of_100(measure):
    rng = np.random.default_rng(4)
    parts = [_pos_items(*_draw(rng, share=0.5), target=f"q{i:03d}") for i in range(600)]
    items = pd.concat(parts)
    floor = at_floor(_pos_measurements(measure, items), items)
    # 600 draws at 5 %: three standard errors are 2.7 points.
    assert 0.02 < 1 - floor["at_floor"].mean() < 0.08


def _ner_items(tp, fp, fn):
    n = len(tp)
    return pd.DataFrame(
        {
            "unit": "u0", "setting": "baseline", "task": "ner", "dataset": "masakha", "target": "wol",
            "item": range(n), "cluster": range(n), "tp": tp, "fp": fp, "fn": fn, "nll": 1.0, "total": 10,
        }
    )  # fmt: skip


def _ner_measurements(measure, f1):
    common = {"task": "ner", "dataset": "masakha", "metric": "f1"}
    return measure({**common, "setting": "baseline", "score": f1}, {**common, "setting": "trivial", "score": 0.0})


def test_f1_against_nothing(measure):
    rng = np.random.default_rng(5)
    tp, fp, fn = rng.binomial(3, 0.4, 150), rng.binomial(2, 0.5, 150), rng.binomial(2, 0.5, 150)
    whole = 100 * 2 * tp.sum() / (2 * tp.sum() + fp.sum() + fn.sum())
    row = at_floor(_ner_measurements(measure, whole), _ner_items(tp, fp, fn)).iloc[0]
    without = []
    for i in range(150):
        a, b, c = (np.delete(x, i).sum() for x in (tp, fp, fn))
        without.append(100 * 2 * a / (2 * a + b + c))
    assert row["se"] == pytest.approx(math.sqrt(149 / 150 * np.square(without - np.mean(without)).sum()), rel=0.02)
    assert not row["at_floor"]


def test_one_lucky_entity_is_noise(measure):
    tp, fp, fn = np.eye(1, 50, dtype=int)[0], np.ones(50), np.ones(50)
    assert at_floor(_ner_measurements(measure, 100 * 2 / 102), _ner_items(tp, fp, fn))["at_floor"].item()
    nothing = at_floor(_ner_measurements(measure, 0.0), _ner_items(tp * 0, fp, fn)).iloc[0]
    assert nothing["at_floor"]
    assert nothing["p"] == 1.0


def test_no_gold_entities_at_all_is_untested(measure):
    none = np.zeros(5)
    own = _ner_items(none, none, none)
    items = pd.concat([own, own.assign(unit="t", setting="trivial")])
    measurements = _ner_measurements(measure, float("nan"))
    row = at_floor(measurements, items).iloc[0]
    assert row["method"] == "none"
    assert not row["at_floor"]
    assert math.isnan(row["p"])


def test_one_cluster_shows_nothing(measure):
    items = _pos_items([9], [1], [10])
    row = at_floor(_pos_measurements(measure, items), items).iloc[0]
    assert row["p"] == 1.0
    assert row["at_floor"]


def test_bound_by_hand(measure):
    rows = [{"setting": "baseline", "score": 60.0, "n_scored": 100}, {"setting": "trivial", "score": 40.0}]
    row = at_floor(measure(*rows)).iloc[0]
    # Discordance at most min(1.0, 1.0) = 1; 2 · (1 − 0.04)/100 = 0.0192.
    assert row["se"] == pytest.approx(100 * math.sqrt(0.0192))
    assert row["p"] == pytest.approx(stats.norm.sf(0.2 / math.sqrt(0.0192)))
    assert row["at_floor"]
    assert row["method"] == "bound"
    assert not at_floor(measure(*rows).assign(n_scored=1000))["at_floor"].item()


def test_bound_is_more_careful_than_the_items(measure):
    rng = np.random.default_rng(6)
    parts = [_pos_items(*_draw(rng, share=s), target=f"q{i:02d}") for i, s in enumerate(rng.uniform(0.4, 0.9, 60))]
    items = pd.concat(parts)
    measurements = _pos_measurements(measure, items)
    bound, exact = at_floor(measurements)["at_floor"], at_floor(measurements, items)["at_floor"]
    assert (bound | ~exact).all(), "whatever the bound clears, the items clear"
    assert bound.sum() > exact.sum()


def test_a_target_without_items_keeps_the_bound(measure):
    correct, trivial, total = _draw(np.random.default_rng(8))
    items = pd.concat([_pos_items(correct, trivial, total, target=target) for target in ("fin", "wol")])
    measurements = _pos_measurements(measure, items)
    mixed = at_floor(measurements, items[items["target"] == "fin"]).set_index("target")
    assert mixed["method"].to_dict() == {"fin": "paired_clusters", "wol": "bound"}
    assert mixed.loc["wol", "p"] == pytest.approx(at_floor(measurements).set_index("target").loc["wol", "p"])
    assert at_floor(measurements, items.iloc[:0])["method"].tolist() == ["bound", "bound"]


def test_mlm_and_missing_trivial_are_untested(measure):
    frame = measure(
        {"setting": "baseline", "task": "mlm", "metric": "nll", "adapter_seed": None, "score": 4.0},
        {"setting": "baseline", "score": 40.0},
    )
    floor = at_floor(frame)
    assert floor["method"].tolist() == ["none", "none"]
    assert not floor["at_floor"].any()
    assert floor["p"].isna().all()


def test_each_adapter_seed_has_its_own_floor(measure):
    frame = measure(
        {"setting": "trivial", "score": 30.0, "adapter_seed": None, "device": ""},
        {"setting": "baseline", "score": 90.0, "adapter_seed": 0},
        {"setting": "baseline", "score": 29.0, "adapter_seed": 1},
    )
    assert at_floor(frame).set_index("adapter_seed")["at_floor"].to_dict() == {0: False, 1: True}


def test_several_adapter_seeds_in_one_unit(measure):
    rng = np.random.default_rng(7)
    good, bad = (_pos_items(*_draw(rng, share=share)) for share in (0.9, 0.3))
    bad["correct"] = bad["correct"].where(bad["setting"] == "baseline", good["correct"])
    items = pd.concat(
        [part[part["setting"] == "baseline"].assign(adapter_seed=seed) for seed, part in enumerate((good, bad))]
        + [good[good["setting"] == "trivial"].assign(adapter_seed=None)]
    ).astype({"adapter_seed": "Int64"})
    measurements = pd.concat(
        [_pos_measurements(measure, good, adapter_seed=0)]
        + [_pos_measurements(measure, bad[bad["setting"] == "baseline"], adapter_seed=1)]
    )
    floor = at_floor(measurements, items).set_index("adapter_seed")
    assert floor["at_floor"].to_dict() == {0: False, 1: True}
    assert floor.loc[0, "p"] == pytest.approx(at_floor(measurements.iloc[:6], good)["p"].item())
    assert small_targets(measurements, items)["size"].tolist() == [400], "gold words are counted once"


def test_sizes_and_flags(measure):
    n = 30
    small = _pos_items(np.full(n, 9), np.full(n, 3), np.full(n, 9), target="nap")  # 270 words
    large = _pos_items(np.full(n, 9), np.full(n, 3), np.full(n, 10), target="wol")  # 300 words
    items = pd.concat([small, large])
    measurements = _pos_measurements(measure, items)
    sizes = small_targets(measurements, items).set_index("target")
    assert sizes["size"].to_dict() == {"nap": 270, "wol": 300}
    assert sizes["small"].to_dict() == {"nap": True, "wol": False}
    assert sizes["counted"].unique() == ["words"]
    flags = out_of_aggregates(measurements, items).set_index("target")
    assert flags["small"].to_dict() == {"nap": True, "wol": False}
    assert not flags["at_floor"].any()
    assert not out_of_aggregates(measurements)["small"].any(), "words are not counted in the measurements"


def test_entities_are_gold_entities(measure):
    items = _ner_items(np.full(7, 3), np.full(7, 9), np.full(7, 4))
    sizes = small_targets(_ner_measurements(measure, 30.0), items).iloc[0]
    assert sizes["size"] == 49
    assert sizes["small"]
    assert sizes["counted"] == "entities"


@pytest.mark.parametrize(
    ("task", "metrics", "counted", "limit"),
    [("qa", ["squad_f1", "squad_em"], "questions", 50), ("nli", ["accuracy", "nll"], "pairs", 100)],
)
def test_questions_may_be_as_few_as_entities_and_pairs_may_not(measure, task, metrics, counted, limit):
    measurements = pd.concat([measure({"task": task, "metric": name}) for name in metrics])
    for n, small in ((limit - 1, True), (limit, False)):
        items = pd.DataFrame({"setting": "baseline", "task": task, "dataset": "ud", "target": "wol",
                              "item": [f"i{i}" for i in range(n)], "total": 1})  # fmt: skip
        (row,) = small_targets(measurements, items).to_dict("records")
        assert (row["counted"], row["size"], row["limit"], row["small"]) == (counted, n, limit, small)


def test_errors(measure):
    items = _pos_items([9, 8], [1, 2], [10, 10])
    measurements = _pos_measurements(measure, items)
    with pytest.raises(ValueError, match="items of the trivial setting lack 1 baseline items, first of .*'wol'"):
        at_floor(measurements, items.iloc[:-1])
    with pytest.raises(ValueError, match="items lacks the columns cluster"):
        at_floor(measurements, items.drop(columns="cluster"))
    with pytest.raises(ValueError, match="items lacks the columns correct"):
        at_floor(measurements, items.drop(columns="correct"))
    with pytest.raises(ValueError, match="two different trivial scores for .*'wol'"):
        at_floor(pd.concat([measurements, measure({"setting": "trivial", "score": 77.0})]))
    with pytest.raises(ValueError, match="no main metric among .'uas'.; expected one of accuracy .pos."):
        at_floor(measure({"setting": "baseline", "metric": "uas", "score": 7.0}))
