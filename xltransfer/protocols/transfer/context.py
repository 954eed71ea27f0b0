"""What a worker process keeps between units: the base model, corpora as blocks, targets encoded on the device."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.config.task import TaskSpec
from xltransfer.data.blocks import blocks, cut_corpora
from xltransfer.data.read import read_examples, read_lines
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.engine import Backbone
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.batches import OVERHEAD
from xltransfer.engine.masking import Vocabulary
from xltransfer.errors import ConfigError, RunFolderError
from xltransfer.protocols.transfer.wanted import adapter_units, split_scorer
from xltransfer.randomness import stream
from xltransfer.runs.store import Store
from xltransfer.tasks import Mlm, Task, task_of
from xltransfer.tasks.encoded import Encoded
from xltransfer.tasks.mlm import MaskedBatch, MaskedText
from xltransfer.tasks.score import Prepared


def device_kind(setting: str) -> str:
    """Return ``cpu`` or ``cuda`` for the study's ``engine.device``; raises `ConfigError` for a CUDA that is absent."""
    if setting == "cuda" and not torch.cuda.is_available():
        raise ConfigError("engine.device is 'cuda', but torch finds no CUDA device; use 'auto' or 'cpu'")
    return "cuda" if setting != "cpu" and torch.cuda.is_available() else "cpu"


def vocabulary_of(tokenizer: Any) -> Vocabulary:
    """Return what masking needs of a tokenizer; raises `ConfigError` where it has no mask token."""
    if tokenizer.mask_token_id is None:
        raise ConfigError(f"the tokenizer of {tokenizer.name_or_path!r} has no mask token; masked-LM needs one")
    return Vocabulary(len(tokenizer), int(tokenizer.mask_token_id), tuple(sorted(tokenizer.all_special_ids)))


def corpus_blocks(resolved: ResolvedStudy, tokenizer: Any) -> dict[str, NDArray[np.int32]]:
    """Return the blocks [block, token] of every transfer corpus by entry name, cut to comparable sizes.

    Raises
    ------
    ConfigError
        When a corpus has fewer distinct blocks than the study has replicates.
    """
    study = resolved.study
    whole = {
        ref.name: blocks(read_lines(ref, "train"), tokenizer, study.nudge.block, name=ref.name)
        for ref in resolved.corpora
    }
    cut = cut_corpora(whole, study.transfer.tokens)
    replicates = study.transfer.replicates
    short = [
        f"transfer corpus {name!r}: {len(array)} distinct blocks of {study.nudge.block} tokens for {replicates} "
        "replicates; give more text, a smaller nudge.block, or fewer transfer.replicates"
        for name, array in cut.items()
        if len(np.unique(array, axis=0)) < replicates
    ]
    if short:
        raise ConfigError(short)
    return cut


