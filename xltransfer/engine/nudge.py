"""k steps of masked-LM fine-tuning of all base weights, undone bit for bit on leaving: faisal2024 section 2, step 2.

    with nudge(model, blocks, vocabulary, settings, seeds) as path:
        for steps in path.stop_at(10):
            ...score the nudged model...

The clone that restores the weights is made on entering, k = 0 included, so that the control ``zero_steps`` goes through
the whole path. Restored are the weights (pooler and tied embeddings included, pointers and ties kept),
``requires_grad``, modes, ``.grad`` and the random state; what read the pooler reads the pooler again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine.backbone import Backbone
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.fit import Decay, descend, finite
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.errors import ConfigError, ModelError, near_match

Pooler = Literal["keep", "reinitialise", "cls"]
"""What heads that read the pooler get, see `NudgeSettings`."""


@dataclass(frozen=True)
class NudgeSettings:
    """How the base model is fine-tuned (faisal2024 Appendix E).

    Attributes
    ----------
    steps
        Optimizer steps k of the whole path; 0 is the control.
    batch_size
        Blocks a step.
    learning_rate, decay, weight_decay
        Of AdamW; see `fit.rate`.
    mask_share
        Share of tokens to predict.
    dropout
        Whether the model's dropout is on.
    pooler
        What heads that read the pooler get, at every stop. ``keep``: its output, unchanged by the steps, since
        masked-LM has no use for it. ``reinitialise``: that of a fresh one, weights normal with the standard deviation
        of the base model's config (0.02) and no bias, as the published code did by losing it. ``cls``: the first
        token's last state, the identity in the place of the lost pooler. Heads that do not read it see no difference.
    sign
        ``real``, or ``random``: every element of the weights' change gets an independent random sign (a control of the
        same size, of no direction).
    """

    steps: int
    batch_size: int = 8
    learning_rate: float = 5e-5
    decay: Decay = "linear"
    weight_decay: float = 0.0
    mask_share: float = 0.15
    dropout: bool = True
    pooler: Pooler = "keep"
    sign: Literal["real", "random"] = "real"


@dataclass(frozen=True)
class NudgeSeeds:
    """Named child seeds: which blocks, which masks, dropout, random signs, and a fresh pooler's weights."""

    blocks: int
    masks: int
    dropout: int
    signs: int
    pooler: int


