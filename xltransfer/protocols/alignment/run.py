"""Run an alignment study into a folder. The commands and scripts call this."""

from pathlib import Path

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine.loading import Loaded
from xltransfer.errors import ModelError
from xltransfer.protocols.alignment.header import header_of
from xltransfer.protocols.alignment.plan import price
from xltransfer.protocols.alignment.work import work
from xltransfer.protocols.execution import OnPlan, Slurm, Way, run_units
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.runs.executors.ledger import OnEvent, Outcome


def run_study(
    resolved: ResolvedStudy,
    folder: Path,
    *,
    workers: int | None = None,
    mixed: bool = False,
    slurm: Slurm | None = None,
    on_event: OnEvent | None = None,
    on_plan: OnPlan | None = None,
) -> Outcome:
    """Do everything that ``resolved`` wants and ``folder`` does not have; see `execution.run_units`.

    Raises
    ------
    ConfigError, DataError
        Beside those of every run: texts that are not declared parallel, or that differ in number or items.
    """
    way = Way(header_of, _units, work, _check)
    return run_units(
        way, resolved, folder, workers=workers, mixed=mixed, slurm=slurm, on_event=on_event, on_plan=on_plan
    )


def _units(resolved: ResolvedStudy, folder: Path, workers: int, device: str) -> Wanted:
    return price(resolved, folder, None, workers, device).wanted


def _check(resolved: ResolvedStudy, loaded: Loaded) -> None:
    choice = resolved.study.nudge.pooler
    if choice != "keep" and getattr(loaded.encoder, "pooler", None) is None:
        raise ModelError(f"nudge.pooler is {choice!r}, but base model {resolved.model!r} holds no pooler; say keep")
