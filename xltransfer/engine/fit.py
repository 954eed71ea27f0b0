"""The one training loop, and the step that it shares with training many at once (`bank`).

What is trained, on what and how it is scored arrive as arguments.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from xltransfer.errors import ConfigError

Batch = TypeVar("Batch")
Decay = Literal["linear", "constant"]


def rate(step: int, steps: int, peak: float, decay: Decay, warmup: int = 0) -> float:
    """Return the learning rate of ``step`` (from 0) of ``steps``.

    ``linear``: peak · (1 - step / steps), so the first step is at the full rate (faisal2024, as its scripts run);
    ``constant``: peak. During the first ``warmup`` steps it rises linearly to that.
    """
    level = peak * (1 - step / steps) if decay == "linear" else peak
    return level * min(1.0, (step + 1) / warmup) if warmup else level


@dataclass(frozen=True)
class DescentSettings:
    """AdamW and its schedule.

    Attributes
    ----------
    steps
        Optimizer steps of the whole training.
    learning_rate, decay, warmup
        See `rate`; ``warmup`` in steps.
    weight_decay
        Decoupled weight decay per step, times the rate.
    clip
        Largest norm of the whole gradient, or None.

    Raises
    ------
    ConfigError
        A number that cannot be meant.
    """

    steps: int
    learning_rate: float
    decay: Decay = "linear"
    warmup: int = 0
    weight_decay: float = 0.0
    clip: float | None = None

    def __post_init__(self) -> None:
        least = {"steps": self.steps, "warmup": self.warmup, "weight_decay": self.weight_decay}
        problems = [f"{name}={value}; expected at least 0" for name, value in least.items() if not value >= 0]
        if not 0 < self.learning_rate < math.inf:
            problems.append(f"learning_rate={self.learning_rate}; expected more than 0, such as 1e-4")
        if self.clip is not None and not self.clip > 0:
            problems.append(f"clip={self.clip}; expected more than 0, or None for no clipping")
        if problems:
            raise ConfigError(problems)


class Descent:
    """AdamW over some parameters along its schedule, one step at a time.

    Parameters
    ----------
    parameters
        What is trained.
    settings
        Schedule and optimizer.
    undecayed
        Those of ``parameters`` that weight decay leaves alone.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], settings: DescentSettings, undecayed: Sequence[nn.Parameter] = ()
    ) -> None:
        self.parameters, self.settings, self.taken = list(parameters), settings, 0
        exempt = set(undecayed)
        groups = [
            {"params": [each for each in self.parameters if each not in exempt], "weight_decay": settings.weight_decay},
            {"params": [each for each in self.parameters if each in exempt], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=settings.learning_rate, fused=True
        )

    def clear(self) -> None:
        """Take the gradients away."""
        self._optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Take one step along the gradients that are there."""
        settings = self.settings
        now = rate(self.taken, settings.steps, settings.learning_rate, settings.decay, settings.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = now
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, settings.clip)
        self._optimizer.step()
        self.taken += 1


def exactly(batches: Iterable[Batch], steps: int, what: str = "batches") -> Iterator[Batch]:
    """Yield the first ``steps`` of ``batches``; raises ``ValueError``, calling them ``what``, when they run out."""
    source = iter(batches)
    for step in range(steps):
        batch = next(source, None)
        if batch is None:
            raise ValueError(f"{what} ended after {step} of {steps} steps; give at least {steps} batches")
        yield batch


def descend(
    parameters: Sequence[nn.Parameter],
    batches: Iterable[Batch],
    loss: Callable[[Batch], tuple[Tensor, int]],
    *,
    steps: int,
    learning_rate: float,
    decay: Decay = "linear",
    warmup: int = 0,
    weight_decay: float = 0.0,
    clip: float | None = None,
) -> Iterator[Tensor]:
    """Take exactly ``steps`` AdamW steps, one batch each, and stop after each of them.

    Parameters
    ----------
    parameters
        What is trained; all else stays as it is. Their ``requires_grad`` is the caller's business.
    batches
        At least ``steps`` batches.
    loss
        Returns the summed loss of a batch and how many predictions it sums over; a step descends on their ratio.
    learning_rate, decay, warmup, weight_decay, clip
        See `DescentSettings`.

    Yields
    ------
    Tensor
        Mean loss of the step, in nats, still on the device. Whoever stops here may score the model and go on.

    Raises
    ------
    ValueError
        When ``batches`` runs out before ``steps``.
    ConfigError
        A number that cannot be meant.
    """
    descent = Descent(parameters, DescentSettings(steps, learning_rate, decay, warmup, weight_decay, clip))
    for batch in exactly(batches, steps):
        mean = mean_loss(*loss(batch))
        descent.clear()
        mean.backward()  # type: ignore[no-untyped-call]
        descent.step()
        yield mean.detach()
    descent.clear()


def mean_loss(total: Tensor, predictions: int) -> Tensor:
    """Return the mean of a summed loss over its predictions; 0 where there are none."""
    return total / max(predictions, 1)


def fit(steps: Iterator[Tensor], on_step: Callable[[int, float], None] | None = None) -> list[float]:
    """Walk through all steps of `descend`.

    Parameters
    ----------
    steps
        What `descend` returns.
    on_step
        Called with the step's number (from 1) and its mean loss; asking costs a device synchronisation a step.

    Returns
    -------
    list of float
        Mean loss of each step, in nats.

    Raises
    ------
    ValueError
        When a loss is not finite.
    """
    losses: list[Tensor] = []
    for number, mean in enumerate(steps, start=1):
        losses.append(mean)
        if on_step is not None:
            on_step(number, float(mean))
    return finite(losses)


def finite(losses: Sequence[Tensor]) -> list[float]:
    """Return the losses as numbers; raises ``ValueError`` naming the first step whose loss is not finite."""
    values = [float(value) for value in losses]
    bad = first_not_finite(values)
    if bad is not None:
        raise ValueError(f"the loss of step {bad} of {len(values)} is not finite; lower the learning rate")
    return values


def first_not_finite(losses: Sequence[float]) -> int | None:
    """Return the number (from 1) of the first loss that is NaN or infinite, or None."""
    return next((step for step, value in enumerate(losses, start=1) if not math.isfinite(value)), None)
