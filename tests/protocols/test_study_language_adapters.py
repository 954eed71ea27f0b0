"""The language adapters of a study: what is written, resumed and refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from mini_study import MiniStudy

from xltransfer.engine import Backbone, Stack
from xltransfer.engine.bank import Trained
from xltransfer.engine.base import MASKED_LM
from xltransfer.errors import RunFolderError, UnitError
from xltransfer.protocols import study_language_adapters
from xltransfer.protocols.language_adapters import FAISAL2024, train_language_adapters
from xltransfer.protocols.study_language_adapters import adapters_for_study, corpora_of

QUICK = replace(FAISAL2024, steps=3, block=16, batch_size=2)


def test_every_transfer_corpus_gets_its_adapter_as_trained_alone(mini_files: MiniStudy, tmp_path: Any) -> None:
    resolved = mini_files.resolved
    folders = adapters_for_study(resolved, tmp_path, QUICK)
    corpora = corpora_of(resolved, QUICK.block)
    assert [folder.name for folder in folders] == list(corpora)
    name = folders[-1].name
    together, alone = Backbone.load(resolved.model), Backbone.load(resolved.model)
    together.load_adapter(folders[-1])
    from xltransfer.data.tokenizer import load_tokenizer
    from xltransfer.protocols.transfer.context import vocabulary_of

    vocabulary = vocabulary_of(load_tokenizer(resolved.model))
    train_language_adapters(alone, {name: corpora[name]}, vocabulary, QUICK, resolved.study.seed)
    ids = torch.from_numpy(corpora[name][:2].astype(np.int64))
    with torch.no_grad():
        got, expected, bare = (
            model(ids, composition=composition, head=MASKED_LM).logits
            for model, composition in ((together, Stack(name)), (alone, Stack(name)), (alone, None))
        )
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(expected, bare, atol=1e-4)


def test_a_second_call_trains_what_is_missing_only(mini_files: MiniStudy, tmp_path: Any) -> None:
    told: list[tuple[list[str], int]] = []

    def on_plan(left: Any, size: int) -> Any:
        told.append((sorted(left), size))
        return lambda taken: None

    first, *rest = adapters_for_study(mini_files.resolved, tmp_path, QUICK, at_once=2, on_plan=on_plan)
    assert told == [(sorted(folder.name for folder in [first, *rest]), 2)]
    before = (first / "adapter.safetensors").read_bytes()
    kept = [folder.joinpath("adapter.safetensors").stat().st_mtime_ns for folder in rest]
    # As a kill leaves it: the folder is there, its record is not.
    first.with_name(f"{first.name}.json").unlink()
    adapters_for_study(mini_files.resolved, tmp_path, QUICK, at_once=2, on_plan=on_plan)
    assert told[1] == ([first.name], 2)
    assert [folder.joinpath("adapter.safetensors").stat().st_mtime_ns for folder in rest] == kept
    assert len(before) == len((first / "adapter.safetensors").read_bytes())
    adapters_for_study(mini_files.resolved, tmp_path, QUICK, on_plan=on_plan)
    assert len(told) == 2


def test_other_settings_into_the_same_folder_are_refused(mini_files: MiniStudy, tmp_path: Any) -> None:
    adapters_for_study(mini_files.resolved, tmp_path, QUICK)
    with pytest.raises(RunFolderError, match=r"settings\.steps, settings\.learning_rate differ"):
        adapters_for_study(mini_files.resolved, tmp_path, replace(QUICK, steps=4, learning_rate=1e-3))


def test_a_failed_training_is_said_and_the_others_are_written(
    mini_files: MiniStudy, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = train_language_adapters
    failing: list[str] = []

    def spoiled(model: Any, corpora: Any, *args: Any, **kwargs: Any) -> Any:
        result = real(model, corpora, *args, **kwargs)
        failing.append(next(iter(corpora)))
        trained = {**result.trained, failing[0]: Trained((float("nan"),), problem="its loss is not finite")}
        return replace(result, trained=trained)

    monkeypatch.setattr(study_language_adapters, "train_language_adapters", spoiled)
    with pytest.raises(UnitError, match="its loss is not finite"):
        adapters_for_study(mini_files.resolved, tmp_path, QUICK)
    assert not (tmp_path / f"{failing[0]}.json").exists()
    assert len(list(tmp_path.glob("*.json"))) == len(corpora_of(mini_files.resolved, QUICK.block)) - 1
