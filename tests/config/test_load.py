"""From a study file to a resolved study: names, places, files, and several problems at once."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xltransfer.config.load import load_study
from xltransfer.config.resolve import resolve
from xltransfer.config.study import Study
from xltransfer.errors import ConfigError

Write = Callable[[dict[str, Any]], Path]


def problems(path: Path) -> list[str]:
    """What is wrong with a study file, its folder left out."""
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_a_study_resolves_to_entries_with_absolute_places(plain: dict[str, Any], write: Write, tmp_path: Path) -> None:
    resolved = load_study(write(plain))
    assert resolved.data_root == tmp_path / "data"
    assert resolved.model == str(tmp_path / "data" / "models" / "tiny")
    assert [ref.name for ref in resolved.train["pos"]] == ["T-eng"]
    assert [ref.name for ref in resolved.targets["pos"]] == ["T-eng", "T-wol"]
    assert [ref.language for ref in resolved.corpora] == ["eng", "wol"]
    assert resolved.train["mlm"] == ()
    wolof = resolved.targets["pos"][1]
    assert (wolof.root / wolof.files["test"]).is_file()
    assert hash(wolof) == hash(load_study(tmp_path / "study.yaml").targets["pos"][1])


def test_text_without_a_test_file_is_its_own_held_out_target(plain: dict[str, Any], write: Write) -> None:
    assert [ref.name for ref in load_study(write(plain)).targets["mlm"]] == ["x-eng", "x-wol"]
    plain["datasets"][1]["reader"]["held_out"] = 0
    lines = write(plain).read_text(encoding="utf-8").splitlines()
    place = f"study.yaml:{lines.index('- name: mlm') + 3}"
    assert problems(write(plain)) == [f"{place}: dataset 'texts' has no entry with a split 'test' to select"]


def test_codes_are_repaired_in_the_study_that_is_stored(plain: dict[str, Any], write: Write) -> None:
    plain["cells"][1]["languages"] = ["wo"]
    plain["base"]["seen"] = ["no", "en"]
    plain["controls"] = {"zero_steps": {"languages": ["en", "wol"]}}
    resolved = load_study(write(plain))
    assert resolved.study.cells[1].languages == ("wol",)
    assert resolved.study.base.seen == ("nor", "eng")
    assert resolved.study.controls.zero_steps.languages == ("eng", "wol")
    assert resolved.seen == {"nor", "nob", "eng"}
    assert Study.model_validate(resolved.study.model_dump(mode="json")) == resolved.study


def test_the_language_no_is_norwegian_and_not_false(tmp_path: Path, plain: dict[str, Any], write: Write) -> None:
    text = write(plain).read_text(encoding="utf-8").replace("language: wo\n", "language: no\n")
    text = text.replace("  - wol\n", "  - no\n")
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    resolved = load_study(tmp_path / "study.yaml")
    assert [ref.language for ref in resolved.corpora] == ["eng", "nor"]
    assert resolved.study.cells[1].languages == ("nor",)


def test_problems_of_all_kinds_come_together_with_their_lines(plain: dict[str, Any], write: Write) -> None:
    plain["sede"] = 3
    plain["tasks"][0]["targets"][0]["languages"] = ["wol", "enq"]
    plain["tasks"][0]["train"][0]["dataset"] = "treees"
    plain["cells"][1]["tasks"] = ["poss"]
    plain["transfer"]["replicates"] = "many"
    plain["base"]["seen"] = ["wolf"]
    text = write(plain).read_text(encoding="utf-8").splitlines()
    found = problems(write(plain))
    line = {key: next(i for i, row in enumerate(text, 1) if key in row) for key in ("sede", "enq", "treees", "poss")}
    assert f"study.yaml:{line['sede']}: unknown key 'sede'; did you mean 'seed'?" in found
    assert f"study.yaml:{line['enq']}: unknown language 'enq'; did you mean 'eng' (English)?" in found
    assert f"study.yaml:{line['treees']}: unknown dataset 'treees'; did you mean 'trees'?" in found
    assert f"study.yaml:{line['poss']}: the study has no task 'poss'; did you mean 'pos'?" in found
    assert any("transfer.replicates: input should be a valid integer" in problem for problem in found)
    assert any("unknown language 'wolf'; did you mean 'wol' (Wolof)?" in problem for problem in found)
    assert len(found) == 6
    assert found == sorted(found, key=lambda problem: int(problem.split(":")[1]))


def test_a_task_that_a_control_names_must_be_one(plain: dict[str, Any], write: Write) -> None:
    plain["controls"] = {"zero_steps": {"tasks": ["poss"]}, "random_sign": {"steps": [10], "tasks": ["mlm", "deb"]}}
    (first, second) = problems(write(plain))
    assert "the study has no task 'poss'; did you mean 'pos'?" in first
    assert "the study has no task 'deb'" in second


def test_contradictions_do_not_hide_unknown_names(plain: dict[str, Any], write: Write) -> None:
    plain["tasks"][1]["labels"] = ["A"]
    plain["cells"][1]["languages"] = ["woll"]
    found = problems(write(plain))
    assert any("labels and shape mlm contradict each other" in problem for problem in found)
    assert any("unknown language 'woll'; did you mean 'wol' (Wolof)?" in problem for problem in found)


NAMES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "entry": (
        lambda d: d["tasks"][0].update(targets=[{"dataset": "trees", "entries": ["T-woll"]}]),
        "dataset 'trees' has no entry 'T-woll'; did you mean 'T-wol'?",
    ),
    "excluded entry": (
        lambda d: d["tasks"][0].update(targets=[{"dataset": "trees", "exclude": ["T-en"]}]),
        "dataset 'trees' has no entry 'T-en'; did you mean 'T-eng'?",
    ),
    "named entry without the split": (
        lambda d: d["tasks"][0].update(train=[{"dataset": "trees", "entries": ["T-wol"]}]),
        "entry 'T-wol' of dataset 'trees' has no split 'train'",
    ),
    "language without the split": (
        lambda d: d["tasks"][0].update(train=[{"dataset": "trees", "languages": ["wol"]}]),
        "dataset 'trees' has no entry of 'wol' with a split 'train'; known: eng",
    ),
    "everything excluded": (
        lambda d: d["tasks"][0].update(train=[{"dataset": "trees", "exclude": ["T-eng"]}]),
        "dataset 'trees' has no entry with a split 'train' to select",
    ),
    "layout": (
        lambda d: d["tasks"][0].update(targets=[{"dataset": "texts"}]),
        "dataset 'texts' holds text, conllu is needed",
    ),
    "entry selected twice": (
        lambda d: d["transfer"].update(corpora=[{"dataset": "texts"}, {"dataset": "texts", "languages": ["wol"]}]),
        "entry 'x-wol' is selected twice",
    ),
    "no transfer language": (
        lambda d: d["cells"][1].update(languages=["fra"]),
        "'fra' is no transfer language of this study; known: eng, wol",
    ),
    "no transfer language of a control": (
        lambda d: d.update(controls={"random_sign": {"steps": [10], "languages": ["fra"]}}),
        "'fra' is no transfer language of this study",
    ),
    "model manifest": (lambda d: d.update(base={"manifest": "mbert-case"}), "unknown model manifest 'mbert-case'"),
    "model folder": (lambda d: d["base"].update(model="./models/none"), "no model folder './models/none'"),
    "name of a shipped dataset": (
        lambda d: d["datasets"][0].update(name="ud-small"),
        "there is a dataset 'ud-small' already",
    ),
    "language of an entry": (
        lambda d: d["datasets"][0]["entries"][0].update(language="englsh"),
        "unknown language 'englsh'; did you mean 'eng' (English)?",
    ),
    "declared language that exists": (
        lambda d: d.update(
            languages=[{"code": "wol", "name": "W", "family": "F", "genus": "G", "script": "Latn"}],
        ),
        "'wol' is a code or alias of Wolof and of W",
    ),
    "manifest file": (lambda d: d["datasets"].append("none.yaml"), "no dataset manifest 'none.yaml' in"),
    "missing file": (
        lambda d: d["datasets"][1]["entries"][1].update(files={"train": "wolof.txt"}),
        "entry 'x-wol' of dataset 'texts', split 'train': no file wolof.txt in",
    ),
    "missing folder": (
        lambda d: d["datasets"][1].update(root="texts"),
        "dataset 'texts': no folder",
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_unknown_names_and_missing_files(plain: dict[str, Any], write: Write, name: str) -> None:
    change, message = NAMES[name]
    change(plain)
    assert any(message in problem for problem in problems(write(plain))), problems(write(plain))


def test_a_missing_file_is_told_once(plain: dict[str, Any], write: Write) -> None:
    plain["datasets"][1]["root"] = "texts"
    assert len(problems(write(plain))) == 1


def test_two_datasets_may_not_give_entries_of_one_name(plain: dict[str, Any], write: Write) -> None:
    other = {**plain["datasets"][1], "name": "more", "entries": [dict(plain["datasets"][1]["entries"][0])]}
    plain["datasets"].append(other)
    plain["tasks"][1]["targets"] = [{"dataset": "more"}]
    assert any("'x-eng' is selected from 'texts' and from 'more'" in problem for problem in problems(write(plain)))


def test_hub_readers_and_hub_ids_are_not_looked_for_on_disk(plain: dict[str, Any], write: Write) -> None:
    plain["base"]["model"] = "someone/model"
    plain["datasets"][1]["reader"] = {"kind": "hub", "hub_id": "someone/texts", "layout": "text"}
    plain["datasets"][1]["root"] = "nowhere"
    resolved = load_study(write(plain))
    assert resolved.model == "someone/model"
    assert [ref.name for ref in resolved.corpora] == ["x-eng", "x-wol"]


def test_a_manifest_gives_model_and_seen_and_a_local_copy_may_replace_the_model(
    plain: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    plain["base"] = {"manifest": "mbert-cased"}
    resolved = load_study(write(plain))
    assert (resolved.model, resolved.study.base.name) == ("google-bert/bert-base-multilingual-cased", "mbert-cased")
    assert "tha" in resolved.seen and "wol" not in resolved.seen
    plain["base"] = {"manifest": "mbert-cased", "model": "models/tiny"}
    assert load_study(write(plain)).model == str(tmp_path / "data" / "models" / "tiny")


def test_data_root_of_the_caller_takes_the_place_of_the_studys(
    plain: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    path = write(plain)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    resolved = load_study(path, data_root=tmp_path / "elsewhere")
    assert resolved.data_root == tmp_path / "elsewhere"
    assert resolved.study.data_root == "data"


def test_manifest_files_are_found_beside_the_study_and_under_the_data_root(
    plain: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    write(plain)
    trees, texts = plain["datasets"]
    (tmp_path / "trees.yaml").write_text(yaml.safe_dump(trees), encoding="utf-8")
    (tmp_path / "data" / "texts.yaml").write_text(yaml.safe_dump(texts), encoding="utf-8")
    plain["datasets"] = ["trees.yaml", "texts.yaml"]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    assert len(load_study(tmp_path / "study.yaml").corpora) == 2
    texts["entries"][1]["language"] = "wolf"
    texts["reader"]["column"] = "first"
    (tmp_path / "data" / "texts.yaml").write_text(yaml.safe_dump(texts), encoding="utf-8")
    assert any(p.startswith("texts.yaml:") and "reader.column" in p for p in problems(tmp_path / "study.yaml"))
    del texts["reader"]["column"]
    (tmp_path / "data" / "texts.yaml").write_text(yaml.safe_dump(texts), encoding="utf-8")
    assert any(p.startswith("texts.yaml:") and "'wolf'" in p for p in problems(tmp_path / "study.yaml"))


def test_own_language_corpus_treebank_and_task_by_declaration_alone(tmp_path: Path) -> None:
    for name in ("qaa.txt", "qaa.conllu", "chunks.txt"):
        (tmp_path / name).touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "study.yaml").write_text(
        """
