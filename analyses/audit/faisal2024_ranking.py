"""Faisal and Anastasopoulos (2024): rankings of transfer languages, Tables 3 to 6, 15 to 18 and 21 to 23."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

import pandas as pd
from scipy import stats

from audit.comparison import Finding, Read, Value, mean, not_recomputable, number, share, text, values
from audit.denominators import best_fitting, nearest_share
from audit.faisal2024_languages import unseen_transfer_languages
from audit.stated import Stated

TOKEN_TASKS = ("dep", "pos", "ner")
TARGETS = {
    "dep": "targets_udp",
    "pos": "targets_udp",
    "ner": "targets_ner",
    "xnli": "targets_xnli",
    "anli": "targets_anli",
    "tydiqa": "targets_tydiqa",
}
"""Task to the stated number of its target languages."""

SIGNS = {"-": -1, "+": 1}


def findings(read: Read) -> Iterator[Finding]:
    """Compare rankings, shares and counts with each other."""
    stated = Stated(read("stated_numbers"))
    ranking = read("tables15-18_transfer_ranking")
    variance = read("table22_variance_ranking")
    yield from _ranks(ranking, "ts")
    yield from _ranks(variance.assign(table="22"), "variance")
    yield from _positive(ranking, stated)
    yield from _top_five(read("table03_top5_transfer_languages"), ranking)
    yield from _mean_positive(read("table04_average_percent_positive"), ranking, stated)
    yield from _variance_ts(variance, ranking)
    yield from _variance_examples(read("table05_variance_examples"), variance)
    yield from _extremes(variance, stated)
    yield from _characteristics(read("table23_variance_characteristics"), variance)
    yield from _correlations(read("table21_spearman"), ranking, stated)
    yield from _worked_example(read("table06_interference_example_counts"), stated)
    yield from _stated_ranks(stated, ranking, variance)
    yield from _stated_unseen(stated, ranking, variance, unseen_transfer_languages(read))
    yield from _appendix_l(stated, ranking, variance, read("table23_variance_characteristics"))
    yield from _inputs_missing()


def _ranks(table: pd.DataFrame, column: str) -> Iterator[Finding]:
    """A rank lies between 1 + the number of larger values and the number of values that are not smaller."""
    for (model, task), group in table.groupby(["model", "task"], sort=False):
        score = [Fraction(cell) for cell in group[column]]
        for row, own in zip(group.to_dict("records"), score, strict=True):
            first = 1 + sum(other > own for other in score)
            last = sum(other >= own for other in score)
            nearest = min(max(int(row["rank"]), first), last)
            value = Value(Fraction(first), Fraction(nearest), Fraction(last))
            note = f"by {column}" + (f"; ties share ranks {first} to {last}" if last > first else "")
            yield number(f"Table {row['table']}", f"rank, {model}, {task}, {row['lang']}", row["rank"], value, note)


def _positive(ranking: pd.DataFrame, stated: Stated) -> Iterator[Finding]:
    """+(%): a share of the target languages. Each stated number of targets is tried, with self-transfer and without."""
    stated_sizes = {int(stated.value(key).nominal) for key in TARGETS.values()}
    candidates = sorted(stated_sizes | {size - 1 for size in stated_sizes})
    for (model, task, table), group in ranking.groupby(["model", "task", "table"], sort=False):
        size = int(stated.value(TARGETS[task]).nominal)
        cells = list(group["pct_positive"])
        fits, n_cells = best_fitting(cells, candidates)
        note = f"fits {n_cells} of {len(cells)} cells; tried: {', '.join(map(str, candidates))}"
        best = size if size in fits else fits[0]
        others = "" if fits == [best] else f"; as many fit {', '.join(str(n) for n in fits if n != best)}"
        yield number(f"Table {table}", f"n of +(%), {model}, {task}", str(size), Value.exact(best), note + others)
        for row in group.to_dict("records"):
            value = nearest_share(row["pct_positive"], best)
            what = f"+(%), {model}, {task}, {row['lang']}"
            yield number(f"Table {table}", what, row["pct_positive"], value, f"nearest share of {best} targets")


def _top_five(top: pd.DataFrame, ranking: pd.DataFrame) -> Iterator[Finding]:
    """Table 3 repeats the first five rows of Tables 15 and 17."""
    for row in top.to_dict("records"):
        same = (ranking["model"] == row["model"]) & (ranking["task"] == row["task"])
        full = ranking[same].iloc[int(row["rank"]) - 1]
        what, source = f"{row['task']}, rank {row['rank']}", f"Table {full['table']}"
        yield text("Table 3", f"{what}, language", row["lang"], full["lang"], source)
        yield number("Table 3", f"{what}, ts", row["ts"], Value.printed(full["ts"]), source)
        yield number("Table 3", f"{what}, +(%)", row["pct_positive"], Value.printed(full["pct_positive"]), source)


def _mean_positive(averages: pd.DataFrame, ranking: pd.DataFrame, stated: Stated) -> Iterator[Finding]:
    """Table 4: mean of the column +(%) over the transfer languages, and where the text repeats it."""
    columns = {key: values(group["pct_positive"]) for key, group in ranking.groupby(["model", "task"])}
    for row in averages.to_dict("records"):
        cells = columns[row["model"], row["task"]]
        what = f"{row['model']}, {row['task']}"
        yield number("Table 4", what, row["avg_pct_positive"], mean(cells), f"mean of {len(cells)} transfer languages")
    yield stated.number("xlmr_xnli", mean(columns["xlmr", "xnli"]), "mean of +(%) in Table 18")
    yield stated.number("xlmr_anli", mean(columns["xlmr", "anli"]), "mean of +(%) in Table 18")


def _variance_ts(variance: pd.DataFrame, ranking: pd.DataFrame) -> Iterator[Finding]:
    """Table 22 repeats the aggregated transfer scores of Table 15."""
    both = variance.merge(ranking, on=["model", "task", "lang"], how="left", suffixes=("", "_source"))
    for row in both.to_dict("records"):
        # Trailing zeros are left out there: 0.1 stands for 0.10.
        value = Value.printed(row["ts_source"])
        yield number("Table 22", f"ts, {row['task']}, {row['lang']}", row["ts"], value, "Table 15", "0.01")


def _variance_examples(examples: pd.DataFrame, variance: pd.DataFrame) -> Iterator[Finding]:
    """Table 5 repeats rows of Table 22."""
    both = examples.merge(variance, on=["model", "task", "lang"], how="left", suffixes=("", "_source"))
    for row in both.to_dict("records"):
        for column in ("rank", "n_max", "n_min", "ts", "variance"):
            value = Value.printed(row[f"{column}_source"])
            yield number("Table 5", f"{row['lang']}, {column}", row[column], value, "Table 22")


def _extremes(variance: pd.DataFrame, stated: Stated) -> Iterator[Finding]:
    """Table 22: each target has one largest and one smallest transfer score, so the counts add up to the targets."""
    for task, group in variance.groupby("task", sort=False):
        for column in ("n_max", "n_min"):
            added = str(sum(int(cell) for cell in group[column]))
            size = stated.value(TARGETS[task]).nominal
            note = "number of target languages; published: the sum of the printed counts"
            yield number("Table 22", f"sum of {column}, {task}", added, Value.exact(size), note)


def _characteristics(table: pd.DataFrame, variance: pd.DataFrame) -> Iterator[Finding]:
    """Table 23 names the targets that Table 22 counts."""
    for (model, task, lang, direction), group in table.groupby(
        ["model", "task", "transfer_lang", "direction"], sort=False
    ):
        own = variance[(variance["model"] == model) & (variance["task"] == task) & (variance["lang"] == lang)]
        named = str(sum(target != "-" for target in group["target_lang"]))
        counted = Value.printed(own[f"n_{direction}"].item())
        yield number("Table 23", f"targets with {direction} from {lang}", named, counted, "Table 22")


def _correlations(table: pd.DataFrame, ranking: pd.DataFrame, stated: Stated) -> Iterator[Finding]:
    """Table 21: its p-values and symmetry follow; the correlations rest on scores of common targets only."""
    rho = {(row["task_a"], row["task_b"]): row["rho"] for row in table.to_dict("records")}
    own = ranking[ranking["model"] == "mbert"]
    wide = own.assign(ts=own["ts"].astype(float)).pivot(index="lang", columns="task", values="ts")
    for row in table.to_dict("records"):
        pair = (row["task_a"], row["task_b"])
        what = f"{pair[0]} and {pair[1]}"
        near = stats.spearmanr(wide[pair[0]], wide[pair[1]]).statistic
        sign = "the same sign" if near * float(row["rho"]) > 0 else "the other sign"
        note = f"rests on the common targets; Table 15, over all targets, has {sign}"
        yield not_recomputable("Table 21", f"rho, {what}", row["rho"], f"{near:.2f}", note)
        yield text("Table 21", f"symmetry, {what}", row["rho"], rho[pair[::-1]])
        yield number(
            "Table 21", f"p, {what}", row["p_value"], _p_values(row["rho"], len(wide)), f"{len(wide)} languages"
        )
    positive = [f"{a}-{b}" for a, b in combinations(TOKEN_TASKS, 2) if float(rho[a, b]) > 0]
    yield stated.names("positively_correlated", positive, "Table 21")
    negative = [f"{a}-pos" for a in ("dep", "ner") if float(rho[a, "pos"]) < 0]
    yield stated.names("negatively_correlated", negative, "Table 21")


def _p_values(rho: str, n: int) -> Value:
    """Return the two-sided p of a rank correlation over ``n`` languages, t with n - 2 degrees of freedom."""
    value = Value.printed(rho)
    p = [_p(float(end), n) for end in (value.low, value.nominal, value.high)]
    return Value(min(p), p[1], max(p))


def _p(rho: float, n: int) -> Fraction:
    t = rho * ((n - 2) / (1 - rho**2)) ** 0.5
    return Fraction(float(2 * stats.t.sf(abs(t), n - 2)))


def _worked_example(counts: pd.DataFrame, stated: Stated) -> Iterator[Finding]:
    """Table 6 and appendix F: coordinates are the mean sign vector."""
    rows = [(int(row["count"]), row["combination"]) for row in counts.to_dict("records")]
    total = sum(count for count, _ in rows)
    yield stated.count("example_total", total, "Table 6")
    for axis, sign in (("x", 0), ("y", 2)):
        added = sum(count * SIGNS[combination[sign]] for count, combination in rows)
        yield stated.number(f"example_{axis}", Value.exact(Fraction(added, total)), f"{added}/{total}, from Table 6")


def _first(table: pd.DataFrame, task: str, n: int, model: str = "mbert") -> list[str]:
    """Return the languages of the first ``n`` rows; whether their ranks are right is another question."""
    own = table[(table["model"] == model) & (table["task"] == task)]
    return list(own["lang"].head(n))


def _stated_ranks(stated: Stated, ranking: pd.DataFrame, variance: pd.DataFrame) -> Iterator[Finding]:
    """§4.2 on Tables 3, 15 and 17."""
    own = ranking[ranking["model"] == "mbert"]
    cells = own[own["task"].isin([*TOKEN_TASKS, "tydiqa"])]["pct_positive"].astype(float)
    low, high = (float(end) for end in stated.ends("benefit_range"))
    inside = int(cells.between(low, high).sum())
    yield stated.most("benefit_range", inside, len(cells), f"cells of Tables 15 and 17 without NLI in {low:g}-{high:g}")
    whole = ranking[ranking["pct_positive"].astype(float) == 100]
    others = whole[whole["model"] != "mbert"]
    note = "multilingual BERT" + "".join(f"; {row.model} {row.task} has {row.lang}" for row in others.itertuples())
    yield stated.count("universal_donors", int((whole["model"] == "mbert").sum()), note)
    best = [group["lang"][group["pct_positive"].astype(float).idxmax()] for _, group in own.groupby("task")]
    largest = dict(zip(sorted(own["task"].unique()), best, strict=True))
    yield stated.names("largest_share", {largest["ner"], largest["tydiqa"]}, "Tables 15 and 17")
    common = set.intersection(*(set(_first(ranking, task, 20)) for task in TOKEN_TASKS))
    note = "by its context over the common targets, like Table 21; Table 15, over all targets, has these"
    yield stated.nearest_names("common_top20", common, note)
    parsing = own[own["task"] == "dep"]
    yield stated.names("lowest_in_parsing", [parsing["lang"][parsing["ts"].astype(float).idxmin()]], "Table 15")
    yield stated.names("highest_in_ner", _first(ranking, "ner", 1), "Table 15")


def _stated_unseen(
    stated: Stated, ranking: pd.DataFrame, variance: pd.DataFrame, unseen: frozenset[str]
) -> Iterator[Finding]:
    """Shares of the transfer languages that the paper calls unseen: §4.2 and appendix H."""

    def part(names: Iterable[str], of: Iterable[str]) -> tuple[Value, str]:
        names, among = list(names), set(of)
        hits = sum(name in among for name in names)
        return share(hits, len(names)), f"{hits} of {len(names)}"

    for key, tasks in (("token", TOKEN_TASKS), ("sentence", ("xnli", "anli", "tydiqa"))):
        names = [lang for task in tasks for lang in _first(ranking, task, 20)]
        value, note = part(names, unseen)
        yield stated.number(f"unseen_top20_{key}", value, f"{note} places in the top 20 of {', '.join(tasks)}")
    for task in TOKEN_TASKS:
        value, note = part(_first(ranking, task, 10), unseen)
        yield stated.number(f"unseen_top10_{task}", value, f"{note}, Table 15")
    found = [part(unseen, _first(variance, task, 20)) for task in TOKEN_TASKS]
    note = "mean over tasks: " + ", ".join(words for _, words in found)
    yield stated.number("unseen_top20_variance", mean(value for value, _ in found), note)


def _appendix_l(
    stated: Stated, ranking: pd.DataFrame, variance: pd.DataFrame, characteristics: pd.DataFrame
) -> Iterator[Finding]:
    """Appendix L on Tables 15, 22 and 23, parsing."""
    own = variance[variance["task"] == "dep"].set_index("lang")
    for lang in ("ibo", "bam", "ara"):
        yield stated.count(f"{lang}_variance_rank", int(own["rank"][lang]), "Table 22")
    yield stated.number("ara_ts", Value.printed(own["ts"]["ara"]), "Table 22")
    yield stated.count("ibo_hurts", int(own["n_min"]["ibo"]), "Table 22")
    yield stated.count("pcm_hurts", int(own["n_min"]["pcm"]), "Table 22")
    named = characteristics.groupby(["transfer_lang", "direction"])["target_lang"].agg(list)
    yield stated.included("ibo_hurts_names", named["ibo", "min"], "those that Table 23 lists")
    gaining: Sequence[str] = [*named["ibo", "max"], *named["bam", "max"]]
    yield stated.included("ibo_bam_gain_names", gaining, "those that Table 23 lists for ibo or bam")


def _inputs_missing() -> Iterator[Finding]:
    """What rests on the scores of all targets, which are not printed."""
    note = "the scores of the target languages are not printed"
    for table in ("15", "16", "17", "18"):
        yield not_recomputable(f"Table {table}", "aggregated transfer scores (ts)", "", "", note)
    yield not_recomputable("Table 22", "variances, and which transfer language is each target's extreme", "", "", note)
    yield not_recomputable("Table 20", "targets with the largest score", "", "", note)
