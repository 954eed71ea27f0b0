"""The report of an alignment run, made of a miniature one whose nudges a miniature transfer run scored too."""

import hashlib
import html
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from headless_chromium import Browser
from mini_alignment import EVERYTHING, study_file, write_home
from mini_study import MiniStudy

from xltransfer.config.load import load_study
from xltransfer.errors import ConfigError
from xltransfer.protocols.alignment.run import run_study
from xltransfer.report.alignment.charts import chosen_pairs
from xltransfer.report.alignment.states import state_label
from xltransfer.report.options import AlignmentOptions
from xltransfer.report.write import Written, write_report
from xltransfer.runs.open import Run, open_run


@pytest.fixture(scope="module")
def run(mini_files: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three languages, two replicates, every state, and a control of the nudge."""
    home = write_home(tmp_path_factory.mktemp("alignment"), mini_files)
    transfer = {"corpora": [{"dataset": "world-text"}], "tokens": "equal", "replicates": 2}
    controls = {"shuffled_text": {"steps": [2]}, "random_sign": None, "noise_floor": {"precision": "float64"}}
    resolved = load_study(study_file(home, mini_files, EVERYTHING, transfer=transfer, controls=controls))
    outcome = run_study(resolved, home / "run", workers=0)
    assert not outcome.failed, outcome.failed
    return open_run(home / "run")


@pytest.fixture(scope="module")
def written(run: Run, mini_study: MiniStudy, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """Write the report beside the transfer run into a folder of a name, once."""

    @cache
    def write(name: str) -> Written:
        return write_report(run, tmp_path_factory.mktemp("report") / name, AlignmentOptions(transfer=mini_study.folder))

    return write


@pytest.fixture(scope="module")
def table(written: Callable[[str], Written]) -> Callable[[str], pd.DataFrame]:
    return lambda name: pd.read_csv(written("a").page.parent / f"{name}.csv", keep_default_na=True)


@pytest.fixture(scope="module")
def text(written: Callable[[str], Written]) -> str:
    """The words of the page, without markup."""
    page = written("a").page.read_text(encoding="utf-8")
    page = re.sub(r"<script.*?</script>|<style.*?</style>|</?bdi>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def plain_scores(run: Run, setting: str, metric: str) -> pd.DataFrame:
    rows = run.measurements()
    rows = rows[(rows.setting == setting) & (rows.task == "par") & (rows.metric == metric)]
    return rows[["dataset", "transfer", "replicate", "score"]]


def test_the_nudges_are_the_models_of_the_transfer_run(run: Run, mini_study: MiniStudy) -> None:
    seeds = []
    for each in (run, open_run(mini_study.folder)):
        rows = each.measurements()
        rows = rows[(rows.setting == "nudge") & (rows.steps == 2)]
        seeds.append(rows.groupby(["corpus", "replicate"]).seed.unique().map(tuple).to_dict())
    assert seeds[0] == seeds[1] and len(seeds[0]) == 6


def test_curves_are_the_means_of_the_stored_scores(run: Run, table: Callable[[str], pd.DataFrame]) -> None:
    found = table("layer_means")
    row = found[(found.task == "par") & (found.setting == "baseline") & (found.metric == "mean_cosine")]
    for layer in range(3):
        own = row[row.layer == layer].iloc[0]
        assert own.estimate == pytest.approx(plain_scores(run, "baseline", f"mean_cosine[{layer}]").score.mean())
        permuted = plain_scores(run, "baseline", f"permuted_mean_cosine[{layer}]").score.mean()
        assert own.of_permuted == pytest.approx(permuted)
    assert set(found.state) == {"untouched", "language adapters", "task adapter pos", "language and task adapter pos"}


def test_the_change_by_a_nudge_is_that_of_its_pairs(run: Run, table: Callable[[str], pd.DataFrame]) -> None:
    found = table("nudges")
    base = plain_scores(run, "baseline", "mean_retrieval[1]").set_index("dataset").score
    moved = plain_scores(run, "nudge", "mean_retrieval[1]")
    for transfer, own in moved.groupby("transfer"):
        expected = (own.score.to_numpy() - base[own.dataset].to_numpy()).mean()
        row = found[(found.task == "par") & (found.transfer == transfer) & (found.metric == "mean_retrieval")]
        row = row[row.setting == "nudge"].iloc[0]
        assert row.estimate == pytest.approx(expected) and (row.n_pairs, row.n_replicates) == (2, 2)
        assert row.net == pytest.approx(row.estimate - row.of_permuted)


def test_single_pairs_have_intervals_and_the_numbers_of_texts(table: Callable[[str], pd.DataFrame]) -> None:
    pairs = table("pairs_middle")
    loose = pairs[pairs.task == "loose"]
    assert set(loose.metric) == {"cls_all_pairs", "mean_all_pairs"}
    assert (loose.n_source == 10).all() and (loose.n_target == 10).all() and loose.of_permuted.isna().all()
    par = pairs[(pairs.task == "par") & (pairs.metric == "mean_cosine")]
    assert (par.n_source == 24).all() and (par.low < par.estimate).all() and (par.estimate < par.high).all()
    changes = table("pair_changes")
    zero = changes[changes.setting == "zero_steps"]
    assert len(zero) and (zero.estimate.dropna() == 0).all()


def test_the_prediction_has_a_row_per_task_and_points_that_fit_it(
    table: Callable[[str], pd.DataFrame], written: Callable[[str], Written]
) -> None:
    fits, points = table("prediction"), table("prediction_points")
    assert set(fits.predictor) == {"cls_cosine", "mean_cosine"} and set(fits.permuted) == {True, False}
    assert set(fits.texts) == {"par"}  # unmatched texts predict nothing
    row = fits[(fits.predictor == "mean_cosine") & ~fits.permuted & (fits.task == "mlm")].iloc[0]
    own = points[(points.predictor == "mean_cosine") & ~points.permuted & (points.task == "mlm")]
    assert len(own) == row.n_pairs == 6
    assert np.polyfit(own.change_centred, own.ts_centred, 1)[0] == pytest.approx(row.slope, rel=1e-6)
    assert (fits.p_holm.dropna() >= fits.p.dropna()).all()
    assert (written("a").page.parent / "prediction_par_mean_cosine.png").stat().st_size > 10_000


def test_the_page_says_what_was_compared_and_where_it_comes_from(text: str, run: Run) -> None:
    assert "par (three pairs of 3 languages, matched, 24 texts a side)" in text
    assert "loose (three pairs of 3 languages, unmatched, 10 texts a side of at most 10)" in text
    assert "six nudged models of three corpora at k = 2" in text
    assert "Control zero_steps: PASS" in text
    assert "whose nudges are the same models" in text
    assert "Permuted pairs reach" in text and "Permuted pairs move too" in text
    assert str(run.header.settings["seed"]) in text and "by SHA-256" in text


def test_two_reports_have_the_same_bytes(written: Callable[[str], Written]) -> None:
    sums = [{path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written(name).sizes} for name in "ab"]
    assert sums[0] == sums[1] and len(sums[0]) > 30


def test_the_page_works_in_a_browser(browser: Browser, written: Callable[[str], Written]) -> None:
    answer = browser.ask(
        written("a").page,
        """
        const pictures = [...document.querySelectorAll("figure img")];
        return { tables: [...document.querySelectorAll("table")].length,
                 rows: document.querySelectorAll("tbody tr").length,
                 broken: pictures.filter((image) => !image.naturalWidth).length, pictures: pictures.length,
                 wide: document.documentElement.scrollWidth - document.documentElement.clientWidth };
        """,
    )
    assert answer["tables"] >= 8 and answer["rows"] > 50 and answer["pictures"] >= 7
    assert answer["broken"] == 0 and answer["wide"] <= 0


def test_without_a_transfer_run_the_page_says_how_to_name_one(run: Run, tmp_path: Path) -> None:
    page = write_report(run, tmp_path, AlignmentOptions(task="par")).page.read_text(encoding="utf-8")
    assert "--transfer RUN" in page and "layers_par" in page and "layers_loose" not in page


def test_what_cannot_be_laid_beside_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of protocol transfer"):
        write_report(run, tmp_path, AlignmentOptions(transfer=run.folder))
    with pytest.raises(ConfigError, match="no such set of texts.*did you mean 'par'"):
        write_report(run, tmp_path, AlignmentOptions(task="pra"))


def test_chosen_pairs_are_the_lowest_the_median_and_the_highest() -> None:
    rows = pd.DataFrame(
        {"setting": "baseline", "middle": True, "permuted": False, "dataset": list("abcde"),
         "estimate": [0.3, 0.1, 0.5, np.nan, 0.2]}
    )  # fmt: skip
    other = rows.assign(middle=False, estimate=rows.estimate[::-1].to_numpy())
    assert chosen_pairs(pd.concat([rows, other])) == ["b", "a", "c"]
    assert chosen_pairs(rows.assign(setting="nudge")) == []


def test_states_in_words() -> None:
    assert state_label({"setting": "nudge", "task_adapter": "", "corpus": "text-wol", "steps": 10}) == (
        "nudged on text-wol, k = 10"
    )
    assert state_label({"setting": "task_adapters", "task_adapter": "ner", "adapter_seed": 1}) == (
        "task adapter ner, seed 1"
    )
    assert state_label({"setting": "baseline", "task_adapter": "", "steps": pd.NA}) == "untouched"
