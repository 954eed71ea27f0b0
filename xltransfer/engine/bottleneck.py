"""The bottleneck adapter: madx2020, equation 1, without its residual, which belongs to the stack rule."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu_new": partial(nn.GELU, approximate="tanh"),
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
    "leakyrelu": nn.LeakyReLU,
}


class Bottleneck(nn.Module):
    """U(act(D x)): down-projection, activation, up-projection, both with bias.

    Starts as the zero function (the up-projection is zero), so a fresh adapter leaves the model as it was.
    """

    def __init__(self, hidden: int, width: int, activation: nn.Module, scaling: float = 1.0) -> None:
        super().__init__()
        self.down = nn.Linear(hidden, width)
        self.activation = activation
        self.up = nn.Linear(width, hidden)
        self.scaling = scaling
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., hidden]``."""
        out: Tensor = self.up(self.activation(self.down(x)))
        return out if self.scaling == 1.0 else self.scaling * out


def draw_like_bert(module: nn.Module, generator: torch.Generator) -> None:
    """Initialise every weight N(0, 0.02) and every bias 0, as the reference library does for fresh adapters."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.02, generator=generator)
        else:
            nn.init.zeros_(parameter)
