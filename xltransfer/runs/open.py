"""Reading a finished, or growing, results folder into pandas frames. Works where torch cannot be imported.

A frame shows what was present when it was read: runs that still add to the folder do not disturb it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from xltransfer.runs.columns import MEASUREMENTS
from xltransfer.runs.folder import Header, read_header
from xltransfer.runs.item_frame import item_frame
from xltransfer.runs.store import Store
from xltransfer.runs.unit import canonical_json


@dataclass(frozen=True)
class Run:
    """A results folder as frames.

    Attributes
    ----------
    folder
        The results folder.
    header
        What it was made with.
    """

    folder: Path
    header: Header

    @property
    def study(self) -> Mapping[str, Any]:
        """The study of the latest run, as plain JSON values."""
        return self.header.study

    def measurements(self) -> pd.DataFrame:
        """Return all measurements: the columns of :data:`xltransfer.runs.columns.COLUMNS`, a row per cell and metric.

        Integers are nullable ``Int64``, ``score`` is float64 with NaN where undefined, everything else is text.
        """
        tables = [pq.ParquetFile(path).read() for path in Store(self.folder).placed("measurements")]
        table = pa.concat_tables([MEASUREMENTS.empty_table(), *(t.replace_schema_metadata(None) for t in tables)])
        frame: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
        return frame

    def items(
        self, task: str | None = None, target: str | None = None, dataset: str | None = None, labels: bool = False
    ) -> pd.DataFrame:
        """Return the counts per item of every cell, a row per cell and item (and gold label).

        Parameters
        ----------
        task, target, dataset
            Keep only this task, target language or dataset; None keeps all.
        labels
            Counts per gold label, with a column ``label`` behind ``cluster``. Only rows with a count: an item without
            a count under a label has no row there, so sums are complete.

        Returns
        -------
        ``unit``, the columns that tell cells apart (``setting, transfer, corpus, steps, replicate, adapter_seed, task,
        dataset, target, options``), ``item``, ``cluster`` (all categorical but the integers), then the count columns:
        nullable ``Int64``, or float64 for sums of log-likelihoods; missing where a task has no such count.

        Raises
        ------
        RunFolderError
            If the item identities of a target are not in the folder.
        """
        wanted = {name: value for name, value in (("task", task), ("target", target), ("dataset", dataset)) if value}
        return item_frame(Store(self.folder), wanted, labels)

    def failures(self) -> pd.DataFrame:
        """Return the units that failed and are not there: ``unit, error, message, key`` (key as JSON)."""
        rows = [(f.unit, f.error, f.message, canonical_json(f.key)) for f in Store(self.folder).failures()]
        return pd.DataFrame(rows, columns=["unit", "error", "message", "key"]).astype("str")


def open_run(folder: Path | str) -> Run:
    """Open a results folder for reading.

    Raises
    ------
    RunFolderError
        If the folder has no ``run.json``, or it cannot be read.
    """
    return Run(Path(folder), read_header(folder))