name: own
base: {name: own, model: ./model, seen: [eng]}
languages:
  - {code: qaa, name: Ownish, family: Isolate, genus: Isolate, script: Latn, aliases: [own]}
datasets:
  - name: own-text
    {common}
    reader: {kind: text, held_out: 5e-2}
    entries: [{name: own-text-qaa, language: qaa, files: {train: qaa.txt}}]
  - name: own-ud
    {common}
    reader: {kind: conllu, tag_column: xpos}
    entries: [{name: UD_Ownish-Own, language: own, files: {train: qaa.conllu, test: qaa.conllu}}]
  - name: own-chunks
    {common}
    reader: {kind: bio, separator: tab}
    entries: [{name: chunks-qaa, language: qaa, files: {train: chunks.txt, test: chunks.txt}}]
tasks:
  - {name: own-tags, shape: pos, labels: [N, V], train: [{dataset: own-ud}], targets: [{dataset: own-ud}]}
  - {name: chunks, shape: ner, labels: [NP, VP], train: [{dataset: own-chunks}], targets: [{dataset: own-chunks}]}
transfer: {corpora: [{dataset: own-text}]}
cells: [{steps: 10}]
""".replace("{common}", "title: t\n    source: s\n    licence: l\n    citation: c"),
        encoding="utf-8",
    )
    resolved = load_study(tmp_path / "study.yaml")
    assert resolved.languages.get("own").name == "Ownish"
    assert [ref.language for ref in resolved.corpora] == ["qaa"]
    assert resolved.targets["own-tags"][0].language == "qaa"
    assert resolved.study.tasks[1].labels == ("NP", "VP")
    assert "qaa" not in resolved.seen


def test_resolve_without_a_file_names_the_path_into_the_study(plain: dict[str, Any], write: Write) -> None:
    plain["cells"][1]["tasks"] = ["poss"]
    folder = write(plain).parent
    with pytest.raises(ConfigError, match=r"^cells\[1\]\.tasks\[0\]: the study has no task 'poss'"):
        resolve(Study.model_validate(plain), folder)


def test_unknown_study_gives_the_nearest_shipped_one() -> None:
    with pytest.raises(ConfigError, match=r"no study file 'real_smal' .*did you mean 'real_small'"):
        load_study("real_smal")


def test_loading_a_study_needs_neither_torch_nor_pandas() -> None:
    code = "import sys, xltransfer.config.load; print({'torch', 'pandas', 'transformers'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
