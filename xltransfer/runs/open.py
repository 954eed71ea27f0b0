"""Reading a finished, or growing, results folder into pandas frames. Works where torch cannot be imported.

A frame shows what was present when it was read: runs that still add to the folder do not disturb it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xltransfer.runs.cluster_counts import ClusterCounts, stream_cluster_counts
from xltransfer.runs.columns import MEASUREMENTS
from xltransfer.runs.folder import Header, read_header
from xltransfer.runs.item_frame import item_frame
from xltransfer.runs.read_shards import read_rows
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

    def measurements(self, labels: bool = True) -> pd.DataFrame:
        """Return all measurements: the columns of :data:`xltransfer.runs.columns.COLUMNS`, a row per cell and metric.

        Integers are nullable ``Int64``, ``score`` is float64 with NaN where undefined, everything else is text.

        Parameters
        ----------
        labels
            Whether the scores of single gold labels, ``accuracy[NOUN]``, have rows too.

        Raises
        ------
        RunFolderError
            If a shard is damaged or of another version.
        """
        paths = Store(self.folder).placed("measurements")
        tables = [_measured(path, labels) for path in paths]
        table = pa.concat_tables([MEASUREMENTS.empty_table(), *tables])
        del tables  # the frame takes the place of the tables, column after column
        mapper = {pa.int64(): pd.Int64Dtype()}.get
        frame: pd.DataFrame = table.to_pandas(types_mapper=mapper, self_destruct=True)
        return frame

    def items(
        self,
        task: str | None = None,
        target: str | None = None,
        dataset: str | None = None,
        labels: bool = False,
        settings: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Return the counts per item of every cell, a row per cell and item (and gold label).

        All of a large run takes tens of GiB: choose, or go through it with :meth:`cluster_counts`.

        Parameters
        ----------
        task, target, dataset
            Keep only this task, target language or dataset; None keeps all.
        labels
            Counts per gold label, with a column ``label`` behind ``cluster``. Only rows with a count: an item without
            a count under a label has no row there, so sums are complete.
        settings
            Keep only these settings; None keeps all. The floor test and sizes of targets read ``("baseline",
            "trivial")``, for which the other shards are not decoded.

        Returns
        -------
        ``unit``, the columns that tell cells apart (``setting, transfer, corpus, steps, replicate, adapter_seed, task,
        dataset, target, options``), ``item``, ``cluster`` (all categorical but the integers), then the count columns:
        nullable ``Int64``, or float64 for sums of log-likelihoods; missing where a task has no such count.

        Raises
        ------
        RunFolderError
            If the item identities of a target are not in the folder, or a shard is damaged or of another version.
        """
        wanted = {name: [value] for name, value in (("task", task), ("target", target), ("dataset", dataset)) if value}
        chosen = {} if settings is None else {"setting": settings}
        return item_frame(Store(self.folder), wanted | chosen, labels)

    def cluster_counts(
        self,
        settings: Collection[str] = ("nudge",),
        tasks: Collection[str] | None = None,
        steps: Collection[int] | None = None,
    ) -> Iterator[ClusterCounts]:
        """Return the item counts summed over clusters, one transfer entry (with all its replicates) after another.

        Parameters
        ----------
        settings
            Which settings.
        tasks, steps
            Only these tasks, and only these numbers of optimizer steps; None yields all. A setting without steps, such
            as ``baseline``, is not left out by ``steps``.

        Returns
        -------
        Iterator of ClusterCounts
            Sorted by base, setting, corpus and steps, then by task and adapter seed. Of the untouched model there is
            one for each base, task and adapter seed, with a row for each kind of device. A setting that was not run
            yields nothing.

        Raises
        ------
        RunFolderError
            At once if there are no finished units or a file of measurements or targets is no good; on the way, if a
            file of items is missing, damaged, of another version, or counts other items than ``targets/`` lists, or if
            two units scored the same cell.
        ValueError
            If the results do not have one of the ``tasks``.
        """
        return stream_cluster_counts(Store(self.folder), settings, tasks, steps)

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


def _measured(path: Path, labels: bool) -> pa.Table:
    """Return the measurements of one unit, with or without those of single gold labels."""
    table = read_rows(path, MEASUREMENTS)
    of_label = pc.ends_with(table["metric"], "]")
    return table if labels or not pc.any(of_label).as_py() else table.filter(pc.invert(of_label))
