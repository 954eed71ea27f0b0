"""The process executor: the same bytes as inline, and workers that die."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from runs_work import (
    content,
    die_after_writing,
    die_on,
    die_once,
    initialise,
    initialise_badly,
    initialise_dying,
    raise_on,
    score,
    score_threads,
    staged,
    train_and_score,
)

from xltransfer.errors import UnitError
from xltransfer.runs.executors import processes
from xltransfer.runs.executors.ledger import Event
from xltransfer.runs.executors.processes import run_processes
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def test_two_workers_write_the_bytes_of_one_process(store: Store, six: list[Unit], uninterrupted: Store) -> None:
    outcome = run_processes(six, partial(score, store.folder), store, workers=2)
    assert set(outcome.done) == set(six)
    assert content(store.folder) == content(uninterrupted.folder)
    again = run_processes(six, partial(score, store.folder), store, workers=2)  # starts no worker: nothing to do
    assert again.skipped == tuple(six)


def test_a_dead_workers_unit_is_retried_once_then_failed_and_the_others_are_done(store: Store, six: list[Unit]) -> None:
    events: list[Event] = []
    outcome = run_processes(six, partial(die_on, store.folder, 1), store, workers=2, on_event=events.append)
    assert set(outcome.done) == set(six) - {six[1]}
    assert [(f.unit, str(f)) for f in outcome.failed] == [(six[1].id, "UnitError: worker died with exit code 9")]
    mine = [event for event in events if event.unit == six[1]]
    assert [event.kind for event in mine] == ["started", "retried", "started", "failed"]
    assert mine[1].error == "worker died with exit code 9"
    assert store.failures() == list(outcome.failed)
    healed = run_processes(six, partial(score, store.folder), store, workers=1)
    assert healed.done == (six[1],)


def test_a_worker_that_is_killed_once_costs_nothing_but_time(
    store: Store, six: list[Unit], uninterrupted: Store
) -> None:
    events: list[Event] = []
    outcome = run_processes(six, partial(die_once, store.folder, 3), store, workers=1, on_event=events.append)
    assert set(outcome.done) == set(six)
    assert [e.error for e in events if e.kind == "retried"] == ["worker died with signal 9 (SIGKILL)"]
    assert content(store.folder) == content(uninterrupted.folder)


def test_a_worker_that_dies_after_its_last_file_has_done_its_unit(store: Store, six: list[Unit]) -> None:
    outcome = run_processes(six[:2], partial(die_after_writing, store.folder), store, workers=1)
    assert set(outcome.done) == set(six[:2])
    assert outcome.failed == ()


def test_a_unit_that_raises_keeps_its_worker_and_stages_are_kept(store: Store, six: list[Unit]) -> None:
    outcome = run_processes(six, partial(raise_on, store.folder, 0), store, workers=1)
    assert [str(f) for f in outcome.failed] == ["ValueError: cannot read 'wol.conllu': line 3"]
    adapter, *scored = staged(2)
    assert set(run_processes([*scored, adapter], partial(train_and_score, store.folder), store, workers=2).done) == {
        adapter, *scored
    }  # fmt: skip


def test_threads_and_initialisation_reach_the_worker_and_our_environment_is_restored(
    store: Store, six: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    work = partial(score_threads, store.folder)
    assert run_processes(six[:1], work, store, workers=1, initialise=initialise, threads=2).failed == ()
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (initialise_badly, "a worker could not start: FileNotFoundError: no weights"),
        (initialise_dying, "3 workers in a row died before they were ready, the last with exit code 7"),
    ],
)
def test_workers_that_cannot_start_stop_the_run_and_blame_no_unit(
    store: Store, six: list[Unit], start: Any, message: str
) -> None:
    with pytest.raises(UnitError, match=message):
        run_processes(six, partial(score, store.folder), store, workers=1, initialise=start)
    assert store.failures() == []


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 1, "threads": 0}])
def test_no_workers_or_threads_is_refused(store: Store, six: list[Unit], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(workers|threads) is 0; expected at least 1"):
        run_processes(six, partial(score, store.folder), store, **wrong)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers have a moment to end."""
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    yield


@pytest.mark.usefixtures("hasty")
def test_an_error_of_the_callback_ends_the_workers(store: Store, six: list[Unit]) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("the progress bar broke")

    with pytest.raises(RuntimeError, match="the progress bar broke"):
        run_processes(six, partial(score, store.folder), store, workers=2, on_event=broken)
    assert list(store.folder.rglob("*.tmp")) == []
