"""The report of an alignment run, made of a miniature one whose nudges a miniature transfer run scored too."""

import hashlib
import html
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
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
from xltransfer.report.alignment.findings import findings
from xltransfer.report.alignment.prediction import prediction
from xltransfer.report.alignment.sets import compared_sets
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


def test_a_finished_run_is_not_called_unfinished_and_one_without_a_nudge_is(run: Run, text: str) -> None:
    progress = findings(run)["progress"].set_index("setting")
    assert progress.loc["zero_steps", ["replicates", "short"]].tolist() == [1, 0]
    assert progress.loc["nudge", ["replicates", "short"]].tolist() == [2, 0] and "not finished" not in text
    rows = run.measurements()
    part = replace(run)
    vars(part)["measurements"] = lambda labels=True: rows[~((rows.corpus == "text-qaa") & (rows.replicate == 1))]
    short = findings(part)["progress"].set_index("setting")["short"]
    assert short["nudge"] == 1 and short["zero_steps"] == 0


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
    table: Callable[[str], pd.DataFrame], written: Callable[[str], Written], text: str
) -> None:
    fits, points = table("prediction"), table("prediction_points")
    assert set(fits.predictor) == {"cls_cosine", "mean_cosine"} and set(fits.permuted) == {True, False}
    assert set(fits.texts) == {"par"}  # unmatched texts predict nothing
    # Three languages have no interval, and so no slope; the sentences say why.
    assert fits.slope.isna().all() and fits.p.isna().all()
    assert fits.why.str.startswith("too few languages").all() and "no slope (too few languages" in text
    row = fits[(fits.predictor == "mean_cosine") & ~fits.permuted & (fits.task == "mlm")].iloc[0]
    own = points[(points.predictor == "mean_cosine") & ~points.permuted & (points.task == "mlm")]
    assert len(own) == row.n_pairs == 6
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


def changed(folder: Path, place: Path, keys: list[str], value: object) -> Path:
    """Copy a results folder and change one value of its header."""
    copy = place / "changed"
    shutil.copytree(folder, copy)
    header = json.loads((copy / "run.json").read_text("utf-8"))
    inner = header
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (copy / "run.json").write_text(json.dumps(header), "utf-8")
    return copy


def beside(run: Run, folder: Path) -> tuple[str, ...]:
    """Lay a transfer run beside an alignment run that has measured nothing yet, and return what is noted."""
    sets = pd.DataFrame({"task": ["par"], "kind": ["matched"], "shared_corpora": [""]})
    none = pd.DataFrame({"task": [], "setting": [], "corpus": []})
    return prediction(run, none, sets, AlignmentOptions(transfer=folder)).notes


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (["settings", "seed"], 12, r"settings.seed: 12 in the transfer run, 11 in this one"),
        (["settings", "nudge", "learning_rate"], 0.5, r"settings.nudge.learning_rate: 0.5 in .*, 0.001 in this one"),
        (["settings", "engine", "precision"], "bfloat16", r'settings.engine.precision: "bfloat16" in .*, "float32" in'),
        (["settings", "engine", "rules"], "adapterhub", r'settings.engine.rules: "adapterhub" in .*, "corrected" in'),
        (["files", "base/model.safetensors"], "0" * 64, r"files.base/model.safetensors: sha256 0{12} in the transfer"),
        (["parts", "blocks of corpus", None], 1, r"blocks of corpus text-\w+: 1 in the transfer run, \d+ in this one"),
        (["files", "/train"], "0" * 64, r"files.text-\w+/train: sha256 0{12} in the transfer run"),
    ],
)
def test_a_transfer_run_of_other_nudges_is_refused_by_what_differs(
    run: Run, mini_study: MiniStudy, tmp_path: Path, keys: list[str], value: object, said: str
) -> None:
    corpus = sorted(run.header.parts["blocks of corpus"])[0]
    named = [corpus if key is None else f"{corpus}{key}" if key == "/train" else key for key in keys]
    with pytest.raises(ConfigError, match=said) as caught:
        beside(run, changed(mini_study.folder, tmp_path, named, value))
    assert "Give a transfer run with the values of this one" in str(caught.value)
    assert str(caught.value).count(" in the transfer run, ") == 1


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["settings", "engine", "token_budget"], 4096),
        (["settings", "engine", "stack"], "madx_equation"),
        (["settings", "nudge", "pooler"], "cls"),
        (["environment", "threads"], 2),
        (["parts", "task", "pos", "max_length"], 32),
    ],
)
def test_what_makes_no_other_nudge_is_no_obstacle(
    run: Run, mini_study: MiniStudy, tmp_path: Path, keys: list[str], value: object
) -> None:
    notes = beside(run, changed(mini_study.folder, tmp_path, keys, value))
    assert "same base (weights by their SHA-256), seed, settings and blocks of the 3 corpora" in notes[0]


def test_nudges_of_another_device_are_another_draw_of_dropout(run: Run, mini_study: MiniStudy, tmp_path: Path) -> None:
    notes = beside(run, changed(mini_study.folder, tmp_path, ["environment", "device"], "cuda"))
    assert "those were made on cuda and these on cpu, which draw other dropout" in notes[0]
    assert "other dropout" not in beside(run, mini_study.folder)[0]


def test_a_folder_of_two_devices_is_refused(run: Run) -> None:
    class Mixed(Run):
        def measurements(self, labels: bool = True) -> pd.DataFrame:
            rows = super().measurements(labels)
            return rows.assign(device=np.where(rows["setting"] == "nudge", "cuda", "cpu"))

    with pytest.raises(ConfigError, match="scores of the devices cpu, cuda; states of the model are compared on one"):
        findings(Mixed(run.folder, run.header))


def test_a_corpus_is_shared_by_its_name_and_by_its_file_under_another_name(run: Run) -> None:
    corpus = sorted(run.header.parts["blocks of corpus"])[0]
    entry = next(iter(run.header.files[name] for name in sorted(run.header.files) if name.startswith("par-")))
    renamed = replace(run.header, files={**run.header.files, f"{corpus}/train": entry})
    rows = run.measurements()
    assert compared_sets(run.study, run.header, rows).shared_corpora.tolist() == ["", ""]
    # The miniature sets par and loose are of the same files.
    assert compared_sets(run.study, renamed, rows).shared_corpora.tolist() == [corpus, corpus]


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
