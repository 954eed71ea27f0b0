"""The errors that a caller may want to catch, and the wording of near matches.

XltransferError
├── ConfigError       a study, manifest or argument says something that cannot be meant; holds every problem found
├── DataError         a data file is malformed, empty or too short; names file and line
├── ModelError        a model folder lacks weights, or has weights that do not fit
├── RunFolderError    a results folder belongs to another study or machine setting
└── UnitError         a unit of work failed in a way that is recorded, not raised further
"""

import difflib
from collections.abc import Iterable, Sequence


class XltransferError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(XltransferError):
    """Problems in a study file, a manifest or an argument, all of them together.

    Parameters
    ----------
    problems
        One sentence per problem, each with its place (``file:line``) where there is one.
    """

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class DataError(XltransferError):
    """A data file that cannot be used, with its place."""


class ModelError(XltransferError):
    """A base model, adapter or head on disk that cannot be used as asked."""


class RunFolderError(XltransferError):
    """A results folder that does not fit the study or the machine settings."""


class UnitError(XltransferError):
    """A unit of work that failed; the run records it and goes on."""


def near_match(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, else the known names (or how many there are)."""
    options = sorted({str(option) for option in known})
    lowered = {option.lower(): option for option in options}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {lowered[close[0]]!r}?"
    if len(options) > 12:
        return f"; {len(options)} names are known, none is near"
    return f"; known: {', '.join(options)}" if options else "; no names are known here"
