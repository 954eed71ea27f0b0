"""URIEL's vectors: against what lang2vec's own documentation prints, and against the files read in the plainest way."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xltransfer.data import uriel
from xltransfer.data.uriel import FEATURE_SETS, Vectors, known_codes, vectors
from xltransfer.errors import ConfigError, DataError

# What README.md of lang2vec 1.1.2 prints for its examples.
GEO = {"eng": [0.7664999961853027, 0.7924000024795532, 0.8277999758720398, 0.7214000225067139, 0.8568999767303467],
       "fra": [0.7378000020980835, 0.7682999968528748, 0.7982000112533569, 0.6941999793052673]}  # fmt: skip
ENGLISH_WALS = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]


def test_values_are_those_that_lang2vec_documents() -> None:
    for code, begins in GEO.items():
        assert vectors("geo").rows([code])[0, : len(begins)].tolist() == begins
    assert vectors("syntax_wals").rows(["eng"])[0, :10].tolist() == ENGLISH_WALS
    assert np.isnan(vectors("learned").rows(["eng"])).all()  # "--" in every place


@pytest.mark.parametrize(
    "name, file, source, prefix",
    [
        ("syntax_sswl", "features.npz", "SSWL", "S_"),
        ("inventory_phoible_upsid", "features.npz", "PHOIBLE_UPSID", "INV_"),
        ("phonology_average", "feature_averages.npz", "avg", "P_"),
        ("inventory_knn", "feature_predictions.npz", "predicted", "INV_"),
        ("fam", "family_features.npz", "FAM", "F_"),
    ],
)
def test_a_set_is_its_part_of_the_file(name: str, file: str, source: str, prefix: str) -> None:
    with np.load(str(distribution("lang2vec").locate_file(f"lang2vec/data/{file}"))) as stored:
        languages, features, sources = (stored[part].tolist() for part in ("langs", "feats", "sources"))
        data = stored["data"]
    codes = ["spa", "wol", "fin", "quz", "aaa"]
    expected = [
        [
            np.nan if value == -1 else value
            for feature, value in zip(features, data[languages.index(code), :, sources.index(source)], strict=True)
            if feature.startswith(prefix)
        ]
        for code in codes
    ]
    assert np.array_equal(vectors(name).rows(codes), np.array(expected), equal_nan=True)


def test_the_averages_are_the_means_of_the_sources() -> None:
    """So the slices of sources and of averages cannot both be shifted."""
    codes = vectors("syntax_average").languages
    parts = np.stack([vectors(f"syntax_{source}").rows(codes) for source in ("wals", "sswl", "ethnologue")])
    known = ~np.isnan(parts)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, parts, 0.0).sum(axis=0) / known.sum(axis=0)
    assert np.allclose(vectors("syntax_average").rows(codes), mean, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_every_set_has_features_and_languages_and_nothing_below_its_range(name: str) -> None:
    one = vectors(name)
    values = one.rows(one.languages)
    assert values.shape == (len(one.languages), len(one.features)) and len(set(one.languages)) == len(one.languages)
    assert np.isfinite(values).any() and set(one.languages) <= known_codes()
    if name != "learned":
        assert np.nanmin(values) >= 0 and np.nanmax(values) <= 1
    assert not {"und", "mul", "mis", "zxx", "zbl"} & set(one.languages)


def test_an_unknown_code_is_a_row_of_nan_and_counts_nothing() -> None:
    syntax = vectors("syntax_knn")
    rows = syntax.rows(["spa", None, "no such code"])
    assert np.isfinite(rows[0]).all() and np.isnan(rows[1:]).all()
    assert syntax.known(["spa", None, "no such code"]).tolist() == [103, 0, 0]
    assert "spa" in syntax and "no such code" not in syntax


def test_minus_one_is_missing_only_where_the_set_says_so() -> None:
    stored = np.array([[-1.0, 0.5]])
    assert np.isnan(Vectors("x", ("aaa",), ("f", "g"), stored, -1).rows(["aaa"])).tolist() == [[True, False]]
    assert Vectors("x", ("aaa",), ("f", "g"), stored, None).rows(["aaa"]).tolist() == [[-1.0, 0.5]]


def test_a_set_is_read_once_and_cannot_be_written_to() -> None:
    assert vectors("geo") is vectors("geo")
    with pytest.raises(ValueError, match="read-only"):
        vectors("geo").stored[0, 0] = 0


def test_an_unknown_set_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="features='syntax_kn' is not a feature set.*did you mean 'syntax_knn'"):
        vectors("syntax_kn")


def test_an_absent_package_and_an_absent_file_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Elsewhere:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(uriel, "distribution", lambda _: Elsewhere())
    with pytest.raises(DataError, match="geocoord_features.npz is absent; .*reinstall it"):
        uriel._path("geocoord_features.npz")

    def absent(_: str) -> Any:
        raise PackageNotFoundError

    monkeypatch.setattr(uriel, "distribution", absent)
    with pytest.raises(DataError, match="lang2vec is not installed"):
        uriel._path("geocoord_features.npz")


def test_lang2vec_itself_is_never_imported() -> None:
    code = "import sys; from xltransfer.data.uriel import *; [vectors(n) for n in FEATURE_SETS]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"lang2vec", "torch", "transformers"}
