"""Datasets in the hub's layout, from a local folder of parquet written by pyarrow."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xltransfer.config.readers import HubReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.read import read_lines, read_sentences
from xltransfer.errors import DataError

Entry = Callable[..., EntryRef]
NAMES = ["O", "B-PER", "I-PER", "B-DATE"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what ``datasets`` caches out of the user's home."""
    import datasets

    cache = tmp_path_factory.mktemp("datasets-cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    yield


def save(
    folder: Path, columns: dict[str, Any], split: str = "test", classes: dict[str, list[str]] | None = None
) -> None:
    """Write one split as the hub stores it; ``classes`` names the class numbers of list columns."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if classes:
        features = {name: {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"} for name in columns}
        features |= {
            n: {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "List"} for n, names in classes.items()
        }
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")


def test_entities_as_class_numbers(tmp_path: Path, entry: Entry) -> None:
    columns = {"tokens": [["Ada", "Bo", "2019"], ["x"]], "ner_tags": [[1, 2, 3], [0]], "langs": [["en"] * 3, ["en"]]}
    save(tmp_path / "hub/data", columns, classes={"ner_tags": NAMES})
    ref = entry({"test": "test"}, HubReader(hub_id="hub", layout="bio", drop_labels=("DATE",)))
    first, second = read_sentences(ref, "test")
    assert first.words == ("Ada", "Bo", "2019") and first.entities == ("B-PER", "I-PER", "O")
    assert (second.words, second.entities, second.id, second.cluster) == (("x",), ("O",), "hub/test-2", "hub/test-2")
    assert read_sentences(ref, "test", limit=1) == [first]


def test_entities_as_names_with_ids(tmp_path: Path, entry: Entry) -> None:
    save(tmp_path / "hub", {"words": [["a", "b"]], "tags": [["I-PER", "O"]], "key": ["s7"]})
    options: dict[str, Any] = {"words_column": "words", "tags_column": "tags", "id_column": "key"}
    ref = entry({"test": "test"}, HubReader(hub_id="hub", layout="bio", orphan_inside="outside", **options))
    assert [(s.id, s.entities) for s in read_sentences(ref, "test")] == [("s7", ("O", "O"))]


TREEBANK = {"tokens": [["a", "b"]], "upos": [["DET", "NOUN"]], "head": [["2", "0"]], "deprel": [["det", "root"]]}


def treebank(entry: Entry) -> EntryRef:
    return entry({"test": "test"}, HubReader(hub_id="hub", layout="conllu", tags_column="upos"))


def test_treebank(tmp_path: Path, entry: Entry) -> None:
    save(tmp_path / "hub", TREEBANK)
    (sentence,) = read_sentences(treebank(entry), "test")
    assert (sentence.tags, sentence.heads, sentence.relations) == (("DET", "NOUN"), (2, 0), ("det", "root"))


def test_tags_without_trees(tmp_path: Path, entry: Entry) -> None:
    save(tmp_path / "hub", {name: TREEBANK[name] for name in ("tokens", "upos")})
    (sentence,) = read_sentences(treebank(entry), "test")
    assert (sentence.tags, sentence.heads) == (("DET", "NOUN"), None)


def test_text_is_held_out_as_from_a_file(tmp_path: Path, entry: Entry) -> None:
    save(tmp_path / "hub", {"text": [f" line  {i}" for i in range(60)] + ["", None]}, split="train")
    ref = entry({"train": "train"}, HubReader(hub_id="hub", layout="text", held_out=0.25))
    train, test = read_lines(ref, "train"), read_lines(ref, "test")
    assert sorted(train + test) == sorted(f"line {i}" for i in range(60)) and 5 <= len(test) <= 25


BAD = {
    "no column": ({"ner_tags": [["O"]]}, "bio", "no column 'tokens'; it has ner_tags"),
    "lengths": ({"tokens": [["a"]], "ner_tags": [["O", "O"]]}, "bio", "row 0: 1 words but 2 tags"),
    "no words": ({"tokens": [["a"], []], "ner_tags": [["O"], []]}, "bio", "row 1: no words"),
    "bare numbers": ({"tokens": [["a"]], "ner_tags": [[0]]}, "bio", "holds numbers and the dataset's features name no"),
    "not IOB": ({"tokens": [["a"]], "ner_tags": [["PER"]]}, "bio", "row 0: tag 'PER' is not IOB"),
    "orphan": ({"tokens": [["a"]], "ner_tags": [["I-PER"]]}, "bio", "row 0: tag 'I-PER' of word 1 .*orphan_inside"),
    "cycle": (TREEBANK | {"head": [["2", "1"]]}, "conllu", "row 0: .* has no root"),
    "head": (TREEBANK | {"head": [["2", "None"]]}, "conllu", "row 0: heads .* are not all numbers"),
    "heads": (TREEBANK | {"head": [["0"]], "deprel": [["root"]]}, "conllu", "row 0: 2 words but 1 heads"),
    "relations": (TREEBANK | {"deprel": [["root"]]}, "conllu", "row 0: 2 heads but 1 relations"),
    "no text": ({"text": ["  "]}, "text", "column 'text' holds no text"),
    "same id": ({"tokens": [["a"], ["b"]], "ner_tags": [["O"], ["O"]], "id": ["1", "1"]}, "bio", "'id' occur twice"),
}


@pytest.mark.parametrize(("columns", "layout", "message"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_used_are_refused(
    tmp_path: Path, entry: Entry, columns: dict[str, Any], layout: Any, message: str
) -> None:
    save(tmp_path / "hub", columns)
    reader = HubReader(
        hub_id="hub",
        layout=layout,
        tags_column="upos" if layout == "conllu" else "ner_tags",
        orphan_inside="error" if layout == "bio" else "begin",
        id_column="id" if "id" in columns else None,
    )
    ref = entry({"test": "test"}, reader)
    with pytest.raises(DataError, match=message):
        (read_lines if layout == "text" else read_sentences)(ref, "test")


def test_unknown_split_and_unknown_dataset_are_refused(tmp_path: Path, entry: Entry) -> None:
    save(tmp_path / "hub", {"text": ["a"]})
    with pytest.raises(DataError, match="hub/gold: cannot be loaded .*check hub_id, config, split"):
        read_lines(entry({"gold": "gold"}, HubReader(hub_id="hub", layout="text")), "gold")
    with pytest.raises(DataError, match="^nobody/nothing/wo/test: cannot be loaded"):
        ref = entry({"test": "test"}, HubReader(hub_id="nobody/nothing", layout="text"), config="wo")
        read_lines(ref, "test")
