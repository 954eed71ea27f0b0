"""Lengths beyond a model's positions are refused before any unit, by the table that each architecture really has."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mini_study import MiniStudy
from transformers import BertConfig, BertModel, DebertaV2Config, DebertaV2Model, RobertaConfig, RobertaModel

from xltransfer.config.alignment import Alignment, Compared
from xltransfer.config.interaction import Interaction, LanguageAdapterTraining
from xltransfer.config.task import Selection
from xltransfer.engine.adapter import Adapter, AdapterConfig
from xltransfer.errors import ConfigError
from xltransfer.protocols.base_model import positions_of, refuse_too_long, refuse_too_narrow
from xltransfer.protocols.transfer.run import run_study

SMALL = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}


def longest(model: torch.nn.Module, tried: int) -> int:
    """Return the longest row up to a length that the model takes, by trying."""
    for length in range(tried, 0, -1):
        try:
            model(input_ids=torch.full((1, length), 5), attention_mask=torch.ones(1, length, dtype=torch.long))
        except (IndexError, RuntimeError):
            continue
        return length
    raise AssertionError("no length is taken")


@pytest.mark.parametrize(
    "model",
    [
        BertModel(BertConfig(**SMALL, max_position_embeddings=12)),
        RobertaModel(RobertaConfig(**SMALL, max_position_embeddings=12, pad_token_id=1)),
    ],
    ids=["bert", "roberta"],
)
def test_positions_are_what_the_model_takes(model: torch.nn.Module) -> None:
    assert positions_of(model.eval()) == longest(model, 14)


def test_relative_positions_set_no_limit() -> None:
    config = DebertaV2Config(
        **SMALL, max_position_embeddings=12, relative_attention=True, position_biased_input=False, pos_att_type=["c2p"]
    )
    assert positions_of(DebertaV2Model(config)) is None


def test_every_length_of_the_study_is_refused_together(mini_files: MiniStudy) -> None:
    study = mini_files.resolved.study
    model = BertModel(BertConfig(**SMALL, max_position_embeddings=4))
    with pytest.raises(ConfigError) as caught:
        refuse_too_long(study, model)
    said = [problem.split(" is ")[0] for problem in caught.value.problems]
    assert said[0] == "nudge.block" and len(said) == 1 + len(study.tasks)
    assert "task 'mlm': block" in said and "task 'pos': max_length" in said
    assert "has positions for 4 subwords; give 4 or less" in caught.value.problems[0]


def test_only_lengths_of_the_own_protocol_count(mini_files: MiniStudy) -> None:
    study = mini_files.resolved.study
    model = BertModel(BertConfig(**SMALL, max_position_embeddings=200))
    long = Compared(name="par", data=(Selection(dataset="par"),))
    aligned = study.model_copy(
        update={"protocol": "alignment", "alignment": Alignment(compared=(long,), max_length=201)}
    )
    with pytest.raises(ConfigError, match=r"^alignment.max_length is 201"):
        refuse_too_long(aligned, model)
    refuse_too_long(aligned.model_copy(update={"protocol": "transfer"}), model)
    fused = study.model_copy(update={"protocol": "interaction", "interaction": Interaction(block=256)})
    with pytest.raises(ConfigError, match=r"^interaction.block is 256"):
        refuse_too_long(fused, model)


@pytest.mark.parametrize(("setting", "most"), [("reduction", 8), ("invertible", 4)])
def test_reductions_beyond_what_they_reduce_are_refused(mini_files: MiniStudy, setting: str, most: int) -> None:
    # The largest that leaves a unit without being rounded up to one, by what the adapter is really made of.
    config = AdapterConfig(reduction=8, invertible_reduction=4)
    widths = {tuple(p.shape) for key, p in Adapter(config, 8, 1).named_parameters() if key.endswith("weight")}
    assert {(1, 8), (1, 4)} <= widths
    tasks = mini_files.resolved.study.tasks
    study = mini_files.resolved.study.model_copy(update={"protocol": "interaction"})
    model = BertModel(BertConfig(**SMALL))

    def asking(value: float) -> None:
        adapters = LanguageAdapterTraining(**{setting: value} | {"reduction": value if setting == "reduction" else 2})
        refuse_too_narrow(study.model_copy(update={"interaction": Interaction(adapters=adapters)}), model)

    asking(most)
    with pytest.raises(ConfigError, match=rf"^interaction.adapters.{setting} is 1e\+09, .* only {most} units"):
        asking(1e9)
    with pytest.raises(ConfigError, match=rf"give {most} or less$"):
        asking(most + 1)
    adapter = tasks[0].adapter
    assert adapter is not None
    wide = tasks[0].model_copy(update={"adapter": adapter.model_copy(update={"reduction": 9})})
    with pytest.raises(ConfigError, match="^task 'pos': adapter.reduction is 9, but"):
        refuse_too_narrow(study.model_copy(update={"tasks": (wide,)}), model)


def test_a_run_is_refused_before_its_first_unit(mini_files: MiniStudy, tmp_path: Path) -> None:
    resolved = mini_files.resolved
    tasks = tuple(task.model_copy(update={"max_length": 400}) for task in resolved.study.tasks[:1])
    study = resolved.study.model_copy(update={"tasks": tasks})
    with pytest.raises(ConfigError, match="max_length is 400, but the base model"):
        run_study(replace(resolved, study=study), tmp_path / "run", workers=0)
    assert not (tmp_path / "run").exists()