class Context:
    """Caches of one process; everything in it follows from the study and its files.

    Parameters
    ----------
    resolved
        The study.
    store
        Where task adapters are read from.
    mixed
        Keys of the environment that differ from the folder's; stored with every row.
    """

    def __init__(self, resolved: ResolvedStudy, store: Store, mixed: tuple[str, ...] = ()) -> None:
        self.mixed = mixed
        self.resolved = resolved
        self.study = resolved.study
        self.store = store
        kind = device_kind(self.study.engine.device)
        self.device = torch.device(kind, torch.cuda.current_device()) if kind == "cuda" else torch.device(kind)
        self.entries: Mapping[str, EntryRef] = {
            ref.name: ref
            for group in (resolved.corpora, *resolved.train.values(), *resolved.targets.values())
            for ref in group
        }
        self.specs: Mapping[str, TaskSpec] = {task.name: task for task in self.study.tasks}
        self.encoded = cache(self._encoded)
        self.text = cache(self._text)
        self._planned = cache(self._plan)
        self._planned_text = cache(self._plan_text)

    @cached_property
    def model(self) -> Backbone:
        """The base model on the device, untouched."""
        engine = self.study.engine
        model = Backbone.load(self.resolved.model, engine.rules, engine.stack, self.study.base.revision)
        return model.to(self.device).requires_grad_(False)

    @cached_property
    def tokenizer(self) -> Any:
        """The base model's tokenizer."""
        return load_tokenizer(self.resolved.model)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What masking needs of the tokenizer."""
        return vocabulary_of(self.tokenizer)

    @cached_property
    def corpora(self) -> dict[str, NDArray[np.int32]]:
        """Blocks of each transfer corpus."""
        return corpus_blocks(self.resolved, self.tokenizer)

    @property
    def options(self) -> dict[str, Any]:
        """Named choices that are stored with every row."""
        nudge, transfer = self.study.nudge, self.study.transfer
        return self.engine_options | {
            "schedule": nudge.schedule,
            "pooler": nudge.pooler,
            "dropout": nudge.dropout,
            "block": nudge.block,
            "tokens": transfer.tokens,
        }

    @property
    def engine_options(self) -> dict[str, Any]:
        """Those of them that every protocol has."""
        engine = self.study.engine
        mixed = {"mixed": list(self.mixed)} if self.mixed else {}
        return mixed | {"stack": engine.stack, "rules": engine.rules, "precision": engine.precision}

    def task(self, name: str) -> Task:
        """Return a task with adapter."""
        return task_of(self.specs[name])

    def _encoded(self, task: str, entry: str, split: str) -> Encoded:
        spec = self.specs[task]
        limit = spec.max_sentences if split == "test" else spec.max_train_sentences
        examples = read_examples(self.entries[entry], split, limit)
        return self.task(task).encode(entry, examples, self.tokenizer)

    def prepared(self, task: str, entry: str, other_batches: bool = False) -> Prepared:
        """Return a target on the device in its batches, or in other ones (not kept) for the noise floor."""
        return self._plan(task, entry, 8 * OVERHEAD) if other_batches else self._planned(task, entry)

    def _plan(self, task: str, entry: str, overhead: int = OVERHEAD) -> Prepared:
        budget = self.study.engine.token_budget
        return Prepared.of(self.encoded(task, entry, "test"), budget, self.device, overhead)

    def text_batches(self, task: str, entry: str, other_batches: bool = False) -> list[MaskedBatch]:
        """Return a masked text on the device in its batches, or in other ones (not kept) for the noise floor."""
        if not other_batches:
            return self._planned_text(task, entry)
        spec, blocks = self.specs[task], len(self.text(task, entry).items)
        usual = min(self.study.engine.token_budget // spec.block, blocks)
        return self._plan_text(task, entry, spec.block * max(1, usual // 2))

    def _plan_text(self, task: str, entry: str, token_budget: int | None = None) -> list[MaskedBatch]:
        budget = token_budget or self.study.engine.token_budget
        return Mlm(self.specs[task]).batches(self.text(task, entry), budget, self.device)

    def _text(self, task: str, entry: str) -> MaskedText:
        ref = self.entries[entry]
        rng = stream(self.study.seed, "masked text", task, entry)
        lines = read_lines(ref, "test")
        return Mlm(self.specs[task]).encode(entry, lines, self.tokenizer, self.vocabulary, rng)

    def load_scorer(self, scorer: str) -> None:
        """Load a trained task adapter and its head from the folder, once."""
        if scorer in self.model.heads:
            return
        name, seed = split_scorer(scorer)
        if seed is None:
            return
        spec = self.specs[name]
        assert spec.adapter is not None
        tensors = load_file(self.store.artefact_path(adapter_units(self.resolved)[scorer].id))
        adapter = self.model.add_adapter(scorer, AdapterConfig(spec.adapter.reduction, spec.adapter.activation))
        head = task_of(spec).head(self.model)
        load_weights(adapter, tensors, "adapter.")
        load_weights(head, tensors, "head.")
        self.model.add_head(scorer, head)
        self.model.eval().requires_grad_(False)


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Load the tensors whose names begin with ``prefix``; raises `RunFolderError` where they do not fit."""
    own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    differing = sorted(set(own) ^ set(module.state_dict()))
    if differing:
        raise RunFolderError(
            f"a trained {prefix[:-1]} in this folder does not fit this version of xltransfer: it has, or "
            f"lacks, {', '.join(differing[:3])}; run the study into a new folder"
        )
    module.load_state_dict(own, strict=True)
