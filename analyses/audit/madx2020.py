"""Pfeiffer et al. (2020), MAD-X: Tables 1 to 5, Figures 4, 5 and 7 to 12."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

import pandas as pd

from audit.comparison import AGREES, Finding, Read, Value, mean, not_recomputable, number, text, values
from audit.stated import Stated

Matrix = Mapping[tuple[str, str], Value]
"""F1 by source and target."""

LAYERS = 12
"""Transformer layers of XLM-R Base, the one figure that Table 4 needs and the paper does not print."""


def findings(read: Read) -> Iterator[Finding]:
    """Compare means, differences and sizes with the figures."""
    stated = Stated(read("stated_numbers"))
    figures = read("figures07-12_f1")
    matrices = {method: _matrix(group, "f1") for method, group in figures.groupby("method", sort=False)}
    means, english = read("table02_mean_f1"), read("table05_from_english")
    yield from _means(means, matrices)
    yield from _means_of_english(means, english)
    yield from _averages(means, "Table 2", ["method"], "language", "f1", left_out=set())
    yield from _averages(read("table03_xquad"), "Table 3", ["method", "metric"], "target", "score", left_out=set())
    yield from _averages(english, "Table 5", ["method"], "target", "f1", left_out={"en"})
    yield from _english(english, matrices)
    for figure, group in read("figures04-05_relative_f1").groupby("figure", sort=False):
        yield from _differences(f"Figure {figure}", group, matrices)
    yield from _parameters(read("table04_parameters"), stated)
    yield from _stated(stated, read("table01_languages"), means, matrices, read("figures04-05_relative_f1"))
    yield not_recomputable("Figure 3", "MAD-X over XLM-R", "", "", "an image; by its caption Figure 12 minus Figure 7")


def _matrix(rows: pd.DataFrame, column: str) -> Matrix:
    return {(row["source"], row["target"]): Value.printed(row[column]) for row in rows.to_dict("records")}


def _languages(matrix: Matrix) -> list[str]:
    return list(dict.fromkeys(source for source, _ in matrix))


def _reading(matrix: Matrix, language: str, over: str) -> Value:
    """Return the mean over sources for a target, or over targets for a source."""
    languages = _languages(matrix)
    if over == "sources":
        return mean(matrix[other, language] for other in languages)
    return mean(matrix[language, other] for other in languages)


def _means(table: pd.DataFrame, matrices: Mapping[str, Matrix]) -> Iterator[Finding]:
    """Table 2: its caption says means over sources for each target; both readings are tried on all cells."""
    cells = [row for row in table.to_dict("records") if row["language"] != "avg"]
    readings = {
        over: {
            (row["method"], row["language"]): _reading(matrices[row["method"]], row["language"], over) for row in cells
        }
        for over in ("sources", "targets")
    }
    fits = {over: _fits(cells, found) for over, found in readings.items()}
    best = max(fits, key=lambda over: sum(fits[over].values()))
    other = "targets" if best == "sources" else "sources"
    for method in table["method"].unique():
        size = sum(row["method"] == method for row in cells)
        counts = {over: fits[over][method] for over in fits}
        half = [over for over, count in counts.items() if 2 * count > size]
        note = "; ".join(f"over {over}: {count} of {size} cells fit" for over, count in counts.items())
        found = half[0] if half else "neither"
        yield text("Table 2", f"means over (caption), {method}", "sources", found, note)
    for row in cells:
        key = row["method"], row["language"]
        note = f"mean over {best}, which fits most cells; over {other} {float(readings[other][key].nominal):.2f}"
        yield number("Table 2", f"{row['method']}, {row['language']}", row["f1"], readings[best][key], note)


def _fits(cells: list[dict[str, str]], found: Mapping[tuple[str, str], Value]) -> dict[str, int]:
    """Return by method how many cells a reading explains."""
    fits = dict.fromkeys((row["method"] for row in cells), 0)
    for row in cells:
        fits[row["method"]] += _agree(row["f1"], found[row["method"], row["language"]])
    return fits


def _agree(printed: str, recomputed: Value) -> bool:
    return number("", "", printed, recomputed).verdict == AGREES


def _means_of_english(table: pd.DataFrame, english: pd.DataFrame) -> Iterator[Finding]:
    """Table 2's first column beside the mean of Table 5's row, which is from English: the same reading, other input."""
    for row in table[table["language"] == "en"].to_dict("records"):
        cells = english[(english["method"] == row["method"]) & (english["target"] != "avg")]["f1"]
        note = f"mean over {len(cells)} targets of Table 5's row"
        yield number("Table 2", f"{row['method']}, en, from Table 5", row["f1"], mean(values(cells)), note)


def _averages(
    table: pd.DataFrame, item: str, keys: list[str], column: str, score: str, left_out: set[str]
) -> Iterator[Finding]:
    """Printed averages; `left_out` languages are tried in and out, and what fits more averages counts."""
    groups = [(key, group.set_index(column)[score]) for key, group in table.groupby(keys, sort=False)]
    choices = {}
    for out in (set(), left_out):
        found = [mean(values(cells.drop(["avg", *out]))) for _, cells in groups]
        fits = sum(_agree(cells["avg"], value) for (_, cells), value in zip(groups, found, strict=True))
        choices[tuple(out)] = fits, found
    out, (_, found) = max(choices.items(), key=lambda choice: choice[1][0])
    note = f"without {', '.join(out)}, which fits more rows than with it" if out else "of all languages"
    for (key, cells), value in zip(groups, found, strict=True):
        yield number(item, f"avg, {', '.join(key)}", cells["avg"], value, note)


def _english(table: pd.DataFrame, matrices: Mapping[str, Matrix]) -> Iterator[Finding]:
    """Table 5: the row from English of Figures 7 to 12."""
    for row in table[table["target"] != "avg"].to_dict("records"):
        what = f"{row['method']}, {row['target']}"
        if row["method"] not in matrices:
            yield not_recomputable("Table 5", what, row["f1"], "", "no figure has this model")
            continue
        value = matrices[row["method"]][row["source"], row["target"]]
        yield number("Table 5", what, row["f1"], value, "row en of the method's figure")


def _differences(item: str, rows: pd.DataFrame, matrices: Mapping[str, Matrix]) -> Iterator[Finding]:
    """Figures 4 and 5: one method minus another; each printed row is matched with the source that it fits best."""
    fitted = set()
    for _, row in rows.groupby("source", sort=False):
        label = row["source_label_in_text"].iloc[0]
        first, second = matrices[row["method"].iloc[0]], matrices[row["baseline"].iloc[0]]
        printed = dict(zip(row["target"], row["f1_difference"], strict=True))
        misfit = {source: _misfit(printed, source, first, second) for source in _languages(first)}
        best = min(misfit, key=lambda source: misfit[source])
        fitted.add(best)
        note = f"mean distance {float(misfit[best]):.2f} from row {best}, {float(misfit[label]):.2f} from row {label}"
        yield text(item, f"row label {label}", label, best, note)
        for target, cell in printed.items():
            value = first[best, target] - second[best, target]
            yield number(item, f"row {label}, {target}", cell, value, f"row {best} of the figures")
    languages = _languages(matrices[rows["method"].iloc[0]])
    absent = [source for source in languages if source not in fitted]
    note = f"source languages; by fit there is no row of {', '.join(absent)}" if absent else "source languages"
    yield number(item, "number of rows", str(rows["source"].nunique()), Value.exact(len(languages)), note)


def _misfit(printed: Mapping[str, str], source: str, first: Matrix, second: Matrix) -> Fraction:
    """Return the mean distance of a printed row from a row of the figures."""
    gaps = [abs(Fraction(cell) - (first[source, t] - second[source, t]).nominal) for t, cell in printed.items()]
    return sum(gaps, start=Fraction(0)) / len(gaps)


def _parameters(table: pd.DataFrame, stated: Stated) -> Iterator[Finding]:
    """Table 4: weights without biases, two matrices per adapter, from the sizes of §5.2."""
    sizes = {key: stated.value(key).nominal for key in ("hidden_size", "language_adapter", "invertible_adapter")}
    hidden, language, invertible = sizes.values()
    task = stated.value("task_adapter").nominal
    added = {"task": LAYERS * 2 * hidden * task, "language": LAYERS * 2 * hidden * language}
    # Two couplings F and G, each from half the embedding down and up again.
    added["invertible"] = 2 * 2 * (hidden / 2) * invertible
    parts = {
        "madx": ("task", "language", "invertible"),
        "madx_noinv": ("task", "language"),
        "madx_nolad_noinv": ("task",),
    }
    model = stated.value("model_parameters")
    for row in table.to_dict("records"):
        count = Value.exact(sum(added[part] for part in parts[row["method"]]))
        note = f"{int(count.nominal)} weights of adapters: {', '.join(parts[row['method']])}; no biases"
        yield number("Table 4", f"added parameters, {row['method']}", row["added_params"], count, note)
        share = (count / model) * 100
        yield number("Table 4", f"% of the model, {row['method']}", row["pct_of_model"], share, "of 270M")
        if row["method"] == "madx":
            yield stated.number("added_parameters", count, note)
            yield stated.number("added_share", share, note)
    yield stated.number("language_reduction", Value.exact(hidden / language), "hidden size by adapter size")
    yield stated.number(
        "invertible_reduction", Value.exact(hidden / 2 / invertible), "half the hidden size by adapter size"
    )
    yield stated.number("task_reduction", Value.exact(hidden / task), "hidden size by adapter size")


def _stated(
    stated: Stated,
    languages: pd.DataFrame,
    means: pd.DataFrame,
    matrices: Mapping[str, Matrix],
    differences: pd.DataFrame,
) -> Iterator[Finding]:
    """Counts and gains of the text, from Tables 1 and 2 and Figure 5."""
    yield stated.count("languages", len(languages), "Table 1")
    yield stated.count("families", languages["family"].nunique(), "Table 1")
    fewest = min(
        group["family"].nunique() for _, group in languages.groupby([pd.Series(range(len(languages))) // 4], sort=False)
    )
    yield stated.count("category_families", fewest, "fewest families in four consecutive rows of Table 1")
    wide = means.pivot(index="method", columns="language", values="f1").map(Fraction)
    codes = [code for code in wide.columns if code != "avg"]
    for key, better, worse in (("mlm_trg_gains", "xlmr_mlm_trg", "xlmr"), ("invertible_gains", "madx", "madx_noinv")):
        wins = sum(wide.loc[better, code] > wide.loc[worse, code] for code in codes)
        by_figure = [
            sum(
                _reading(matrices[better], code, over).nominal > _reading(matrices[worse], code, over).nominal
                for code in codes
            )
            for over in ("sources", "targets")
        ]
        note = f"Table 2; by the figures {by_figure[0]} of {len(codes)} targets and {by_figure[1]} sources"
        yield stated.count(key, wins, note)
    gain = Value.printed(str(float(wide.loc["madx", "avg"]))) - Value.printed(str(float(wide.loc["xlmr", "avg"])))
    by_figure = mean(matrices["madx"].values()).nominal - mean(matrices["xlmr"].values()).nominal
    yield stated.more_than("madx_over_xlmr", gain, f"averages of Table 2; Figures 12 and 7 give {float(by_figure):.1f}")
    lower = [
        source
        for source, row in differences[differences["figure"] == "5"].groupby("source", sort=False)
        if all(
            float(gap) < 0 for gap, target in zip(row["f1_difference"], row["target"], strict=True) if target != source
        )
    ]
    yield stated.names("only_lower_source", lower, "rows of Figure 5 without a gain for another language")
