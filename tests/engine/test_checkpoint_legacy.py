"""Files of 1.x and 2.x, made from current ones by undoing what changed since; the expected rewriting is in the README
of the goldens. (Golden files of these layouts are read in `test_checkpoint_goldens`.)
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_folders import change_config, change_tensors, in_words

from xltransfer.engine import Backbone
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.checkpoint import ADAPTER, FUSION, HEAD, read_part
from xltransfer.errors import ModelError

NICE = {"block_type": "nice", "non_linearity": "relu", "reduction_factor": 2}


@pytest.fixture
def old(tiny: Backbone, add_trained: Callable[..., None], tmp_path: Path) -> Callable[..., Path]:
    """Write adapter ``a`` as 1.x would: the words of its keys, nested options, no version."""

    def save(kind: str = "lang", nested: dict[str, Any] | None = None, **config: Any) -> Path:
        add_trained(tiny, "a", seed=5, **config)
        tiny.save_adapter("a", tmp_path / "a", "bin")

        def change(content: dict[str, Any]) -> None:
            options = content["config"]
            wanted = ("mh_adapter", "output_adapter", "non_linearity", "reduction_factor", "original_ln_before",
                      "original_ln_after", "residual_before_ln", "ln_before", "ln_after",
                      "adapter_residual_before_ln")  # fmt: skip
            content["config"] = {key: options[key] for key in wanted} | {"invertible_adapter": nested}
            content["config"] |= {"attention_type": "sent-lvl-dynamic", "new_attention_norm": True}
            content |= {"type": f"text_{kind}", "config_id": "0", "model_class": "BertForMaskedLM"}
            del content["version"]

        def words(key: str) -> str:
            if ".attention.output.adapters." in key:
                return key.replace("output.adapters", f"output.attention_text_{kind}_adapters")
            key = key.replace("output.adapters", f"output.layer_text_{kind}_adapters")
            return key.replace("invertible_adapters", "invertible_lang_adapters")

        change_config(tmp_path / "a", change)
        change_tensors(tmp_path / "a", lambda tensors: {words(key): value for key, value in tensors.items()})
        return tmp_path / "a"

    return save


def is_the_same(tiny: Backbone, folder: Path) -> None:
    """Load ``folder`` as ``b`` and compare it with the adapter ``a`` that it was made from."""
    tiny.load_adapter(folder, name="b")
    expected = tiny.adapters["a"].state_dict()
    got = tiny.adapters["b"].state_dict()
    assert list(got) == list(expected)
    assert all(torch.equal(got[key], expected[key]) for key in expected)


@pytest.mark.parametrize("kind", ["lang", "task"])
def test_words_of_keys_behind_the_feed_forward_and_the_attention(
    tiny: Backbone, old: Callable[..., Path], kind: str
) -> None:
    folder = old(kind, attention=True, original_ln_before=False, ln_before=True)
    is_the_same(tiny, folder)
    assert tiny.adapters["b"].config == tiny.adapters["a"].config


def test_nested_options_of_the_invertible_adapter(tiny: Backbone, old: Callable[..., Path]) -> None:
    is_the_same(tiny, old(nested=NICE, invertible_reduction=2))
    assert tiny.adapters["b"].config.invertible_reduction == 2


def test_a_task_adapter_without_the_invertible_weights_has_none(tiny: Backbone, old: Callable[..., Path]) -> None:
    is_the_same(tiny, old("task", nested=NICE))
    assert tiny.adapters["b"].invertible is None


def test_a_language_adapter_without_the_invertible_weights_is_refused(tiny: Backbone, old: Callable[..., Path]) -> None:
    folder = old("lang", nested=NICE)
    with pytest.raises(ModelError, match=r"8 keys missing: bert\.invertible_adapters\.a\.F\.0\.bias"):
        tiny.load_adapter(folder)


def test_another_activation_inside_the_invertible_adapter_is_refused(tiny: Backbone, old: Callable[..., Path]) -> None:
    folder = old(nested={**NICE, "non_linearity": "tanh"}, invertible_reduction=2)
    with pytest.raises(ModelError, match="invertible adapter has activation 'tanh', its bottlenecks 'relu'"):
        tiny.load_adapter(folder)


@pytest.mark.parametrize(
    ("said", "meant"), [("gelu", "gelu_new"), ("gelu_orig", "gelu"), ("swish", "swish"), ("relu", "relu")]
)
def test_activations_of_files_without_a_version(
    tiny: Backbone, old: Callable[..., Path], said: str, meant: str
) -> None:
    folder = old()
    change_config(folder, lambda content: content["config"].update(non_linearity=said))
    tiny.load_adapter(folder)
    assert tiny.adapters["a"].config.activation == meant
    change_config(folder, lambda content: content.update(version="3.0.0"))
    if said == "gelu_orig":
        with pytest.raises(ModelError, match="non_linearity='gelu_orig' is not supported"):
            tiny.load_adapter(folder)
    else:
        tiny.load_adapter(folder)
        assert tiny.adapters["a"].config.activation == said


def test_options_that_are_left_out_take_the_librarys_defaults(tiny: Backbone, old: Callable[..., Path]) -> None:
    folder = old()
    required = ("mh_adapter", "output_adapter", "non_linearity", "reduction_factor")
    change_config(folder, lambda content: content.update(config={key: content["config"][key] for key in required}))
    tiny.load_adapter(folder)
    # Not Pfeiffer's: the library's own default reads F, not LN(F + A).
    assert tiny.adapters["a"].config == AdapterConfig(reduction=4, original_ln_before=False)


@pytest.mark.parametrize("kind", ["lang", "task"])
def test_keys_without_the_models_prefix(tiny: Backbone, old: Callable[..., Path], kind: str) -> None:
    folder = old(kind, nested=NICE, invertible_reduction=2)
    change_tensors(folder, in_words({"bert": ""}))
    is_the_same(tiny, folder)


def test_two_spellings_of_one_key_are_refused(tiny: Backbone, old: Callable[..., Path]) -> None:
    folder = old()
    change_tensors(folder, lambda tensors: {**tensors, **in_words({"bert": ""})(tensors)})
    with pytest.raises(ModelError, match=r"holds bert\.encoder\.layer\.\S+ twice, in two spellings"):
        tiny.load_adapter(folder)


def test_generations_are_told_apart(
    tiny: Backbone, add_trained: Callable[..., None], old: Callable[..., Path], tmp_path: Path
) -> None:
    assert read_part(old(), ADAPTER).generation == "1.x"
    tiny.save_adapter("a", tmp_path / "new")
    assert read_part(tmp_path / "new", ADAPTER).generation == "current"
    change_config(tmp_path / "new", lambda content: content.pop("version"))
    assert read_part(tmp_path / "new", ADAPTER).generation == "2.x"


def test_fusions_and_heads_of_older_files(tiny: Backbone, add_trained: Callable[..., None], tmp_path: Path) -> None:
    from xltransfer.engine.heads import TaggingHead

    for name in ("a", "b"):
        add_trained(tiny, name, seed=1)
    tiny.add_fusion(["a", "b"])
    tiny.save_fusion("a,b", tmp_path / "fusion")
    tiny.add_head("t", TaggingHead(16, 3, dropout=0.1))
    tiny.save_head("t", tmp_path / "head")

    def older(content: dict[str, Any]) -> None:
        for key in ("version", "adapter_names"):
            content.pop(key, None)
        content["config"].pop("dropout_prob", None)

    change_config(tmp_path / "fusion", older)
    change_tensors(tmp_path / "fusion", in_words({"bert": ""}))
    change_config(tmp_path / "head", older)
    assert read_part(tmp_path / "fusion", FUSION).generation == "1.x or 2.x"
    assert read_part(tmp_path / "head", HEAD).generation == "1.x or 2.x"
    assert tiny.load_fusion(tmp_path / "fusion", name="again") == "again"
    assert tiny.fusions["again"].members == ("a", "b")
    assert tiny.fusions["again"].config == tiny.fusions["a,b"].config
    assert tiny.load_head(tmp_path / "head") == "t"
