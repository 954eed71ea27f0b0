"""The invertible adapter on the embeddings: NICE coupling, madx2020 section 4.2."""

import torch
from torch import Tensor, nn


def _coupling(size_in: int, size_out: int, reduction: float, activation: nn.Module) -> nn.Sequential:
    width = max(1, int(size_in // reduction))
    return nn.Sequential(nn.Linear(size_in, width), activation, nn.Linear(width, size_out))


class Invertible(nn.Module):
    """y1 = x1 + F(x2), y2 = x2 + G(y1) on the halves of the last axis; `inverse` undoes it up to rounding."""

    def __init__(self, hidden: int, reduction: float, activation: nn.Module) -> None:
        super().__init__()
        first, second = hidden // 2, hidden - hidden // 2
        self.split = [first, second]
        self.F = _coupling(second, first, reduction, activation)
        self.G = _coupling(first, second, reduction, activation)
        for coupling in (self.F, self.G):
            for parameter in coupling.parameters():
                nn.init.zeros_(parameter) if parameter.dim() == 1 else nn.init.normal_(parameter, std=0.02)
            # F and G start at zero, so that a fresh invertible adapter is the identity.
            last = coupling[2]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map embeddings ``[..., hidden]`` to ``[..., hidden]``."""
        x1, x2 = torch.split(x, self.split, dim=-1)
        y1 = x1 + self.F(x2)
        return torch.cat((y1, x2 + self.G(y1)), dim=-1)

    def inverse(self, y: Tensor) -> Tensor:
        """Map ``[..., hidden]`` back to ``[..., hidden]``."""
        y1, y2 = torch.split(y, self.split, dim=-1)
        x2 = y2 - self.G(y1)
        return torch.cat((y1 - self.F(x2), x2), dim=-1)
