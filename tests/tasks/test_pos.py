"""Part-of-speech counts: worked by hand, against seqeval, and through a model."""

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from xltransfer.config.task import UPOS, TaskSpec
from xltransfer.data.conllu import read_conllu
from xltransfer.data.sentence import Sentence
from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.heads import TaggingHead
from xltransfer.errors import DataError
from xltransfer.metrics import metric
from xltransfer.tasks import Pos
from xltransfer.tasks.counts import Counts
from xltransfer.tasks.score import Prepared, answers, score

Declare = Callable[..., TaskSpec]
CPU = torch.device("cpu")


def sentence(number: int, tags: str, words: str | None = None) -> Sentence:
    split = tuple(tags.split())
    return Sentence(f"s{number}", f"d{number}", tuple(words.split()) if words else ("w",) * len(split), tags=split)


def given_answers(task: Pos, rows: np.ndarray, tags: list[str]) -> dict[str, np.ndarray]:
    """Return answers for ``rows`` in their order; the n-th word's nll is n."""
    numbers = [task.index[tag] for row in rows for tag in tags[row].split()]
    return {"tag": np.array(numbers), "nll": np.arange(len(numbers), dtype=np.float64)}


def test_counts_of_three_sentences_by_hand(tokenizer: Any, declare: Declare) -> None:
    task = Pos(declare("pos", max_length=8))
    gold = [sentence(0, "NOUN VERB"), sentence(1, "NOUN NOUN _"), sentence(2, "ADJ", "toolongaword")]
    encoded = task.encode("x", gold, tokenizer)
    assert encoded.kept.tolist() == [0, 1]
    rows = np.array([1, 0])
    counts = task.count(encoded, rows, given_answers(task, rows, ["NOUN NOUN", "NOUN NOUN VERB"]))
    expected = {
        "correct": [1, 2, 0],
        "total": [2, 2, 0],
        "span_tp": [0, 1, 0],
        "span_fp": [1, 0, 0],
        "span_fn": [2, 0, 0],
        "nll": [3 + 4, 0 + 1, 0],
    }
    assert {column: values.tolist() for column, values in counts.overall.items()} == expected
    tags, correct = counts.labelled["correct"]
    assert tags == UPOS
    assert correct[tags.index("NOUN")].tolist() == [1, 2, 0]
    assert correct[tags.index("VERB")].tolist() == [0, 0, 0]
    assert counts.labelled["total"][1][tags.index("VERB")].tolist() == [1, 0, 0]


def test_trivial_predictor_by_hand(tokenizer: Any, declare: Declare) -> None:
    task = Pos(declare("pos"))
    encoded = task.encode("x", [sentence(0, "NOUN VERB _"), sentence(1, "NOUN ADJ")], tokenizer)
    counts = task.trivial(encoded)
    assert counts.overall["correct"].tolist() == [1, 1]
    assert counts.overall["total"].tolist() == [2, 2]
    # NOUN is two words of four, VERB and ADJ one each.
    assert counts.overall["nll"] == pytest.approx([np.log(2) + np.log(4), np.log(2) + np.log(4)])


