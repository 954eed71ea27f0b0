"""One trainee at work in a bank: its optimizer, random streams, losses, evaluations and early stopping."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from xltransfer.engine.fit import Descent, exactly, first_not_finite
from xltransfer.engine.fusion import Fusion
from xltransfer.engine.row_dropout import Part
from xltransfer.engine.trainee import Batch, Trained, Trainee
from xltransfer.errors import ConfigError
from xltransfer.randomness import child_seed
from xltransfer.rules import Rules

UNREAD = 100
"""Losses that stay on the device before they are read and looked at: a synchronisation every so many steps."""


class Running:
    """A trainee from entering the bank until it leaves.

    Attributes
    ----------
    descent
        Its optimizer; knows how many steps were taken.
    stream
        What its batches, its loss and its heads draw.
    """

    def __init__(self, trainee: Trainee, rules: Rules, device: torch.device) -> None:
        self.trainee, self.rules = trainee, rules
        self._fusions = [part for module in trainee.modules for part in module.modules() if isinstance(part, Fusion)]
        self._generator = torch.Generator(device).manual_seed(child_seed(trainee.seed, "pass"))
        self.stream = Stream(child_seed(trainee.seed, "loss"), device)
        self._parameters = parameters_of(trainee)
        exempt = [value for fusion in self._fusions for value in _regularised(fusion)]
        self.descent = Descent(self._parameters, trainee.settings, exempt if rules.value_decay == "exempt" else ())
        self._batches = exactly(trainee.batches, trainee.settings.steps, f"batches of {trainee.name!r}")
        self._found = ExitStack()
        self._found.enter_context(as_found(trainee.modules))
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        self._unread: list[Tensor] = []
        self._losses: list[float] = []
        self._evaluations: list[tuple[int, float]] = []
        self._best: int | None = None
        self._least = math.inf
        self._kept: list[Tensor] = []
        self._stale = 0
        self._problem: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it takes no more steps."""
        evaluation = self.trainee.evaluation
        tired = evaluation is not None and evaluation.patience is not None and self._stale >= evaluation.patience
        return self._problem is not None or tired or self.descent.taken >= self.trainee.settings.steps

    def next_batch(self) -> Batch:
        """Draw a batch from its own stream."""
        with self.stream.on():
            return next(self._batches)

    def part(self, batch: Batch) -> Part:
        """Return what dropout inside the joint pass must know of its rows."""
        rows, tokens = batch.input_ids.shape
        return Part(rows, tokens, self._generator, fusion=bool(self._fusions))

    def step(self, mean: Tensor) -> None:
        """Take the step whose gradients are there, the penalty added; ``mean`` is its loss."""
        if self.descent.taken == 0 and all(parameter.grad is None for parameter in self._parameters):
            raise ConfigError(
                f"trainee {self.trainee.name!r}: its loss depends on none of its parameters; let the composition of "
                "its batches name what it trains"
            )
        penalty = self._penalty()
        if penalty is not None:
            penalty.backward()  # type: ignore[no-untyped-call]
        self.descent.step()
        self.descent.clear()
        self._unread.append(mean.detach())
        if len(self._unread) >= UNREAD or self.ended or self.is_due:
            self._read()

    def _penalty(self) -> Tensor | None:
        terms = [fusion.regularisation() for fusion in self._fusions if _regularised(fusion)]
        late = self.rules.fusion_regularisation == "from_second_step" and self.descent.taken == 0
        return torch.stack(terms).sum() if terms and not late else None

    def _read(self) -> None:
        """Bring the losses over, once for all of them, and look whether they are numbers."""
        if not self._unread:
            return
        losses = torch.stack(self._unread).tolist()
        self._unread = []
        bad = first_not_finite(losses)
        self._losses += losses[:bad]
        if bad is not None:
            at = f"step {len(self._losses)} of {self.trainee.settings.steps}"
            self._problem = f"the loss of {at} is not finite; lower the learning rate"

    @property
    def is_due(self) -> bool:
        """Whether it is to be evaluated now."""
        evaluation, taken = self.trainee.evaluation, self.descent.taken
        done = bool(self._evaluations) and self._evaluations[-1][0] == taken
        if evaluation is None or self._problem is not None or taken == 0 or done:
            return False
        return taken % evaluation.every == 0 or taken == self.trainee.settings.steps

    @torch.no_grad()
    def evaluate(self) -> None:
        """Evaluate its present state and keep it if it is the best so far. The model is in evaluation mode."""
        assert self.trainee.evaluation is not None
        with self.stream.on():
            value = float(self.trainee.evaluation.loss())
        self._evaluations.append((self.descent.taken, value))
        self._stale += 1
        if value < self._least:
            self._best, self._least, self._stale = self.descent.taken, value, 0
            self._kept = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def leave(self) -> Trained:
        """Take back the best state, put flags and modes back as they were, and tell how it went."""
        self._read()
        if self._kept:
            torch._foreach_copy_(cast(list[Tensor], self._parameters), self._kept)
        if self._problem is None and not all(bool(parameter.isfinite().all()) for parameter in self._parameters):
            self._problem = "its parameters are not finite after the last step; lower the learning rate"
        if self._problem is None and self._evaluations and self._best is None:
            self._problem = "none of its evaluations is a number"
        self.close()
        return Trained(tuple(self._losses), tuple(self._evaluations), self._best, self._problem)

    def close(self) -> None:
        """Put flags and modes back as they were; no gradient is left."""
        self.descent.clear()
        self._found.close()


class Stream:
    """A random stream that takes the place of the process's while it is on."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            self._keep()

    def _keep(self) -> None:
        self._cpu = torch.random.get_rng_state()
        self._cuda = torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Draw from here; the process's own stream is the business of who stands around."""
        torch.random.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, self._device)
        yield
        self._keep()


def parameters_of(trainee: Trainee) -> list[nn.Parameter]:
    """Return what it trains, each once."""
    return list(dict.fromkeys(parameter for module in trainee.modules for parameter in module.parameters()))


def _regularised(fusion: Fusion) -> list[nn.Parameter]:
    """Return the value matrices that a penalty draws to the identity."""
    return fusion.values() if fusion.config.regularization else []


@contextmanager
def as_found(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Put ``requires_grad`` and the modes of ``modules`` back on leaving."""
    flags = {parameter: parameter.requires_grad for module in modules for parameter in module.parameters()}
    modes = {part: part.training for module in modules for part in module.modules()}
    try:
        yield
    finally:
        for parameter, flag in flags.items():
            parameter.requires_grad_(flag)
        for part, mode in modes.items():
            part.training = mode
