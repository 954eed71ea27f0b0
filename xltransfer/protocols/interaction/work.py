"""Do one unit of an interaction study in whatever process it is given to: the function that executors call."""

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine.precision import precise
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.scoring import measure
from xltransfer.protocols.interaction.training import train_adapters, train_fusions
from xltransfer.protocols.interaction.wanted import ADAPTERS, FUSIONS
from xltransfer.protocols.transfer.training import train_adapter
from xltransfer.protocols.transfer.work import kept_context
from xltransfer.runs.unit import Unit


def work(unit: Unit, resolved: ResolvedStudy, folder: str, mixed: tuple[str, ...] = ()) -> None:
    """Train what the unit names, or score its compositions, and write what it produces into ``folder``."""
    context = kept_context(InteractionContext, resolved, folder, mixed)
    if unit.key["kind"] == ADAPTERS:
        return train_adapters(context, unit)
    if unit.key["kind"] == FUSIONS:
        return train_fusions(context, unit)
    with precise(context.device, resolved.study.engine.precision):
        if unit.produces == "artefact":
            train_adapter(context, unit)
        else:
            context.store.write(unit, measure(context, unit))