WORDS = st.lists(st.lists(st.sampled_from(UPOS), min_size=1, max_size=6), min_size=1, max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORDS, st.data())
def test_span_f1_is_seqevals_and_labels_add_up(tokenizer, declare, gold: list[list[str]], data: st.DataObject) -> None:
    task = Pos(declare("pos"))
    predicted = [[data.draw(st.sampled_from(UPOS)) for _ in tags] for tags in gold]
    encoded = task.encode("x", [sentence(n, " ".join(tags)) for n, tags in enumerate(gold)], tokenizer)
    rows = np.concatenate(encoded.plan(data.draw(st.integers(8, 60))))
    counts = task.count(encoded, rows, given_answers(task, rows, [" ".join(tags) for tags in predicted]))
    summed = {column: values.sum() for column, values in counts.overall.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = 100 * f1_score(gold, predicted)
    score = metric("pos", "span_f1").score(summed)
    assert np.isnan(score) or score == pytest.approx(expected)
    flat = list(zip(itertools.chain(*gold), itertools.chain(*predicted), strict=True))
    accuracy = 100 * sum(a == b for a, b in flat) / len(flat)
    assert metric("pos", "accuracy").score(summed) == pytest.approx(accuracy)
    for column in ("correct", "total"):
        assert (counts.labelled[column][1].sum(axis=0) == counts.overall[column]).all()


def test_spans_are_read_in_the_order_of_the_file(tokenizer: Any, declare: Declare) -> None:
    # By seqeval's rules an X that begins a sentence opens no span, so that its span reaches back into the one before.
    task, gold, predicted = Pos(declare("pos")), ["NOUN VERB ADJ", "X NOUN"], ["NOUN NOUN NOUN", "X NOUN"]
    encoded = task.encode("x", [sentence(n, tags) for n, tags in enumerate(gold)], tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = 100 * f1_score([tags.split() for tags in gold], [tags.split() for tags in predicted])
    for rows in (np.array([0, 1]), np.array([1, 0])):
        counts = task.count(encoded, rows, given_answers(task, rows, predicted))
        summed = {column: values.sum() for column, values in counts.overall.items()}
        assert metric("pos", "span_f1").score(summed) == pytest.approx(expected)


def test_unknown_tag_names_the_near_one(tokenizer: Any, declare: Declare) -> None:
    with pytest.raises(DataError, match="qaa_x: tag 'NOUNS' is not among the task's labels; did you mean 'NOUN'"):
        Pos(declare("pos")).encode("qaa_x", [sentence(0, "NOUNS")], tokenizer)


def test_sentence_without_tags(tokenizer: Any, declare: Declare) -> None:
    with pytest.raises(DataError, match="qaa_x: sentence 's' has no tag for its words"):
        Pos(declare("pos")).encode("qaa_x", [Sentence("s", "s", ("a",))], tokenizer)


def test_no_sentence_fits(tokenizer: Any, declare: Declare) -> None:
    with pytest.raises(DataError, match="none of 1 sentences fits into max_length=8 subwords"):
        Pos(declare("pos", max_length=8)).encode("x", [sentence(0, "NOUN", "toolongaword")], tokenizer)


@pytest.fixture
def treebank() -> list[Sentence]:
    rng = np.random.default_rng(0)
    letters = list("abcdefghij")
    return [
        sentence(n, " ".join(rng.choice(UPOS, size)), " ".join("".join(rng.choice(letters, k)) for k in lengths))
        for n, size in enumerate(rng.integers(1, 9, 30))
        for lengths in [rng.integers(1, 4, size)]
    ]


@pytest.fixture
def tagger(model: Backbone, declare: Declare) -> Pos:
    """A tagging task whose adapter and head ``t`` are in the model, not trained but far from the identity."""
    task = Pos(declare("pos"))
    torch.manual_seed(0)
    for module in (model.add_adapter("t", AdapterConfig(reduction=4)), TaggingHead(16, len(UPOS), 0.1)):
        for parameter in module.parameters():
            parameter.data.copy_(0.5 * torch.randn(parameter.shape))
    model.add_head("t", module)
    model.eval().requires_grad_(False)
    return task


def scored(task: Pos, model: Backbone, treebank: list[Sentence], tokenizer: Any, budget: int) -> Counts:
    prepared = Prepared.of(task.encode("x", treebank, tokenizer), budget, CPU)
    return score(task, model, Stack("t"), "t", prepared)


def test_scores_are_those_of_each_sentence_alone(tagger: Pos, model: Backbone, treebank, tokenizer) -> None:
    counts = scored(tagger, model, treebank, tokenizer, budget=120)
    for number, one in enumerate(treebank):
        pieces = [tokenizer.tokenize(word) for word in one.words]
        ids = [2, *itertools.chain(*(tokenizer.convert_tokens_to_ids(piece) for piece in pieces)), 3]
        starts = 1 + np.cumsum([0, *map(len, pieces)])[:-1]
        logits = model(torch.tensor([ids]), composition=Stack("t"), head="t").logits[0].double()
        gold = [UPOS.index(tag) for tag in one.tags]
        nll = -torch.log_softmax(logits, dim=-1)[starts, gold].sum().item()
        assert counts.overall["nll"][number] == pytest.approx(nll, rel=1e-4)
        assert counts.overall["correct"][number] == sum(
            int(logits[at].argmax()) == tag for at, tag in zip(starts, gold, strict=True)
        )


def test_batches_do_not_matter(tagger: Pos, model: Backbone, treebank, tokenizer) -> None:
    one, other = (scored(tagger, model, treebank, tokenizer, budget) for budget in (20, 4096))
    for column in ("correct", "total", "span_tp"):
        assert (one.overall[column] == other.overall[column]).all()
    assert one.overall["nll"] == pytest.approx(other.overall["nll"], abs=1e-4)


def test_same_plan_same_bits(tagger: Pos, model: Backbone, treebank, tokenizer) -> None:
    one, other = (scored(tagger, model, treebank, tokenizer, 64) for _ in range(2))
    assert (one.overall["nll"] == other.overall["nll"]).all()


def test_predictions_are_conllu_that_our_reader_reads(tagger, model, treebank, tokenizer, tmp_path: Path) -> None:
    prepared = Prepared.of(tagger.encode("x", treebank, tokenizer), 100, CPU)
    given = answers(tagger, model, Stack("t"), "t", prepared.batches)
    blocks = tagger.annotated(prepared.encoded, prepared.rows, given)
    (tmp_path / "x.conllu").write_text("\n".join(blocks) + "\n")
    read = {one.id: one for one in read_conllu(tmp_path / "x.conllu")}
    assert set(read) == {one.id for one in treebank}
    counts = score(tagger, model, Stack("t"), "t", prepared)
    for number, one in enumerate(treebank):
        assert read[one.id].words == one.words
        right = sum(a == b for a, b in zip(read[one.id].tags, one.tags, strict=True))
        assert right == counts.overall["correct"][number]
