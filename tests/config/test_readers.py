"""Readers: settings that a reader would pass over, or that contradict each other, are refused by name."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from xltransfer.config.readers import HubReader, LabelledReader, PairReader, Reader

READERS: TypeAdapter[Any] = TypeAdapter(Reader)
HUB = {"kind": "hub", "hub_id": "o/n"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "cluster of pairs": (
        HUB | {"layout": "pairs", "cluster_column": "product"},
        "cluster_column is 'product' and layout pairs, which does not read it (only labelled); leave it out",
    ),
    "hypotheses of texts": (
        HUB | {"layout": "labelled", "hypotheses": 3},
        "hypotheses is 3 and layout labelled, which does not read it (only pairs)",
    ),
    "words of questions": (
        HUB | {"layout": "squad", "words_column": "w"},
        "words_column is 'w' and layout squad, which does not read it (only conllu, bio)",
    ),
    "labels of text": (
        HUB | {"layout": "text", "rename_labels": {"a": "b"}},
        "rename_labels is {'a': 'b'} and layout text, which does not read it (only pairs, labelled)",
    ),
    "one column of a pair": (
        {"kind": "pairs", "premise_column": "a", "hypothesis_column": "a", "label_column": "a"},
        "premise_column and hypothesis_column and label_column name the same column 'a'; each needs one of its own",
    ),
    "label in the text": (
        {"kind": "labelled", "text_columns": ["title", "label"]},
        "text_columns[1] and label_column name the same column 'label'",
    ),
    "a text twice": (
        {"kind": "labelled", "text_columns": ["body", "body"]},
        "text_columns[0] and text_columns[1] name the same column 'body'",
    ),
    "one column of hub pairs": (
        HUB | {"layout": "pairs", "premise_column": "label"},
        "premise_column and label_column name the same column 'label'",
    ),
    "words as tags": (
        HUB | {"layout": "bio", "tags_column": "tokens"},
        "words_column and tags_column name the same column 'tokens'",
    ),
    "header of jsonl": (
        {"kind": "labelled", "format": "jsonl", "header": False},
        "header is false and format jsonl, whose rows name their columns; leave it out",
    ),
    "header of parquet": (
        {"kind": "pairs", "format": "parquet", "header": False},
        "header is false and format parquet",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_cannot_be_meant_are_refused(name: str) -> None:
    settings, message = REFUSED[name]
    with pytest.raises(ValidationError) as refused:
        READERS.validate_python(settings)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "reader",
    [
        HubReader(hub_id="o/n", layout="pairs", hypotheses=3, first_id=0),
        HubReader(hub_id="o/n", layout="labelled", cluster_column="product", premise_column="premise"),
        HubReader(hub_id="o/n", layout="bio", orphan_inside="error", id_column="id"),
        HubReader(hub_id="o/n", layout="conllu", tags_column="upos"),
        HubReader(hub_id="o/n", layout="text", held_out=0.2),
        PairReader(header=False, premise_column="0", hypothesis_column="1", label_column="2"),
        LabelledReader(format="csv", header=False, text_columns=("0",), label_column="1"),
    ],
)
def test_settings_that_are_read_stand_and_survive_being_stored(reader: Any) -> None:
    assert READERS.validate_python(reader.model_dump(mode="json")) == reader
