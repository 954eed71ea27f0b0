"""From a path or a hub id to a folder's two files; nothing here reaches the network."""

import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from adapter_folders import change_config

from xltransfer.engine import Backbone
from xltransfer.engine.checkpoint import ADAPTER, read_part
from xltransfer.engine.heads import TaggingHead
from xltransfer.errors import ModelError

REVISION = "0123456789012345678901234567890123456789"


@pytest.fixture
def saved(tiny: Backbone, add_trained: Callable[..., None], tmp_path: Path) -> Path:
    """A folder with adapter ``a``."""
    add_trained(tiny, "a", seed=5)
    tiny.save_adapter("a", tmp_path / "a")
    return tmp_path / "a"


@pytest.fixture
def hub(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cached snapshot of a hub repository ``owner/name`` with folders ``one`` and ``two``, ``a`` in each."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    repository = cache / "models--owner--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    snapshot = repository / "snapshots" / REVISION
    for name in ("one", "two"):
        shutil.copytree(saved, snapshot / name)
    return snapshot


def test_a_folder_with_two_adapters_lists_them(tiny: Backbone, saved: Path) -> None:
    shutil.copytree(saved, saved.parent / "pair" / "de")
    shutil.copytree(saved, saved.parent / "pair" / "more" / "sw")
    with pytest.raises(ModelError, match=r"'pair' holds 2 parts: de, more/sw; name one of them, such as .*/pair/de$"):
        tiny.load_adapter(saved.parent / "pair")
    assert tiny.load_adapter(saved.parent / "pair" / "more") == "a"


def test_a_folder_without_an_adapter_says_what_is_wanted(tiny: Backbone, saved: Path) -> None:
    (saved / "adapter_config.json").rename(saved / "config.json")
    with pytest.raises(ModelError, match="folder 'a' has no adapter_config.json, and no folder in it has"):
        tiny.load_adapter(saved)
    with pytest.raises(ModelError, match="folder 'a' has no adapter_fusion_config.json"):
        tiny.load_fusion(saved)


def test_a_head_beside_an_adapter_is_read_on_its_own(tiny: Backbone, saved: Path) -> None:
    tiny.add_head("a", TaggingHead(16, 3, dropout=0.1))
    tiny.save_head("a", saved, overwrite=True)
    assert (tiny.load_adapter(saved), tiny.load_head(saved)) == ("a", "a")


def test_a_hub_id(tiny: Backbone, hub: Path) -> None:
    shutil.rmtree(hub / "two")
    assert tiny.load_adapter("owner/name") == "a"
    assert tiny.load_adapter("owner/name", revision=REVISION, name="b") == "b"


def test_a_folder_in_a_hub_repository_of_several(tiny: Backbone, hub: Path) -> None:
    with pytest.raises(ModelError, match="holds 2 parts: one, two; name one of them, such as owner/name/one"):
        tiny.load_adapter("owner/name")
    assert tiny.load_adapter("owner/name/two") == "a"
    with pytest.raises(ModelError, match="repository 'owner/name' has no folder 'three'"):
        tiny.load_adapter("owner/name/three")


def test_neither_a_folder_nor_in_the_hub(tiny: Backbone, hub: Path) -> None:
    with pytest.raises(ModelError, match="is no folder here, and the hub gave no repository 'owner/other'"):
        tiny.load_adapter("owner/other")
    for text in ("alone", "/nowhere/at/all", "owner//name"):
        with pytest.raises(ModelError, match="is no folder here, and no hub id of the form owner/name"):
            tiny.load_adapter(text)


def test_weights_that_are_not_there(tiny: Backbone, saved: Path) -> None:
    (saved / "adapter.safetensors").unlink()
    with pytest.raises(
        ModelError, match="has neither adapter.safetensors nor pytorch_adapter.bin beside adapter_config"
    ):
        tiny.load_adapter(saved)


@pytest.mark.parametrize("name", ["adapter.safetensors", "pytorch_adapter.bin"])
def test_weights_that_cannot_be_read(tiny: Backbone, saved: Path, name: str) -> None:
    (saved / "adapter.safetensors").unlink()
    for content in (b"", b"not weights at all"):
        (saved / name).write_bytes(content)
        with pytest.raises(ModelError, match=f"folder 'a': {name} cannot be read"):
            tiny.load_adapter(saved)


def test_a_bin_file_that_holds_anything_else_is_refused(tiny: Backbone, saved: Path) -> None:
    (saved / "adapter.safetensors").unlink()
    torch.save({"epoch": 3}, saved / "pytorch_adapter.bin")
    with pytest.raises(ModelError, match="pytorch_adapter.bin cannot be read"):
        tiny.load_adapter(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_configuration_that_is_no_object(tiny: Backbone, saved: Path, text: str) -> None:
    (saved / "adapter_config.json").write_text(text)
    with pytest.raises(ModelError, match="folder 'a': adapter_config.json (is no readable JSON|names no adapter)"):
        tiny.load_adapter(saved)


def test_half_precision_is_read_as_single(tiny: Backbone, saved: Path) -> None:
    from adapter_folders import change_tensors

    change_tensors(saved, lambda tensors: {key: value.half() for key, value in tensors.items()})
    tiny.load_adapter(saved)
    assert {parameter.dtype for parameter in tiny.adapters["a"].parameters()} == {torch.float32}


def test_without_a_base_model_the_file_must_name_an_architecture_that_is_known(saved: Path) -> None:
    assert read_part(saved, ADAPTER).base().layers == 2
    change_config(saved, lambda content: content.update(model_type="albert"))
    with pytest.raises(ModelError, match="model_type 'albert' have no known layout of keys; did you mean 'bert'"):
        read_part(saved, ADAPTER)
    change_config(saved, lambda content: content.pop("model_type"))
    with pytest.raises(ModelError, match="the file says no model_type; load it into its base model instead"):
        read_part(saved, ADAPTER)
