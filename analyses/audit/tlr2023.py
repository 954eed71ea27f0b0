"""Parović et al. (2023), target language-ready task adapters: Tables 2 to 8."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
import pandas as pd

from audit.comparison import Finding, Read, Value, mean, not_recomputable, number, text, values
from audit.denominators import nearest_share
from audit.stated import Stated

ABLATIONS = ("leave_out_task", "leave_out_targ")
"""Variants that boldface passes over."""
VARIANTS = ("target", "bilingual", "task_multi", "all_multi")
PER_LANGUAGE = ("02", "06", "07", "08")
SUMMARIES = {"03": "07", "04": "08"}
"""Table of averages to the table of the scores behind it."""
LARGEST_TEST_SET = 2000
"""With two decimals, sizes far above this make nearly every accuracy possible."""
SEEDS = 3
"""Runs behind each cell of Table 8."""
PANELS = {"ner": "a", "dp": "b", "americasnli": "c", "xnli": "d", "xquad": "e", "tydiqa": "f"}
"""Data set to its panel of Table 2."""


def findings(read: Read) -> Iterator[Finding]:
    """Compare averages, counts, boldface and claims with the scores."""
    scores = {table: read(f"table{table}_scores") for table in PER_LANGUAGE}
    for table in PER_LANGUAGE:
        yield from _averages(f"Table {int(table)}", read(f"table{table}_averages"), scores[table])
        yield from _better(f"Table {int(table)}", read(f"table{table}_better"), scores[table])
        yield from _bold(f"Table {int(table)}", scores[table])
    for table, source in SUMMARIES.items():
        averages = read(f"table{table}_averages")
        panels = scores[source].groupby("dataset")["panel"].first()
        yield from _averages(
            f"Table {int(table)}", averages.assign(panel=averages["dataset"].map(panels)), scores[source]
        )
    yield from _repeated(scores)
    yield from _accuracies(scores)
    stated = Stated(read("stated_numbers"))
    yield from _languages(stated, read("table05_tasks_and_languages"))
    yield from _claims(stated, _panels(scores["02"]), read("table02_averages"))
    note = "a test on single predictions, which are not printed"
    yield not_recomputable("Table 2", "the one gain marked as not significant", "", "", note)


def _averages(item: str, averages: pd.DataFrame, scores: pd.DataFrame) -> Iterator[Finding]:
    """`avg`: mean over the target languages."""
    for row in averages.to_dict("records"):
        same = (scores["panel"] == row["panel"]) & (scores["method"] == row["method"])
        cells = scores[same & (scores["metric"] == row["metric"])]["score"]
        what = f"avg, {row['dataset']}, {row['method']}, {row['metric']}"
        yield number(item, what, row["avg"], mean(values(cells)), f"mean of {len(cells)} languages")


def _panels(scores: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """Return by panel the scores (exact match left out): a row per language, a column per method."""
    main = scores[scores["metric"] != "em"]
    return {
        panel: group.pivot(index="lang", columns="method", values="score").map(Fraction)
        for panel, group in main.groupby("panel", sort=False)
    }


def _better(item: str, better: pd.DataFrame, scores: pd.DataFrame) -> Iterator[Finding]:
    """`Better`: on how many target languages a variant is above MAD-X."""
    panels = _panels(scores)
    for row in better.to_dict("records"):
        wide = panels[row["panel"]]
        wins = int((wide[row["method"]] > wide["madx"]).sum())
        what = f"Better, {row['dataset']}, {row['method']}"
        yield text(item, what, row["better"], f"{wins}/{len(wide)}", "F1, not exact match, for question answering")


def _bold(item: str, scores: pd.DataFrame) -> Iterator[Finding]:
    """Boldface marks the best score of a language; the ablations do not take part."""
    if not (scores["bold"] == "1").any():
        yield not_recomputable(item, "boldface", "", "", "lost in the extracted text")
        return
    main = scores[(scores["metric"] != "em") & ~scores["method"].isin(ABLATIONS)]
    for (dataset, lang), group in main.groupby(["dataset", "lang"], sort=False):
        numbers = group["score"].map(Fraction)
        best = group["method"][numbers == numbers.max()]
        bold = group["method"][group["bold"] == "1"]
        yield text(item, f"bold, {dataset}, {lang}", " ".join(bold), " ".join(best))


def _repeated(scores: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Table 7 repeats the scores of BAD-X in Table 2."""
    keys = ["dataset", "lang", "metric"]
    first, again = (scores[table][scores[table]["method"] == "badx"] for table in ("02", "07"))
    for row in again.merge(first, on=keys, how="left", suffixes=("", "_first")).to_dict("records"):
        yield text("Table 7", f"badx, {row['dataset']}, {row['lang']}", row["score"], row["score_first"], "Table 2")


