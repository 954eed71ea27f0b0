"""Whole rows with one label: rows and counts by hand, a model against transformers' own forward, what is left out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import BertConfig, BertModel

from xltransfer.config.task import TaskSpec
from xltransfer.data.labelled import Labelled
from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.fit import descend, fit
from xltransfer.engine.heads import MaskedLMHead
from xltransfer.engine.loading import Loaded
from xltransfer.engine.sites import site_of
from xltransfer.errors import ConfigError, DataError
from xltransfer.metrics import metric
from xltransfer.tasks import Classification, task_of
from xltransfer.tasks.encoded import make_batch
from xltransfer.tasks.score import Prepared, answers, score

Declare = Callable[..., TaskSpec]
CPU = torch.device("cpu")


def pair(number: int, text: str, second: str | None, label: str, cluster: int | None = None) -> Labelled:
    name = f"i{number}"
    return Labelled(name, name if cluster is None else f"c{cluster}", text, second, label, f"x.tsv:{number + 1}")


PAIRS = [
    pair(0, "ab c", "d", "neutral", cluster=0),
    pair(1, "ab c", "abcd efg", "entailment", cluster=0),
    pair(2, "", "b", "neutral"),
    pair(3, "b", "b", "contradiction"),
]
A, INNER = 5, 31  # ids of "a" and "##a"


def test_rows_of_pairs_by_hand(tokenizer: Any, declare: Declare) -> None:
    encoded = Classification(declare("nli")).encode("x", PAIRS, tokenizer)
    assert (encoded.items, encoded.clusters) == (("i0", "i1", "i2", "i3"), ("c0", "c0", "i2", "i3"))
    assert (encoded.kept.tolist(), encoded.n_scored) == ([0, 1, 3], 3)
    batch = make_batch(encoded, np.array([0, 2]), CPU)
    assert batch.input_ids.tolist() == [[2, A, INNER + 1, A + 2, 3, A + 3, 3], [2, A + 1, 3, A + 1, 3, 0, 0]]
    assert batch.token_types is not None
    assert batch.token_types.tolist() == [[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0, 0]]
    assert batch.gold["label"].tolist() == [1, 2]
    assert encoded.words(np.array([2, 0])).tolist() == [3, 0]


def test_single_texts_have_no_types_and_are_cut_at_the_end(tokenizer: Any, declare: Declare) -> None:
    texts = [pair(0, "abcd efgh ij", None, "5"), pair(1, "a", None, "1")]
    encoded = Classification(declare("classification", max_length=8)).encode("x", texts, tokenizer)
    assert encoded.token_types is None
    assert encoded.tokens.lengths.tolist() == [8, 3]
    assert encoded.tokens.flat(np.array([1])).tolist() == [2, A, 3]
    assert make_batch(encoded, np.array([0, 1]), CPU).token_types is None


def test_long_pairs_are_cut_or_left_out_as_told(tokenizer: Any, declare: Declare) -> None:
    cut = Classification(declare("nli", max_length=10)).encode("x", PAIRS, tokenizer)
    assert cut.kept.tolist() == [0, 1, 3] and cut.tokens.lengths.tolist() == [7, 10, 5]
    # ab c (3 pieces) stays whole, abcd efg (7) is cut to 4.
    assert cut.tokens.flat(np.array([1])).tolist() == [
        2, A, INNER + 1, A + 2, 3, A, INNER + 1, INNER + 2, INNER + 3, 3,
    ]  # fmt: skip
    left = Classification(declare("nli", max_length=10, too_long="leave_out")).encode("x", PAIRS, tokenizer)
    assert (left.kept.tolist(), left.n_scored, len(left.items)) == ([0, 3], 2, 4)
    with pytest.raises(DataError, match="x: none of 2 texts can be scored; 1 are blank, the others have over max_len"):
        Classification(declare("nli", max_length=8, too_long="leave_out")).encode("x", PAIRS[1:3], tokenizer)


def test_a_foreign_label_is_refused_with_file_and_line(tokenizer: Any, declare: Declare) -> None:
    bad = [*PAIRS, pair(4, "a", "b", "contradictory")]
    with pytest.raises(DataError, match="x.tsv:5: label 'contradictory' is not among .* mean 'contradiction'"):
        Classification(declare("nli")).encode("x", bad, tokenizer)


def test_counts_and_trivial_predictor_by_hand(tokenizer: Any, declare: Declare) -> None:
    task = Classification(declare("nli"))
    encoded = task.encode("x", [*PAIRS, pair(4, "c", "c", "neutral")], tokenizer)
    rows = np.array([3, 0, 2, 1])  # items 4, 0, 3, 1
    found = task.count(encoded, rows, {"label": np.array([1, 0, 2, 0]), "nll": np.array([0.5, 1.0, 2.0, 3.0])})
    assert {name: values.tolist() for name, values in found.overall.items()} == {
        "correct": [0, 1, 0, 1, 1],
        "total": [1, 1, 0, 1, 1],
        "nll": [1.0, 3.0, 0.0, 2.0, 0.5],
    }
    labels, correct = found.labelled["correct"]
    assert labels == ("entailment", "neutral", "contradiction")
    assert correct.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]]
    sums = {name: values.sum() for name, values in found.overall.items()}
    assert metric("nli", "accuracy").score(sums) == 75.0
    assert metric("nli", "nll").score(sums) == 6.5 / 4
    trivial = task.trivial(encoded)
    assert trivial.overall["correct"].tolist() == [1, 0, 0, 0, 1]
    assert trivial.overall["nll"] == pytest.approx([np.log(2), np.log(4), 0, np.log(4), np.log(2)])


def test_scores_are_those_of_transformers_own_forward(model: Backbone, tokenizer: Any, declare: Declare) -> None:
    task = Classification(declare("nli"))
    torch.manual_seed(3)
    head = task.head(model)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    model.add_head("nli", head)
    model.eval()
    prepared = Prepared.of(task.encode("x", PAIRS, tokenizer), 64, CPU)
    found = score(task, model, Stack(), "nli", prepared)
    bert, weights = model.encoder, head.state_dict()
    right, nll = 0, []
    for each in (PAIRS[0], PAIRS[1], PAIRS[3]):
        own = tokenizer(each.text, each.second, return_tensors="pt", return_token_type_ids=True)
        with torch.inference_mode():
            first = bert(**own).last_hidden_state[0, 0]
            hidden = torch.tanh(weights["layers.1.weight"] @ first + weights["layers.1.bias"])
            logits = weights["layers.4.weight"] @ hidden + weights["layers.4.bias"]
        gold = task.index[each.label]
        right += int(logits.argmax()) == gold
        nll.append(float(functional.cross_entropy(logits, torch.tensor(gold))))
    assert found.overall["correct"].sum() == right
    assert found.overall["nll"][[0, 1, 3]] == pytest.approx(nll, rel=1e-4)


def test_token_types_tell_the_two_texts_apart(model: Backbone, tokenizer: Any, declare: Declare) -> None:
    """The other half of the test before: without types the scores are others."""
    task = Classification(declare("nli"))
    model.add_head("nli", task.head(model))
    model.eval()
    encoded = task.encode("x", PAIRS, tokenizer)
    batch = make_batch(encoded, np.array([0]), CPU)
    with torch.inference_mode():
        with_types = task.answer(model, Stack(), "nli", batch)["nll"]
        model.encoder.config.type_vocab_size = 1
        without = task.answer(model, Stack(), "nli", batch)["nll"]
    assert not torch.equal(with_types, without)


def test_the_pooler_can_be_read_and_must_be_there(model: Backbone, tokenizer: Any, declare: Declare) -> None:
    task = Classification(declare("nli", reads="pooler"))
    torch.manual_seed(1)
    head = task.head(model)
    model.add_head("nli", head)
    model.eval()
    encoded = task.encode("x", PAIRS, tokenizer)
    batch = make_batch(encoded, np.array([0]), CPU)
    pooled = model(batch.input_ids, token_type_ids=batch.token_types).pooler_output
    logits = head.layers[1](pooled)
    assert len([each for each in head.layers if isinstance(each, torch.nn.Linear)]) == 1
    expected = functional.cross_entropy(logits, batch.gold["label"])
    assert task.answer(model, Stack(), "nli", batch)["nll"].item() == pytest.approx(expected.item(), rel=1e-5)
    config = BertConfig(vocab_size=57, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    bare = Backbone(
        Loaded(
            BertModel(config, add_pooling_layer=False),
            site_of("bert"),
            MaskedLMHead(16, 57, torch.nn.GELU(), 1e-12),
        )
    )
    bare.add_head("nli", task.head(bare))
    with pytest.raises(ConfigError, match="head 'nli' reads the pooler, but the base model's folder holds none"):
        task.answer(bare.eval(), Stack(), "nli", batch)


def mixing() -> Backbone:
    """A random BERT whose first token's state depends on the others."""
    config = BertConfig(
        vocab_size=57,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        initializer_range=0.4,
    )
    torch.manual_seed(5)
    loaded = Loaded(BertModel(config), site_of("bert"), MaskedLMHead(16, 57, torch.nn.GELU(), 1e-12))
    return Backbone(loaded).eval().requires_grad_(False)


