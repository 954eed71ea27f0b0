"""Runs in processes of their own that are killed, interrupted, or two at once on one folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from runs_work import HERE_PATH, content, score

from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.folder import Header, claim
from xltransfer.runs.open import open_run
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def start(store: Store, executor: str, seconds: float) -> "subprocess.Popen[bytes]":
    """Start a run of six units in a process group of its own, as a terminal does."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([HERE_PATH, *filter(None, sys.path)])}
    command = [sys.executable, f"{HERE_PATH}/runs_work.py", str(store.folder), executor, "6", str(seconds)]
    return subprocess.Popen(command, env=environment, start_new_session=True)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait up to 30 seconds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.02)


def measured(store: Store) -> int:
    return len(store.placed("measurements"))


def workers(store: Store) -> set[int]:
    """Process ids of the workers that started a unit."""
    return {int(line) for line in (store.folder.parent / "pids").read_text().split()}


def alive(process: int) -> bool:
    """Whether the process runs; a zombie, which nobody in a container may reap, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_kill_9_in_the_middle_then_resume_gives_the_same_bytes(
    store: Store, six: list[Unit], uninterrupted: Store
) -> None:
    running = start(store, "processes", 0.3)
    wait_until(lambda: measured(store) >= 2, "two units are done")
    running.kill()
    running.wait()
    wait_until(lambda: not any(map(alive, workers(store))), "the workers have noticed")
    assert 2 <= measured(store) < 6
    outcome = run_inline(six, partial(score, store.folder), store)
    assert len(outcome.done) + len(outcome.skipped) == 6
    assert outcome.done
    assert content(store.folder) == content(uninterrupted.folder)


def test_kill_9_while_measurements_are_written_leaves_the_unit_absent_until_resumed(
    store: Store, six: list[Unit], uninterrupted: Store
) -> None:
    assert start(store, "die", 0).wait() == -signal.SIGKILL
    assert store.items_path(six[2].id).exists()
    assert not store.is_present(six[2])
    assert len(list(store.folder.rglob("*.tmp"))) == 1
    run_inline(six, partial(score, store.folder), store)
    assert content(store.folder) == content(uninterrupted.folder)
    assert list(store.folder.rglob("*.tmp")) == []


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_ctrl_c_leaves_nothing_half_written_and_the_run_resumes(
    store: Store, six: list[Unit], uninterrupted: Store, executor: str
) -> None:
    running = start(store, executor, 0.3)
    wait_until(lambda: measured(store) >= 1, "a unit is done")
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(30) == 130
    assert not any(map(alive, workers(store)))
    assert list(store.folder.rglob("*.tmp")) == []
    assert store.failures() == []
    assert 1 <= measured(store) < 6
    run_inline(six, partial(score, store.folder), store)
    assert content(store.folder) == content(uninterrupted.folder)


def test_two_runs_at_once_both_finish_and_no_unit_is_there_twice(
    store: Store, six: list[Unit], uninterrupted: Store
) -> None:
    claim(store.folder, Header({}, {}, {}))
    runs = [start(store, "processes", 0.05), start(store, "inline", 0.05)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert content(store.folder) == content(uninterrupted.folder)
    frame = open_run(store.folder).measurements()
    assert not frame.duplicated(["unit", "setting", "steps", "task", "dataset", "target", "metric"]).any()
    assert frame["unit"].nunique() == len(six)
