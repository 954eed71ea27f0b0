"""The record of a unit that failed: class and first line of the error, nothing that varies between machines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xltransfer.errors import UnitError
from xltransfer.runs.unit import Unit

# The folders of an absolute path, up to its last name; a URL or a fraction has no slash after these characters.
_FOLDERS = re.compile(r"(?:(?<=^)|(?<=[\s'\"(=\[:,]))(?:/[^\s/'\",:;()\[\]]+)+/")


@dataclass(frozen=True)
class Failure:
    """Why a unit is not there.

    Attributes
    ----------
    unit
        Id of the unit.
    key
        Key of the unit.
    error
        Class of the error.
    message
        First line of the error, absolute paths cut to their last name.
    """

    unit: str
    key: Mapping[str, Any]
    error: str
    message: str

    @classmethod
    def of(cls, unit: Unit, error: BaseException | str) -> "Failure":
        """Return the record of ``error``; a text stands for a :class:`~xltransfer.errors.UnitError`."""
        name = UnitError.__name__ if isinstance(error, str) else type(error).__name__
        lines = str(error).strip().splitlines()
        return cls(unit.id, unit.key, name, _FOLDERS.sub("", lines[0]) if lines else "")

    def __str__(self) -> str:
        """Return error and message in one line."""
        return f"{self.error}: {self.message}"
