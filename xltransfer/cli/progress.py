"""Progress over units (how many, what failed, time left by their expected cost) and over optimizer steps."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from xltransfer.runs.executors.ledger import Event
from xltransfer.runs.unit import Unit


@contextmanager
def unit_progress(units: Sequence[Unit]) -> Iterator[Callable[[Event], None]]:
    """Show a bar over ``units`` and yield the callback that an executor tells of events.

    Time left is the expected cost of what is left, corrected by how the finished units took against theirs; units of
    unknown cost count as one each. Where the output is no terminal, every tenth of the way is a line.
    """
    costs = {unit.id: 1.0 if math.isnan(unit.cost) else unit.cost for unit in units}
    total, began = sum(costs.values()) or 1.0, time.monotonic()
    state = {"done": 0.0, "failed": 0, "tenth": 0, "units": 0}
    console = Console(stderr=True)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("units"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("running", total=len(costs), left="")

    def left() -> str:
        if state["done"] <= 0:
            return ""
        seconds = (time.monotonic() - began) * (total - state["done"]) / state["done"]
        return f"{clock(seconds)} left"

    def on_event(event: Event) -> None:
        if event.kind == "retried":
            console.print(f"unit {event.unit.id}: {event.error}; trying once more")
        if event.kind not in ("done", "skipped", "failed"):
            return
        if event.kind == "failed":
            state["failed"] += 1
            console.print(f"unit {event.unit.id} failed: {event.error}", markup=False)
        state["done"] += costs.get(event.unit.id, 0.0)
        state["units"] += 1
        bar.update(task, advance=1, left=left())
        tenth = int(10 * state["done"] / total)
        if not console.is_terminal and tenth > state["tenth"]:
            state["tenth"] = tenth
            console.print(f"{10 * tenth:3d} %  {state['units']}/{len(costs)} units, {left()}", highlight=False)

    with bar:
        yield on_event


@contextmanager
def step_progress(what: str, steps: int) -> Iterator[Callable[[int, str], None]]:
    """Yield a callback that shows a bar of ``steps`` optimizer steps with time left, from the first step on.

    It is told the number of steps that are done and what to say behind it. Where the output is no terminal, every fifth
    of the way is a line.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps{task.fields[said]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = {"fifth": 0}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=steps, said="", visible=False)

        def on_step(step: int, said: str = "") -> None:
            bar.update(task, completed=step, said=said, visible=True)
            fifth = 5 * step // steps
            if not console.is_terminal and fifth > shown["fifth"]:
                shown["fifth"] = fifth
                console.print(f"{20 * fifth:3d} %  {step}/{steps} steps{said}", highlight=False)

        yield on_step


def clock(seconds: float) -> str:
    """Return seconds as ``1 h 02 min``, ``3 min 20 s`` or ``45 s``."""
    if math.isnan(seconds):
        return "unknown"
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
