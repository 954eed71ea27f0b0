"""The audit of published numbers: its rule on cases worked by hand, planted errors, and what is wrong in print."""

import shutil
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import audit_published
import pandas as pd
import pytest
from audit.comparison import AGREES, DIFFERS, NOT_RECOMPUTABLE, ROUNDING, Value, flag, mean, number, share, text, values
from audit.denominators import best_fitting, is_share
from audit.faisal2024_ranking import _p_values
from audit.stated import Stated
from audit.tlr2023 import _test_sizes
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner

from xltransfer.config.manifests import root
from xltransfer.config.published import published_table

INPUTS = {
    "madx2020": {"hidden_size", "language_adapter", "invertible_adapter", "task_adapter", "model_parameters"},
    "fadx2022": {"amazon_training_set"},
}
"""Stated numbers from which others follow and which follow from none."""


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return audit_published.audit()


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A copy of the published tables, without the README and its list of oddities."""
    folder = tmp_path / "published"
    shutil.copytree(root() / "published", folder, ignore=shutil.ignore_patterns("*.md"))
    return folder


def replace(folder: Path, name: str, old: str, new: str) -> None:
    """Put ``new`` for the one place of ``old``."""
    path = folder / name
    before = path.read_text(encoding="utf-8")
    assert before.count(old) == 1, f"{old!r} stands {before.count(old)} times in {name}"
    path.write_text(before.replace(old, new), encoding="utf-8")


def differing(findings: pd.DataFrame, papers: Iterable[str]) -> set[tuple[str, str]]:
    own = findings[findings["paper"].isin(list(papers)) & (findings["verdict"] == DIFFERS)]
    return set(zip(own["item"], own["what"], strict=True))


def one(findings: pd.DataFrame, paper: str, item: str, what: str) -> "pd.Series[str]":
    found = findings[(findings["paper"] == paper) & (findings["item"] == item) & (findings["what"] == what)]
    assert len(found) == 1
    return found.iloc[0]


# The rule.


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("10.03", AGREES),  # 10.0333 rounds to it
        ("10.08", AGREES),  # inside [9.9833, 10.0833], where the mean of the unrounded inputs can be
        ("9.99", AGREES),
        ("10.09", ROUNDING),  # 0.0067 outside, less than 0.01
        ("9.98", ROUNDING),
        ("10.10", DIFFERS),
        ("9.97", DIFFERS),
        ("10", AGREES),
        ("11", ROUNDING),  # 0.917 outside, less than 1
        ("12", DIFFERS),
    ],
)
def test_mean_of_three_scores_with_one_decimal(published: str, expected: str) -> None:
    found = number("", "", published, mean(values(["10.0", "10.0", "10.1"])))
    assert found.verdict == expected


@pytest.mark.parametrize(
    ("published", "recomputed", "expected"),
    [
        ("0.12", Fraction(1, 8), AGREES),  # a tie may go down
        ("0.13", Fraction(1, 8), AGREES),  # or up
        ("8.25M", Fraction(8257536), ROUNDING),  # cut off
        ("8.26M", Fraction(8257536), AGREES),
        ("8.27M", Fraction(8257536), DIFFERS),  # 0.0125M away
        ("-0.14", Fraction(-1, 7), AGREES),
        ("0.14", Fraction(-1, 7), DIFFERS),
        ("25", Fraction(24), DIFFERS),  # counts are off by one or right
        ("24", Fraction(24), AGREES),
    ],
)
def test_exact_numbers(published: str, recomputed: Fraction, expected: str) -> None:
    assert number("", "", published, Value.exact(recomputed)).verdict == expected


def test_last_digit_meant_may_be_coarser_than_the_last_printed() -> None:
    about_90 = number("", "", "90", share(10, 11), step="10")
    assert about_90.verdict == AGREES
    assert number("", "", "90", share(10, 11), step="0.1").verdict == DIFFERS


def test_difference_and_recomputation_are_shown_with_two_digits_more() -> None:
    found = number("Table 1", "avg", "67.0", Value.exact(Fraction("68.9545")), "how")
    assert (found.recomputed, found.difference, found.note) == ("68.954", "-1.954", "how")


def test_printed_digits_are_intervals() -> None:
    value = Value.printed("0.40")
    assert (value.low, value.nominal, value.high) == (Fraction("0.395"), Fraction("0.4"), Fraction("0.405"))
    gap = Value.printed("5.0") - Value.printed("3.0")
    assert (gap.low, gap.nominal, gap.high) == (Fraction("1.9"), 2, Fraction("2.1"))
    ratio = Value.printed("6.24M") / Value.printed("4k")
    assert (ratio.low, ratio.nominal, ratio.high) == (Fraction(6235, 45) * 10, 1560, Fraction(6245, 35) * 10)


def test_no_number_and_division_by_what_may_be_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="'-' is no printed number"):
        Value.printed("-")
    with pytest.raises(ValueError, match="surely positive"):
        Value.printed("1.0") / Value.printed("0.0")


def rounded(true: Fraction, decimals: int) -> str:
    digits = f"{abs(round(true * 10**decimals)):0{decimals + 1}d}"
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return ("-" if true < 0 else "") + whole + (f".{part}" if part else "")


TRUE = st.fractions(min_value=1, max_value=99, max_denominator=10_000)


@given(st.lists(TRUE, min_size=2, max_size=20), st.integers(0, 3), st.integers(0, 3))
def test_correct_print_never_differs(true: list[Fraction], decimals: int, of_result: int) -> None:
    printed = values([rounded(part, decimals) for part in true])
    results = {
        sum(true, start=Fraction(0)) / len(true): mean(printed),
        true[0] - true[1]: printed[0] - printed[1],
        true[0] / true[1]: printed[0] / printed[1],
        3 * true[0] + true[1]: printed[0] * 3 + printed[1],
    }
    for result, recomputed in results.items():
        assert recomputed.low <= result <= recomputed.high
        assert number("", "", rounded(result, of_result), recomputed).verdict in (AGREES, ROUNDING)


@pytest.mark.parametrize(
    ("published", "before", "after", "expected"),
    [
        ("yes", "90.0", "90.4", AGREES),
        ("no", "90.0", "90.4", DIFFERS),
        ("yes", "90.0", "89.6", DIFFERS),
        ("no", "90.0", "90.0", AGREES),
        ("yes", "90.0", "90.0", ROUNDING),  # only digits that are not printed can make it a gain
    ],
)
def test_flags(published: str, before: str, after: str, expected: str) -> None:
    assert flag("", "", published, Value.printed(after) - Value.printed(before)).verdict == expected


def test_labels_agree_or_differ() -> None:
    assert (text("", "", "mi", "mi").verdict, text("", "", "mi", "xmf").verdict) == (AGREES, DIFFERS)


def test_shares_of_a_whole_by_brute_force() -> None:
    for parts in (9, 15, 113, 114, 125):
        possible = {f"{100 * k / parts:.1f}" for k in range(parts + 1)}
        for tenths in range(1001):
            cell = f"{tenths / 10:.1f}"
            assert is_share(cell, parts) == (cell in possible), (cell, parts)


def test_best_fitting_denominator_survives_one_wrong_cell() -> None:
    cells = ["40.35", "31.58", "35.96", "33.33"]
    assert best_fitting(cells, (113, 114, 125)) == ([114], 4)
    assert best_fitting([*cells, "31.60"], (113, 114, 125)) == ([114], 4)


def test_test_sizes_are_those_that_a_loop_finds() -> None:
    cells = ["50.40", "46.13", "50.53", "51.73", "49.60"]
    possible = {n: {f"{100 * k / n:.2f}" for k in range(n + 1)} for n in range(1, 800)}
    fits = {n: sum(cell in accuracies for cell in cells) for n, accuracies in possible.items()}
    sizes, most = _test_sizes(cells)
    assert most == max(fits.values()) == 5
    assert [n for n in sizes if n < 800] == [n for n, count in fits.items() if count == 5] == [750]


def test_p_of_a_rank_correlation_is_the_tabled_one() -> None:
    # Critical value of Pearson's r for 36 degrees of freedom and 5 %, two-sided: 0.3202 (standard tables).
    assert float(_p_values("0.3202", 38).nominal) == pytest.approx(0.05, abs=5e-5)
    assert _p_values("-0.34", 38).nominal == _p_values("0.34", 38).nominal


def test_claims_in_words() -> None:
    rows = [("k", "place", "quote", value, "1") for value in ("5", "2-5", "a; b", "most")]
    keys = ("number", "range", "list", "most")
    table = pd.DataFrame(rows, columns=["key", "place", "quote", "value", "unit"]).assign(key=keys)
    stated = Stated(table)
    assert [stated.more_than("number", Value.exact(n)).verdict for n in (5, 6)] == [DIFFERS, AGREES]
    assert [stated.at_most("number", Value.exact(n)).verdict for n in (5, 6)] == [AGREES, DIFFERS]
    ends = [Fraction(n, 10) for n in (15, 55, 56, 60, 10)]
    assert [stated.within("range", [Value.exact(3), Value.exact(end)]).verdict for end in ends] == [
        *(AGREES, AGREES, ROUNDING, DIFFERS, DIFFERS)
    ]
    assert [stated.names("list", names).verdict for names in ("ba", "a", "abc")] == [AGREES, DIFFERS, DIFFERS]
    assert [stated.included("list", names).verdict for names in ("ba", "a", "abc")] == [AGREES, DIFFERS, AGREES]
    assert stated.included("list", "bc").recomputed == "b"
    assert [stated.most("most", n, 6).verdict for n in (3, 4)] == [DIFFERS, AGREES]
    assert stated.nearest_names("list", "dc", "").recomputed == "c; d"


# Planted errors.

FIGURE_5_ROW = "5,madx,madx_noinv,sw,"
PLANTED = [
    (
        "faisal2024",
        "tables08_10_12_averages.csv",
        "faisal2024,8,xlmr,dep,k1,68.17",
        "faisal2024,8,xlmr,dep,k1,68.71",
        {("Table 8", "Avg., xlmr, k1")},
    ),
    (
        "faisal2024",
        "tables15-18_transfer_ranking.csv",
        "xlmr,pos,20,deu,-0.31,41.23,16",
        "xlmr,pos,23,deu,-0.31,41.23,16",
        {("Table 16", "rank, xlmr, pos, deu")},
    ),
    (
        "faisal2024",
        "tables15-18_transfer_ranking.csv",
        "xlmr,pos,22,swe,-0.32,41.23,16",
        "xlmr,pos,22,swe,-0.32,41.32,16",
        {("Table 16", "+(%), xlmr, pos, swe")},
    ),
    (
        "faisal2024",
        "table22_variance_ranking.csv",
        "mbert,ner,36,eng,0.02,5.1,5,1",
        "mbert,ner,36,eng,0.02,5.1,5,2",
        {("Table 22", "sum of n_min, ner")},
    ),
    (
        "faisal2024",
        "tables07_09_11_improvement.csv",
        "faisal2024,9,mbert,pos,hye,no,no,no",
        "faisal2024,9,mbert,pos,hye,no,no,yes",
        {
            ("Table 9", "hye, imp_i"),
            ("Figure 2", "standard language adapter interaction stays at 25% average improvement"),
        },
    ),
    (
        "faisal2024",
        "table06_interference_example_counts.csv",
        "+A+B,2",
        "+A+B,9",
        {("Appendix F", quote) for quote in ("C = 1 + 1 + 3 + 2 = 7", "(xA, yA) = (0.43, -0.14): x")}
        | {("Appendix F", "(xA, yA) = (0.43, -0.14): y")},
    ),
    (
        "madx2020",
        "table03_xquad.csv",
        "madx,avg,em,54.4",
        "madx,avg,em,55.4",
        {("Table 3", "avg, madx, em")},
    ),
    (
        "madx2020",
        "figures04-05_relative_f1.csv",
        "5,madx,madx_noinv,gn,en,-0.3,gn",
        "5,madx,madx_noinv,gn,en,0.3,gn",
        {("Figure 5", "row gn, en")},
    ),
    (
        "madx2020",
        "table04_parameters.csv",
        "madx_noinv,7.96M,2.94",
        "madx_noinv,7.69M,2.94",
        {("Table 4", "added parameters, madx_noinv")},
    ),
    (
        "tlr2023",
        "table06_better.csv",
        "a,nli,AmericasNLI,xlmr,target,5/10",
        "a,nli,AmericasNLI,xlmr,target,4/10",
        {("Table 6", "Better, AmericasNLI, target")},
    ),
    (
        "tlr2023",
        "table07_scores.csv",
        "a,dp,UD,mbert,bilingual,AF,las,54.75,0,0",
        "a,dp,UD,mbert,bilingual,AF,las,54.75,1,0",
        {("Table 7", "bold, UD, AF")},
    ),
    (
        "tlr2023",
        "table02_scores.csv",
        "c,nli,AmericasNLI,mbert,bilingual,HCH,acc,46.13,1,0",
        "c,nli,AmericasNLI,mbert,bilingual,HCH,acc,46.17,1,0",
        {("Table 2", "possible, AmericasNLI, HCH, bilingual")},
    ),
    (
        "fadx2022",
        "table01_averages.csv",
        "st_param_plus,f1,70.66",
        "st_param_plus,f1,70.60",
        {("Table 1", "avg, st_param_plus")},
    ),
]


@pytest.mark.parametrize("paper", audit_published.PAPERS)
def test_planted_errors_are_found_and_nothing_else(tables: Path, shipped: pd.DataFrame, paper: str) -> None:
    planted = [case[1:] for case in PLANTED if case[0] == paper]
    for name, old, new, _ in planted:
        replace(tables, f"{paper}/{name}", f"\n{old}\n", f"\n{new}\n")
    found = differing(audit_published.audit(tables, [paper]), [paper])
    assert found - differing(shipped, [paper]) == set().union(*(expected for *_, expected in planted))
    assert differing(shipped, [paper]) <= found


def test_wrong_row_label_is_found_by_what_the_row_fits(tables: Path, shipped: pd.DataFrame) -> None:
    path = tables / "madx2020" / "figures04-05_relative_f1.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    relabelled = [line[: -len("sw")] + "is" if line.startswith(FIGURE_5_ROW) else line for line in lines]
    assert sum(old != new for old, new in zip(lines, relabelled, strict=True)) == 16
    path.write_text("\n".join(relabelled) + "\n", encoding="utf-8")
    audited = audit_published.audit(tables, ["madx2020"])
    assert differing(audited, ["madx2020"]) - differing(shipped, ["madx2020"]) == {("Figure 5", "row label is")}
    wrong = audited[(audited["what"] == "row label is") & (audited["item"] == "Figure 5")]
    assert sorted(wrong["recomputed"]) == ["is", "sw"]


def test_mended_print_agrees(tables: Path) -> None:
    replace(tables, "madx2020/table03_xquad.csv", "madx_noinv,avg,f1,67.0", "madx_noinv,avg,f1,69.0")
    path = tables / "fadx2022" / "table06_amazon_with_target_adapter.csv"
    frame = pd.read_csv(path, dtype="str")
    fused = (frame["method"] == "fuse_L") & (frame["model"] == "mbert")
    frame.loc[fused, "lang"] = ["en", "zh", "ja", "es", "de", "fr"]
    frame = pd.concat(
        [frame[~fused], frame[fused].set_index("lang").loc[["en", "zh", "de", "ja", "es", "fr"]].reset_index()]
    )
    frame.to_csv(path, index=False)
    audited = audit_published.audit(tables, ["madx2020", "fadx2022"])
    assert one(audited, "madx2020", "Table 3", "avg, madx_noinv, f1")["verdict"] == AGREES
    assert one(audited, "fadx2022", "Table 6", "columns, mbert, fuse_L")["verdict"] == AGREES
    assert one(audited, "fadx2022", "Table 6", "columns, xlmr, fuse_L")["verdict"] == DIFFERS


# What is wrong in print. Readers had found most of it before (README of the tables).


@pytest.mark.parametrize(
    ("paper", "item", "what", "published", "recomputed"),
    [
        ("madx2020", "Table 3", "avg, madx_noinv, f1", "67.0", "68.955"),
        ("madx2020", "Figure 4", "row label mi", "mi", "xmf"),
        ("madx2020", "Figure 4", "row label mhr", "mhr", "mi"),
        ("madx2020", "Figure 4", "row label tk", "tk", "mhr"),
        ("madx2020", "Figure 4", "row ja, jv", "12.6", "-12.6"),
        ("madx2020", "Figure 4", "row mi, en", "-2.1", "2"),
        ("madx2020", "Figure 5", "row ja, mi", "6.8", "-6.9"),
        ("madx2020", "Table 2", "means over (caption), madx", "sources", "targets"),
        ("madx2020", "Table 2", "means over (caption), xlmr", "sources", "neither"),
        ("faisal2024", "Table 22", "sum of n_max, dep", "116", "114"),
        ("faisal2024", "Appendix L", "arabic (rank 37)", "37", "36"),
        ("faisal2024", "Appendix I", "25 languages are unseen low resourced languages", "25", "24"),
        ("faisal2024", "Table 27", "French, iso639_3", "fre", "fra"),
        (
            "tlr2023",
            "Limitations",
            "our experiments have been conducted over 35 different target languages",
            "35",
            "34",
        ),
        ("fadx2022", "Table 7", "columns, xlmr, fuse_L_minus_LAt", "en zh de ja es", "en zh ja es de"),
        ("fadx2022", "§1", "+16.5% accuracy on Amazon Review dataset, on average", "16.5", "16.71"),
        # These no reader had noted.
        ("fadx2022", "§1", "resources for TA [...] for gn are up to 20-fold [...] smaller", "20", "200"),
        ("faisal2024", "§1", "dozens of transfer and target languages (184 in total)", "184", "187"),
    ],
)
def test_known_error_is_found(
    shipped: pd.DataFrame, paper: str, item: str, what: str, published: str, recomputed: str
) -> None:
    row = one(shipped, paper, item, what)
    assert (row["published"], row["recomputed"], row["verdict"]) == (published, recomputed, DIFFERS)


def test_known_roundings(shipped: pd.DataFrame) -> None:
    own = shipped[shipped["verdict"] == ROUNDING]
    eighth = own[(own["paper"] == "tlr2023") & (own["item"] == "Table 8")]
    assert sorted(eighth["published"]) == ["42.66", "47.65", "51.55"]
    assert one(shipped, "faisal2024", "Table 7", "bul, imp_c1")["verdict"] == ROUNDING
    assert one(shipped, "faisal2024", "Table 2", "dep, bam, base")["verdict"] == ROUNDING
    assert one(shipped, "madx2020", "Table 4", "added parameters, madx")["recomputed"] == "8257536"
    assert one(shipped, "fadx2022", "Table 6", "avg, xlmr, st")["recomputed"] == "36.544"


def test_averages_and_better_counts_of_tlr_agree(shipped: pd.DataFrame) -> None:
    own = shipped[(shipped["paper"] == "tlr2023") & shipped["what"].str.match("avg|Better")]
    assert len(own) == 48 + 20 + 12 + 14 + 12 + 14 + 30 + 12 + 8 + 12
    assert set(own["verdict"]) == {AGREES}


def test_shares_of_positive_targets_include_self_transfer(shipped: pd.DataFrame) -> None:
    own = shipped[shipped["what"].str.startswith("n of +(%)")]
    assert set(own["verdict"]) == {AGREES}
    assert list(own["recomputed"]) == [*("114", "114", "125") * 2, *("15", "10", "9") * 2]
    cells = shipped[shipped["what"].str.startswith("+(%)")]
    assert (len(cells), set(cells["verdict"])) == (12 * 38, {AGREES})


def test_spearman_values_are_not_recomputable_and_have_another_sign_in_table_15(shipped: pd.DataFrame) -> None:
    row = one(shipped, "faisal2024", "Table 21", "rho, dep and pos")
    assert (row["published"], row["recomputed"], row["verdict"]) == ("-0.34", "0.34", NOT_RECOMPUTABLE)


def test_every_stated_number_is_audited(shipped: pd.DataFrame) -> None:
    for paper in audit_published.PAPERS:
        stated = published_table(paper, "stated_numbers").read().set_index("key")["quote"]
        audited = set(shipped[shipped["paper"] == paper]["what"])
        assert set(stated.index[~stated.isin(audited)]) == INPUTS.get(paper, set())


def test_each_printed_number_has_one_row(shipped: pd.DataFrame) -> None:
    assert list(shipped.columns) == audit_published.COLUMNS
    assert not shipped.duplicated(["paper", "item", "what"]).any()
    assert not shipped.isna().any(axis=None)


def test_script_writes_the_findings_and_ends_with_their_path(tmp_path: Path, shipped: pd.DataFrame) -> None:
    app = Typer()
    app.command()(audit_published.main)
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    path = tmp_path / "new" / "audit_published.csv"
    assert result.output.splitlines()[-1] == str(path)
    pd.testing.assert_frame_equal(pd.read_csv(path, dtype="str", keep_default_na=False), shipped)
    counted = audit_published.counts(shipped).set_index("paper")
    assert counted.to_numpy().sum() == len(shipped)
    assert counted.loc["fadx2022", DIFFERS] == (shipped[shipped["paper"] == "fadx2022"]["verdict"] == DIFFERS).sum()
