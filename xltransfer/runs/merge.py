"""Several results folders of the same settings into one, for studies that ran in several places.

Everything is checked before anything is copied. Files are compared byte by byte: the same unit computed twice with the
same settings has the same bytes, so a difference means that something which the headers do not say was different.
"""

import filecmp
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from xltransfer.errors import RunFolderError
from xltransfer.runs import atomic
from xltransfer.runs.folder import claim, differences, read_header
from xltransfer.runs.store import Store

KINDS = ("targets", "artefacts", "items", "measurements")
"""Sub-folders in the order of copying: a unit is present in the result only when all of it is there."""


def merge(sources: Sequence[Path | str], out: Path | str) -> int:
    """Copy units, artefacts, targets and open failures of ``sources`` into ``out``; return the number of files copied.

    ``out`` may exist and then takes part in the checks. Its study is the last source's.

    Raises
    ------
    RunFolderError
        If settings, environment or files differ between the folders (with the differing keys), or a unit or a target
        is in two of them with different bytes.
    ValueError
        If there are no sources.
    """
    if not sources:
        raise ValueError("merge needs at least one results folder to copy from")
    folders = [Path(source) for source in sources]
    out = Path(out)
    _check_headers([*([out] if (out / "run.json").exists() else []), *folders])
    wanted = _check_files(out, folders)
    for folder in folders:
        claim(out, read_header(folder))
    for name, source in wanted.items():
        atomic.place(out / name, partial(_copy, source))
    store = Store(out)
    for folder in folders:
        for failure in Store(folder).failures():
            store.keep_failure(failure)
    for failure_path in store.placed("failures"):
        if store.measurements_path(failure_path.stem).exists() or store.artefact_path(failure_path.stem).exists():
            failure_path.unlink()
    return len(wanted)


def _check_headers(folders: Sequence[Path]) -> None:
    """Compare the headers of all folders with the first one's and with each other's files."""
    headers = [read_header(folder) for folder in folders]
    for second in range(1, len(folders)):
        for first in range(second):
            found = differences(headers[first], headers[second])
            if found:
                lines = [
                    f"  {key}: {old} in {folders[first]}, {new} in {folders[second]}"
                    for key, (old, new) in found.items()
                ]
                raise RunFolderError("\n".join(["these folders were made with different values:", *lines]))


def _check_files(out: Path, folders: Sequence[Path]) -> dict[str, Path]:
    """Return relative name -> source of the files that ``out`` lacks, in the order of copying."""
    wanted: dict[str, Path] = {}
    for kind in KINDS:
        for folder in folders:
            for path in Store(folder).placed(kind):
                if kind == "items" and not Store(folder).measurements_path(path.stem).exists():
                    continue  # counts of a unit that is not present
                name = f"{kind}/{path.name}"
                there = out / name if (out / name).exists() else wanted.get(name)
                if there is None:
                    wanted[name] = path
                elif not filecmp.cmp(there, path, shallow=False):
                    raise RunFolderError(
                        f"{kind} of {path.stem} differ between {there.parents[1]} and {folder}: the same unit must "
                        "have the same bytes; compare the two machines, or remove it from one folder"
                    )
    return wanted


def _copy(source: Path, temporary: Path) -> None:
    """Copy the content of a file, not its times or permissions."""
    shutil.copyfile(source, temporary)
