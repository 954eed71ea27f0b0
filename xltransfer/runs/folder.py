"""``run.json``: what a results folder was made with, and whether a run may add to it.

The header is written once, by the first run. Later runs are compared with it: a study that adds languages, steps or
replicates is welcome, but settings, the content of files and the environment that decides the last digits (threads,
torch version, kind of device) must be those of the first run.
"""

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xltransfer.errors import RunFolderError
from xltransfer.runs import atomic

FORMAT = 1
"""Version of the folder's layout."""

_PARTS = ("study", "settings", "environment", "files", "parts")

NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


@dataclass(frozen=True)
class Header:
    """What a results folder was made with.

    Attributes
    ----------
    study
        The study as plain JSON; a later run may bring a larger one.
    settings
        Everything that decides what a unit computes; must stay the same.
    environment
        What decides the last digits: threads, torch version, kind of device; must stay the same unless mixed.
    files
        Path or name -> SHA-256 of weights, tokenizer and data files; later runs may add files.
    parts
        Kind -> name -> settings of a part (a task, a corpus); later runs may add parts, not change them.
    """

    study: Mapping[str, Any]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def with_additions(self, later: "Header") -> "Header":
        """Return this header with the study of ``later``, and with its files and parts added."""
        kinds = {**self.parts, **later.parts}
        parts = {kind: {**self.parts.get(kind, {}), **later.parts.get(kind, {})} for kind in kinds}
        return Header(later.study, self.settings, self.environment, {**self.files, **later.files}, parts)


def claim(folder: Path | str, header: Header, mixed: bool = False) -> tuple[str, ...]:
    """Write ``run.json`` if the folder has none, else check that this run fits it.

    Parameters
    ----------
    folder
        The results folder, made if it does not exist.
    header
        What this run uses.
    mixed
        Accept another environment; the caller marks its rows with ``options["mixed"]``.

    Returns
    -------
    The dotted environment keys that differ; empty unless ``mixed``.

    Raises
    ------
    RunFolderError
        If the folder was made with other settings, files or environment (each differing key is named with both
        values), or holds measurements but no ``run.json``.
    """
    folder, header = Path(folder), _plain(header)
    path = folder / "run.json"
    if not path.exists():
        if any(folder.glob("measurements/*.parquet")):
            raise RunFolderError(f"{folder} holds measurements but no run.json; restore it or use another folder")
        if _create(path, header):
            return ()
    while True:
        there = read_header(folder)
        differing = _check(folder, there, header, mixed)
        merged = there.with_additions(header)
        if merged == there:
            return differing
        # Another run may replace the header at the same moment: look again. What is lost all the same comes back with
        # the next claim of its run.
        atomic.place_bytes(path, _encode(merged))
        now = read_header(folder)
        if now.with_additions(replace(header, study=now.study)) == now:
            return differing


def read_header(folder: Path | str) -> Header:
    """Return the header of a results folder.

    Raises
    ------
    RunFolderError
        If there is no readable ``run.json``.
    """
    path = Path(folder) / "run.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise RunFolderError(f"{path} has layout {content['format']}, this version reads {FORMAT}")
        return Header(**{name: content[name] for name in _PARTS})
    except FileNotFoundError as err:
        raise RunFolderError(f"{folder} is not a results folder: it has no run.json; name the --out of a run") from err
    except (json.JSONDecodeError, KeyError, TypeError) as err:
        raise RunFolderError(f"{path} is not the header of a results folder ({err}); restore it") from err


def differences(there: Header, here: Header) -> dict[str, tuple[str, str]]:
    """Return dotted key -> (value in ``there``, value in ``here``); of parts and files only those known to both."""
    pairs = [(part, getattr(there, part), getattr(here, part)) for part in ("settings", "environment")]
    for kind in sorted(there.parts.keys() & here.parts.keys()):
        both = sorted(there.parts[kind].keys() & here.parts[kind].keys())
        pairs += [(f"{kind} {name}", there.parts[kind][name], here.parts[kind][name]) for name in both]
    found = {}
    for name, before, now in pairs:
        old, new = dict(_flatten(name, before)), dict(_flatten(name, now))
        for key in sorted(old.keys() | new.keys()):
            if old.get(key, "(absent)") != new.get(key, "(absent)"):
                found[key] = (old.get(key, "(absent)"), new.get(key, "(absent)"))
    for name in sorted(there.files.keys() & here.files.keys()):
        if there.files[name] != here.files[name]:
            found[f"files.{name}"] = (f"sha256 {there.files[name][:12]}", f"sha256 {here.files[name][:12]}")
    return found


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's content, read in pieces."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(folder: Path, there: Header, here: Header, mixed: bool) -> tuple[str, ...]:
    """Raise for keys that must not differ; return the environment keys that do and may."""
    found = differences(there, here)
    environment = tuple(key for key in found if key.startswith("environment."))
    refused = [key for key in found if not (mixed and key in environment)]
    if not refused:
        return environment
    lines = [f"  {key}: {found[key][0]} in the folder, {found[key][1]} now" for key in refused]
    remedy = "restore these values or use another results folder"
    if set(refused) <= set(environment):
        remedy += ", or add --mixed, which marks the rows"
    raise RunFolderError("\n".join([f"{folder} was made with other values:", *lines, f"{remedy}."]))


def _create(path: Path, header: Header) -> bool:
    """Create ``run.json`` whole; return False if another run was first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f".{path.name}-{uuid.uuid4().hex}.mine")
    atomic.place_bytes(mine, _encode(header))
    try:
        os.link(mine, path)  # fails if the file exists, on NFS too, and the file appears with its whole content
    except FileExistsError:
        return False
    except OSError as err:
        if err.errno not in NO_HARD_LINKS:
            raise
        if path.exists():
            return False
        os.replace(mine, path)  # without hard links the last of two simultaneous first runs wins
    finally:
        mine.unlink(missing_ok=True)
    return True


def _encode(header: Header) -> bytes:
    """Return the bytes of ``run.json``."""
    parts = {name: getattr(header, name) for name in _PARTS}
    return f"{json.dumps({'format': FORMAT, **parts}, indent=2, sort_keys=True, ensure_ascii=False)}\n".encode()


def _plain(header: Header) -> Header:
    """Return the header as it will be read back: tuples become lists."""
    content = json.loads(_encode(header))
    return Header(**{name: content[name] for name in _PARTS})


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield dotted key and JSON text of every leaf; lists are leaves."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flatten(f"{prefix}.{name}", inner)
    else:
        yield prefix, json.dumps(value, sort_keys=True, ensure_ascii=False)
