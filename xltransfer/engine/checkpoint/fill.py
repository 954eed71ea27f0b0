"""Tensors of a file into a module, key by key: nothing is left out, left over or made up."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from xltransfer.engine.checkpoint.part import Part
from xltransfer.errors import ModelError

Keys = Mapping[str, Sequence[str]]
"""Our parameter's name to the file's keys for it; there are two where the library stores a tensor twice."""
SHOWN = 20
"""Keys that a message lists of each sort; more are counted."""


def fill(module: nn.Module, part: Part, keys: Keys, also: Sequence[str] = ()) -> None:
    """Copy a part's tensors into ``module``.

    Parameters
    ----------
    keys
        For every parameter of the module.
    also
        Keys that the file must have, though none of the module's parameters is made from them.

    Raises
    ------
    ModelError
        Listing the keys that are missing, left over, of another shape, not finite, or stored twice and different.
    """
    expected = {theirs for each in keys.values() for theirs in each} | set(also)
    tensors = part.tensors
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    wrong = [
        f"{theirs} is {tuple(tensors[theirs].shape)}, expected {tuple(shapes[name])}"
        for name, each in keys.items()
        for theirs in each
        if theirs in tensors and tensors[theirs].shape != shapes[name]
    ]
    problems = {
        "missing": sorted(expected - set(tensors)),
        "left over": sorted(set(tensors) - expected),
        "of another shape": wrong,
        "with NaN or infinite values": sorted(key for key, value in tensors.items() if not value.isfinite().all()),
        "stored twice with different values": [] if wrong else _twins_that_differ(tensors, keys),
    }
    found = [f"{len(which)} keys {how}: {_listed(which)}" for how, which in problems.items() if which]
    if found:
        raise ModelError(f"{part.what}: {'; '.join(found)}. Nothing is initialised anew and nothing is left unread")
    module.load_state_dict({name: tensors[each[0]] for name, each in keys.items()})


def _twins_that_differ(tensors: Mapping[str, Tensor], keys: Keys) -> list[str]:
    twins = [[tensors[theirs] for theirs in each if theirs in tensors] for each in keys.values()]
    named = zip(keys.values(), twins, strict=True)
    return [" and ".join(each) for each, found in named if len(found) == 2 and not torch.equal(*found)]


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more


def spread(module: nn.Module, keys: Keys) -> dict[str, Tensor]:
    """Return the tensors of a module under the file's keys, on the CPU and each with memory of its own."""
    state = module.state_dict()
    return {
        theirs: state[name].detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, each in keys.items()
        for theirs in each
    }
