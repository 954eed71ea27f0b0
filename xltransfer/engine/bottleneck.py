"""The bottleneck adapter: madx2020, equation 1, without the residual, which belongs to the rule of the stack."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

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
LAYER_NORM_EPS = 1e-5
"""Of the adapters' own LayerNorms, as the reference library has it."""


@dataclass(frozen=True)
class Form:
    """What two bottlenecks must share to be computed together: everything but the weights.

    Attributes
    ----------
    hidden, width
        Sizes outside and inside.
    activation
        A name of `ACTIVATIONS`.
    scaling
        Factor on the up-projection's output.
    ln_before, ln_after
        LayerNorms of the adapter's own, before the down-projection and behind the bottleneck.
    original_ln_before, original_ln_after
        Whether the transformer's LayerNorm, with its residual, is applied before the adapter reads and at the end.
    residual_before_ln
        True: the residual is what enters the adapter; ``post_add``: that plus the transformer's residual; False: what
        the down-projection reads.
    adapter_residual_before_ln
        Whether the residual is added before ``ln_after`` or behind it.
    """

    hidden: int
    width: int
    activation: str = "relu"
    scaling: float = 1.0
    ln_before: bool = False
    ln_after: bool = False
    original_ln_before: bool = True
    original_ln_after: bool = True
    residual_before_ln: bool | Literal["post_add"] = True
    adapter_residual_before_ln: bool = False


class Bottleneck(nn.Module):
    """s · U(act(D x)): down-projection, activation, up-projection, both with bias.

    Starts as the zero function (the up-projection is zero), so a fresh adapter leaves the model as it was.
    """

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.norm_before = nn.LayerNorm(form.hidden, eps=LAYER_NORM_EPS) if form.ln_before else None
        self.down = nn.Linear(form.hidden, form.width)
        self.activation = ACTIVATIONS[form.activation]()
        self.up = nn.Linear(form.width, form.hidden)
        self.norm_after = nn.LayerNorm(form.hidden, eps=LAYER_NORM_EPS) if form.ln_after else None
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., hidden]``, without residual and without ``norm_after``."""
        lowered = self.activation(self.down(x if self.norm_before is None else self.norm_before(x)))
        out: Tensor = self.up(lowered)
        return out if self.form.scaling == 1.0 else self.form.scaling * out


def draw_like_bert(module: nn.Module, generator: torch.Generator) -> None:
    """Initialise every matrix N(0, 0.02) and every bias 0, as the reference library does for fresh adapters.

    LayerNorms keep weight 1 and bias 0.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.02, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
