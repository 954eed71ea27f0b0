"""The protocols by the name that a study gives: what the commands call without knowing which one it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.errors import ConfigError, ModelError
from xltransfer.protocols.alignment import context as alignment_context
from xltransfer.protocols.alignment import plan as alignment_plan
from xltransfer.protocols.alignment import run as alignment_run
from xltransfer.protocols.alignment import states as alignment_states
from xltransfer.protocols.base_model import refuse_base
from xltransfer.protocols.interaction import plan as interaction_plan
from xltransfer.protocols.interaction import run as interaction_run
from xltransfer.protocols.interaction import wanted as interaction_wanted
from xltransfer.protocols.transfer import plan as transfer_plan
from xltransfer.protocols.transfer import run as transfer_run
from xltransfer.protocols.transfer import wanted as transfer_wanted
from xltransfer.protocols.transfer.plan import Plan, Row
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.runs.executors.ledger import Outcome


@dataclass(frozen=True)
class Protocol:
    """What a protocol can do with a study.

    Attributes
    ----------
    run_study
        Do it into a folder, see `execution.run_units`.
    make_plan
        Say what it costs, see `transfer.plan.make_plan`.
    wanted
        Say which units are not there, see `transfer.wanted.wanted`.
    left_out
        Count what of the study is not done, because nothing would be measured with it.
    checks
        Refuse what a run could not begin with; none of them reads a text.
    """

    run_study: Callable[..., Outcome]
    make_plan: Callable[..., Plan]
    wanted: Callable[[ResolvedStudy, str, Mapping[str, Mapping[str, Any]]], Wanted]
    left_out: Callable[[ResolvedStudy], list[Row]]
    checks: tuple[Callable[[ResolvedStudy], object], ...] = (refuse_base,)


PROTOCOLS: Mapping[str, Protocol] = {
    "transfer": Protocol(transfer_run.run_study, transfer_plan.make_plan, transfer_wanted.wanted, lambda _: []),
    "interaction": Protocol(
        interaction_run.run_study, interaction_plan.make_plan, interaction_wanted.wanted, interaction_plan.left_out
    ),
    "alignment": Protocol(
        alignment_run.run_study,
        alignment_plan.make_plan,
        alignment_states.wanted,
        alignment_plan.left_out,
        (refuse_base, alignment_context.adapter_folders),
    ),
}


def protocol_of(resolved: ResolvedStudy) -> Protocol:
    """Return the protocol of a study."""
    return PROTOCOLS[resolved.study.protocol]


def foreseen(resolved: ResolvedStudy) -> tuple[list[str], list[str]]:
    """Return why a run of a study could not begin, and what of the study it would leave out; reads no text."""
    protocol, refusals, warnings = protocol_of(resolved), [], []
    for check in protocol.checks:
        try:
            check(resolved)
        except (ConfigError, ModelError) as error:
            refusals += str(error).splitlines()
    try:
        warnings = [f"{row.units} {row.kind}" for row in protocol.left_out(resolved)]
    except ConfigError as error:
        refusals += error.problems
    return refusals, warnings
