"""Rankings against tables worked by hand, and against the order in print."""

import math

import pandas as pd
import pytest

from xltransfer.analysis import rank_target_languages, rank_transfer_languages

# Rows help columns by so many percent; fin and zul are both sides, wol only receives.
WORKED = {
    ("fin", "fin"): 4.0, ("fin", "wol"): -1.0, ("fin", "zul"): 0.0,
    ("zul", "fin"): 1.0, ("zul", "wol"): -1.0, ("zul", "zul"): 3.0,
    ("eng", "fin"): 0.0, ("eng", "wol"): -2.0, ("eng", "zul"): -4.0,
}  # fmt: skip


def _frame(scored, cells, **more):
    return scored(*[{"transfer": a, "target": b, "ts": ts, **more} for (a, b), ts in cells.items()])


def test_worked_table(scored):
    ranks = rank_transfer_languages(_frame(scored, WORKED)).set_index("transfer")
    # Means 3/3 = 1 for fin and zul, -2 for eng.
    assert ranks["aggregated_transfer"].to_dict() == pytest.approx({"fin": 1.0, "zul": 1.0, "eng": -2.0})
    assert ranks["rank"].to_dict() == {"fin": 1, "zul": 1, "eng": 3}
    assert ranks["without_self"].to_dict() == pytest.approx({"fin": -0.5, "zul": 0.0, "eng": -2.0})
    assert ranks["percent_positive"].to_dict() == pytest.approx({"fin": 100 / 3, "zul": 200 / 3, "eng": 0.0})
    # One exact tie of three for fin and eng, none for zul.
    assert ranks["percent_positive_if_no_effect"].to_dict() == pytest.approx(
        {"fin": 100 / 3, "zul": 50.0, "eng": 100 / 3}
    )
    # fin: (9 + 4 + 1)/2; zul: (0 + 4 + 4)/2; eng: (4 + 0 + 4)/2.
    assert ranks["variance"].to_dict() == pytest.approx({"fin": 7.0, "zul": 4.0, "eng": 4.0})
    # Largest: fin gives fin's, zul gives zul's, both tie on wol. Smallest: all from eng.
    assert ranks["n_max"].to_dict() == {"fin": 2, "zul": 2, "eng": 0}
    assert ranks["n_min"].to_dict() == {"fin": 0, "zul": 0, "eng": 3}
    assert (ranks["n_targets"] == 3).all()


def test_worked_table_seen_from_the_targets(scored):
    ranks = rank_target_languages(_frame(scored, WORKED)).set_index("target")
    assert ranks["aggregated_target"].to_dict() == pytest.approx({"fin": 5 / 3, "zul": -1 / 3, "wol": -4 / 3})
    assert ranks["without_self"].to_dict() == pytest.approx({"fin": 0.5, "zul": -2.0, "wol": -4 / 3})
    assert list(ranks.sort_values("rank").index) == ["fin", "zul", "wol"]
    assert ranks["n_max"].to_dict() == {"fin": 2, "zul": 1, "wol": 0}
    assert (ranks["n_transfers"] == 3).all()


def test_self_pairs_can_be_left_out_of_everything(scored):
    ranks = rank_transfer_languages(_frame(scored, WORKED), include_self=False).set_index("transfer")
    assert ranks["aggregated_transfer"].to_dict() == pytest.approx({"fin": -0.5, "zul": 0.0, "eng": -2.0})
    assert ranks["n_targets"].to_dict() == {"fin": 2, "zul": 2, "eng": 3}
    assert ranks.loc["zul", "rank"] == 1


def test_rounding_is_a_tie_and_row_order_does_not_matter(scored):
    noisy = {pair: ts + (1e-13 if pair[0] == "fin" else -1e-13) for pair, ts in WORKED.items()}
    exact, rounded = (rank_transfer_languages(_frame(scored, cells)) for cells in (WORKED, noisy))
    counts = ["transfer", "rank", "percent_positive", "percent_positive_if_no_effect", "n_max", "n_min"]
    pd.testing.assert_frame_equal(exact[counts], rounded[counts])
    pd.testing.assert_frame_equal(rank_transfer_languages(_frame(scored, WORKED).iloc[::-1]), exact)


def test_scaling_ts_scales_means_and_squares_variances(scored):
    one = rank_transfer_languages(_frame(scored, WORKED))
    three = rank_transfer_languages(_frame(scored, {pair: 3 * ts for pair, ts in WORKED.items()}))
    assert three["aggregated_transfer"].tolist() == pytest.approx((3 * one["aggregated_transfer"]).tolist())
    assert three["variance"].tolist() == pytest.approx((9 * one["variance"]).tolist())
    assert three["rank"].tolist() == one["rank"].tolist()


