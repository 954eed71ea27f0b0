"""Entity counts against seqeval, worked by hand, and written as BIO."""

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from xltransfer.config.task import TaskSpec
from xltransfer.data.bio import read_bio
from xltransfer.data.sentence import Sentence
from xltransfer.errors import DataError
from xltransfer.metrics import metric
from xltransfer.tasks import Ner

Declare = Callable[..., TaskSpec]
TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def sentence(number: int, tags: str) -> Sentence:
    split = tuple(tags.split())
    return Sentence(f"s{number}", f"s{number}", tuple("abcdefgh"[: len(split)]), entities=split)


def given_answers(task: Ner, rows: np.ndarray, tags: list[str]) -> dict[str, np.ndarray]:
    numbers = [task.index[tag] for row in rows for tag in tags[row].split()]
    return {"tag": np.array(numbers), "nll": np.ones(len(numbers))}


def test_counts_of_two_sentences_by_hand(tokenizer: Any, declare: Declare) -> None:
    task = Ner(declare("ner"))
    encoded = task.encode("x", [sentence(0, "B-PER I-PER O B-LOC"), sentence(1, "O B-ORG O")], tokenizer)
    rows = np.array([1, 0])
    counts = task.count(encoded, rows, given_answers(task, rows, ["B-PER I-PER O B-ORG", "B-LOC O O"]))
    expected = {"tp": [1, 0], "fp": [1, 1], "fn": [1, 1], "nll": [4, 3], "total": [4, 3]}
    assert {column: values.tolist() for column, values in counts.overall.items()} == expected
    types = {column: values.tolist() for column, (_, values) in counts.labelled.items()}
    assert counts.labelled["tp"][0] == ("PER", "ORG", "LOC")
    assert types == {
        "tp": [[1, 0], [0, 0], [0, 0]],
        "fp": [[0, 0], [1, 0], [0, 1]],
        "fn": [[0, 0], [0, 1], [1, 0]],
    }


def test_trivial_predictor_finds_nothing(tokenizer: Any, declare: Declare) -> None:
    task = Ner(declare("ner"))
    encoded = task.encode("x", [sentence(0, "B-PER I-PER O O"), sentence(1, "B-LOC O O O")], tokenizer)
    counts = task.trivial(encoded)
    assert [counts.overall[column].tolist() for column in ("tp", "fp", "fn")] == [[0, 0], [0, 0], [1, 1]]
    # Of eight words five are O and one each B-PER, I-PER, B-LOC.
    rare, often = np.log(8), np.log(8 / 5)
    assert counts.overall["nll"] == pytest.approx([2 * rare + 2 * often, rare + 3 * often])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8), min_size=1, max_size=6), st.data())
def test_f1_is_seqevals_and_types_add_up(tokenizer, declare, gold: list[list[str]], data: st.DataObject) -> None:
    task = Ner(declare("ner"))
    predicted = [[data.draw(st.sampled_from(TAGS)) for _ in tags] for tags in gold]
    encoded = task.encode("x", [sentence(n, " ".join(tags)) for n, tags in enumerate(gold)], tokenizer)
    rows = np.concatenate(encoded.plan(30))
    counts = task.count(encoded, rows, given_answers(task, rows, [" ".join(tags) for tags in predicted]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = 100 * f1_score(gold, predicted)
    score = metric("ner", "f1").score({column: values.sum() for column, values in counts.overall.items()})
    assert np.isnan(score) or score == pytest.approx(expected)
    for column in ("tp", "fp", "fn"):
        assert (counts.labelled[column][1].sum(axis=0) == counts.overall[column]).all()


def test_own_types_are_data(tokenizer: Any, declare: Declare) -> None:
    task = Ner(declare("ner", name="plants", labels=("TREE", "HERB")))
    assert task.tags == ("O", "B-TREE", "I-TREE", "B-HERB", "I-HERB")
    with pytest.raises(DataError, match="entity tag 'B-TRE' is not among the task's labels; did you mean 'B-TREE'"):
        task.encode("x", [sentence(0, "B-TRE")], tokenizer)


def test_predictions_are_bio_that_our_reader_reads(tokenizer: Any, declare: Declare, tmp_path: Path) -> None:
    task = Ner(declare("ner"))
    encoded = task.encode("x", [sentence(0, "O O O"), sentence(1, "O O")], tokenizer)
    rows, predicted = np.array([1, 0]), ["B-PER I-PER O", "O B-LOC"]
    blocks = task.annotated(encoded, rows, given_answers(task, rows, predicted))
    (tmp_path / "x.txt").write_text("\n".join(blocks) + "\n")
    read = {one.id: one for one in read_bio(tmp_path / "x.txt", comments=True)}
    assert [" ".join(read[f"s{n}"].entities) for n in (0, 1)] == predicted
    assert list(itertools.chain(*(read[f"s{n}"].words for n in (0, 1)))) == ["a", "b", "c", "a", "b"]
