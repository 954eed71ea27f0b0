"""The invertible adapter on the embeddings: NICE coupling, madx2020 section 4.2; and the mean of several."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xltransfer.errors import ModelError


def _coupling(half: int, reduction: float, activation: nn.Module) -> nn.Sequential:
    width = max(1, int(half // reduction))
    return nn.Sequential(nn.Linear(half, width), activation, nn.Linear(width, half))


class Invertible(nn.Module):
    """y1 = x1 + F(x2), y2 = x2 + G(y1) on the halves of the last axis; `inverse` undoes it up to rounding.

    Starts as the identity.

    Raises
    ------
    ModelError
        An odd hidden size.
    """

    def __init__(self, hidden: int, reduction: float, activation: nn.Module) -> None:
        super().__init__()
        if hidden % 2:
            raise ModelError(
                f"an invertible adapter halves the hidden size, which is odd: {hidden}; use another base model"
            )
        half = hidden // 2
        self.F = _coupling(half, reduction, activation)
        self.G = _coupling(half, reduction, activation)
        for coupling in (self.F, self.G):
            for parameter in coupling.parameters():
                nn.init.zeros_(parameter) if parameter.dim() == 1 else nn.init.normal_(parameter, std=0.02)
            # F and G start at zero, so that a fresh invertible adapter is the identity.
            last = coupling[2]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map embeddings ``[..., hidden]`` to ``[..., hidden]``."""
        return forward((self,), 1, x)

    def inverse(self, y: Tensor) -> Tensor:
        """Map ``[..., hidden]`` back to ``[..., hidden]``."""
        return inverse((self,), 1, y)


def forward(members: Sequence[Invertible], branches: int, x: Tensor) -> Tensor:
    """Return one coupling whose F and G are the means over ``branches`` branches, of which only ``members`` have any.

    A branch without an invertible adapter is a coupling with F = G = 0. For one member of one branch this is the plain
    coupling; in any number the result is inverted exactly by `inverse`, and the order of the members does not matter
    but for rounding. Shapes: ``[..., hidden]``.
    """
    x1, x2 = halves(x)
    y1 = x1 + sum(member.F(x2) for member in members) / branches
    return torch.cat((y1, x2 + sum(member.G(y1) for member in members) / branches), dim=-1)


def inverse(members: Sequence[Invertible], branches: int, y: Tensor) -> Tensor:
    """Undo `forward`."""
    y1, y2 = halves(y)
    x2 = y2 - sum(member.G(y1) for member in members) / branches
    return torch.cat((y1 - sum(member.F(x2) for member in members) / branches, x2), dim=-1)


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split the last axis in two."""
    first = x.shape[-1] // 2
    return x[..., :first], x[..., first:]
