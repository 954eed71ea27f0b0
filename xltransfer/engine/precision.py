"""Number formats of one model: float32, TF32, bfloat16 autocast; and float64, which tells how far they are off.

The weights are float32 throughout ("master weights"): updates of 5e-5 vanish in bfloat16, whose neighbours of 1 are
0.4 % apart. What changes is the arithmetic of matrix products, and under autocast what flows between them:

``float32``   products in float32, on every device, whatever the process had set before
``tf32``      float32 with 10 bits of mantissa inside the products (CUDA, compute capability 8.0 or later)
``bfloat16``  autocast: weights and inputs of products are rounded to 7 bits of mantissa, sums stay float32

Autocast keeps LayerNorm, softmax and losses in float32 on CUDA. On a CPU a LayerNorm or a softmax of bfloat16 is
bfloat16, so the two devices differ by more than order of summation.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, get_args

import torch
from torch import nn

from xltransfer.errors import ConfigError, ModelError, near_match

Precision = Literal["float32", "tf32", "bfloat16"]
"""What a model trains and scores with."""
Arithmetic = Literal["float32", "tf32", "bfloat16", "float64"]
"""What a model scores with; float64 is twice or more as slow and serves as the truth."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
TENSOR_CORES = (8, 0)
"""Compute capability of the first CUDA devices (Ampere) that multiply in TF32 and bfloat16."""


def _switches() -> tuple[Any, ...]:
    """Return what decides the products of float32 tensors: cuBLAS, cuDNN, and oneDNN on a CPU."""
    cudnn, onednn = torch.backends.cudnn, torch.backends.mkldnn
    parts = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)  # type: ignore[attr-defined]
    return (*parts, onednn.matmul, onednn.conv, onednn.rnn)  # type: ignore[attr-defined]


@contextmanager
def precise(device: torch.device, precision: Precision) -> Iterator[None]:
    """Run forward passes on ``device`` at a precision; put the process's settings back on leaving.

    A backward pass repeats the formats of its forward pass, inside the block or behind it. Blocks may be nested; the
    inner one counts. A generator that yields inside a block leaves its caller inside it too.

    Raises
    ------
    ConfigError
        An unknown precision, or one that the device does not have.
    """
    _check(device, precision)
    before = [switch.fp32_precision for switch in _switches()]
    try:
        for switch in _switches():
            switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        # A cached bfloat16 copy of a weight would outlive the optimizer step that changes the weight.
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
            yield
    finally:
        for switch, value in zip(_switches(), before, strict=True):
            switch.fp32_precision = value


@contextmanager
def scored_at(model: nn.Module, arithmetic: Arithmetic) -> Iterator[None]:
    """Score ``model`` at a precision, or in float64: its weights are converted, and come back bit for bit.

    Raises
    ------
    ConfigError
        As `precise`.
    ModelError
        For float64: weights that are not float32, which would not come back as they were.
    """
    device = next(model.parameters()).device
    with ExitStack() as stack:
        stack.enter_context(precise(device, "float32" if arithmetic == "float64" else arithmetic))
        if arithmetic == "float64":
            stack.enter_context(_doubled(model))
        yield


@contextmanager
def _doubled(model: nn.Module) -> Iterator[None]:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    others = [name for name, value in tensors.items() if value.is_floating_point() and value.dtype != torch.float32]
    if others:
        raise ModelError(f"{others[0]} is {tensors[others[0]].dtype}; weights must be float32 to be scored in float64")
    model.double()
    try:
        yield
    finally:
        model.float()


def precisions_of(device: torch.device) -> tuple[Precision, ...]:
    """Return the precisions that a device has, float32 first."""
    return tuple(precision for precision in PRECISIONS if _lacks(device, precision) is None)


def _check(device: torch.device, precision: Precision) -> None:
    if precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r} is unknown{near_match(precision, PRECISIONS)}")
    lacking = _lacks(device, precision)
    if lacking is not None:
        raise ConfigError(f"precision {precision!r} {lacking}; use float32")


def _lacks(device: torch.device, precision: Precision) -> str | None:
    """Return what is missing for a precision, or None."""
    if precision == "float32":
        return None
    if device.type != "cuda":
        return f"needs a CUDA device, and this one is {device.type!r}" if precision == "tf32" else None
    have = torch.cuda.get_device_capability(device)
    if have >= TENSOR_CORES:
        return None
    return f"needs compute capability {_dotted(TENSOR_CORES)}, and {device} has {_dotted(have)}"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
