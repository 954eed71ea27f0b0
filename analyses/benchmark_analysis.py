"""How fast a full-size run is read, analysed, drawn and reported. One JSON line last, each figure beside its target.

The run is simulated (`simulate_run`): 38 transfer languages x 10 replicates x 4 k, scored on 114 treebanks for pos and
dep and 125 sets of entities, 100 sentences each on average. It is made in a process of its own, so that it has no part
in the peak of memory.

Seconds of wall-clock time: ``open_s`` all measurements and the untouched model's items; ``point_s`` floor, sizes,
transfer scores and both rankings; ``interval_s`` the default interval of every cell and aggregate; ``bootstrap_1000_s``
1,000 pigeonhole draws of every aggregate of one task and k; ``figure_s`` the largest heatmap; ``report_s`` the whole
report, from the folder on. ``peak_gib``: the largest resident memory of this process and its workers together, looked
at ten times a second; what they share counts for each of them.

    python analyses/benchmark_analysis.py [--run DIR] [--only interval_s ...] [--workers 2]

About five minutes on two cores, half of them for making the run; ``--run`` takes a folder that is there, or keeps the
one that is made.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Annotated, Any

import pandas as pd
import typer

import xltransfer
from xltransfer.analysis import (
    out_of_aggregates,
    rank_target_languages,
    rank_transfer_languages,
    transfer_scores,
)
from xltransfer.runs.open import Run

TARGETS = {
    "open_s": 15.0,  # together with the point estimates
    "point_s": 15.0,
    "interval_s": 60.0,
    "bootstrap_1000_s": 60.0,
    "figure_s": 10.0,
    "report_s": 90.0,
    "peak_gib": 4.0,
}

TASK, METRIC, STEPS = "ner", "f1", 10
"""What is drawn and resampled; ner has most targets."""


class Benchmark:
    """The parts of an analysis, each timed when it is first asked for; later parts take what earlier ones made.

    Parameters
    ----------
    folder
        The results folder.
    workers
        Processes that draw the report's figures.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.workers = workers
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block to ``name``."""
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
        print(f"{name}: {self.seconds[name]:.1f} s", file=sys.stderr, flush=True)

    @cached_property
    def opened(self) -> tuple[Run, pd.DataFrame, pd.DataFrame]:
        """The run, its measurements, and the items that the floor test reads."""
        with self.timed("open_s"):
            run = xltransfer.open_run(self.folder)
            return run, run.measurements(labels=False), run.items(settings=("baseline", "trivial"))

    @cached_property
    def point(self) -> pd.DataFrame:
        """The flags of the targets, after all point estimates."""
        _, measurements, items = self.opened
        with self.timed("point_s"):
            flags = out_of_aggregates(measurements, items)
            ts = transfer_scores(measurements, out_of_aggregates=flags)
            rank_transfer_languages(ts)
            rank_target_languages(ts)
        return flags

    @cached_property
    def languages(self) -> pd.DataFrame:
        """Families, names and scripts of all languages."""
        from xltransfer.report.names import languages_of

        run, measurements, _ = self.opened
        return languages_of(run.study, {*measurements["target"], *measurements["transfer"]} - {""})

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """Cells with intervals and corrected p-values, after those of all aggregates."""
        from xltransfer.analysis.aggregate_intervals import target_aggregates, transfer_aggregates
        from xltransfer.analysis.interval_statistics import interval_statistics
        from xltransfer.analysis.intervals import cell_intervals
        from xltransfer.analysis.multiplicity import adjusted

        run, flags, languages = self.opened[0], self.point, self.languages
        with self.timed("interval_s"):
            baselines = run.cluster_counts(["baseline"])
            statistics = interval_statistics(run.cluster_counts(), baselines, flags, languages)
            transfer_aggregates(statistics)
            target_aggregates(statistics)
            return adjusted(cell_intervals(statistics))

    def bootstrap(self) -> None:
        """Draw 1,000 times for every aggregate of one task and k."""
        from xltransfer.analysis.pigeonhole import pigeonhole

        run, flags, languages = self.opened[0], self.point, self.languages
        with self.timed("bootstrap_1000_s"):
            entries = run.cluster_counts(tasks=[TASK], steps=[STEPS])
            baselines = run.cluster_counts(["baseline"], tasks=[TASK])
            pigeonhole(entries, baselines, flags, languages, draws=1000)

    def figure(self) -> None:
        """Draw and save the heatmap with most cells."""
        from xltransfer.figures import transfer_heatmap

        cells, languages = self.intervals, self.languages
        with self.timed("figure_s"), TemporaryDirectory() as folder:
            figure = transfer_heatmap(cells, languages, task=TASK, metric=METRIC, steps=STEPS)
            figure.savefig(Path(folder) / "heatmap.png")

    def report(self) -> None:
        """Write the whole report from the folder on."""
        from xltransfer.report.write import write_report

        with self.timed("report_s"), TemporaryDirectory() as folder:
            write_report(xltransfer.open_run(self.folder), Path(folder), workers=self.workers)

    def measure(self, name: str) -> None:
        """Run the part that ``name`` is the time of."""
        parts: dict[str, Callable[[], Any]] = {
            "open_s": lambda: self.opened,
            "point_s": lambda: self.point,
            "interval_s": lambda: self.intervals,
            "bootstrap_1000_s": self.bootstrap,
            "figure_s": self.figure,
            "report_s": self.report,
        }
        parts[name]()


class PeakMemory(Thread):
    """Watches the resident memory of this process and its children, from ``start`` to ``stop``."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.gib = 0.0
        self._stopped = Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._stopped.wait(0.1):
            self.gib = max(self.gib, resident_gib())

    def stop(self) -> float:
        """Return the peak, GiB."""
        self._stopped.set()
        self.join()
        return max(self.gib, resident_gib())


def resident_gib() -> float:
    """Return the resident memory of this process and its children now, GiB. Linux."""
    own = Path("/proc/self")
    children = {child for task in own.glob("task/*/children") for child in task.read_text().split()}
    pages = 0
    for process in (own, *(Path("/proc") / child for child in children)):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
            pages += int((process / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def simulated(folder: Path) -> None:
    """Make the run in a process of its own, unless it is there."""
    if not (folder / "run.json").exists():
        script = Path(__file__).with_name("simulate_run.py")
        subprocess.run([sys.executable, str(script), "--out", str(folder)], check=True, stdout=sys.stderr)


def beside_targets(seconds: dict[str, float], peak: float) -> dict[str, float | None]:
    """Return the keys of the JSON line: each figure (None where not measured), then its target."""
    found = {**seconds, "peak_gib": peak}
    line: dict[str, float | None] = {}
    for name, target in TARGETS.items():
        line |= {name: round(found[name], 2) if name in found else None, f"{name}_target": target}
    return line


def main(
    run: Annotated[Path | None, typer.Option(help="Results folder; made if absent. Default: a temporary one.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Parts, by their keys. Default: all.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw the report's figures.", min=0)] = 2,
) -> None:
    """Time every part of an analysis."""
    wanted = [name for name in TARGETS if name != "peak_gib" and (not only or name in only)]
    with TemporaryDirectory() as temporary:
        folder = run or Path(temporary) / "run"
        simulated(folder)
        benchmark, memory = Benchmark(folder, workers), PeakMemory()
        memory.start()
        for name in wanted:
            benchmark.measure(name)
        print(json.dumps(beside_targets(benchmark.seconds, memory.stop())))


if __name__ == "__main__":
    typer.run(main)