def test_adapter_seeds_are_averaged_first(scored):
    frame = scored(
        {"target": "wol", "adapter_seed": 0, "ts": 1.0, "ts_sd": 3.0},
        {"target": "wol", "adapter_seed": 1, "ts": 3.0, "ts_sd": 3.0},
        {"target": "zul", "adapter_seed": 0, "ts": 8.0, "ts_sd": 3.0},
    )
    row = rank_transfer_languages(frame).iloc[0]
    assert row["aggregated_transfer"] == pytest.approx(5.0), "of 2 and 8, not of 1, 3 and 8"
    assert row["variance"] == pytest.approx(18.0)
    # Squared standard errors of 3 replicates: 3 each, so 1.5 for the mean of two seeds.
    assert row["variance_corrected"] == pytest.approx(18.0 - (1.5 + 3.0) / 2)


def test_single_replicate_has_no_corrected_variance(scored):
    cells = {("fin", "wol"): 1.0, ("fin", "zul"): 2.0}
    row = rank_transfer_languages(_frame(scored, cells, n_replicates=1, ts_sd=float("nan"))).iloc[0]
    assert row["variance"] == pytest.approx(0.5)
    assert math.isnan(row["variance_corrected"])


def test_cells_out_of_aggregates_count_nowhere_and_nobody_vanishes(scored):
    frame = scored(
        {"transfer": "fin", "target": "wol", "ts": 1.0},
        {"transfer": "zul", "target": "wol", "ts": float("nan"), "aggregated": False},
    )
    ranks = rank_transfer_languages(frame).set_index("transfer")
    assert math.isnan(ranks.loc["zul", "aggregated_transfer"])
    assert pd.isna(ranks.loc["zul", "rank"])
    assert ranks.loc["zul", "n_targets"] == 0
    assert math.isnan(ranks.loc["zul", "percent_positive"])
    assert ranks.loc["fin", "rank"] == 1


def test_nothing_to_aggregate_and_nothing_at_all(scored):
    frame = scored({"transfer": "fin", "aggregated": False}, {"transfer": "zul", "aggregated": False})
    ranks = rank_transfer_languages(frame)
    assert ranks["transfer"].tolist() == ["fin", "zul"]
    assert ranks["n_targets"].tolist() == [0, 0]
    assert ranks[["aggregated_transfer", "variance", "percent_positive", "rank"]].isna().all(axis=None)
    assert rank_transfer_languages(frame.iloc[:0]).empty
    assert rank_target_languages(frame[frame["setting"] == "random_sign"]).empty


def test_steps_metrics_and_controls_are_ranked_apart(scored):
    frame = scored(
        {"transfer": "fin", "steps": 1, "ts": 1.0},
        {"transfer": "zul", "steps": 1, "ts": 2.0},
        {"transfer": "fin", "steps": 10, "ts": 1.0},
        {"transfer": "fin", "steps": 10, "ts": 9.0, "metric": "nll"},
        {"transfer": "zul", "steps": 10, "ts": 9.0, "setting": "random_sign"},
    )
    assert len(rank_transfer_languages(frame)) == 4
    assert rank_transfer_languages(frame, steps=1)["transfer"].tolist() == ["zul", "fin"]
    assert rank_transfer_languages(frame, metric="nll")["aggregated_transfer"].tolist() == [9.0]


def test_two_corpora_of_a_language_are_two_entries(scored):
    frame = scored({"corpus": "news", "ts": 1.0}, {"corpus": "bible", "ts": 2.0})
    assert rank_transfer_languages(frame)["corpus"].tolist() == ["bible", "news"]


def test_errors(scored):
    frame = _frame(scored, WORKED)
    with pytest.raises(ValueError, match="steps=7 is not among the known values: 10"):
        rank_transfer_languages(frame, steps=7)
    with pytest.raises(ValueError, match="metric='acuracy' is not among .* did you mean 'accuracy'"):
        rank_target_languages(frame, metric="acuracy")
    with pytest.raises(ValueError, match="ts lacks the columns ts_sd; expected the frame that transfer_scores"):
        rank_transfer_languages(frame.drop(columns="ts_sd"))


@pytest.mark.parametrize("task", ["dep", "pos", "ner"])
def test_order_in_print(scored, shared, task):
    """Tables 15-17 list 38 languages by aggregated transfer: as one-target studies they must come out in that order."""
    printed = pd.read_csv(shared / "published" / "faisal2024" / "tables15-18_transfer_ranking.csv")
    printed = printed[(printed["model"] == "mbert") & (printed["task"] == task)]
    frame = scored(*[{"transfer": row.lang, "task": task, "ts": row.ts} for row in printed.itertuples()])
    ours = rank_transfer_languages(frame).set_index("transfer")
    # Print breaks ties of two decimals by digits that it does not show.
    expected = {row.lang: 1 + int((printed["ts"] > row.ts).sum()) for row in printed.itertuples()}
    assert ours["rank"].to_dict() == expected
    assert (ours.loc[printed["lang"], "rank"].to_numpy() <= printed["rank"].to_numpy()).all()
