"""What a task reports of a target: additive counts per item, and per gold label."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Counts:
    """Counts in the columns of the task's shape (`xltransfer.metrics`).

    Attributes
    ----------
    overall
        Column to array [items]; an item that was not scored has zeros.
    labelled
        Column to (labels, array [labels, items]): the same counts by gold label.
    """

    overall: Mapping[str, NDArray[Any]]
    labelled: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = field(default_factory=dict)


def per_item(item: NDArray[np.integer], weight: NDArray[Any], n_items: int) -> NDArray[np.float64]:
    """Sum ``weight`` over the words of each item: [items]."""
    return np.asarray(np.bincount(item, weights=weight, minlength=n_items), dtype=np.float64)


def per_label(
    item: NDArray[np.integer], label: NDArray[np.integer], weight: NDArray[Any], n_items: int, n_labels: int
) -> NDArray[np.int64]:
    """Sum 0/1 ``weight`` over words by gold label and item: [labels, items]; labels below 0 are left out."""
    kept = label >= 0
    cell = label[kept].astype(np.int64) * n_items + item[kept]
    flat = np.bincount(cell, weights=weight[kept], minlength=n_labels * n_items)
    return flat.reshape(n_labels, n_items).astype(np.int64)


def frequency_nll(label: NDArray[np.integer], n_labels: int) -> NDArray[np.float64]:
    """Return the nll [word] of each gold label under the labels' own frequencies; 0 where there is none (below 0)."""
    known = label >= 0
    seen = np.bincount(label[known], minlength=n_labels)
    nll = np.zeros(len(label))
    nll[known] = np.log(max(seen.sum(), 1)) - np.log(seen[label[known]])
    return nll
