"""What Faisal and Anastasopoulos (2024) printed on inference, in the terms of the pooler experiment.

Table 13: scores of nine transfer languages on their own test sets of XNLI. Table 17: aggregated transfer scores on
XNLI and AmericasNLI; the paper does not say at which k, and k = 1 fits best. Nothing printed has an interval.
"""

import pandas as pd
from pooler_figure import Panel
from pooler_numbers import CHANCE

from xltransfer.config.published import published_table
from xltransfer.report.names import languages_of

MODELS = {"mbert": "mBERT", "xlmr": "XLM-R"}


def table13() -> pd.DataFrame:
    """Return ``model, lang, base, k1`` in percent."""
    rows = published_table("faisal2024", "tables07-14_scores").read()
    rows = rows[(rows["table"] == "13") & rows["setting"].isin(["base", "k1"])].astype({"score": "float64"})
    return rows.pivot(index=["model", "lang"], columns="setting", values="score").reset_index()


def published_table_of() -> pd.DataFrame:
    """Return, per model and task, means over the languages printed.

    Returns
    -------
    DataFrame
        ``source, model, task, languages, untouched, k1, ts, skill_lost`` (percent); Table 17 prints ts alone.
    """
    rows = []
    for model, own in table13().groupby("model"):
        base, after = own["base"].mean(), own["k1"].mean()
        ts, lost = (100 * (own["k1"] / own["base"] - 1)).mean(), 100 * (base - after) / (base - CHANCE)
        rows.append(("Table 13, self-transfer", MODELS[str(model)], "xnli", len(own), base, after, ts, lost))
    ranking = published_table("faisal2024", "tables15-18_transfer_ranking").read()
    ranking = ranking[ranking["task"].isin(["xnli", "anli"])].astype({"ts": "float64"})
    for (model, task), own in ranking.groupby(["model", "task"]):
        name, mean = MODELS[str(model)], own["ts"].mean()
        rows.append(
            ("Table 17, aggregated transfer", name, str(task), len(own), *2 * [float("nan")], mean, float("nan"))
        )
    columns = ["source", "model", "task", "languages", "untouched", "k1", "ts", "skill_lost"]
    return pd.DataFrame(rows, columns=columns)


def published_panels() -> list[Panel]:
    """Return mBERT's and XLM-R's Table 13 as panels of the figure, in the order of the untouched score."""
    panels = []
    for model, own in table13().groupby("model"):
        long = own.melt(id_vars="lang", value_vars=["base", "k1"], value_name="accuracy")
        long["pooler"] = long["setting"].map({"base": "untouched", "k1": "published"})
        long["k"] = long["setting"].map({"base": 0, "k1": 1})
        rows = long.rename(columns={"lang": "language"}).assign(accuracy_low=float("nan"), accuracy_high=float("nan"))
        names = languages_of({}, rows["language"]).assign(seen=True)
        panels.append(Panel(f"{MODELS[str(model)]} on XNLI, as printed", rows, names))
    return panels
