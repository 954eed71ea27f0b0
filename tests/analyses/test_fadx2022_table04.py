"""The script for FAD-X's Table 4: it finds what the paper used, and its parts do what they say."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from scipy.spatial.distance import cosine

from xltransfer.data.uriel import vectors

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "analyses" / "fadx2022" / "table04.py"


@pytest.fixture(scope="module")
def table04() -> ModuleType:
    # Another folder has a table04 too, so it is loaded from its file.
    spec = importlib.util.spec_from_file_location("fadx2022_table04", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("fadx")
    words = [sys.executable, str(SCRIPT), "--out", str(out)]
    # The package beside the script, wherever an installed one lies.
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, encoding="utf-8", env=env)
    return out, done.stdout


def test_all_eight_numbers_of_the_paper_come_out(made: tuple[Path, str]) -> None:
    out, said = made
    ordered = pd.read_csv(out / "table04_variants.csv")
    assert len(ordered) == 21 * 3 * 2 * 3
    best = ordered.iloc[0]
    assert (best["features"], best["codes"], best["measure"]) == ("phonology_knn", "own", "cosine")
    assert (best["pool"], best["n_agree"], best["n_undefined"]) == ("used for fusion", 8, 0)
    assert best["mean_difference"] < 0.005 < ordered["mean_difference"].iloc[1]
    assert "8 of 8 agree to the printed digit" in said
    for name in ("table04_similarity.csv", "table04_similarity.png", "table04_similarity.svg"):
        assert (out / name).stat().st_size > 0


def test_the_best_variant_is_the_largest_cosine_by_scipy(made: tuple[Path, str]) -> None:
    table = pd.read_csv(made[0] / "table04_similarity.csv", dtype={"printed": str}).set_index("lang")
    high = ["eng", "vie", "zho", "ara", "ind", "fin", "tur", "kat"]
    for lang, code in {"qu": "que", "gn": "grn", "mi": "mri", "tk": "tuk"}.items():
        rows = vectors("phonology_knn").rows([code, *high])
        similarities = [1 - cosine(rows[0], other) for other in rows[1:]]
        assert table.loc[lang, "similarity"] == pytest.approx(max(similarities))
        assert f"{max(similarities):.2f}" == table.loc[lang, "printed"]


def test_maori_is_closest_to_its_own_family_unlike_the_papers_sentence(made: tuple[Path, str]) -> None:
    table = pd.read_csv(made[0] / "table04_similarity.csv").set_index("lang")
    assert table.loc["mi", "closest"] == "ind" and table.loc["mi", "closest_is_kin"]
    assert table.index[table["closest_is_kin"]].tolist() == ["cdo", "mi"]


def test_what_was_observed_behind_the_predictions(made: tuple[Path, str]) -> None:
    table = pd.read_csv(made[0] / "table04_similarity.csv").set_index("lang")
    assert table["n_observed"].to_dict() == {
        "qu": 24, "cdo": 23, "ilo": 0, "xmf": 0, "mhr": 20, "mi": 27, "tk": 2, "gn": 27
    }  # fmt: skip
    assert "no feature observed, all predicted: ilo, xmf" in made[1]


def test_pools_are_the_papers(table04: ModuleType) -> None:
    _, languages = table04.paper()
    pools = table04.pools(languages)
    assert pools["used for fusion"]["que"] == ["eng", "vie", "zho", "ara", "ind", "fin", "tur", "kat"]
    assert len(pools["all high-resource"]["que"]) == 13
    assert pools["proxy"] == {
        "que": ["eng"], "cdo": ["zho"], "ilo": ["ind"], "xmf": ["kat"], "mhr": ["fin"], "mri": ["ind"],
        "tuk": ["tur"], "grn": ["eng"],
    }  # fmt: skip


def test_what_still_differs_is_said(table04: ModuleType) -> None:
    printed, languages = table04.paper()
    ordered = table04.variants(printed, languages)
    second = ordered[1:].reset_index(drop=True)
    table = table04.compared(second.iloc[0], printed, languages)
    said = table04.summary(table, second)
    # One code for Chinese or the other is all the difference.
    assert second.iloc[0]["codes"] == "fullest"
    assert "7 of 8 agree to the printed digit; still differ: cdo 0.836 (printed 0.89)" in said
