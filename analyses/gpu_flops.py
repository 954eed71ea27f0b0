"""Model FLOP of BERT-like encoders with adapters, real tokens only, and what a device can do at most.

A product of [n, in] with [in, out] is 2 · n · in · out FLOP. With n real tokens in a row, hidden size h, feed-forward
size i, L layers and V subwords:

    encoder        Σ_rows L · (2n (4h² + 2hi) + 4n²h)     query, key, value, output, feed-forward; scores and mixing
    adapter        L · 4n·h·m                             m: bottleneck width
    invertible     4n·h·w                                 w: inner width of a coupling; twice more under masked-LM, at
                                                          the masked positions, where it is undone
    masked-LM      2p (h² + hV)                           p: masked positions
    tagging        2p·h·labels                            p: words

Elementwise work, LayerNorms, softmax and padding count as nothing. The gradients of a product's two factors cost as
much as the product each, so a nudge's step is three forward passes. With the base frozen its weights need no gradient
and count twice; attention's products of states with states (4n²h), and adapters, count three times.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from xltransfer.engine.precision import Precision, precise

PEAKS: dict[str, dict[str, float]] = {
    "NVIDIA H200": {"bfloat16": 989e12, "tf32": 494e12},
    "NVIDIA H100 80GB HBM3": {"bfloat16": 989e12, "tf32": 494e12},
    "NVIDIA A100-SXM4-40GB": {"bfloat16": 312e12, "tf32": 156e12},
    "NVIDIA A100-SXM4-80GB": {"bfloat16": 312e12, "tf32": 156e12},
}
"""Dense FLOP a second by the device's name. Source: NVIDIA's data sheets of H200, H100 (SXM) and A100; the first two
state figures with sparsity (1,979 and 989 TFLOP/s), which are twice these."""


@dataclass(frozen=True)
class Geometry:
    """Sizes of an encoder: layers, hidden, feed-forward, vocabulary."""

    layers: int
    hidden: int
    inner: int
    vocabulary: int

    def encoder(self, lengths: NDArray[np.integer]) -> float:
        """Return FLOP of a forward pass over rows of ``lengths`` [row] real tokens."""
        tokens, h = float(np.sum(lengths)), self.hidden
        return self.layers * 2 * tokens * (4 * h * h + 2 * h * self.inner) + self.attention(lengths)

    def attention(self, lengths: NDArray[np.integer]) -> float:
        """Return FLOP of scores and mixing alone."""
        return float(self.layers * 4 * self.hidden * np.square(lengths, dtype=np.float64).sum())

    def adapter(self, tokens: int, width: int) -> float:
        """Return FLOP of a bottleneck in every layer."""
        return float(self.layers * 4 * tokens * self.hidden * width)

    def invertible(self, tokens: int, width: int) -> float:
        """Return FLOP of an invertible adapter, forward or inverse; ``width`` is that of one coupling."""
        return float(4 * tokens * self.hidden * width)

    def masked_lm(self, positions: int) -> float:
        """Return FLOP of the masked-LM head at ``positions`` masked positions."""
        return float(2 * positions * (self.hidden**2 + self.hidden * self.vocabulary))

    def tagging(self, words: int, labels: int) -> float:
        """Return FLOP of a linear tagging head."""
        return float(2 * words * self.hidden * labels)


def peak(device: torch.device, precision: Precision, size: int = 8192) -> tuple[float, str]:
    """Return the FLOP a second that are divided by, and where the figure is from.

    A device or precision that `PEAKS` lacks is measured: the best of ten products of ``size`` x ``size``.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    if precision in PEAKS.get(name, {}):
        return PEAKS[name][precision], f"data sheet of {name}, dense"
    return _measured(device, precision, size), f"best of ten products of {size} x {size}, measured here"


def _measured(device: torch.device, precision: Precision, size: int) -> float:
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(size, size, device=device).to(kind) for _ in range(2))

    def once() -> float:
        began = time.perf_counter()
        torch.matmul(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    with precise(device, "tf32" if precision == "tf32" else "float32"), torch.inference_mode():
        once()
        return 2 * size**3 / min(once() for _ in range(10))
