"""The one training loop. What is trained, on what and how it is scored arrive as arguments."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch")
Decay = Literal["linear", "constant"]


def rate(step: int, steps: int, peak: float, decay: Decay, warmup: int = 0) -> float:
    """Return the learning rate of ``step`` (from 0) of ``steps``.

    ``linear``: peak · (1 - step / steps), so the first step is at the full rate (faisal2024, as its scripts run);
    ``constant``: peak. During the first ``warmup`` steps it rises linearly to that.
    """
    level = peak * (1 - step / steps) if decay == "linear" else peak
    return level * min(1.0, (step + 1) / warmup) if warmup else level


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
    learning_rate, decay, warmup
        See `rate`; ``warmup`` in steps.
    clip
        Largest norm of the whole gradient, or None.

    Yields
    ------
    Tensor
        Mean loss of the step, in nats, still on the device. Whoever stops here may score the model and go on.

    Raises
    ------
    ValueError
        When ``batches`` runs out before ``steps``.
    """
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
    source = iter(batches)
    for step in range(steps):
        batch = next(source, None)
        if batch is None:
            raise ValueError(f"batches ended after {step} of {steps} steps; give at least {steps} batches")
        optimizer.param_groups[0]["lr"] = rate(step, steps, learning_rate, decay, warmup)
        total, predictions = loss(batch)
        mean = total / max(predictions, 1)
        optimizer.zero_grad(set_to_none=True)
        mean.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        yield mean.detach()
    optimizer.zero_grad(set_to_none=True)


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
    bad = next((step for step, value in enumerate(values, start=1) if not math.isfinite(value)), None)
    if bad is not None:
        raise ValueError(f"the loss of step {bad} of {len(values)} is not finite; lower the learning rate")
    return values
