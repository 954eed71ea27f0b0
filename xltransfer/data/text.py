"""Reader of plain text, one sentence or paragraph a line, and its deterministic split into training and held-out lines.

A line is held out by a hash of its own text: adding lines moves no other line, equal lines fall on one side, also when
they stand in two corpora. So a line that is scored as held-out text is in no corpus that was cut with the same share.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from xltransfer.data.lines import lines
from xltransfer.errors import DataError

_SALT = b"xltransfer held-out"


def read_text_lines(path: Path, column: int | None = None) -> list[str]:
    """Return the lines of a text file with white space normalised, empty ones dropped.

    Parameters
    ----------
    path
        The file, UTF-8.
    column
        Column of a tab-separated file, from 0; None takes the whole line.

    Raises
    ------
    DataError
        If a line has no such column, or nothing is left.
    """
    kept = []
    for number, line in enumerate(lines(path), start=1):
        if column is not None and line.strip():
            fields = line.split("\t")
            if column >= len(fields):
                raise DataError(
                    f"{path}:{number}: {len(fields)} tab-separated columns, column {column} (from 0) was asked for"
                )
            line = fields[column]
        normal = " ".join(line.split())
        if normal:
            kept.append(normal)
    if not kept:
        raise DataError(f"{path}: holds no text; expected one sentence or paragraph a line")
    return kept


def is_held_out(line: str, share: float) -> bool:
    """Whether ``line`` belongs to the held-out ``share`` (0 to 1) of its corpus."""
    digest = hashlib.blake2b(line.encode(), key=_SALT, digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2.0**64


def split_lines(corpus: Iterable[str], split: str, share: float) -> list[str]:
    """Return the held-out lines (``split`` ``test``) or the others (``train``).

    Raises
    ------
    ValueError
        For another split, or a share outside [0, 1).
    """
    if split not in ("train", "test"):
        raise ValueError(f"split={split!r}; a text that is split by held_out has 'train' and 'test'")
    if not 0.0 <= share < 1.0:
        raise ValueError(f"share={share}; expected a share in [0, 1)")
    return [line for line in corpus if is_held_out(line, share) == (split == "test")]
