"""Lines of a UTF-8 text file with their places, and paragraphs (runs of lines between blank ones).

Only line feeds (and carriage return + line feed) end a line: real corpora hold U+2028, U+0085 and the like in tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xltransfer.errors import DataError


@dataclass(frozen=True)
class Place:
    """A line of a file, written ``file:line`` (lines count from 1)."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def read_text(path: Path) -> str:
    """Return the text of ``path`` without a byte order mark.

    Raises
    ------
    DataError
        If the file does not exist or is not UTF-8 (with the line of the first bad byte).
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError as err:
        raise DataError(f"{path}: no such file; check the manifest's root and the study's data_root") from err
    except IsADirectoryError as err:
        raise DataError(f"{path}: is a folder, expected a file; check the manifest's files") from err
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte {raw[err.start]:#04x}); convert the file to UTF-8") from err


def lines(path: Path) -> list[str]:
    """Return the lines of ``path`` without their ends."""
    text = read_text(path)
    split = [line.removesuffix("\r") for line in text.split("\n")]
    return split[:-1] if split and not split[-1] else split


def paragraphs(path: Path) -> Iterator[list[tuple[Place, str]]]:
    """Yield every run of non-blank lines, each line with its place."""
    run: list[tuple[Place, str]] = []
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            run.append((Place(path, number), line))
        elif run:
            yield run
            run = []
    if run:
        yield run
