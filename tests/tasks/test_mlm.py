"""Masked-LM nll on fixed masks against a loop over the whole vocabulary."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from xltransfer.config.task import TaskSpec
from xltransfer.engine import Backbone
from xltransfer.engine.masking import Vocabulary
from xltransfer.errors import DataError
from xltransfer.tasks import Mlm
from xltransfer.tasks.mlm import MaskedText
from xltransfer.tasks.score import score_text

VOCABULARY = Vocabulary(57, 4, (0, 1, 2, 3, 4))
CPU = torch.device("cpu")
LINES = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"] * 3


@pytest.fixture
def task(declare: Callable[..., TaskSpec]) -> Mlm:
    return Mlm(declare("mlm", block=16, mask_share=0.3, max_blocks=7))


@pytest.fixture
def text(task: Mlm, tokenizer: Any) -> MaskedText:
    return task.encode("fox", LINES, tokenizer, VOCABULARY, np.random.default_rng(0))


def test_nll_per_block_is_that_of_a_loop(task: Mlm, text: MaskedText, model: Backbone) -> None:
    counts = score_text(task, model, text, task.batches(text, 32, CPU))
    expected, masked = np.zeros(7), np.zeros(7)
    for position, label in zip(text.masked.positions, text.masked.labels, strict=True):
        block, column = divmod(int(position), 16)
        logits = (
            model(torch.from_numpy(text.masked.ids[block : block + 1]), head="masked_lm").logits[0, column].double()
        )
        expected[block] += float(torch.logsumexp(logits, dim=0) - logits[label])
        masked[block] += 1
    assert counts.overall["total"].tolist() == masked.tolist()
    assert counts.overall["nll"] == pytest.approx(expected, rel=1e-4)


def test_batches_do_not_matter(task: Mlm, text: MaskedText, model: Backbone) -> None:
    one, other = (score_text(task, model, text, task.batches(text, budget, CPU)) for budget in (1, 10_000))
    assert one.overall["nll"] == pytest.approx(other.overall["nll"], abs=1e-4)
    assert (one.overall["total"] == other.overall["total"]).all()


def test_blocks_are_items_and_limited(text: MaskedText) -> None:
    assert text.masked.ids.shape == (7, 16)
    assert text.items == text.clusters == tuple(f"fox:{n}" for n in range(7))


def test_masks_are_the_same_for_the_same_seed(task: Mlm, text: MaskedText, tokenizer: Any) -> None:
    again = task.encode("fox", LINES, tokenizer, VOCABULARY, np.random.default_rng(0))
    assert (again.masked.ids == text.masked.ids).all()


def test_text_shorter_than_one_block(task: Mlm, tokenizer: Any) -> None:
    with pytest.raises(DataError, match="fox: 5 tokens in 1 lines are shorter than one block of 16"):
        task.encode("fox", ["abc"], tokenizer, VOCABULARY, np.random.default_rng(0))
