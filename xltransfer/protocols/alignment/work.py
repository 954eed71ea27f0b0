"""Do one unit of an alignment study in whatever process it is given to."""

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine.precision import precise
from xltransfer.protocols.alignment.context import AlignmentContext
from xltransfer.protocols.alignment.measure import measure
from xltransfer.protocols.transfer.training import train_adapter
from xltransfer.protocols.transfer.work import kept_context
from xltransfer.runs.unit import Unit


def work(unit: Unit, resolved: ResolvedStudy, folder: str, mixed: tuple[str, ...] = ()) -> None:
    """Train the unit's task adapter, or measure its state, and write what it produces into ``folder``."""
    context = kept_context(AlignmentContext, resolved, folder, mixed)
    with precise(context.device, resolved.study.engine.precision):
        if unit.produces == "artefact":
            train_adapter(context, unit)
        else:
            context.store.write(unit, measure(context, unit))
