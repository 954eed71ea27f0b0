"""Table 4 of FAD-X (Lee, Hwang and Kim, 2022): the similarity of each low-resource language to its closest HRL.

    python analyses/fadx2022/table04.py [--out DIR]

The paper names the measure (cosine of URIEL's phonology vectors) and neither the feature set, nor the codes, nor the
high-resource languages that count. All of them are tried: every set of URIEL, three ways from a language to URIEL's
code, the eight languages used for fusion or all thirteen or only the one that §2 would take as a proxy (of the same
family, else English), cosine and angle. Variants are ordered by the number of languages without a value, then by the
mean absolute difference to the printed numbers. Needs lang2vec's files alone: no model, no data, no network.

Writes ``table04_variants.csv`` (all of them), ``table04_similarity.csv`` (the best one beside the paper, with the
closest languages) and the heatmap of the best one, ``table04_similarity.png`` and ``.svg``; prints what still differs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, get_args

import numpy as np
import pandas as pd
import typer

from xltransfer.analysis import language_pairs, vector_coverage
from xltransfer.config.manifests import language_table
from xltransfer.config.published import published_table
from xltransfer.data.uriel import FEATURE_SETS
from xltransfer.data.uriel_codes import Scheme
from xltransfer.figures import pair_heatmap
from xltransfer.report.pictures import drawing

VARIANT: Final = ["features", "codes", "measure", "pool"]


def paper() -> tuple["pd.Series[str]", pd.DataFrame]:
    """Return the printed similarities by language, as text, and Table 9's languages by key."""
    keys = language_table()
    printed = published_table("fadx2022", "table04_similarity").read()
    languages = published_table("fadx2022", "table09_languages").read()
    languages["key"] = [keys.get(code).code for code in languages["code"]]
    printed["key"] = [keys.get(code).code for code in printed["lang"]]
    return printed.set_index("key")["similarity"], languages.set_index("key")


def pools(languages: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Return, by the name of a pool, the high-resource languages that count for each low-resource one."""
    high, low = (languages[languages["group"] == group] for group in ("HRL", "LRL"))
    fused = high[high["used_for_fusion"] == "1"]
    of_family = {key: list(fused.index[fused["family"] == family]) or ["eng"] for key, family in low["family"].items()}
    return {
        "used for fusion": {key: list(fused.index) for key in low.index},
        "all high-resource": {key: list(high.index) for key in low.index},
        "proxy": of_family,
    }


def variants(printed: "pd.Series[str]", languages: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant, the best first: n_undefined, mean_difference (absolute), n_agree (as printed)."""
    rows = []
    for where, pairs, pool in _every_variant(languages):
        found = closest(pairs, pool)["similarity"].reindex(printed.index)
        differences = (found - printed.astype(float)).abs()
        agree = sum(as_printed(value) == text for value, text in zip(found, printed, strict=True))
        undefined = int(found.isna().sum())
        mean = float(differences.mean()) if undefined < len(found) else np.nan
        rows.append({**where, "n_undefined": undefined, "mean_difference": mean, "n_agree": agree})
    return pd.DataFrame(rows).sort_values(["n_undefined", "mean_difference"], kind="stable", ignore_index=True)


def _every_variant(languages: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame, dict[str, list[str]]]]:
    """Yield each variant: its name, the similarities of all pairs, and the languages that count."""
    for codes in get_args(Scheme):
        for measure in ("cosine", "angular"):
            pairs = similarity_pairs(languages, codes, measure)
            for features in FEATURE_SETS:
                mine = pairs[pairs["feature"] == features]
                for name, pool in pools(languages).items():
                    yield {"features": features, "codes": codes, "measure": measure, "pool": name}, mine, pool


def similarity_pairs(languages: pd.DataFrame, codes: Any, measure: Any) -> pd.DataFrame:
    """Return URIEL's similarities of the low- with the high-resource languages."""
    high, low = (list(languages.index[languages["group"] == group]) for group in ("HRL", "LRL"))
    pairs = language_pairs(low, high, codes=codes, measure=measure)
    return pairs[pairs["feature"].isin(FEATURE_SETS)]


def closest(pairs: pd.DataFrame, pool: dict[str, list[str]]) -> pd.DataFrame:
    """Return the closest counting language of each low-resource one, by its key: closest, similarity, coverage."""
    counts = [target in pool[transfer] for transfer, target in zip(pairs["transfer"], pairs["target"], strict=True)]
    known = pairs[counts].dropna(subset="value").sort_values("value", ascending=False, kind="stable")
    best = known.drop_duplicates("transfer").set_index("transfer")
    return best[["target", "value", "coverage"]].set_axis(["closest", "similarity", "coverage"], axis=1)


