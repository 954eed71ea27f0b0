"""Linear maps of a batch whose rows belong to several adapters, each row to one.

Rows of one adapter stand together: the first ``counts[0]`` rows belong to the first map, and so on. On a GPU, where all
maps have equally many rows, their weights are stacked and one batched product does the work. Else each part is
multiplied by itself: on a CPU that is quicker, because it copies no weights. Both give what each adapter would give
alone, up to rounding.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def is_one(parts: Sequence[object]) -> bool:
    """Tell whether every row belongs to the same adapter."""
    return all(part is parts[0] for part in parts)


def linear(x: Tensor, counts: Sequence[int], maps: Sequence[nn.Linear]) -> Tensor:
    """Apply each row's own map, with its bias if it has one: ``[row, token, in]`` to ``[row, token, out]``."""
    if is_one(maps):
        return nn.functional.linear(x, maps[0].weight, maps[0].bias)
    out = product(x, counts, [each.weight.t() for each in maps])
    return out if maps[0].bias is None else out + spread([each.bias for each in maps], counts)


def product(x: Tensor, counts: Sequence[int], matrices: Sequence[Tensor]) -> Tensor:
    """Multiply each row by its own matrix [in, out]: ``[row, token, in]`` to ``[row, token, out]``."""
    if is_one(matrices):
        return x @ matrices[0]
    if x.device.type == "cpu" or len(set(counts)) > 1:
        return _one_by_one(x, counts, matrices)
    return _stacked(x, matrices)


def _one_by_one(x: Tensor, counts: Sequence[int], matrices: Sequence[Tensor]) -> Tensor:
    return torch.cat([part @ matrix for part, matrix in zip(torch.split(x, list(counts)), matrices, strict=True)])


def _stacked(x: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    together = x.reshape(len(matrices), -1, x.shape[-1])
    return torch.bmm(together, torch.stack(list(matrices))).reshape(*x.shape[:-1], -1)


def each(x: Tensor, counts: Sequence[int], modules: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    """Apply each row's own module, part by part: ``[row, ...]`` to ``[row, ...]``."""
    if is_one(modules):
        return modules[0](x)
    return torch.cat([module(part) for part, module in zip(torch.split(x, list(counts)), modules, strict=True)])


def spread(values: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
    """Return each row's own value as ``[row, 1, ...]``, or ``[1, 1, ...]`` where all are the same."""
    if is_one(values):
        return values[0][None, None]
    parts = [value.expand(count, *value.shape) for value, count in zip(values, counts, strict=True)]
    return torch.cat(parts)[:, None]
