"""What one unit scored on one target: identity, counts per item, and counts per item and gold label.

A cell is what a protocol hands to the store. Its counts are brought to their stored types here, so that the scores in
the measurements are sums of exactly those numbers which the items shard keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xltransfer.errors import near_match
from xltransfer.metrics import CELLS, count_columns

Labelled = tuple[tuple[str, ...], NDArray[Any]]
"""Labels, and their counts, shape [labels, items]."""

UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)


def smallest_type(values: Any) -> NDArray[Any]:
    """Return ``values`` as the smallest unsigned type that holds them, or as float32 if they are not integers.

    Raises
    ------
    ValueError
        If an integer is negative, or the values are not numbers.
    """
    array = np.ascontiguousarray(values)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind not in "bui":
        raise ValueError(f"counts have type {array.dtype}; expected integers, or float32 for summed log-likelihoods")
    if array.size and array.min() < 0:
        raise ValueError(f"a count is {array.min()}; counts are sums of things counted, never negative")
    largest = int(array.max()) if array.size else 0
    return array.astype(next(kind for kind in UNSIGNED if largest <= np.iinfo(kind).max))


@dataclass(frozen=True, eq=False)
class Cell:
    """Counts of one composition on one target.

    Attributes
    ----------
    task, dataset, target
        Name of the task, dataset of the target, code of the target language.
    setting
        ``nudged``, ``baseline``, ``zero_steps``, ``random_sign`` ...
    transfer, corpus
        Transfer language and its corpus; empty text where there is none.
    steps, replicate, adapter_seed, seed
        Optimizer steps, replicate, seed index of the task adapter, seed of the cell's own random stream; None where
        the cell has none.
    shape
        Task shape, a key of :data:`xltransfer.metrics.CELLS`: decides which count columns are needed.
    n_items, n_scored
        Items of the target, and those of them that were scored (not lost to the length limit).
    device
        Kind of device: ``cpu`` or ``cuda``.
    options
        Named deviations and choices; stored as canonical JSON.
    counts
        Count column -> array [items] of integers, or of floats (``nll``), which are stored as float32.
    label_counts
        Count column -> (labels, array [labels, items]) for counts per gold label.

    Raises
    ------
    ValueError
        If the shape is unknown, a count column is missing, or an array has another length than ``n_items``.
    """

    task: str
    dataset: str
    target: str
    setting: str
    shape: str
    n_items: int
    n_scored: int
    counts: Mapping[str, NDArray[Any]]
    label_counts: Mapping[str, Labelled] = field(default_factory=dict)
    transfer: str = ""
    corpus: str = ""
    steps: int | None = None
    replicate: int | None = None
    adapter_seed: int | None = None
    seed: int | None = None
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the counts and bring them to their stored types."""
        if self.shape not in CELLS:
            raise ValueError(f"{self._place}: task shape {self.shape!r} is unknown{near_match(self.shape, CELLS)}")
        missing = [column for column in count_columns(self.shape) if column not in self.counts]
        if missing:
            raise ValueError(f"{self._place}: a {self.shape} cell lacks the count columns {', '.join(missing)}")
        counts = {column: self._typed(column, values, (self.n_items,)) for column, values in self.counts.items()}
        labelled = {
            column: (tuple(labels), self._typed(f"{column} per label", values, (len(labels), self.n_items)))
            for column, (labels, values) in self.label_counts.items()
        }
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "label_counts", labelled)

    @property
    def _place(self) -> str:
        """Where an error happened: task, dataset and target."""
        return f"cell {self.task}/{self.dataset}/{self.target} ({self.setting})"

    def _typed(self, column: str, values: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the stored form of one array after checking its shape."""
        if np.shape(values) != shape:
            raise ValueError(f"{self._place}: {column} has shape {list(np.shape(values))}, expected {list(shape)}")
        try:
            return smallest_type(values)
        except ValueError as err:
            raise ValueError(f"{self._place}: {column}: {err}") from err
