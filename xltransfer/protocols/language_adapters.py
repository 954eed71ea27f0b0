"""Language adapters for a study: one masked-LM training for each language, by default many of them in one pass.

    trained = train_language_adapters(model, {"wol": blocks, "yor": blocks}, vocabulary, FAISAL2024, seed=1)

Afterwards the model has an adapter for each name; ``model.save_adapter`` writes it. Source: faisal2024 section 2 and
Appendix E; madx2020 sections 4.1 and 5.2.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine import Backbone, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bank import BaseDropout, Batch, Trained, Trainee, View, train_together
from xltransfer.engine.bank_memory import bank_size
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.bottleneck import draw_like_bert
from xltransfer.engine.fit import Decay, DescentSettings
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.engine.precision import Precision
from xltransfer.errors import ConfigError, DataError, ModelError
from xltransfer.randomness import child_seed

OnSteps = Callable[[int], None]
"""Told after each pass how many steps were taken in it."""
CPU_TOKENS = 4096
"""Tokens of a joint pass on a CPU: more brought nothing (mini BERT, one thread: 4 x 32 tokens a language 1.3 times as
fast with eight languages as with one, 8 x 128 as fast, 8 x 256 slower), and cost memory."""


@dataclass(frozen=True)
class LanguageAdapterSettings:
    """How language adapters are trained; the defaults are faisal2024's.

    Attributes
    ----------
    adapter
        Shape; MAD-X has an invertible adapter, ``AdapterConfig(reduction=2, invertible_reduction=2)``.
    block
        Subword positions of a block, special tokens included: how a study cuts its texts. The blocks given decide.
    batch_size
        Blocks an optimizer step.
    epochs
        Passes over a language's blocks; its last batch is filled up from one more pass.
    steps
        Optimizer steps, in place of ``epochs``, or None.
    learning_rate, decay, warmup, weight_decay, clip
        Of AdamW; ``warmup`` in steps, see `fit.DescentSettings`.
    mask_share
        Share of positions chosen for prediction (80 % masked, 10 % random, 10 % kept).
    initial
        ``zero``: a fresh adapter changes nothing; ``bert``: N(0, 0.02), as the reference library begins.
    base_dropout
        Whether the frozen base model drops; the papers' scripts train with it ``on``.
    precision
        Of the forward passes.

    Raises
    ------
    ConfigError
        A number that cannot be meant.
    """

    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    block: int = 256
    batch_size: int = 8
    epochs: float = 3
    steps: int | None = None
    learning_rate: float = 5e-4
    decay: Decay = "linear"
    warmup: int = 0
    weight_decay: float = 0.0
    clip: float | None = None
    mask_share: float = 0.15
    initial: Literal["zero", "bert"] = "zero"
    base_dropout: BaseDropout = "off"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        least = {"block": self.block, "batch_size": self.batch_size, "steps": 1 if self.steps is None else self.steps}
        problems = [f"{name}={value}; expected at least 1" for name, value in least.items() if not value >= 1]
        if not self.epochs > 0:
            problems.append(f"epochs={self.epochs}; expected more than 0")
        if not 0 < self.mask_share < 1:
            problems.append(f"mask_share={self.mask_share}; expected a share between 0 and 1, such as 0.15")
        if problems:
            raise ConfigError(problems)
        self.descent(1)

    def descent(self, blocks: int) -> DescentSettings:
        """Return optimizer and schedule for a corpus of ``blocks`` blocks."""
        steps = self.steps or max(1, math.ceil(self.epochs * blocks / self.batch_size))
        return DescentSettings(steps, self.learning_rate, self.decay, self.warmup, self.weight_decay, self.clip)


FAISAL2024 = LanguageAdapterSettings()
"""As the paper says."""
FAISAL2024_CODE = LanguageAdapterSettings(learning_rate=5e-5, block=512)
"""As its scripts run."""
MADX2020 = LanguageAdapterSettings(
    AdapterConfig(reduction=2, invertible_reduction=2), batch_size=64, steps=250_000, learning_rate=1e-4
)
"""As the paper says; it does not say how long a block is."""


@dataclass(frozen=True)
class LanguageAdapters:
    """How the trainings ended, by name, and how many went through one pass.

    ``at_once`` decides the last digits of the weights: store it with them, and give it again to get the same bytes.
    """

    trained: Mapping[str, Trained]
    at_once: int


def train_language_adapters(
    model: Backbone,
    corpora: Mapping[str, NDArray[np.integer]],
    vocabulary: Vocabulary,
    settings: LanguageAdapterSettings = FAISAL2024,
    seed: int = 0,
    *,
    at_once: int | None = None,
    on_steps: OnSteps | None = None,
) -> LanguageAdapters:
    """Train a fresh adapter for every corpus with the base model's own masked-LM head, all else frozen.

    What an adapter becomes depends on its name, its blocks, the settings and the seed; on the others and on ``at_once``
    only in rounding. For a second adapter of one language, give its blocks under another name as well.

    Parameters
    ----------
    corpora
        Adapter name to blocks [block, token], as `xltransfer.data.blocks.blocks` cuts them.
    vocabulary
        What masking needs of the tokenizer.
    seed
        Root of the child streams (``"language adapter"``, name, ``"initial" | "blocks" | "masks" | "dropout"``).
    at_once
        Adapters in one pass; None: as many as the memory at hand holds (on a CPU at most `CPU_TOKENS` tokens of them).
    on_steps
        For a progress bar: called after each pass with the number of steps taken in it, of `total_steps`.

    Returns
    -------
    LanguageAdapters
        An adapter whose training failed is not left in the model; its `Trained.problem` says why.

    Raises
    ------
    ModelError
        A base model without a masked-LM head.
    DataError
        A corpus without blocks.
    ConfigError
        No corpora, names that are taken, blocks of another shape; too little memory for one adapter.
    """
    _check(model, corpora)
    at_once = fitting(model, corpora, vocabulary, settings) if at_once is None else at_once
    trainees = (_trainee(model, name, blocks, vocabulary, settings, seed) for name, blocks in corpora.items())
    trained: Mapping[str, Trained] = {}
    try:
        trained = train_together(
            model,
            trainees,
            at_once=at_once,
            base_dropout=settings.base_dropout,
            precision=settings.precision,
            on_pass=None if on_steps is None else lambda names: on_steps(len(names)),
        )
    finally:
        for name in corpora:
            if name in model.adapters and (name not in trained or trained[name].problem is not None):
                del model.adapters[name]
    for name in trained:
        if name in model.adapters:
            model.adapters[name].eval().requires_grad_(False)
    return LanguageAdapters(trained, at_once)


def total_steps(corpora: Mapping[str, NDArray[np.integer]], settings: LanguageAdapterSettings = FAISAL2024) -> int:
    """Return the optimizer steps of all corpora together."""
    return sum(settings.descent(len(blocks)).steps for blocks in corpora.values())


def _check(model: Backbone, corpora: Mapping[str, NDArray[np.integer]]) -> None:
    if model.masked_lm is None:
        raise ModelError("the base model's folder holds no masked-LM head, so no language adapter can be trained on it")
    problems = [] if corpora else ["corpora is empty; give at least one language"]
    for name, blocks in corpora.items():
        if name in model.adapters:
            problems.append(f"adapter {name!r} is already in the model; choose another name, or delete it first")
        if blocks.ndim != 2:
            problems.append(f"corpus {name!r} has shape {blocks.shape}; expected blocks [block, token]")
    if problems:
        raise ConfigError(problems)
    empty = [name for name, blocks in corpora.items() if blocks.size == 0]
    if empty:
        raise DataError(f"corpus {empty[0]!r} has no blocks; add text or cut it into shorter blocks")


def _trainee(
    model: Backbone,
    name: str,
    blocks: NDArray[np.integer],
    vocabulary: Vocabulary,
    settings: LanguageAdapterSettings,
    seed: int,
) -> Trainee:
    """Add a fresh adapter and return its training."""
    root = child_seed(seed, "language adapter", name)
    return Trainee(
        name,
        (_fresh(model, name, settings, child_seed(root, "initial")),),
        _batches(name, blocks, vocabulary, settings, root),
        masked_lm_loss,
        settings.descent(len(blocks)),
        seed=child_seed(root, "dropout"),
    )


def _fresh(model: Backbone, name: str, settings: LanguageAdapterSettings, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = model.add_adapter(name, settings.adapter)
    if settings.initial == "bert":
        draw_like_bert(adapter, torch.Generator(model.device).manual_seed(seed))
    return adapter


def _batches(
    name: str, blocks: NDArray[np.integer], vocabulary: Vocabulary, settings: LanguageAdapterSettings, root: int
) -> Iterator[Batch]:
    masks = np.random.default_rng(child_seed(root, "masks"))
    for rows in shuffled_passes(len(blocks), settings.batch_size, child_seed(root, "blocks")):
        masked = mask_tokens(blocks[rows], vocabulary, settings.mask_share, masks)
        yield Batch(torch.from_numpy(masked.ids), Stack(name), gold=masked)


def shuffled_passes(available: int, size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield [size] block numbers without end: shuffled passes over all blocks, one after another."""
    rng = np.random.default_rng(seed)
    rest = np.empty(0, dtype=np.int64)
    while True:
        while len(rest) < size:
            rest = np.concatenate((rest, rng.permutation(available)))
        yield rest[:size]
        rest = rest[size:]


