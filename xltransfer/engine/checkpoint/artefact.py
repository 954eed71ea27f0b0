"""Our own artefact of trained weights: one safetensors file with its description inside."""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_artefact(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write trained tensors and their description into one safetensors file; ``load_file`` of safetensors reads it."""
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path, metadata=metadata)
