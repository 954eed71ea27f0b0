"""Sentences as flat arrays and as padded batches, against lists made word by word."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from xltransfer.config.task import TaskSpec
from xltransfer.data.sentence import Sentence
from xltransfer.tasks import ADAPTED, Pos, task_of
from xltransfer.tasks.encoded import IGNORED, make_batch

CPU = torch.device("cpu")
SENTENCES = [
    Sentence("a", "d1", ("ab", "c"), tags=("NOUN", "VERB")),
    Sentence("b", "d1", ("abcdefghijkl",), tags=("X",)),
    Sentence("c", "d2", ("b", "cde", "f"), tags=("_", "ADJ", "NOUN")),
]


def test_batch_of_two_sentences_by_hand(tokenizer: Any, declare: Callable[..., TaskSpec]) -> None:
    task = Pos(declare("pos", max_length=10))
    encoded = task.encode("x", SENTENCES, tokenizer)
    assert (encoded.items, encoded.clusters) == (("a", "b", "c"), ("d1", "d1", "d2"))
    assert encoded.kept.tolist() == [0, 2]
    batch = make_batch(encoded, np.array([1, 0]), CPU)
    a, inner = 5, 31  # ids of "a" and "##a"
    assert batch.input_ids.tolist() == [
        [2, a + 1, a + 2, inner + 3, inner + 4, a + 5, 3],
        [2, a, inner + 1, a + 2, 3, 0, 0],
    ]
    assert batch.attention_mask.tolist() == [[1] * 7, [1] * 5 + [0] * 2]
    assert batch.word_starts.tolist() == [[1, 2, 5, 6], [1, 3, 4, -1]]
    assert batch.positions.tolist() == [1, 2, 5, 7 + 1, 7 + 3]
    assert batch.word.tolist() == [0, 1, 2, 3, 4]
    assert batch.gold["tag"].tolist() == [IGNORED, *(task.index[tag] for tag in ("ADJ", "NOUN", "NOUN", "VERB"))]
    assert encoded.words(np.array([1, 0])).tolist() == [2, 2, 2, 0, 0]


def test_equal_lengths_need_no_mask(tokenizer: Any, declare: Callable[..., TaskSpec]) -> None:
    encoded = Pos(declare("pos")).encode("x", [SENTENCES[0], SENTENCES[0]], tokenizer)
    assert make_batch(encoded, np.array([0, 1]), CPU).attention_mask is None


def test_every_shape_with_adapter_is_declared(declare: Callable[..., TaskSpec]) -> None:
    for shape, kind in ADAPTED.items():
        assert isinstance(task_of(declare(shape)), kind)
