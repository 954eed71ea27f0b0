"""What a report is asked, by the protocol of its run: the fields of a record are the options that its report takes.

`findings.Options` is that of transfer runs. An option that another protocol takes is refused with the protocol's name;
it would change nothing, and who gave it thinks that it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from xltransfer.analysis.interference_signs import Order
from xltransfer.errors import ConfigError
from xltransfer.report.findings import Options as TransferOptions


@dataclass(frozen=True)
class InteractionOptions:
    """What the report of an interaction run is about.

    Attributes
    ----------
    task, metric
        Only this task, metric; None: all tasks, each by its main metric.
    order
        Which of two partners is B: ``listed`` (the study's order), ``near_far`` (the nearer one) or ``both``.
    features
        URIEL's feature set that says who is near, for ``near_far``.
    dead_zone
        Differences of up to so many item standard errors are ties; 0: equal scores only.
    """

    task: str | None = None
    metric: str | None = None
    order: Order = "listed"
    features: str = "syntax_knn"
    dead_zone: float = 0.0


@dataclass(frozen=True)
class AlignmentOptions:
    """What the report of an alignment run is about.

    Attributes
    ----------
    task
        Only this set of texts; None: all.
    transfer
        Results folder of a finished transfer run, to lay its scores beside the change of alignment; None: none.
    seed
        Root of the random streams of permutations.
    """

    task: str | None = None
    transfer: Path | None = None
    seed: int = 1


Options = TransferOptions | InteractionOptions | AlignmentOptions

OPTIONS: Final[Mapping[str, type[Options]]] = {
    "transfer": TransferOptions,
    "interaction": InteractionOptions,
    "alignment": AlignmentOptions,
}
"""By protocol."""


def options_of(protocol: str, given: Mapping[str, Any]) -> Options:
    """Return the options of a report.

    Parameters
    ----------
    protocol
        Of the run.
    given
        Option (``dead_zone``) to value, None where it was not given.

    Raises
    ------
    ConfigError
        An option is one of other protocols; all of them are named.
    """
    own = OPTIONS[protocol]
    taken = {field.name for field in fields(own)}
    chosen = {name: value for name, value in given.items() if value is not None}
    problems = [
        f"{flag(name)} is an option of reports on runs of protocol {_protocols(name)}; this run is of protocol "
        f"{protocol}, whose report takes {', '.join(flag(each) for each in sorted(taken))}"
        for name in chosen
        if name not in taken
    ]
    if problems:
        raise ConfigError(problems)
    return own(**chosen)


def flag(name: str) -> str:
    """Return an option as it is written on the command line."""
    return f"--{name.replace('_', '-')}"


def _protocols(name: str) -> str:
    """Return the protocols whose reports take an option."""
    return " or ".join(protocol for protocol, own in OPTIONS.items() if name in {each.name for each in fields(own)})