def draw_blocks(available: int, steps: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Return [steps, batch_size] block numbers: shuffled passes over all blocks, one after another."""
    rng = np.random.default_rng(seed)
    needed = steps * batch_size
    passes = -(-needed // available) if needed else 0
    order = [rng.permutation(available) for _ in range(passes)]
    drawn = np.concatenate(order) if order else np.empty(0, dtype=np.int64)
    return drawn[:needed].reshape(steps, batch_size)


class Path:
    """The way that the base weights take; only `nudge` makes one."""

    def __init__(
        self,
        model: Backbone,
        blocks: NDArray[np.integer],
        vocabulary: Vocabulary,
        settings: NudgeSettings,
        seeds: NudgeSeeds,
        before: list[Tensor],
    ) -> None:
        self.losses: list[float] = []
        self._model, self._settings, self._seeds = model, settings, seeds
        self._weights = list(model.base_parameters().values())
        self._start = _start(self._weights, before) if settings.sign == "random" else before
        masks = np.random.default_rng(seeds.masks)
        drawn = draw_blocks(len(blocks), settings.steps, settings.batch_size, seeds.blocks)
        self._steps = descend(
            # The pooler has no part in masked-LM; AdamW skips parameters without a gradient.
            self._weights,
            (mask_tokens(blocks[rows], vocabulary, settings.mask_share, masks) for rows in drawn),
            lambda batch: masked_lm_loss(model, batch),
            steps=settings.steps,
            learning_rate=settings.learning_rate,
            decay=settings.decay,
            weight_decay=settings.weight_decay,
        )

    def stop_at(self, *stops: int) -> Iterator[int]:
        """Take all steps and yield at each of ``stops`` (0 is before the first) with the model ready to be scored.

        With ``decay: linear`` only the last step is a stop of the method; earlier ones are another schedule's. What the
        caller draws at a stop does not change the path.

        Raises
        ------
        ConfigError
            For a stop that the path does not reach.
        """
        wanted = set(stops)
        if any(not 0 <= stop <= self._settings.steps for stop in wanted):
            raise ConfigError(f"cannot stop at {max(stops)} of {self._settings.steps} steps; raise NudgeSettings.steps")
        if 0 in wanted:
            yield from self._arrive(0)
        torch.manual_seed(self._seeds.dropout)
        losses = []
        self._set_out()
        for number, loss in enumerate(self._steps, start=1):
            losses.append(loss)
            if number in wanted:
                yield from self._arrive(number)
                self._set_out()
        self._model.eval()
        self.losses = finite(losses)

    def _set_out(self) -> None:
        for weight in self._weights:
            weight.requires_grad_(True)
        self._model.train(self._settings.dropout)

    def _arrive(self, number: int) -> Iterator[int]:
        self._model.eval()
        with torch.random.fork_rng(devices=_cuda(self._model)):
            if self._settings.sign == "real":
                yield number
                return
            real = [weight.detach().clone() for weight in self._weights]
            _randomise_signs(self._weights, self._start, self._seeds.signs)
            yield number
        with torch.no_grad():
            torch._foreach_copy_(list[Tensor](self._weights), real)


@contextmanager
def nudge(
    model: Backbone,
    blocks: NDArray[np.integer],
    vocabulary: Vocabulary,
    settings: NudgeSettings,
    seeds: NudgeSeeds,
) -> Iterator[Path]:
    """Make a path of masked-LM fine-tuning on ``blocks`` [block, token]; restore the base weights on leaving.

    Raises
    ------
    ModelError
        A base model without a masked-LM head, or without the pooler that should be reinitialised or passed over.
    ConfigError
        No blocks, or an unknown choice of pooler.
    """
    if model.masked_lm is None:
        raise ModelError("the base model's folder holds no masked-LM head, so it cannot be nudged; save it with one")
    if len(blocks) == 0:
        raise ConfigError("blocks is empty; a nudge needs at least one block of text")
    with _restored(model) as before, _pooling(model, settings.pooler, seeds.pooler):
        yield Path(model, blocks, vocabulary, settings, seeds, before)


@contextmanager
def _restored(model: Backbone) -> Iterator[list[Tensor]]:
    weights = list(model.base_parameters().values())
    before = [weight.detach().clone() for weight in weights]
    wanted = [weight.requires_grad for weight in weights]
    modes = {module: module.training for module in model.modules()}
    with torch.random.fork_rng(devices=_cuda(model)):
        try:
            yield before
        finally:
            with torch.no_grad():
                torch._foreach_copy_(list[Tensor](weights), before)
            for weight, flag in zip(weights, wanted, strict=True):
                weight.requires_grad_(flag)
                weight.grad = None
            for module, mode in modes.items():
                module.training = mode


def masked_lm_loss(model: Backbone, batch: Masked) -> tuple[Tensor, int]:
    """Return the summed cross entropy at the masked positions and their number; logits are made there only."""
    ids, positions, labels = (
        torch.from_numpy(array).to(model.device, non_blocking=True)
        for array in (batch.ids, batch.positions, batch.labels)
    )
    logits = model(ids, head=MASKED_LM, positions=positions).logits
    return functional.cross_entropy(logits, labels, reduction="sum"), len(batch.labels)


def _cuda(model: Backbone) -> list[torch.device]:
    return [model.device] if model.device.type == "cuda" else []


def _start(weights: list[nn.Parameter], before: list[Tensor]) -> list[Tensor]:
    """Return the weights that the path starts from: a fresh pooler is none of its changes, so it keeps its signs."""
    pairs = zip(weights, before, strict=True)
    return [old if torch.equal(weight, old) else weight.detach().clone() for weight, old in pairs]


def _randomise_signs(weights: list[nn.Parameter], before: list[Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight, old in zip(weights, before, strict=True):
            flip = torch.randint(0, 2, weight.shape, generator=generator, dtype=torch.int8).to(weight.device)
            change = weight - old
            weight.copy_(old + torch.where(flip.bool(), change, -change))


@contextmanager
def _pooling(model: Backbone, choice: Pooler, seed: int) -> Iterator[None]:
    """Give heads what ``choice`` says for the pooler's output; `_restored` puts the weights of a lost pooler back."""
    if choice not in get_args(Pooler):
        raise ConfigError(f"pooler={choice!r} is no choice of pooler{near_match(choice, get_args(Pooler))}")
    if choice == "keep":
        yield
        return
    pooler = getattr(model.encoder, "pooler", None)
    if pooler is None:
        raise ModelError(f"pooler: {choice} asks for a pooler, but the base model's folder holds none")
    if choice == "reinitialise":
        _reinitialise(pooler.dense, float(model.encoder.config.initializer_range), seed)  # type: ignore[union-attr, arg-type]
        yield
        return
    # A hook and no other module: the pooler stays among the base weights, so that they are the same list everywhere.
    handle = pooler.register_forward_hook(_first_token)
    try:
        yield
    finally:
        handle.remove()


def _first_token(pooler: nn.Module, given: tuple[Tensor], pooled: Tensor) -> Tensor:
    """Return [row, hidden], the first of the last states [row, token, hidden] that the pooler was given."""
    return given[0][:, 0]


def _reinitialise(dense: nn.Linear, spread: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        dense.weight.copy_(torch.randn(dense.weight.shape, generator=generator) * spread)
        dense.bias.zero_()