@pytest.mark.parametrize("shape", ["nli", "classification"])
def test_a_toy_task_is_learnt(shape: str, tokenizer: Any, declare: Declare) -> None:
    model = mixing()
    rng = np.random.default_rng(0)
    labels = task_of(declare(shape)).spec.labels[:2]
    toy = []
    for number in range(40):
        kind = int(rng.integers(2))
        filler = "".join(rng.choice(list("cdef"), 3))
        toy.append(pair(number, f"{'ab'[kind] * 3} {filler}", filler if shape == "nli" else None, labels[kind]))
    task = task_of(declare(shape))
    encoded = task.encode("toy", toy, tokenizer)
    torch.manual_seed(0)
    adapter = model.add_adapter("t", AdapterConfig(reduction=2))
    model.add_head("t", task.head(model))
    model.eval()
    order = np.random.default_rng(1)
    fit(
        descend(
            [*adapter.parameters(), *model.heads["t"].parameters()],
            (make_batch(encoded, order.choice(40, 10, replace=False), CPU) for _ in range(120)),
            lambda batch: task.loss(model, Stack("t"), "t", batch),
            steps=120,
            learning_rate=2e-2,
        )
    )
    trained = score(task, model, Stack("t"), "t", Prepared.of(encoded, 256, CPU))
    assert trained.overall["correct"].sum() > task.trivial(encoded).overall["correct"].sum() + 8