def as_printed(value: float) -> str:
    """Return a similarity with the paper's two decimals."""
    return f"{value:.2f}"


def compared(best: "pd.Series[Any]", printed: "pd.Series[str]", languages: pd.DataFrame) -> pd.DataFrame:
    """Return the best variant beside the paper, a row per low-resource language in the paper's order."""
    pairs = similarity_pairs(languages, best["codes"], best["measure"])
    pairs = pairs[pairs["feature"] == best["features"]]
    every = pools(languages)
    found = closest(pairs, every[best["pool"]]).reindex(printed.index)
    kin = closest(pairs, every["proxy"]).reindex(printed.index)
    table = pd.DataFrame({"lang": languages["code"], "printed": printed}).reindex(printed.index)
    table["similarity"] = found["similarity"]
    table["difference"] = found["similarity"] - printed.astype(float)
    table["agrees"] = [as_printed(value) == text for value, text in zip(found["similarity"], printed, strict=True)]
    table["closest"], table["coverage"] = found["closest"], found["coverage"]
    # A predicted set is complete whatever was observed; this is what stands behind it.
    observed = vector_coverage(list(table.index), best["features"].replace("_knn", "_average"), codes=best["codes"])
    table["n_observed"] = observed["n_features"].to_numpy()
    table["proxy"], table["proxy_similarity"] = kin["closest"], kin["similarity"]
    families = languages["family"]
    table["closest_is_kin"] = [
        families[key] == families.get(other) for key, other in zip(table.index, table["closest"], strict=True)
    ]
    return table.reset_index(drop=True)


def summary(table: pd.DataFrame, ordered: pd.DataFrame) -> str:
    """Say which variant fits best, what still differs, and where the paper's sentences do not follow."""
    best = ordered.iloc[0]
    where = ", ".join(f"{name} {best[name]}" for name in VARIANT)
    lines = [f"best of {len(ordered)} variants: {where}: mean absolute difference {best['mean_difference']:.4f}"]
    same = [f"{row['codes']}, {row['measure']}" for _, row in ordered[1:].iterrows() if _equal(row, best)]
    lines += [f"equally good: {'; '.join(same)}"] if same else []
    off = table[~table["agrees"]]
    listed = "; ".join(f"{row.lang} {row.similarity:.3f} (printed {row.printed})" for row in off.itertuples())
    agree = f"{len(table) - len(off)} of {len(table)} agree to the printed digit"
    lines.append(f"{agree}; still differ: {listed}" if listed else agree)
    kin = ", ".join(table.loc[table["closest_is_kin"], "lang"])
    lines.append(
        f"closest language of the same family: {kin or 'none'} (the paper: all but mi, and qu and gn isolated)"
    )
    predicted = table[table["n_observed"] == 0]
    lines += [f"no feature observed, all predicted: {', '.join(predicted['lang'])}"] if len(predicted) else []
    return "\n".join(lines)


def _equal(row: "pd.Series[Any]", best: "pd.Series[Any]") -> bool:
    names = ["features", "pool", "n_undefined"]
    return all(row[name] == best[name] for name in names) and row["mean_difference"] == best["mean_difference"]


def main(
    out: Annotated[Path, typer.Option(help="Folder for CSV, PNG and SVG; made if absent.")] = Path("paper-items"),
) -> None:
    printed, languages = paper()
    ordered = variants(printed, languages)
    table = compared(ordered.iloc[0], printed, languages)
    out.mkdir(parents=True, exist_ok=True)
    for name, frame in (("table04_variants", ordered), ("table04_similarity", table)):
        frame.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    print(ordered.head(8).to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    print(summary(table, ordered))
    for path in picture(ordered.iloc[0], languages, out / "table04_similarity"):
        print(path)


def picture(best: "pd.Series[Any]", languages: pd.DataFrame, stem: Path) -> list[Path]:
    """Write the heatmap of the best variant."""
    known = language_table()
    places = pd.DataFrame(
        [
            {name: getattr(known.get(key), name) for name in ("code", "name", "family", "genus")}
            for key in languages.index
        ]
    ).assign(seen=pd.array([None] * len(languages), dtype="boolean"))
    sides = ("low-resource language", "high-resource language")
    pairs = similarity_pairs(languages, best["codes"], best["measure"])
    made = drawing(pair_heatmap(pairs, places, feature=str(best["features"]), sides=sides), in_page=False)
    stem.with_suffix(".png").write_bytes(made.png)
    stem.with_suffix(".svg").write_bytes(made.svg)
    return [stem.with_suffix(".png"), stem.with_suffix(".svg")]


if __name__ == "__main__":
    typer.run(main)
