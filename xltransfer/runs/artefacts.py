"""The header of a safetensors file: which unit made it, and the same bytes for the same content.

A safetensors file is eight bytes of header length, the header as JSON, then the tensors. The library sorts the tensors
but writes the metadata in the order of a randomly seeded hash table, so that a file with two metadata entries differs
from process to process; :func:`sort_metadata` puts them in order.
"""

import json
from pathlib import Path
from typing import Any

from xltransfer.runs.unit import Unit, canonical_json

ENTRY = "xltransfer.unit"
"""Name of the metadata entry that holds the canonical JSON of the unit's key."""


def artefact_metadata(unit: Unit) -> dict[str, str]:
    """Return the metadata entry by which an artefact names its unit; its writer adds it to its own metadata."""
    return {ENTRY: canonical_json(unit.key)}


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file.

    Raises
    ------
    ValueError
        If the file is not in the safetensors format.
    """
    metadata: dict[str, str] = _read_header(path)[1].get("__metadata__", {})
    return metadata


def read_key(path: Path) -> dict[str, Any]:
    """Return the key of the unit that made the artefact, ``{}`` if its writer named none."""
    key: dict[str, Any] = json.loads(read_metadata(path).get(ENTRY, "{}"))
    return key


def sort_metadata(path: Path) -> None:
    """Rewrite the header of a safetensors file in place, its metadata sorted by name."""
    length, header = _read_header(path)
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    # Same entries, same compact form, hence the same length; the format allows spaces behind the JSON.
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
    if len(text) != length:
        raise ValueError(f"{path.name}: the safetensors header has {length} bytes, but {len(text)} when sorted")
    with path.open("r+b") as stream:
        stream.seek(8)
        stream.write(text)


def _read_header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return length and content of the header."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= path.stat().st_size - 8:
            raise ValueError(f"{path.name} is not a safetensors file; save artefacts with safetensors.save_file")
        header: dict[str, Any] = json.loads(stream.read(length))
    return length, header