def test_predictions_are_json_in_the_order_of_the_file(model: Backbone, tokenizer: Any, declare: Declare) -> None:
    task = Classification(declare("nli"))
    model.add_head("nli", task.head(model))
    prepared = Prepared.of(task.encode("x", PAIRS, tokenizer), 16, CPU)
    given = answers(task, model.eval(), Stack(), "nli", prepared.batches)
    lines = [json.loads(line) for line in task.annotated(prepared.encoded, prepared.rows, given)]
    assert [line["id"] for line in lines] == ["i0", "i1", "i3"]
    counts = task.count(prepared.encoded, prepared.rows, given)
    right = [line["label"] == PAIRS[int(line["id"][1])].label for line in lines]
    assert right == counts.overall["correct"][[0, 1, 3]].astype(bool).tolist()


def test_real_xnli_fits_a_real_model(shared: Path, declare: Declare) -> None:
    from xltransfer.config.manifests import load_datasets
    from xltransfer.config.resolve import EntryRef
    from xltransfer.data.read import read_labelled
    from xltransfer.data.tokenizer import load_tokenizer

    folder = str(shared / "models" / "mini-mbert")
    manifest = load_datasets()["xnli-small"]
    entry = next(each for each in manifest.entries if each.language == "eng")
    ref = EntryRef("xnli-small", entry.name, "eng", manifest.reader, shared / manifest.root, entry.files)
    task, model = Classification(declare("nli", reads="pooler")), Backbone.load(folder)
    model.add_head("nli", task.head(model))
    encoded = task.encode("eng", read_labelled(ref, "test", 30), load_tokenizer(folder))
    found = score(task, model.eval(), Stack(), "nli", Prepared.of(encoded, 2048, CPU))
    assert found.overall["total"].sum() == 30
    assert np.isfinite(found.overall["nll"]).all() and found.overall["nll"].mean() == pytest.approx(np.log(3), rel=0.3)
