"""How far a results folder is: units present, still wanted, failed, and its size."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xltransfer.runs.failure import Failure
from xltransfer.runs.folder import Header, read_header
from xltransfer.runs.plan import wanted_minus_present
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


@dataclass(frozen=True)
class Status:
    """State of a results folder.

    Attributes
    ----------
    header
        What the folder was made with.
    measured, artefacts
        Number of units with measurements, and of artefacts.
    wanted, missing
        Number of units that the study wants, and those of them that are not present; None if no units were given.
    failed
        Failures of units that are still not present.
    size
        Bytes of all files of the folder.
    """

    header: Header
    measured: int
    artefacts: int
    wanted: int | None
    missing: tuple[Unit, ...] | None
    failed: tuple[Failure, ...]
    size: int


def status(folder: Path | str, units: Iterable[Unit] | None = None) -> Status:
    """Return how far a results folder is, against the wanted ``units`` if they are given.

    Raises
    ------
    RunFolderError
        If the folder has no readable ``run.json``.
    """
    folder, store = Path(folder), Store(folder)
    wanted = None if units is None else list(dict.fromkeys(units))
    return Status(
        header=read_header(folder),
        measured=len(store.placed("measurements")),
        artefacts=len(store.placed("artefacts")),
        wanted=None if wanted is None else len(wanted),
        missing=None if wanted is None else tuple(wanted_minus_present(wanted, store)),
        failed=tuple(store.failures()),
        size=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )
