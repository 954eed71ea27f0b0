"""Every adapter, fusion and head that the reference library wrote is read, and written again as that library wrote it.

The files are compared as they lie on the disk, without our reader.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from xltransfer.engine import Backbone

MODELS = ("bert", "xlmr")
FORMATS = ("safetensors", "bin")
CURRENT = {
    "legacy_lang_first_uploads": "l1",
    "legacy_lang_relu": "l1",
    "legacy_lang_gelu": "lg",
    "legacy_lang_v2_gelu": "lg",
    "legacy_task": "t1",
}
"""Older files, and the adapters from whose weights they were rebuilt."""


def on_disk(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the two files of a part, as any program would read them."""
    config = {"adapter": "adapter_config", "fusion": "adapter_fusion_config", "head": "head_config"}[kind]
    weights = [path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin")]
    (path,) = [path for path in weights if ("head" in path.name) == (kind == "head")]
    tensors = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    return json.loads((folder / f"{config}.json").read_text()), tensors


def are_equal(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert sorted(got) == sorted(expected)
    for key, tensor in expected.items():
        assert got[key].dtype == tensor.dtype
        assert torch.equal(got[key], tensor), key


def without_origin(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out who wrote a file, and what its author called the base model: a loaded model keeps neither."""
    return {key: value for key, value in content.items() if key not in ("version", "model_name")}


def names(goldens: Path, model: str, group: str) -> list[str]:
    found = sorted(path.name for path in (goldens / model / group).iterdir())
    assert found
    return found


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("group", ["adapters", "adapters_bin", "adapters_with_head", "adapters_with_head_bin"])
def test_an_adapter_is_written_as_it_was_read(
    shared: Path, tmp_path: Path, model: str, format: Any, group: str
) -> None:
    goldens = shared / "goldens"
    base = Backbone.load(goldens / model / "base")
    for name in names(goldens, model, group):
        folder = goldens / model / group / name
        assert base.load_adapter(folder) == name
        base.save_adapter(name, tmp_path / name, format)
        (content, tensors), (before, expected) = on_disk(tmp_path / name, "adapter"), on_disk(folder, "adapter")
        are_equal(tensors, expected)
        assert without_origin(content) == without_origin(before)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CURRENT)
def test_an_older_adapter_is_written_in_the_current_layout(shared: Path, tmp_path: Path, model: str, name: str) -> None:
    goldens = shared / "goldens" / model
    base = Backbone.load(goldens / "base")
    written = base.load_adapter(goldens / "adapters_legacy" / name)
    base.save_adapter(written, tmp_path / "out")
    content, tensors = on_disk(tmp_path / "out", "adapter")
    before, expected = on_disk(goldens / "adapters" / CURRENT[name], "adapter")
    are_equal(tensors, expected)
    assert "version" in content
    if CURRENT[name] == "lg":
        # Without a version, "gelu" is the tanh approximation.
        before["config"]["non_linearity"] = "gelu_new"
    assert without_origin(content) == without_origin(before)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("group", ["heads", "heads_bin", "adapters_with_head", "adapters_with_head_bin"])
def test_a_head_is_written_as_it_was_read(shared: Path, tmp_path: Path, model: str, format: Any, group: str) -> None:
    goldens = shared / "goldens"
    base = Backbone.load(goldens / model / "base")
    for name in names(goldens, model, group):
        folder = goldens / model / group / name
        assert base.load_head(folder) == name
        base.save_head(name, tmp_path / name, format)
        (content, tensors), (before, expected) = on_disk(tmp_path / name, "head"), on_disk(folder, "head")
        are_equal(tensors, expected)
        assert without_origin(content) == without_origin(before)


@pytest.mark.parametrize("model", MODELS)
def test_an_older_head_is_written_in_the_current_layout(shared: Path, tmp_path: Path, model: str) -> None:
    goldens = shared / "goldens" / model
    base = Backbone.load(goldens / "base")
    base.save_head(base.load_head(goldens / "heads_legacy" / "t1"), tmp_path / "out")
    (content, tensors), (before, expected) = (
        on_disk(tmp_path / "out", "head"),
        on_disk(goldens / "heads" / "t1", "head"),
    )
    are_equal(tensors, expected)
    assert without_origin(content) == without_origin(before)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("group", ["fusions", "fusions_bin"])
def test_a_fusion_is_written_as_it_was_read(shared: Path, tmp_path: Path, model: str, format: Any, group: str) -> None:
    goldens = shared / "goldens"
    base = Backbone.load(goldens / model / "base")
    for adapter in ("l1", "l2", "l3", "t1", "t2"):
        base.load_adapter(goldens / model / "adapters" / adapter)
    for name in names(goldens, model, group):
        folder = goldens / model / group / name
        written = base.load_fusion(folder)
        assert written == name.split("_")[0].replace("-", ",")
        base.save_fusion(written, tmp_path / name, format)
        (content, tensors), (before, expected) = on_disk(tmp_path / name, "fusion"), on_disk(folder, "fusion")
        are_equal(tensors, expected)
        assert without_origin(content) == without_origin(before)


@pytest.mark.parametrize("model", MODELS)
def test_a_head_takes_its_own_keys_and_not_those_of_a_longer_name(shared: Path, tmp_path: Path, model: str) -> None:
    folder = shared / "goldens" / model / "quirks" / "head_tag"
    base = Backbone.load(shared / "goldens" / model / "base")
    base.save_head(base.load_head(folder), tmp_path / "out")
    _, tensors = on_disk(tmp_path / "out", "head")
    _, both = on_disk(folder, "head")
    assert {key.split(".")[1] for key in both} == {"tag", "tag2"}
    are_equal(tensors, {key: value for key, value in both.items() if key.startswith("heads.tag.")})
