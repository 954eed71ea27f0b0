"""The benchmark of the analysis: on a tiny run every part that it times can be run, and the last line is the JSON."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmark_analysis import TARGETS, PeakMemory, beside_targets, main, resident_gib
from simulate_run import Spec, simulate


def test_parts_are_timed_and_stand_beside_their_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = Spec(transfers=3, replicates=3, steps=(10,), targets={"pos": 4, "ner": 6}, mean_items=40)
    simulate(tmp_path / "run", spec)
    parts = ["open_s", "point_s", "interval_s", "bootstrap_1000_s", "figure_s"]
    main(tmp_path / "run", only=parts, workers=0)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(line) == {*TARGETS, *(f"{name}_target" for name in TARGETS)}
    assert all(line[name] > 0 for name in parts)
    assert line["report_s"] is None
    assert 0.1 < line["peak_gib"] < 4.0


def test_a_part_that_was_not_measured_is_none_and_not_0() -> None:
    line = beside_targets({"open_s": 1.234}, 0.5)
    assert (line["open_s"], line["open_s_target"], line["point_s"]) == (1.23, 15.0, None)


def test_memory_is_that_of_this_process_and_its_children() -> None:
    before = resident_gib()
    assert before <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 + 0.05
    held = np.ones(2**26)  # half a GiB
    assert 0.4 < resident_gib() - before < 0.6
    del held
    script = "held = b'x' * 2**29; print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        assert 0.4 < resident_gib() - before < 0.7
        child.communicate(b"\n")


def test_the_peak_is_kept() -> None:
    memory = PeakMemory()
    memory.start()
    held = np.ones(2**26)
    while memory.gib < resident_gib() - 0.1:
        pass
    del held
    assert memory.stop() > resident_gib() + 0.3
