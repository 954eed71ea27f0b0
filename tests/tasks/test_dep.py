"""Attachment scores worked by hand, and the parser's loss and answers against its full score arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xltransfer.config.task import TaskSpec
from xltransfer.data.conllu import read_conllu
from xltransfer.data.sentence import Sentence
from xltransfer.engine import Backbone, Stack
from xltransfer.errors import DataError
from xltransfer.tasks import Dep
from xltransfer.tasks.encoded import make_batch
from xltransfer.tasks.score import Prepared, answers, score

Declare = Callable[..., TaskSpec]
CPU = torch.device("cpu")
LABELS = ("root", "nsubj", "obj", "punct")


def sentence(number: int, heads: list[int], relations: str, words: str | None = None) -> Sentence:
    given = tuple(words.split()) if words else ("a",) * len(heads)
    return Sentence(f"s{number}", f"s{number}", given, heads=tuple(heads), relations=tuple(relations.split()))


@pytest.fixture
def task(declare: Declare) -> Dep:
    return Dep(declare("dep", labels=LABELS, max_length=30))


@pytest.fixture
def treebank() -> list[Sentence]:
    return [
        sentence(0, [2, 0, 2, 2], "nsubj root obj punct", "abc d ef g"),
        sentence(1, [0, 1], "root obj:dir", "h ij"),
        sentence(2, [2, 3, 0], "punct obj root", "k l mno"),
        sentence(3, [0], "root", "toolongaword" * 3),
    ]


def test_counts_of_two_sentences_by_hand(task: Dep, treebank: list[Sentence], tokenizer: Any) -> None:
    encoded = task.encode("x", treebank, tokenizer)
    assert encoded.kept.tolist() == [0, 1, 2]
    rows = np.array([1, 0])
    given = {
        # Sentence 1: both heads right, one relation wrong. Sentence 0: heads right, right, wrong, right.
        "head": np.array([0, 1, 2, 0, 1, 2]),
        "relation": np.array([LABELS.index(r) for r in "root nsubj nsubj root obj obj".split()]),
        "nll": np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]),
    }
    counts = task.count(encoded, rows, given)
    expected = {"uas": [3, 2, 0, 0], "las": [2, 1, 0, 0], "total": [4, 2, 0, 0], "nll": [60, 3, 0, 0]}
    assert {column: values.tolist() for column, values in counts.overall.items()} == expected
    relations, las = counts.labelled["las"]
    assert relations == LABELS
    assert las.tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    for column in ("uas", "las", "total"):
        assert (counts.labelled[column][1].sum(axis=0) == counts.overall[column]).all()


def test_trivial_predictor_is_the_better_chain_with_the_majority_relation(task: Dep, tokenizer: Any) -> None:
    left = [sentence(0, [0, 1, 2], "root obj obj"), sentence(1, [2, 0], "nsubj root")]
    counts = task.trivial(task.encode("x", left, tokenizer))
    # Left chain: 3 + 0 of 5 heads right; right chain (2 3 0 | 2 0): 0 + 2. root and obj have two words each, nsubj one.
    assert counts.overall["uas"].tolist() == [3, 0]
    assert counts.overall["las"].tolist() == [1, 0]
    expected = [3 * np.log(4) + 3 * np.log(5 / 2), 2 * np.log(3) + np.log(5) + np.log(5 / 2)]
    assert counts.overall["nll"] == pytest.approx(expected)
    right = [sentence(0, [2, 3, 0], "obj obj root")]
    counts = task.trivial(task.encode("x", right, tokenizer))
    assert (counts.overall["uas"].tolist(), counts.overall["las"].tolist()) == ([3], [2])


def test_word_without_relation_is_attached_but_never_labelled(task: Dep, tokenizer: Any) -> None:
    encoded = task.encode("x", [sentence(0, [0, 1], "root _")], tokenizer)
    counts = task.trivial(encoded)
    assert (counts.overall["uas"].tolist(), counts.overall["las"].tolist()) == ([2], [1])
    assert counts.overall["nll"] == pytest.approx([2 * np.log(3)])


def test_sentence_without_tree(task: Dep, tokenizer: Any) -> None:
    with pytest.raises(DataError, match="x: sentence 's' has no dependency tree"):
        task.encode("x", [Sentence("s", "s", ("a",))], tokenizer)


def test_unknown_relation_names_the_near_one(task: Dep, tokenizer: Any) -> None:
    with pytest.raises(DataError, match="relation 'nsub' is not among the task's labels; did you mean 'nsubj'"):
        task.encode("x", [sentence(0, [0], "nsub")], tokenizer)


@pytest.fixture
def parser(model: Backbone, task: Dep) -> Backbone:
    """The model with a parser head ``dep`` of random weights."""
    model.add_head("dep", task.head(model))
    generator = torch.Generator().manual_seed(5)
    for parameter in model.heads["dep"].parameters():
        parameter.data.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval().requires_grad_(False)


def test_loss_and_answers_follow_from_all_scores(parser: Backbone, task: Dep, treebank, tokenizer) -> None:
    encoded = task.encode("x", treebank, tokenizer)
    batch = make_batch(encoded, np.array([2, 0, 1]), CPU)
    out = parser(batch.input_ids, batch.attention_mask, head="dep", word_starts=batch.word_starts)
    given = task.answer(parser, Stack(), "dep", batch)
    expected_nll, heads, relations = [], [], []
    for row, number in enumerate((2, 0, 1)):
        n = len(treebank[number].words)
        for word in range(n):
            arcs = out.arc_preds[row, word, : n + 1].double().log_softmax(dim=-1)
            gold = treebank[number].heads[word]
            kind = LABELS.index(treebank[number].relations[word].split(":")[0])
            kinds = out.rel_preds[row, word, gold].double().log_softmax(dim=-1)
            expected_nll.append(-float(arcs[gold] + kinds[kind]))
            heads.append(int(arcs.argmax()))
            relations.append(int(out.rel_preds[row, word, heads[-1]].argmax()))
    assert given["head"].tolist() == heads
    assert given["relation"].tolist() == relations
    assert given["nll"].tolist() == pytest.approx(expected_nll, rel=1e-4)
    total, n_words = task.loss(parser, Stack(), "dep", batch)
    assert n_words == len(expected_nll)
    assert float(total) == pytest.approx(sum(expected_nll), rel=1e-4)


def test_no_padded_word_is_ever_a_head(parser: Backbone, task: Dep, treebank, tokenizer) -> None:
    # All arc scores negative: a padded head, whose score is exactly 0, would win.
    parser.heads["dep"].arcs.data.zero_()
    encoded = task.encode("x", treebank, tokenizer)
    batch = make_batch(encoded, np.array([0, 1]), CPU)
    hidden = parser(batch.input_ids, batch.attention_mask).last_hidden_state
    dependents, heads = parser.head("dep").words(hidden, batch.word_starts)
    mean = heads.flatten(0, 1).mean(dim=0)
    parser.heads["dep"].arcs.data[0, -1] = -50 * mean
    predicted = task.answer(parser, Stack(), "dep", batch)["head"]
    assert (predicted[:4] <= 4).all() and (predicted[4:] <= 2).all()


def test_batches_do_not_matter(parser: Backbone, task: Dep, treebank, tokenizer) -> None:
    encoded = task.encode("x", treebank, tokenizer)
    one, other = (score(task, parser, Stack(), "dep", Prepared.of(encoded, budget, CPU)) for budget in (1, 4096))
    assert (one.overall["uas"] == other.overall["uas"]).all()
    assert one.overall["nll"] == pytest.approx(other.overall["nll"], abs=1e-4)


def test_predictions_are_written_with_their_words(task: Dep, treebank, tokenizer, tmp_path: Path) -> None:
    encoded = task.encode("x", treebank, tokenizer)
    rows = np.array([1, 2])
    given = {"head": np.array([2, 0, 0, 1, 2]), "relation": np.array([1, 0, 0, 2, 3])}
    blocks = task.annotated(encoded, rows, given)
    (tmp_path / "x.conllu").write_text("\n".join(blocks) + "\n")
    first, second = read_conllu(tmp_path / "x.conllu")
    assert (first.id, first.words, first.heads) == ("s1", ("h", "ij"), (2, 0))
    assert second.relations == ("root", "obj", "punct")


def test_answers_of_a_model_can_be_written(parser: Backbone, task: Dep, treebank, tokenizer) -> None:
    prepared = Prepared.of(task.encode("x", treebank, tokenizer), 64, CPU)
    given = answers(task, parser, Stack(), "dep", prepared.batches)
    blocks = task.annotated(prepared.encoded, prepared.rows, given)
    lengths = [len(treebank[row].words) for row in sorted(prepared.rows)]
    assert [len(block.splitlines()) - 1 for block in blocks] == lengths
