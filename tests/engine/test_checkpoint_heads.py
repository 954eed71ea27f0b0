"""Heads of all five types to disk and back; and files that must not be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_folders import change_config, change_tensors
from safetensors.torch import load_file
from torch import Tensor, nn

from xltransfer.engine import Backbone
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.heads import (
    BiaffineHead,
    ClassificationHead,
    MaskedLMHead,
    QuestionAnsweringHead,
    TaggingHead,
)
from xltransfer.errors import ConfigError, ModelError

HEADS: dict[str, Callable[[], nn.Module]] = {
    "tagging": lambda: TaggingHead(16, 5, dropout=0.1),
    "deep tagging": lambda: TaggingHead(16, 5, dropout=0.3, layers=3, activation="relu"),
    "classification": lambda: ClassificationHead(16, 3, dropout=0.1),
    "pooled classification": lambda: ClassificationHead(16, 3, dropout=0.1, layers=1, bias=False, use_pooler=True),
    "question answering": lambda: QuestionAnsweringHead(16, dropout=0.1, layers=2, activation="gelu_new"),
    "parsing": lambda: BiaffineHead(16, 4, dropout=0.1),
    "masked": lambda: MaskedLMHead(16, 60, nn.GELU(), eps=1e-12),
    "masked, otherwise": lambda: MaskedLMHead(16, 60, nn.SiLU(), eps=1e-12),
    "masked, fewer biases": lambda: MaskedLMHead(16, 60, nn.ReLU(), eps=1e-12, dense_bias=False, norm_bias=False),
}


def filled(make: Callable[[], nn.Module]) -> nn.Module:
    head, generator = make(), torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(generator=generator)
    return head.eval()


@pytest.fixture
def saved(tiny: Backbone, tmp_path: Path) -> Callable[..., Path]:
    """Write a head called ``h`` and return its folder."""

    def save(kind: str = "tagging", **more: Any) -> Path:
        tiny.add_head("h", filled(HEADS[kind]))
        tiny.save_head("h", tmp_path / "h", **more)
        return tmp_path / "h"

    return save


def scores(model: Backbone, ids: Tensor, head: str) -> list[Tensor]:
    words = torch.tensor([[1, 3, 4, 7], [1, 2, 5, -1]])
    with torch.no_grad():
        out = model(ids, head=head, word_starts=words)
    found = (out.logits, out.start_logits, out.end_logits, out.arc_preds, out.rel_preds)
    return [each for each in found if each is not None]


@pytest.mark.parametrize("format", ["safetensors", "bin"])
@pytest.mark.parametrize("kind", HEADS)
def test_a_head_comes_back_with_the_same_bits(
    tiny: Backbone, tmp_path: Path, ids: Tensor, kind: str, format: Any
) -> None:
    tiny.add_head("h", filled(HEADS[kind]))
    tiny.save_head("h", tmp_path / "h", format)
    assert tiny.load_head(tmp_path / "h", name="again") == "again"
    before, after = tiny.heads["h"], tiny.heads["again"]
    assert type(before) is type(after)
    assert not after.training
    expected, got = before.state_dict(), after.state_dict()
    assert list(got) == list(expected)
    assert all(torch.equal(got[key], expected[key]) for key in expected)
    assert [part.p for part in after.modules() if isinstance(part, nn.Dropout)] == [
        part.p for part in before.modules() if isinstance(part, nn.Dropout)
    ]
    for one, other in zip(scores(tiny, ids, "h"), scores(tiny, ids, "again"), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


def test_the_masked_lm_decoder_is_written_out(tiny: Backbone, saved: Callable[..., Path]) -> None:
    tensors = load_file(saved("masked") / "model_head.safetensors")
    assert sorted(tensors) == [
        f"heads.h.{key}" for key in ("0.bias", "0.weight", "2.bias", "2.weight", "3.bias", "3.weight")
    ]
    assert torch.equal(tensors["heads.h.3.weight"], tiny.word_embeddings)


def test_the_base_models_own_masked_lm_head_can_be_saved(tiny: Backbone, tmp_path: Path, ids: Tensor) -> None:
    tiny.save_head(MASKED_LM, tmp_path / "h")
    with pytest.raises(ConfigError, match="'masked_lm' is taken by the base model's own"):
        tiny.load_head(tmp_path / "h")
    tiny.load_head(tmp_path / "h", name="lm")
    torch.testing.assert_close(scores(tiny, ids, "lm"), scores(tiny, ids, MASKED_LM), atol=1e-6, rtol=1e-6)


def test_a_decoder_that_is_not_tied_is_refused(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved("masked")
    change_tensors(folder, lambda tensors: tensors["heads.h.3.weight"].mul_(2))
    with pytest.raises(ModelError, match="its decoder is not tied to this model's word embeddings"):
        tiny.load_head(folder)
    change_tensors(folder, lambda tensors: tensors.pop("heads.h.3.weight") is None)
    with pytest.raises(ModelError, match=r"1 keys missing: heads\.h\.3\.weight"):
        tiny.load_head(folder)


def test_labels_stay_with_a_head(tiny: Backbone, saved: Callable[..., Path], tmp_path: Path) -> None:
    labels = {"NOUN": 0, "VERB": 1, "ADJ": 2, "X": 3, "SYM": 4}
    tiny.load_head(saved(labels=labels), name="loaded")
    assert tiny.head_labels["loaded"] == labels
    tiny.save_head("loaded", tmp_path / "again")
    tiny.load_head(tmp_path / "again", name="third")
    assert tiny.head_labels["third"] == labels
    with pytest.raises(ConfigError, match="labels={'NOUN': 0} of head 'loaded'; expected a name for each of its 5"):
        tiny.save_head("loaded", tmp_path / "wrong", labels={"NOUN": 0})


def test_keys_are_taken_by_whole_names(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    change_tensors(folder, lambda tensors: tensors.update({"heads.h2.1.weight": torch.ones(2, 16)}))
    assert tiny.load_head(folder) == "h"
    change_tensors(folder, lambda tensors: tensors.update({"heads.h.4.weight": torch.ones(2, 16)}))
    with pytest.raises(ModelError, match=r"1 keys left over: heads\.h\.4\.weight"):
        tiny.load_head(folder)


def test_options_that_older_files_leave_out(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved("classification")
    keep = ("head_type", "num_labels")
    change_config(folder, lambda content: content.update(config={key: content["config"][key] for key in keep}))
    tiny.load_head(folder)
    head = tiny.heads["h"]
    assert isinstance(head, ClassificationHead)
    linear = [part for part in head.layers if isinstance(part, nn.Linear)]
    assert (len(linear), linear[-1].bias is not None, head.use_pooler, head.activation) == (2, True, False, "tanh")
    assert head.layers[0].p == tiny.head_dropout


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("tagging", {"head_type": "multiple_choice"}, "head_type='multiple_choice' is not supported"),
        ("tagging", {"head_type": "tag"}, "head_type='tag' is not supported; did you mean 'tagging'"),
        ("tagging", {"num_labels": None}, "num_labels=None; expected a number"),
        ("tagging", {"num_labels": 6}, r"2 keys of another shape: heads.h.1.weight is \(5, 16\), expected \(6, 16\)"),
        ("tagging", {"layers": "two"}, "layers='two'; expected a number"),
        ("tagging", {"dropout_prob": "no"}, "dropout_prob='no'; expected a number or null"),
        ("classification", {"use_pooler": 1}, "use_pooler=1; expected true or false"),
        ("masked", {"vocab_size": "many"}, "vocab_size='many'; expected a number"),
        ("tagging", {"layers": 2}, "2 keys missing: heads.h.4.bias"),
        ("tagging", {"crf": True}, "crf=True is no known option"),
        ("deep tagging", {"activation_function": None}, "activation_function=None between layers is not supported"),
        ("deep tagging", {"activation_function": "glu"}, "head activation 'glu' is not known; did you mean 'gelu'"),
        ("question answering", {"num_labels": 3}, "num_labels=3; expected 2, for start and end"),
        ("masked", {"shift_labels": True}, "shift_labels=True is not supported, only False"),
        ("masked", {"embedding_size": 8}, "embedding_size=8 is not supported, only the hidden size"),
        ("masked", {"activation_function": "glu"}, "head activation 'glu' is not known"),
        ("masked", {"vocab_size": 50}, r"3.bias is \(60,\), expected \(50,\)"),
    ],
)
def test_options_that_are_not_supported_are_named(
    tiny: Backbone, saved: Callable[..., Path], kind: str, change: dict[str, Any], message: str
) -> None:
    folder = saved(kind)
    change_config(folder, lambda content: content["config"].update(change))
    with pytest.raises(ModelError, match=f"head 'h' in folder 'h': .*{message}"):
        tiny.load_head(folder)


def test_a_head_of_a_plain_class_has_no_name(tiny: Backbone, saved: Callable[..., Path]) -> None:
    folder = saved()
    change_config(folder, lambda content: content.update(name=None, config=None))
    with pytest.raises(
        ModelError, match="names no head; heads of plain classes, which have no name, are not supported"
    ):
        tiny.load_head(folder)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (nn.Linear(16, 2), "head 'h' is a Linear, which the format does not have"),
        (TaggingHead(16, 3, dropout=0.1, bias=False), "is a tagging head without bias, which the format does not have"),
        (MaskedLMHead(16, 60, nn.Softplus(), eps=1e-12), "activation Softplus of a masked-LM head has no name"),
    ],
)
def test_heads_that_the_format_cannot_say_are_not_written(
    tiny: Backbone, tmp_path: Path, head: nn.Module, message: str
) -> None:
    tiny.add_head("h", head)
    with pytest.raises(ModelError, match=message):
        tiny.save_head("h", tmp_path / "h")
    assert not (tmp_path / "h").exists()
