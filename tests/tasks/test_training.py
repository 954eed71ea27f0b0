"""A task adapter learns a toy task, and the base model does not move by one bit."""

from typing import Any

import numpy as np
import pytest
import torch

from xltransfer.data.sentence import Sentence
from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.fit import descend, fit
from xltransfer.tasks import task_of
from xltransfer.tasks.encoded import make_batch
from xltransfer.tasks.score import Prepared, score

CPU = torch.device("cpu")
KIND = {"a": "NOUN", "b": "VERB", "c": "ADJ"}


@pytest.fixture
def toy() -> list[Sentence]:
    """Forty sentences in which a word's letter is its tag and every word hangs on the one before."""
    rng = np.random.default_rng(0)
    sentences = []
    for number, size in enumerate(rng.integers(2, 7, 40)):
        words = tuple(rng.choice(list(KIND), size))
        sentences.append(
            Sentence(
                f"s{number}",
                f"s{number}",
                words,
                tags=tuple(KIND[word] for word in words),
                heads=tuple(range(size)),
                relations=("root",) + ("obj",) * (size - 1),
                entities=tuple("B-PER" if word == "a" else "O" for word in words),
            )
        )
    return sentences


@pytest.mark.parametrize("shape", ["pos", "dep", "ner"])
def test_toy_task_is_learnt_and_the_base_stays(shape, toy, model: Backbone, tokenizer: Any, declare) -> None:
    task = task_of(declare(shape))
    encoded = task.encode("toy", toy, tokenizer)
    before = {name: value.clone() for name, value in model.base_parameters().items()}
    torch.manual_seed(0)
    adapter = model.add_adapter("t", AdapterConfig(reduction=2))
    model.add_head("t", task.head(model))
    prepared = Prepared.of(encoded, 256, CPU)
    model.eval()
    untrained = score(task, model, Stack("t"), "t", prepared)
    order = np.random.default_rng(1)
    losses = fit(
        descend(
            [*adapter.parameters(), *model.heads["t"].parameters()],
            (make_batch(encoded, order.choice(40, 10, replace=False), CPU) for _ in range(80)),
            lambda batch: task.loss(model, Stack("t"), "t", batch),
            steps=80,
            learning_rate=2e-2,
        )
    )
    trained = score(task, model, Stack("t"), "t", prepared)
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    assert trained.overall["nll"].sum() < 0.5 * untrained.overall["nll"].sum()
    for name, value in model.base_parameters().items():
        assert torch.equal(value, before[name]), name
        assert value.grad is None


def test_loss_counts_only_words_with_a_gold_tag(model: Backbone, tokenizer: Any, declare) -> None:
    task = task_of(declare("pos"))
    model.add_head("t", task.head(model))
    model.eval()
    both = [Sentence("s", "s", ("a", "b"), tags=("NOUN", "VERB")), Sentence("t", "t", ("a", "b"), tags=("NOUN", "_"))]
    full, partial = (
        task.loss(model, Stack(), "t", make_batch(task.encode("x", [one], tokenizer), np.array([0]), CPU))
        for one in both
    )
    assert (full[1], partial[1]) == (2, 1)
    only = task.answer(model, Stack(), "t", make_batch(task.encode("x", both[:1], tokenizer), np.array([0]), CPU))
    assert partial[0].item() == pytest.approx(only["nll"][0].item(), rel=1e-5)
