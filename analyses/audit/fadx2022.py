"""Lee et al. (2022), FAD-X: Tables 1 to 9."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations

import pandas as pd

from audit.comparison import Finding, Read, Value, mean, not_recomputable, number, text, values
from audit.stated import Stated

SCORES = {
    "1": "table01_wikiann_with_target_adapter",
    "2": "table02_wikiann_without_target_adapter",
    "6": "table06_amazon_with_target_adapter",
    "7": "table07_amazon_without_target_adapter",
}
AVERAGES = {"1": "table01_averages", "2": "table02_averages", "6": "table06_averages", "7": "table07_averages"}
FUSED = {"6": "fuse_L", "7": "fuse_L_minus_LAt"}
"""Table to its method that Table 8 has too."""


def findings(read: Read) -> Iterator[Finding]:
    """Compare averages, repeated rows, the order of columns and claims with the scores."""
    scores = {table: read(name) for table, name in SCORES.items()}
    averages = {table: read(name) for table, name in AVERAGES.items()}
    for table in SCORES:
        yield from _averages(table, averages[table], scores[table])
    yield from _repeated("2", scores["1"], scores["2"], averages["1"], averages["2"])
    yield from _repeated("7", scores["6"], scores["7"], averages["6"], averages["7"])
    amazon = read("table08_ftp_ptf_amazon")
    for table, method in FUSED.items():
        yield from _order(table, method, scores[table], scores["6"], amazon)
    designs = read("table03_ftp_ptf_wikiann")
    yield from _asterisks(scores["1"], designs)
    stated = Stated(read("stated_numbers"))
    yield from _gains(stated, averages)
    yield from _claims(stated, scores, designs, amazon, read("table04_similarity"))
    yield from _resources(stated, read("table09_languages"))
    note = (
        "rests on URIEL's phonology vectors, which are not printed; analyses/fadx2022/table04.py recomputes it from "
        "URIEL's files: all eight agree for the predicted set (phonology_knn), the languages' own codes, the cosine "
        "and the eight languages used for fusion; two of the eight rest on predictions alone, and Maori's closest "
        "language is one of its own family, unlike the paper's sentence"
    )
    yield not_recomputable("Table 4", "similarities", "", "", note)


def _of_model(row: Mapping[str, str]) -> str:
    return f"{row['model']}, " if "model" in row else ""


def _averages(table: str, averages: pd.DataFrame, scores: pd.DataFrame) -> Iterator[Finding]:
    """`avg`: mean over the languages."""
    keys = [key for key in ("model", "method", "metric") if key in averages]
    groups = {key: group["score"] for key, group in scores.groupby(keys)}
    for row in averages.to_dict("records"):
        cells = groups[tuple(row[key] for key in keys)]
        what = f"avg, {_of_model(row)}{row['method']}"
        yield number(f"Table {table}", what, row["avg"], mean(values(cells)), f"mean of {len(cells)} languages")


def _repeated(
    table: str, first: pd.DataFrame, again: pd.DataFrame, first_averages: pd.DataFrame, again_averages: pd.DataFrame
) -> Iterator[Finding]:
    """Tables 2 and 7 repeat the row S(t) of Tables 1 and 6, average included."""
    pairs = ((first, again, "score", "lang"), (first_averages, again_averages, "avg", "metric"))
    for one, two, column, name in pairs:
        keys = [key for key in ("model", "method", name) if key in one]
        for row in two.merge(one, on=keys, suffixes=("", "_first")).to_dict("records"):
            what = f"{_of_model(row)}{row['method']}, {row[name] if column == 'score' else 'avg'}"
            source = f"Table {int(table) - 1}"
            yield text(f"Table {table}", f"repeated, {what}", row[column], row[f"{column}_first"], source)


def _order(
    table: str, method: str, scores: pd.DataFrame, reference: pd.DataFrame, amazon: pd.DataFrame
) -> Iterator[Finding]:
    """Tables 6 and 7: are the fused rows in the order of their heading, or in the order of Table 8's heading?

    Multilingual BERT is held against Table 8 (validation accuracy of the same runs), XLM-R, which Table 8 lacks,
    against its fine-tuned row of Table 6. Both sides are centred: languages differ, levels need not match.
    """
    validation = amazon[
        (amazon["data_size"] == "1%") & (amazon["architecture"] == "ftp") & (amazon["scenario"] == method)
    ]
    fine_tuned = reference[(reference["model"] == "xlmr") & (reference["method"] == "mplm")]
    sources = {"mbert": (validation, "Table 8"), "xlmr": (fine_tuned, "its row mplm in Table 6")}
    for model, (source, name) in sources.items():
        row = scores[(scores["model"] == model) & (scores["method"] == method)]
        heading = list(row["lang"])
        other = [lang for lang in dict.fromkeys(amazon["lang"]) if lang in heading]
        profile = dict(zip(source["lang"], source["score"].map(Fraction), strict=True))
        cells = [Fraction(cell) for cell in row["score"]]
        best = min(permutations(heading), key=lambda order: _misfit(cells, order, profile))
        orders = {"in the order printed": heading, "in Table 8's order": other, "in the best of all orders": best}
        misfits = {words: float(_misfit(cells, order, profile)) ** 0.5 for words, order in orders.items()}
        fits = min((heading, other), key=lambda order: _misfit(cells, order, profile))
        note = f"root mean square distance from {name}: " + ", ".join(
            f"{m:.2f} {words}" for words, m in misfits.items()
        )
        yield text(f"Table {table}", f"columns, {model}, {method}", " ".join(heading), " ".join(fits), note)


def _misfit(cells: Sequence[Fraction], order: Sequence[str], profile: Mapping[str, Fraction]) -> Fraction:
    """Return the mean squared distance of a row, read in ``order``, from a profile over languages; both centred."""
    gaps = [cell - profile[lang] for cell, lang in zip(cells, order, strict=True)]
    middle = sum(gaps, start=Fraction(0)) / len(gaps)
    return sum(((gap - middle) ** 2 for gap in gaps), start=Fraction(0)) / len(gaps)


def _ptf_ahead(designs: pd.DataFrame) -> Mapping[str, list[str]]:
    """Return by scenario the languages where paired-then-fused is above fused-then-paired."""
    wide = designs.pivot(index=["scenario", "lang"], columns="architecture", values="score").map(Fraction)
    ahead = wide.index[wide["ptf"] > wide["ftp"]]
    return {scenario: [lang for name, lang in ahead if name == scenario] for scenario in designs["scenario"].unique()}


def _asterisks(table: pd.DataFrame, designs: pd.DataFrame) -> Iterator[Finding]:
    """Table 1: an asterisk where Table 3 has PtF ahead."""
    marked = table[(table["method"] == "fuse_L") & (table["ptf"] == "1")]["lang"]
    ahead = _ptf_ahead(designs)["fuse_L"]
    yield text("Table 1", "asterisks of Fuse(L)", " ".join(sorted(marked)), " ".join(sorted(ahead)), "Table 3")


def _gains(stated: Stated, averages: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Gains of the fused adapters over S(t): points on the average, in each table and model."""
    gains = {}
    for table, frame in averages.items():
        models = frame.groupby("model") if "model" in frame else (("mbert", frame),)
        for model, rows in models:
            printed = rows.set_index("method")["avg"].map(Value.printed)
            fused = "fuse_L" if "fuse_L" in printed else "fuse_L_minus_LAt"
            gains[table, model] = printed[fused] - printed["st"]
    yield stated.number("wikiann_gain", gains["1", "mbert"], "Fuse(L) over S(t), Table 1")
    target = stated.value("amazon_gain").nominal
    amazon = {key: gain for key, gain in gains.items() if key[0] in FUSED}
    nearest = min(amazon, key=lambda key: abs(amazon[key].nominal - target))
    listed = ", ".join(f"{float(gain.nominal):.2f} (Table {table}, {model})" for (table, model), gain in amazon.items())
    yield stated.number("amazon_gain", amazon[nearest], f"nearest of the gains over S(t): {listed}")
    yield stated.number("amazon_gain_mbert", gains["6", "mbert"], "Fuse(L) over S(t), Table 6")
    yield stated.number("amazon_gain_xlmr", gains["6", "xlmr"], "Fuse(L) over S(t), Table 6")


