"""The results folder as a set of units, present or absent. No lock, no server, safe on NFS.

    items/<id>.parquet          counts per item, written first
    measurements/<id>.parquet   scores, written last: a unit is present exactly if this file is
    artefacts/<id>.safetensors  trained weights: such a unit is present exactly if this file is
    targets/*.parquet           identities of the items of each target, once per run
    failures/<id>.json          why a unit is not there; removed when it is
    log/<host>-<pid>.jsonl      what varies: times and seconds

Shards hold nothing that varies, so two runs that compute the same unit write the same bytes, and whichever comes last
changes nothing. ``run.json`` belongs to ``folder.py``.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from xltransfer.errors import RunFolderError
from xltransfer.runs import atomic
from xltransfer.runs.artefacts import read_key as read_artefact_key
from xltransfer.runs.artefacts import sort_metadata
from xltransfer.runs.cells import Cell
from xltransfer.runs.columns import TARGETS
from xltransfer.runs.failure import Failure
from xltransfer.runs.read_shards import read_key, read_rows
from xltransfer.runs.shards import encode, items_shard, measurements_shard
from xltransfer.runs.unit import Unit


class Store:
    """Reads and writes the units of one results folder.

    Parameters
    ----------
    folder
        The results folder; it and its sub-folders are made when something is first written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def is_present(self, unit: Unit) -> bool:
        """Whether the unit was done: its measurements, or its artefact, are there."""
        path = self.artefact_path(unit.id) if unit.produces == "artefact" else self.measurements_path(unit.id)
        return path.exists()

    def present(self) -> dict[str, dict[str, Any]]:
        """Return the keys of all units that are there, by id; an artefact whose writer named no unit has ``{}``.

        Raises
        ------
        RunFolderError
            If a shard is damaged.
        """
        keys = {path.stem: read_key(path) for path in self.placed("measurements")}
        return keys | {path.stem: read_artefact_key(path) for path in self.placed("artefacts")}

    def measurements_path(self, unit_id: str) -> Path:
        """Return where the measurements of a unit are, or will be."""
        return self.folder / "measurements" / f"{unit_id}.parquet"

    def items_path(self, unit_id: str) -> Path:
        """Return where the item counts of a unit are, or will be."""
        return self.folder / "items" / f"{unit_id}.parquet"

    def artefact_path(self, unit_id: str) -> Path:
        """Return where the artefact with this id is, or will be."""
        return self.folder / "artefacts" / f"{unit_id}.safetensors"

    def write(self, unit: Unit, cells: Sequence[Cell]) -> None:
        """Write the unit's item counts, then its measurements; after that the unit is present.

        Raises
        ------
        ValueError
            If the unit produces an artefact, its key lacks ``protocol`` or ``base``, or two cells are the same.
        OSError
            If the disk is full; the unit is not present then, and no temporary file remains.
        """
        if unit.produces != "measurements":
            raise ValueError(f"unit {unit.id} produces an {unit.produces}, not measurements; use place_artefact")
        items, measurements = items_shard(unit, cells), measurements_shard(unit, cells)
        atomic.place_bytes(self.items_path(unit.id), items)
        atomic.place_bytes(self.measurements_path(unit.id), measurements)

    def place_artefact(self, unit_id: str, write: Callable[[Path], None]) -> None:
        """Let ``write`` save a safetensors file under a temporary name, then move it into place.

        Its metadata are sorted on the way, so that the same artefact has the same bytes.
        """

        def write_sorted(temporary: Path) -> None:
            write(temporary)
            sort_metadata(temporary)

        atomic.place(self.artefact_path(unit_id), write_sorted)

    def write_targets(
        self, task: str, dataset: str, target: str, items: Sequence[str], clusters: Sequence[str]
    ) -> None:
        """Write the identities of a target's items, in the order of the counts; the same call again changes nothing.

        Raises
        ------
        ValueError
            If ``items`` and ``clusters`` differ in length.
        RunFolderError
            If the folder already has other items for this target.
        """
        if len(items) != len(clusters):
            raise ValueError(f"target {task}/{dataset}/{target}: {len(items)} items but {len(clusters)} clusters")
        path = self.folder / "targets" / f"{'__'.join(map(_file_name, (task, dataset, target)))}.parquet"
        table = pa.table({"item": list(items), "cluster": list(clusters)}, schema=TARGETS)
        if path.exists():
            if not pq.read_table(path).replace_schema_metadata(None).equals(table):
                raise RunFolderError(
                    f"{self.folder}: the items of target {task}/{dataset}/{target} are not those of earlier runs; "
                    "use another results folder, or the data and sentence limits of the first run"
                )
            return
        atomic.place_bytes(path, encode([table], {"task": task, "dataset": dataset, "target": target}))

    def targets(self) -> dict[tuple[str, str, str], pa.Table]:
        """Return the item identities (columns ``item``, ``cluster``) by (task, dataset, target)."""
        found = {}
        for path in self.placed("targets"):
            key = read_key(path)
            found[key["task"], key["dataset"], key["target"]] = read_rows(path, TARGETS)
        return found

    def record_failure(self, unit: Unit, error: BaseException | str) -> Failure:
        """Record why the unit is not there and return the record."""
        failure = Failure.of(unit, error)
        self.keep_failure(failure)
        return failure

    def keep_failure(self, failure: Failure) -> None:
        """Write a failure that was made elsewhere, for example in a worker process."""
        record = {"key": failure.key, "error": failure.error, "message": failure.message}
        text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
        atomic.place_bytes(self.folder / "failures" / f"{failure.unit}.json", f"{text}\n".encode())

    def clear_failure(self, unit: Unit) -> None:
        """Forget an earlier failure of the unit, if there is one."""
        (self.folder / "failures" / f"{unit.id}.json").unlink(missing_ok=True)

    def failures(self) -> list[Failure]:
        """Return the failures of units that are still not there, by id."""
        found = []
        for path in self.placed("failures"):
            if self.measurements_path(path.stem).exists() or self.artefact_path(path.stem).exists():
                continue  # another run has done the unit meanwhile
            record = json.loads(path.read_text("utf-8"))
            found.append(Failure(path.stem, record["key"], record["error"], record["message"]))
        return found

    def log(self, **entry: Any) -> None:
        """Append an entry with the time to this process's own log file."""
        path = self.folder / "log" / f"{socket.gethostname()}-{os.getpid()}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"time": time.time(), **entry}, ensure_ascii=False) + "\n")

    def remove_leftovers(self) -> int:
        """Remove temporary files of processes that are gone; return how many."""
        return atomic.remove_leftovers(self.folder)

    def placed(self, kind: str) -> list[Path]:
        """Return the files of one sub-folder by name; temporary ones, which start with a dot, are left out."""
        folder = self.folder / kind
        return sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


def _file_name(name: str) -> str:
    """Return a name as part of a file name, without the separator ``__``."""
    return quote(name, safe="").replace("_", "%5F")