def _accuracies(scores: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """An accuracy is a share of the test pairs, whose number is found from the single runs; Table 8 has three runs."""
    tables = [scores[table].assign(item=f"Table {int(table)}") for table in PER_LANGUAGE]
    cells = pd.concat(tables, ignore_index=True)
    cells = cells[cells["metric"] == "acc"]
    for (dataset, lang), group in cells.groupby(["dataset", "lang"], sort=False):
        single = group[group["item"] != "Table 8"]
        sizes, fits = _test_sizes(list(single["score"]))
        some = f"{fits} of {len(single)} single runs are shares of {sizes[0]}, the smallest size that fits so many"
        if 10 * fits < 9 * len(single):
            note = f"no test set of up to {LARGEST_TEST_SET} pairs makes the accuracies possible; at best {some}"
            yield not_recomputable("Tables 2, 6", f"possible, {dataset}, {lang}", "", "", note)
            continue
        for row in group.to_dict("records"):
            parts = sizes[0] * (SEEDS if row["item"] == "Table 8" else 1)
            what = f"possible, {dataset}, {lang}, {row['method']}"
            value = nearest_share(row["score"], parts)
            yield number(row["item"], what, row["score"], value, f"nearest share of {parts}; {some}")


def _test_sizes(cells: list[str]) -> tuple[list[int], int]:
    """Return the numbers of test pairs, up to `LARGEST_TEST_SET`, of which most accuracies are shares."""
    hundredths = np.array([int(Fraction(cell) * 100) for cell in cells])[:, None]
    sizes = np.arange(1, LARGEST_TEST_SET + 1)[None, :]
    # |10000 k / n - hundredths| <= 1/2 for the nearest k, in whole numbers.
    nearest = (2 * hundredths * sizes + 10_000) // 20_000
    possible = np.abs(20_000 * nearest - 2 * hundredths * sizes) <= sizes
    fits = possible.sum(axis=0)
    return [int(n) for n in np.flatnonzero(fits == fits.max()) + 1], int(fits.max())


def _languages(stated: Stated, table: pd.DataFrame) -> Iterator[Finding]:
    """Counts of §3, from Table 5."""
    for key in ("target_languages", "target_languages_limitations"):
        yield stated.count(key, table["language"].nunique(), f"different languages in Table 5; {len(table)} entries")
    yield stated.count("datasets", table["target_dataset"].nunique(), "Table 5")
    yield stated.count("tasks", table["task"].nunique(), "Table 5")
    sizes = table.groupby("target_dataset").size()
    names = {"ner": "MasakhaNER", "dp": "Universal Dependencies 2.7", "americasnli": "AmericasNLI"}
    for key, dataset in names.items():
        yield stated.count(f"targets_{key}", int(sizes[dataset]), "Table 5")


def _claims(stated: Stated, panels: Mapping[str, pd.DataFrame], averages: pd.DataFrame) -> Iterator[Finding]:
    """Claims of §1 and §4 about Table 2."""
    yield from _gains_over_madx(stated, panels, averages)
    yield from _exceptions(stated, panels)
    yield from _strongest(stated, panels, averages)
    xnli = panels["d"]
    yield stated.number("xnli_chance", Value.exact(Fraction(100, 3)), "one of three classes")
    th = xnli.loc["TH"]
    yield stated.number("xnli_th_gain", Value.exact(th["bilingual"] - th["madx"]), "Table 2, panel d")
    others = xnli.drop(["SW", "TH"])
    gain = max(max(row[method] - row["madx"] for method in VARIANTS) for _, row in others.iterrows())
    yield stated.number("xnli_other_gain", Value.exact(gain), "largest gain without SW and TH")


def _gains_over_madx(stated: Stated, panels: Mapping[str, pd.DataFrame], averages: pd.DataFrame) -> Iterator[Finding]:
    """How often and by how much the variants are above MAD-X."""
    wins = {
        (panel, method): int((wide[method] > wide["madx"]).sum())
        for panel, wide in panels.items()
        for method in VARIANTS
    }
    worst = min(wins, key=lambda key: Fraction(wins[key], len(panels[key[0]])))
    yield stated.most("majority", wins[worst], len(panels[worst[0]]), f"fewest: {worst[1]}, panel {worst[0]}")
    for key, panel in PANELS.items():
        best = max(VARIANTS, key=lambda method: wins[panel, method])
        yield stated.count(f"best_{key}", wins[panel, best], f"Better of {best}, the highest of the variants")
    main = averages[averages["metric"] != "em"].set_index(["panel", "method"])["avg"]
    yield stated.number("all_multi_ner", Value.printed(main["a", "all_multi"]), "Table 2")
    yield stated.number("all_multi_ner_gain", _gain(main, "a", "all_multi"), "averages of Table 2")
    yield stated.count("all_multi_ner_languages", wins["a", "all_multi"], "Table 2")
    for key, panel in (("americasnli_gain", "c"), ("xnli_gain", "d")):
        yield stated.within(key, [_gain(main, panel, method) for method in VARIANTS], ", ".join(VARIANTS))


def _gain(averages: pd.Series, panel: str, method: str) -> Value:
    return Value.printed(averages[panel, method]) - Value.printed(averages[panel, "madx"])


def _exceptions(stated: Stated, panels: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Where a variant is not above MAD-X although the text says that nearly all are."""
    for key, panel in (("americasnli_exception", "c"), ("xnli_exception", "d")):
        wide = panels[panel]
        below = [f"{method} {lang}" for method in VARIANTS for lang in wide.index[wide[method] <= wide["madx"]]]
        yield stated.names(key, below, f"Table 2, panel {panel}")


def _strongest(stated: Stated, panels: Mapping[str, pd.DataFrame], averages: pd.DataFrame) -> Iterator[Finding]:
    """How often ALL-MULTI alone is best; the ablations do not take part."""
    # Not every panel has every ablation.
    full = {panel: wide[[method for method in wide if method not in ABLATIONS]] for panel, wide in panels.items()}
    alone = {panel: _best_alone(wide) for panel, wide in full.items()}
    nli = full["c"]
    tied = int((nli["all_multi"] == nli.max(axis=1)).sum())
    note = f"languages where it alone is best; with ties {tied}"
    yield stated.count("all_multi_americasnli", alone["c"].count("all_multi"), note)
    main = averages[(averages["metric"] != "em") & ~averages["method"].isin(ABLATIONS)]
    best = [
        group["method"][group["avg"].astype(float).idxmax()]
        for _, group in main.groupby(["panel", "dataset"], sort=False)
    ]
    yield stated.most("strongest_tasks", best.count("all_multi"), len(best), "data sets by average")
    languages = [method for methods in alone.values() for method in methods]
    ties = languages.count("")
    note = f"targets of Table 2 where it alone is best; in {ties} others several tie"
    yield stated.most("strongest_languages", languages.count("all_multi"), len(languages), note)


def _best_alone(wide: pd.DataFrame) -> list[str]:
    """Return per language the method that is above all others, or an empty text where several tie."""
    best = []
    for _, row in wide.iterrows():
        leaders = row.index[row == row.max()]
        best.append(leaders[0] if len(leaders) == 1 else "")
    return best
