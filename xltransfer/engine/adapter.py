"""One named adapter: a bottleneck for each layer that has one, and perhaps an invertible adapter."""

from dataclasses import dataclass, field

from torch import nn

from xltransfer.engine.bottleneck import ACTIVATIONS, Bottleneck
from xltransfer.engine.invertible import Invertible
from xltransfer.errors import ModelError, near_match


@dataclass(frozen=True)
class AdapterConfig:
    """Shape of an adapter.

    Attributes
    ----------
    reduction
        Hidden size divided by bottleneck width (16 for tasks, 2 for languages in MAD-X).
    activation
        A name of `ACTIVATIONS`.
    scaling
        Factor on the bottleneck's output.
    leave_out
        Layers without a bottleneck, counted from 0.
    invertible_reduction
        Reduction inside the invertible adapter, or None for no such adapter.
    """

    reduction: float = 16
    activation: str = "relu"
    scaling: float = 1.0
    leave_out: tuple[int, ...] = ()
    invertible_reduction: float | None = field(default=None)


class Adapter(nn.Module):
    """Bottlenecks keyed by layer number, and ``invertible`` or None."""

    def __init__(self, config: AdapterConfig, hidden: int, layers: int) -> None:
        super().__init__()
        if config.activation not in ACTIVATIONS:
            raise ModelError(
                f"adapter activation {config.activation!r} is not known{near_match(config.activation, ACTIVATIONS)}"
            )
        activation = ACTIVATIONS[config.activation]
        width = max(1, int(hidden // config.reduction))
        self.config = config
        self.layers = nn.ModuleDict(
            {
                str(layer): Bottleneck(hidden, width, activation(), config.scaling)
                for layer in range(layers)
                if layer not in config.leave_out
            }
        )
        self.invertible = (
            None
            if config.invertible_reduction is None
            else Invertible(hidden, config.invertible_reduction, activation())
        )

    def at(self, layer: int) -> Bottleneck | None:
        """Return the bottleneck of ``layer``, or None where it is left out."""
        key = str(layer)
        return self.layers[key] if key in self.layers else None  # type: ignore[return-value]
