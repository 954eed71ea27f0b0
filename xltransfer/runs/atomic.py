"""Files that appear whole or not at all, and removal of what a killed process left.

A file is written under a temporary name in its own folder, flushed to the disk and moved into place with
``os.replace``. Temporary names start with a dot and end in ``.tmp`` (no reader's pattern matches them) and hold host
and process id, so that the remains of a process that was killed can be told from a file that is being written.
"""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path

ABANDONED_SECONDS = 3600.0
"""A temporary file of another machine is taken as abandoned after this time; writing one takes well under a minute."""


def place(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file, then move it to ``path``; on any error nothing remains.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}.tmp"
    try:
        write(temporary)
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    # The folder entry too: after a power cut measurements must never be there without their items.
    _flush(path.parent)


def place_bytes(path: Path, content: bytes) -> None:
    """Place a file with the given content."""
    place(path, lambda temporary: _write_all(temporary, content))


def remove_leftovers(folder: Path) -> int:
    """Remove temporary files whose process is gone from ``folder`` and its sub-folders; return how many."""
    removed = 0
    for temporary in folder.rglob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # the process that owned it may be placing it right now
            if _abandoned(temporary):
                temporary.unlink()
                removed += 1
    return removed


def _write_all(path: Path, content: bytes) -> None:
    """Write ``content``; buffered, so that a short write of a full disk is an error at the latest on closing."""
    with path.open("xb") as stream:
        stream.write(content)


def _flush(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _abandoned(temporary: Path) -> bool:
    """Whether the process that was writing the file is gone, or must be after so long a time."""
    host, _, process = temporary.name[1:].rsplit("-", 1)[0].rpartition("-")
    if host == socket.gethostname() and process.isdigit():
        return not _alive(int(process))
    return time.time() - temporary.stat().st_mtime > ABANDONED_SECONDS


def _alive(process: int) -> bool:
    """Whether a process with this id runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