def _claims(
    stated: Stated,
    scores: Mapping[str, pd.DataFrame],
    designs: pd.DataFrame,
    amazon: pd.DataFrame,
    similarity: pd.DataFrame,
) -> Iterator[Finding]:
    """Claims of §3.2 and §3.3."""
    for key, table in (("wikiann_complementary", "1"), ("amazon_complementary", "6")):
        frame = scores[table]
        index = [name for name in ("model", "lang") if name in frame]
        wide = frame.pivot(index=index, columns="method", values="score").map(Fraction)
        yield stated.count(key, int((wide["fuse_L"] > wide["st"]).sum()), f"of {len(wide)}, Fuse(L) above S(t)")
    ahead = _ptf_ahead(designs)
    yield stated.names("ptf_exceptions", {lang for langs in ahead.values() for lang in langs}, "Table 3")
    order = similarity.assign(similarity=similarity["similarity"].map(Fraction)).sort_values("similarity")
    yield stated.names("least_similar", order["lang"].head(3), "Table 4")
    keys = ["data_size", "scenario", "lang"]
    wide = amazon.pivot(index=keys, columns="architecture", values="score").map(Fraction)
    yield stated.most("ftp_ahead", int((wide["ftp"] > wide["ptf"]).sum()), len(wide), "cells of Table 8")


def _resources(stated: Stated, table: pd.DataFrame) -> Iterator[Finding]:
    """Sizes of training data: §1 and §3.1 from Table 9 and each other."""
    rows = table.set_index("code")
    for key, column in (
        ("smaller_task_data", "resource_task_adapter"),
        ("smaller_language_data", "resource_language_adapter"),
    ):
        sizes = rows[column].map(Value.printed)
        most = max(sizes, key=lambda value: value.nominal)
        yield stated.number(key, most / sizes["gn"], "largest of Table 9 by that of gn")
    hundredth = stated.value("amazon_training_set").nominal / 100
    yield stated.number("amazon_sample", Value.exact(hundredth), "1 % of 200,000")
