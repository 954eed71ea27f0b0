"""Everything that ships in data_manifests is complete, agrees with the published tables and with the real data."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from xltransfer.config.load import load_study
from xltransfer.config.manifests import DatasetManifest, HubReader, language_table, load_datasets, load_model, root
from xltransfer.errors import ConfigError

MODELS = ("mbert-cased", "mbert-uncased", "xlmr-base")
ELEVEN = {"gub", "bam", "ewe", "hau", "ibo", "kin", "mos", "pcm", "wol", "kmr", "pms"}


def published(name: str) -> list[dict[str, str]]:
    with (root() / "published" / "faisal2024" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("manifest", load_datasets().values(), ids=load_datasets())
def test_every_dataset_is_complete(manifest: DatasetManifest) -> None:
    for text in (manifest.title, manifest.source, manifest.licence, manifest.citation):
        assert text == text.strip() and len(text) > 3
    table = language_table()
    assert all(table.get(entry.language).code == entry.language for entry in manifest.entries)
    files = Counter((entry.config, path) for entry in manifest.entries for path in entry.files.values())
    assert max(files.values()) == 1


def test_file_names_are_dataset_and_model_names() -> None:
    assert {path.stem for path in (root() / "datasets").glob("*.yaml")} == set(load_datasets())
    assert {path.stem for path in (root() / "models").glob("*.yaml")} == set(MODELS)
    assert all(load_model(name).name == name for name in MODELS)


@pytest.mark.parametrize(("name", "size"), [("mbert-cased", 103), ("mbert-uncased", 101), ("xlmr-base", 93)])
def test_models_list_the_stated_number_of_languages(name: str, size: int) -> None:
    seen = load_model(name).seen
    table = language_table()
    assert len(set(seen)) == len(seen) == size
    assert [code for code in seen if table.get(code).code != code] == []


def test_cased_mbert_has_thai_and_mongolian_besides() -> None:
    assert set(load_model("mbert-cased").seen) - set(load_model("mbert-uncased").seen) == {"tha", "mon"}


def test_wikiann_has_the_125_languages_of_table_29() -> None:
    listed = {row["iso639_3"] for row in published("table29_evaluation_languages.csv") if row["ner"] == "1"}
    assert {entry.language for entry in load_datasets()["wikiann"].entries} == listed
    assert len(listed) == 125


def test_treebanks_are_those_of_table_29_but_for_the_one_without_text() -> None:
    listed = {row["iso639_3"] for row in published("table29_evaluation_languages.csv") if row["udp_pos"] == "1"}
    targets = [entry.language for entry in load_datasets()["ud-2.11"].entries if "test" in entry.files]
    assert listed - set(targets) == {"qhe"}
    assert len(targets) == len(set(targets)) == 113


def test_treebanks_of_table_25_have_its_identifiers() -> None:
    files = {
        path.rpartition("/")[2].removesuffix("-ud-test.conllu")
        for entry in load_datasets()["ud-2.11"].entries
        for path in entry.files.values()
    }
    listed = {row["ud_identifier"] for row in published("table25_udp_pos_training_languages.csv")}
    assert listed - files == {"ar_nyuad", "fr_ftb", "ja_bccwj", "qhe_hiencs"}


def test_faisal_text_has_the_38_languages_of_table_24() -> None:
    listed = {row["iso639_3"] for row in published("table24_transfer_languages.csv")}
    assert {entry.language for entry in load_datasets()["faisal-text"].entries} == listed


def test_small_datasets_list_every_file_that_exists(shared: Path) -> None:
    with (shared / "data" / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        real = {row["path"]: row["iso639_3"] for row in csv.DictReader(file)}
    listed: dict[str, str] = {}
    for name, manifest in load_datasets().items():
        if name.endswith("-small") or name == "americasnli":
            folder = manifest.root.removeprefix("data/")
            listed |= {f"{folder}/{path}": e.language for e in manifest.entries for path in e.files.values()}
    wanted = {
        path: language.rpartition("+")[2]
        for path, language in real.items()
        if path.split("/")[0] in (
            "ud", "masakhaner", "wikiann", "uner", "text", "parallel", "nli", "qa"
        ) and "ids" not in path and "rows" not in path
    }  # fmt: skip
    assert listed == wanted


def test_real_small_is_the_study_of_the_issue(shared: Path) -> None:
    resolved = load_study("real_small", data_root=shared)
    training = json.loads((shared / "models" / "mini-mbert" / "training.json").read_text(encoding="utf-8"))
    assert set(resolved.study.base.seen or ()) == set(training["seen"])
    languages = {ref.language for ref in resolved.corpora}
    assert len(languages) == 20
    assert languages - resolved.seen == ELEVEN
    assert Counter(ref.language for ref in resolved.corpora).most_common(3)[1][1] == 2
    assert {ref.language for ref in resolved.targets["mlm"]} >= languages
    sizes = {"pos": 26, "dep": 26, "ner": 10, "nli": 26, "qa": 18, "mlm": 28}
    assert {task: len(refs) for task, refs in resolved.targets.items()} == sizes
    sentences = {cell.languages for cell in resolved.study.cells if cell.tasks == ("nli", "qa")}
    assert [len(languages or ()) for languages in sentences] == [8]
    adapter = resolved.study.tasks[0].adapter
    assert adapter is not None and adapter.seeds == 2


def test_training_treebanks_of_real_small_have_a_hundred_sentences(shared: Path) -> None:
    with (shared / "data" / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        sizes = {row["path"]: int(row["rows"]) for row in csv.DictReader(file) if row["kind"] == "ud"}
    used = {f"ud/{ref.files['train']}" for ref in load_study("real_small", data_root=shared).train["pos"]}
    assert used == {path for path, n in sizes.items() if path.endswith("train.conllu") and n >= 100}


def test_faisal2024_is_the_papers_study(tmp_path: Path) -> None:
    for manifest in load_datasets().values():
        if manifest.name in ("ud-2.11", "faisal-text") and not isinstance(manifest.reader, HubReader):
            for entry in manifest.entries:
                for name in entry.files.values():
                    path = tmp_path / manifest.root / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
    resolved = load_study("faisal2024", data_root=tmp_path)
    study = resolved.study
    assert [cell.steps for cell in study.cells] == [1, 10, 100, 1000]
    assert (study.transfer.replicates, len(resolved.corpora)) == (10, 38)
    assert (study.nudge.batch_size, study.nudge.block, study.nudge.learning_rate) == (8, 512, 5e-5)
    assert {ref.language for ref in resolved.corpora} - resolved.seen == ELEVEN - {"pms"}
    for task in study.tasks[:3]:
        adapter = task.adapter
        assert adapter is not None
        assert (adapter.batch_size, adapter.epochs, adapter.learning_rate, adapter.reduction) == (36, 5, 5e-4, 16)
        assert (task.max_length, task.max_train_sentences) == (256, 1000)
    assert (len(resolved.targets["pos"]), len(resolved.targets["ner"])) == (113, 125)


def test_unknown_model_manifest_gives_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown model manifest 'xlmr'; did you mean 'xlmr-base'"):
        load_model("xlmr")


def test_shipped_files_name_no_machine() -> None:
    for path in root().rglob("*.yaml"):
        assert not re.search(r"(?m)(^|[\s'\"{\[])/[a-z]+/", path.read_text(encoding="utf-8")), path
