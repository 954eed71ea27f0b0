"""Pairs, labelled texts and questions through ``datasets`` itself, from local folders in the hub's layout."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xltransfer.config.readers import HubReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.question import Answer
from xltransfer.data.read import read_examples, read_labelled, read_questions
from xltransfer.errors import DataError

Entry = Callable[..., EntryRef]
NLI = ["entailment", "neutral", "contradiction"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what ``datasets`` caches out of the user's home."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets-cache"))
    yield


def save(folder: Path, columns: dict[str, Any], features: dict[str, Any] | None = None) -> None:
    """Write the split ``test``."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, folder / "test-00000-of-00001.parquet")


def test_pairs_with_class_numbers(tmp_path: Path, entry: Entry) -> None:
    text = {"dtype": "string", "_type": "Value"}
    features = {"premise": text, "hypothesis": text, "label": {"names": NLI, "_type": "ClassLabel"}}
    columns = {"premise": ["p", "p", "r"], "hypothesis": ["a", "b", "c"], "label": [0, 2, 1]}
    save(tmp_path / "xnli", columns, features)
    ref = entry({"test": "test"}, HubReader(hub_id="xnli", layout="pairs"))
    found = read_examples(ref, "test")
    assert found == read_labelled(ref, "test")
    assert [(each.text, each.second, each.label) for each in read_labelled(ref, "test")] == [
        ("p", "a", "entailment"), ("p", "b", "contradiction"), ("r", "c", "neutral"),
    ]  # fmt: skip
    assert [(each.id, each.cluster) for each in found] == [
        ("xnli/test-1", "xnli/test-1"), ("xnli/test-2", "xnli/test-1"), ("xnli/test-3", "xnli/test-3"),
    ]  # fmt: skip
    with pytest.raises(DataError, match="xnli/test: row 0: no column 'gold'"):
        read_labelled(entry({"test": "test"}, HubReader(hub_id="xnli", layout="pairs", label_column="gold")), "test")


def test_reviews_with_stars_as_numbers(tmp_path: Path, entry: Entry) -> None:
    columns = {"review_body": ["Good.", "Bad."], "stars": [5, 1], "review_id": ["a", "b"], "product": ["x", "x"]}
    save(tmp_path / "amazon", columns)
    options: dict[str, Any] = {"text_column": "review_body", "label_column": "stars", "id_column": "review_id"}
    reader = HubReader(hub_id="amazon", layout="labelled", cluster_column="product", **options)
    found = read_labelled(entry({"test": "test"}, reader), "test", limit=1)
    assert [(e.id, e.cluster, e.text, e.second, e.label) for e in found] == [("a", "product-x", "Good.", None, "5")]


def test_questions(tmp_path: Path, entry: Entry) -> None:
    answers = [{"text": ["Ada", "A"], "answer_start": [0, 0]}]
    save(tmp_path / "squad", {"id": ["q"], "question": ["Who?"], "context": ["Ada was."], "answers": answers})
    (found,) = read_questions(entry({"test": "test"}, HubReader(hub_id="squad", layout="squad")), "test")
    assert (found.id, found.language, found.answers) == ("q", "eng", (Answer("Ada", 0), Answer("A", 0)))
