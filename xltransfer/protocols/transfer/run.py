"""Run a transfer study into a folder. The commands and scripts call this."""

from functools import partial
from pathlib import Path

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.execution import Way, run_units
from xltransfer.protocols.transfer.header import header_of
from xltransfer.protocols.transfer.plan import price
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.protocols.transfer.work import work


def _units(resolved: ResolvedStudy, folder: Path, workers: int, device: str) -> Wanted:
    # Nominal rates are enough for the order of units and for the progress bar, which corrects itself.
    return price(resolved, folder, None, workers, device).wanted


run_study = partial(run_units, Way(header_of, _units, work))
"""Do everything that a study wants and a folder does not have; see `execution.run_units`."""
