"""A miniature study that takes seconds: three artificial languages, a random BERT of two layers, every control.

``mini_files`` is the study file with its data and model, ``mini_study`` the same with a finished results folder. Both
are made once a session; tests that write into a results folder take ``mini_files`` and a folder of their own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from xltransfer.config.load import load_study
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.world import WorldSpec, make_world
from xltransfer.data.world.spec import Counts
from xltransfer.data.world.world import World
from xltransfer.data.world.write import write_world

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORLD = WorldSpec(
    seed=3,
    families=((2,), (1,)),
    lemmas=200,
    counts=Counts(
        text=250, train=60, dev=0, test=60, ner_train=60, ner_test=30, parallel=0, nli_test=0, qa_test=0, reviews_test=0
    ),
)


@dataclass(frozen=True)
class MiniStudy:
    """A study file, what it resolves to, and the folder that its run was, or would be, written to."""

    path: Path
    resolved: ResolvedStudy
    folder: Path


@pytest.fixture(scope="session")
def mini_files(tmp_path_factory: pytest.TempPathFactory) -> MiniStudy:
    """Study, data and model on disk; nothing has been run."""
    home = tmp_path_factory.mktemp("mini")
    world = make_world(WORLD)
    write_world(world, home / "world", root="world")
    write_model(home / "model", [line for code in world.codes for line in world.text(code, 250)])
    path = home / "mini.yaml"
    path.write_text(yaml.safe_dump(study(world), sort_keys=False), encoding="utf-8")
    return MiniStudy(path, load_study(path), home / "run")


@pytest.fixture(scope="session")
def mini_study(mini_files: MiniStudy) -> MiniStudy:
    """The same with its run, made in this process; every unit is done."""
    from xltransfer.protocols.transfer.run import run_study

    outcome = run_study(mini_files.resolved, mini_files.folder, workers=0)
    assert not outcome.failed, outcome.failed
    return mini_files


def study(world: World) -> dict[str, Any]:
    """Return the study: pos, dep, ner and mlm; k of 1 and 2; two replicates; all controls."""
    adapter = {"seeds": 1, "epochs": 4, "batch_size": 12, "learning_rate": 0.01, "reduction": 2}
    codes = list(world.codes)
    return {
        "name": "mini",
        "protocol": "transfer",
        "seed": 11,
        "data_root": ".",
        "base": {"name": "mini-bert", "model": "model", "seen": codes[:2]},
        "languages": [
            {"code": lang.code, "name": lang.name, "family": lang.family, "genus": lang.genus, "script": lang.script}
            for lang in world.languages
        ],
        "datasets": [f"world/world-{kind}.yaml" for kind in ("text", "ud", "ner")],
        "tasks": [
            {
                "name": name,
                "train": [{"dataset": dataset}],
                "targets": [{"dataset": dataset}],
                "max_length": 64,
                "adapter": adapter,
            }
            for name, dataset in (("pos", "world-ud"), ("dep", "world-ud"), ("ner", "world-ner"))
        ]
        + [{"name": "mlm", "targets": [{"dataset": "world-text"}], "block": 32, "max_blocks": 6}],
        "transfer": {"corpora": [{"dataset": "world-text"}], "tokens": "equal", "replicates": 2},
        "nudge": {"batch_size": 2, "block": 32, "learning_rate": 0.001},
        "cells": [{"steps": 2}, {"steps": 1, "tasks": ["pos", "mlm"]}],
        "controls": {
            "shuffled_text": {"steps": [2]},
            "random_sign": {"steps": [2], "languages": codes[:2]},
            "noise_floor": {"precision": "float64"},
        },
        "engine": {"token_budget": 512, "device": "cpu"},
    }


def write_model(folder: Path, lines: list[str]) -> None:
    """Save a random BERT (2 layers, 32 wide) with all its heads, and a WordPiece tokenizer of 300 pieces."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForPreTraining, PreTrainedTokenizerFast

    rust = Tokenizer(models.WordPiece({}, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer(lowercase=False)
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(SPECIAL), show_progress=False)
    rust.train_from_iterator(lines, trainer)
    rust.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    save: Any = PreTrainedTokenizerFast  # its constructor has no types
    save(tokenizer_object=rust, **names).save_pretrained(folder)
    config = BertConfig(
        vocab_size=rust.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertForPreTraining(config).save_pretrained(folder)
