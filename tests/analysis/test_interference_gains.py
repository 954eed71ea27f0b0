"""What adapters do to a language's own score: means by hand, the paper's flags, and exact intervals."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xltransfer.analysis.interference_gains import adapter_scores, improvement_shares

PUBLISHED = Path(__file__).resolve().parents[2] / "data_manifests" / "published" / "faisal2024"
SCORES = [
    ("T", "", "fin", 50.0), ("T", "", "wol", 40.0), ("T", "", "hun", 30.0),
    ("A", "fin", "fin", 51.0), ("A", "wol", "wol", 39.0), ("A", "hun", "hun", 30.0),
    ("A+A'", "fin+fin'", "fin", 99.0),
    ("A+B", "fin+wol", "fin", 48.0), ("A+B", "fin+hun", "fin", 50.0),
    ("A+B", "fin+wol", "wol", 42.0), ("A+B", "wol+hun", "wol", 39.0), ("A+B", "fin+hun", "hun", 29.0),
    ("A+B+C", "fin+wol+hun", "fin", 50.5), ("A+B+C", "fin+wol+hun", "hun", 30.0),
]  # fmt: skip


def frame(rows=SCORES, **more) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["composition", "members", "target", "score"])
    fusion = np.where(table["composition"].isin(["T", "A"]), "", "trained")
    fixed = {"base": "b", "task": "pos", "metric": "accuracy", "dataset": "ud", "adapter_seed": 0}
    return table.assign(fusion=fusion, **fixed | more)


def test_each_setting_is_the_mean_over_the_languages_compositions():
    table = adapter_scores(frame()).set_index("language")
    numbers = ["base_score", "a1", "a2", "a3"]
    assert table.loc["fin", numbers].tolist() == [50.0, 51.0, 49.0, 50.5]
    assert table.loc["wol", numbers].tolist()[:3] == [40.0, 39.0, 40.5] and math.isnan(table.loc["wol", "a3"])
    assert table[["n_pairs", "n_triples"]].to_numpy().tolist() == [[2, 1], [1, 1], [2, 0]]
    flags = table[[f"improves_{name}" for name in ("a1", "a2", "a3", "any")]].astype(object)
    assert flags.loc["fin"].tolist() == [True, False, True, True]
    assert flags.loc["hun"].tolist() == [False, False, False, False]  # equal is not better
    assert flags.loc["wol"].tolist()[:2] == [False, True] and flags.loc["wol", "improves_any"] is True


def test_any_is_unknown_where_a_missing_setting_could_decide():
    rows = [row for row in SCORES if row[:3] != ("A+B", "fin+wol", "wol")]
    table = adapter_scores(frame(rows)).set_index("language")
    assert table.loc["wol", "improves_any"] is pd.NA
    # A setting that the study does not have decides nothing.
    pairs = adapter_scores(frame([row for row in rows if row[0] != "A+B+C"])).set_index("language")
    assert not pairs.loc["wol", "improves_any"] and pairs["a3"].isna().all()


def test_nll_improves_downwards_and_fusions_stand_apart():
    lower = frame(metric="nll")
    table = adapter_scores(lower).set_index("language")
    assert not table.loc["fin", "improves_a1"] and table.loc["fin", "improves_a2"]
    uniform = frame().query("composition == 'A+B'").assign(fusion="uniform", score=90.0)
    both = adapter_scores(pd.concat([frame(), uniform])).set_index(["fusion", "language"])
    assert both.loc[("uniform", "fin"), ["a1", "a2"]].tolist() == [51.0, 90.0]
    assert both.loc[("trained", "fin"), ["a1", "a2"]].tolist() == [51.0, 49.0]
    alone = adapter_scores(frame(SCORES[:6]))
    assert set(alone["fusion"]) == {""} and alone["a1"].tolist() == [51.0, 30.0, 39.0]


def test_test_sets_and_seeds_weigh_alike():
    parts = [frame(dataset=d, adapter_seed=s).assign(score=lambda f, up=up: f["score"] + up)
             for d, s, up in (("x", 0, 0.0), ("x", 1, 2.0), ("y", 0, 8.0))]  # fmt: skip
    table = adapter_scores(pd.concat(parts)).set_index("language")
    assert table.loc["fin", "base_score"] == pytest.approx(50.0 + (1.0 + 8.0) / 2)
    assert table.loc["fin", "n_pairs"] == 2


def test_a_composition_that_lacks_a_seed_is_not_compared_with_one_that_has_both():
    both = pd.concat([frame(), frame(adapter_seed=1).assign(score=lambda f: f["score"] - 2.0)])
    own = both["members"].eq("fin") & both["adapter_seed"].eq(1)
    table = adapter_scores(both).set_index("language")
    assert (table.loc["fin", "base_score"], table.loc["fin", "a1"]) == (49.0, 50.0)
    for lacking in (both[~own], both.assign(score=both["score"].mask(own))):
        table = adapter_scores(lacking).set_index("language")
        assert table.loc["fin", "base_score"] == 49.0
        # 51.0 of one seed is no gain over the mean of two.
        assert math.isnan(table.loc["fin", "a1"]) and table.loc["fin", "improves_a1"] is pd.NA
        assert table.loc["wol", "a1"] == 38.0
    pair = both["members"].eq("fin+wol") & both["target"].eq("fin") & both["adapter_seed"].eq(0)
    table = adapter_scores(both[~pair]).set_index("language")
    assert (table.loc["fin", "a2"], table.loc["fin", "n_pairs"]) == (49.0, 1)


def test_test_sets_outside_the_aggregates_have_no_say():
    flags = pd.DataFrame({"target": ["fin", "wol", "hun"], "at_floor": [0, 1, 0], "small": [0, 0, 1]}).astype(
        {"at_floor": bool, "small": bool}
    )
    flags = flags.assign(base="b", adapter_seed=0, task="pos", dataset="ud")
    table = adapter_scores(frame(), out_of_aggregates=flags).set_index("language")
    assert table.loc["fin", ["base_score", "a1", "a2", "a3"]].tolist() == [50.0, 51.0, 49.0, 50.5]
    for code in ("wol", "hun"):
        assert table.loc[code, ["base_score", "a1"]].isna().all() and table.loc[code, "n_pairs"] == 0
        assert table.loc[code, "improves_any"] is pd.NA
    (row,) = improvement_shares(table.reset_index().assign(setting="a1", improves=table["improves_a1"].array)).to_dict(
        "records"
    )
    assert (row["n_languages"], row["n_improved"]) == (1, 1)
    # A second test set of the language still counts.
    two = adapter_scores(pd.concat([frame(), frame(dataset="other").assign(score=7.0)]), out_of_aggregates=flags)
    assert two.set_index("language").loc["wol", ["base_score", "a1", "a2"]].tolist() == [7.0, 7.0, 7.0]


def test_the_published_scores_give_the_published_flags():
    scores = pd.read_csv(PUBLISHED / "tables07-14_scores.csv")
    flags = pd.read_csv(PUBLISHED / "tables07_09_11_improvement.csv")
    own = scores[scores["table"].isin([7, 9, 11]) & scores["setting"].isin(["base", "a1", "a2", "a3"])]
    # One printed mean stands for all compositions of a language: a pair with nobody in particular.
    kinds = {"base": ("T", "{}", ""), "a1": ("A", "{}", ""), "a2": ("A+B", "{}+b", "f"), "a3": ("A+B+C", "{}+b+c", "f")}
    rows = []
    for row in own.to_dict("records"):
        composition, members, fusion = kinds[row["setting"]]
        rows.append((composition, "" if composition == "T" else members.format(row["lang"]), row["lang"], row["score"],
                     fusion, row["task"]))  # fmt: skip
    frame_ = pd.DataFrame(rows, columns=["composition", "members", "target", "score", "fusion", "task"])
    made = adapter_scores(frame_.assign(base="mbert", metric="accuracy", dataset="d", adapter_seed=0))
    both = made.merge(flags, left_on=["task", "language"], right_on=["task", "lang"])
    assert len(both) == len(flags) == 90
    assert (both["improves_any"].astype(bool) == (both["imp_i"] == "yes")).all()
    shares = improvement_shares(both.assign(setting="any", improves=both["improves_any"])).set_index("task")
    printed = flags.groupby("task")["imp_i"].agg(lambda column: 100 * (column == "yes").mean())
    assert shares["percent"].to_dict() == pytest.approx(printed.to_dict())


def improvements(values, **more):
    languages = [f"l{i}" for i in range(len(values))]
    table = pd.DataFrame({"language": languages, "improves": pd.array(values, dtype="boolean")})
    return table.assign(base="b", task="pos", metric="accuracy", setting="k1", **more)


def test_shares_have_exact_binomial_intervals():
    for gains in (1, 7, 19):
        values = [True] * gains + [False] * (20 - gains) + [None]
        (row,) = improvement_shares(improvements(values)).to_dict("records")
        assert (row["n_languages"], row["n_improved"], row["percent"]) == (20, gains, 5.0 * gains)
        wanted = stats.binomtest(gains, 20).proportion_ci(0.95, "exact")
        assert [row["low"], row["high"]] == pytest.approx([100 * wanted.low, 100 * wanted.high])
    for values, bound in (([True] * 5, (100 * 0.025**0.2, 100.0)), ([False] * 5, (0.0, 100 - 100 * 0.025**0.2))):
        (row,) = improvement_shares(improvements(values)).to_dict("records")
        assert [row["low"], row["high"]] == pytest.approx(bound)


def test_no_language_has_no_share():
    (row,) = improvement_shares(improvements([None, None])).to_dict("records")
    assert row["n_languages"] == 0 and all(math.isnan(row[name]) for name in ("percent", "low", "high"))


def test_bad_frames_are_refused():
    with pytest.raises(ValueError, match="no row of the composition T; score the task adapter without language"):
        adapter_scores(frame(SCORES[3:]))
    with pytest.raises(ValueError, match="improvements hold two rows for .*'language': 'l0'"):
        improvement_shares(pd.concat([improvements([True]), improvements([False])]))
    with pytest.raises(ValueError, match="level=95 is not between 0 and 1"):
        improvement_shares(improvements([True]), level=95)
    with pytest.raises(ValueError, match="improvements lacks the columns improves"):
        improvement_shares(improvements([True]).drop(columns="improves"))