def masked_lm_loss(view: View, batch: Batch) -> tuple[Tensor, int]:
    """Return the summed cross entropy at the masked positions and their number; logits are made there only."""
    masked: Masked = batch.gold
    device = view.model.device
    positions, labels = (
        torch.from_numpy(array).to(device, non_blocking=True) for array in (masked.positions, masked.labels)
    )
    logits = view.ask(MASKED_LM, positions).logits
    assert logits is not None
    # Under autocast a CPU gives bfloat16, which must not be summed up.
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(exact, labels, reduction="sum"), len(masked.labels)


def fitting(
    model: Backbone,
    corpora: Mapping[str, NDArray[np.integer]],
    vocabulary: Vocabulary,
    settings: LanguageAdapterSettings,
) -> int:
    """Return how many adapters go through one pass in the memory at hand, by the widest corpus."""
    name, blocks = max(corpora.items(), key=lambda item: item[1].shape[1])
    tokens = settings.batch_size * blocks.shape[1]
    # Five standard deviations above the mean number of masked positions.
    predictions = math.ceil(tokens * settings.mask_share + 5 * math.sqrt(tokens * settings.mask_share))
    adapter = _fresh(model, name, settings, seed=0)
    try:
        (batch,) = islice(_batches(name, blocks, vocabulary, settings, root=0), 1)
        fits = bank_size(model, [adapter], batch, predictions * vocabulary.size, base_dropout=settings.base_dropout)
    finally:
        del model.adapters[name]
    if model.device.type == "cpu":
        fits = min(fits, max(1, CPU_TOKENS // tokens))
    return min(fits, len(corpora))
