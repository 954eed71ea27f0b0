"""Folders appear whole or not at all, and nothing is overwritten that was not meant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xltransfer.engine import Backbone
from xltransfer.engine.heads import TaggingHead
from xltransfer.errors import ConfigError

FILES = ["adapter.safetensors", "adapter_config.json"]


@pytest.fixture
def model(tiny: Backbone, add_trained: Callable[..., None]) -> Backbone:
    """The tiny model with adapters ``a`` and ``b`` and a head ``a``."""
    add_trained(tiny, "a", seed=1)
    add_trained(tiny, "b", seed=2)
    tiny.add_head("a", TaggingHead(16, 3, dropout=0.1))
    return tiny


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_parents_are_made_and_nothing_else_remains(model: Backbone, tmp_path: Path) -> None:
    model.save_adapter("a", tmp_path / "x" / "y")
    assert names(tmp_path / "x") == ["y"]
    assert names(tmp_path / "x" / "y") == FILES


def test_an_empty_folder_may_be_there(model: Backbone, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    model.save_adapter("a", tmp_path / "a")
    assert names(tmp_path / "a") == FILES


def test_a_folder_with_files_is_refused(model: Backbone, tmp_path: Path) -> None:
    model.save_adapter("a", tmp_path / "a")
    before = (tmp_path / "a" / "adapter.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="folder 'a' exists and is not empty; give a new one, or overwrite=True"):
        model.save_adapter("b", tmp_path / "a")
    assert (tmp_path / "a" / "adapter.safetensors").read_bytes() == before


def test_overwriting_replaces_the_same_kind_and_keeps_the_others(model: Backbone, tmp_path: Path) -> None:
    model.save_adapter("a", tmp_path / "a")
    model.save_head("a", tmp_path / "a", overwrite=True)
    head = (tmp_path / "a" / "model_head.safetensors").read_bytes()
    model.save_adapter("b", tmp_path / "a", format="bin", overwrite=True)
    assert names(tmp_path / "a") == ["adapter_config.json", "head_config.json", "model_head.safetensors",
                                     "pytorch_adapter.bin"]  # fmt: skip
    assert (tmp_path / "a" / "model_head.safetensors").read_bytes() == head
    assert model.load_adapter(tmp_path / "a") == "b"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_files_is_never_touched(model: Backbone, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="'home'"):
        model.save_adapter("a", tmp_path / "home", overwrite=overwrite)
    with pytest.raises(ConfigError, match="'thesis.tex'"):
        model.save_adapter("a", tmp_path / "home" / "thesis.tex", overwrite=overwrite)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"
    assert names(tmp_path) == ["home"]


@pytest.mark.parametrize("there", [False, True])
def test_a_write_that_fails_leaves_everything_as_it_was(
    model: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        model.save_adapter("a", tmp_path / "a")

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("xltransfer.engine.checkpoint.placing.save_file", full)
    with pytest.raises(OSError, match="no space left"):
        model.save_adapter("b", tmp_path / "a", overwrite=True)
    assert names(tmp_path) == (["a"] if there else [])
    if there:
        assert model.load_adapter(tmp_path / "a") == "a"


def test_a_move_that_fails_puts_the_old_folder_back(
    model: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    model.save_adapter("a", tmp_path / "a")
    move = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(source).suffix == ".tmp":
            raise OSError("moved away")
        move(source, target)

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(OSError, match="moved away"):
        model.save_adapter("b", tmp_path / "a", overwrite=True)
    monkeypatch.undo()
    assert names(tmp_path) == ["a"]
    assert model.load_adapter(tmp_path / "a") == "a"


def test_the_same_adapter_gives_the_same_bytes(model: Backbone, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        model.save_adapter("a", tmp_path / folder)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_an_unknown_format_is_refused(model: Backbone, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format='safetensor' is no format of weights; did you mean 'safetensors'"):
        model.save_adapter("a", tmp_path / "a", format="safetensor")  # type: ignore[arg-type]
    assert names(tmp_path) == []
