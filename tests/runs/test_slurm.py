"""The Slurm executor through submitit's local and debug executors, which need no cluster."""

import builtins
import os
import sys
from functools import partial
from typing import Any

import pytest
from runs_work import HERE_PATH, content, die_on, raise_on, score, staged, train_and_score

from xltransfer.errors import ConfigError
from xltransfer.runs.executors.ledger import Event
from xltransfer.runs.executors.slurm import deal, run_slurm
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit

submitit = pytest.importorskip("submitit", reason="the extra `slurm` is not installed")


def test_jobs_write_the_bytes_of_one_process(
    store: Store, six: list[Unit], uninterrupted: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE_PATH, *filter(None, sys.path)]))
    events: list[Event] = []
    score(store.folder, six[0])
    outcome = run_slurm(six, partial(score, store.folder), store, 2, events.append, {"timeout_min": 2}, "local")
    assert (outcome.skipped, set(outcome.done)) == ((six[0],), set(six[1:]))
    assert content(store.folder) == content(uninterrupted.folder)
    assert [event.kind for event in events] == ["skipped", *["started"] * 5, *["done"] * 5]


def test_a_job_that_dies_fails_only_its_units_that_are_not_there(
    store: Store, six: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE_PATH, *filter(None, sys.path)]))
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 1)  # how long it waits for a dead job's result
    outcome = run_slurm(six[:4], partial(die_on, store.folder, 2), store, 2, cluster="local")
    assert set(outcome.done) == {six[0], six[1], six[3]}  # the slices are 0, 2 and 1, 3
    assert [failure.unit for failure in outcome.failed] == [six[2].id]
    assert "ended as" in outcome.failed[0].message
    assert store.failures() == list(outcome.failed)


def test_failures_and_stages_are_those_of_the_inline_executor(store: Store, six: list[Unit]) -> None:
    outcome = run_slurm(six, partial(raise_on, store.folder, 4), store, 3, cluster="debug")
    assert [str(failure) for failure in outcome.failed] == ["ValueError: cannot read 'wol.conllu': line 3"]
    adapter, *scored = staged(2)
    trained = run_slurm([*scored, adapter], partial(train_and_score, store.folder), store, 2, cluster="debug")
    assert set(trained.done) == {adapter, *scored}


def test_units_are_dealt_in_turn(six: list[Unit]) -> None:
    assert deal(six, 4) == [[six[0], six[4]], [six[1], six[5]], [six[2]], [six[3]]]
    assert deal(six[:1], 4) == [[six[0]]]
    assert deal([], 4) == []


def test_no_jobs_are_refused(store: Store, six: list[Unit]) -> None:
    with pytest.raises(ValueError, match="jobs is 0; expected at least 1"):
        run_slurm(six, partial(score, store.folder), store, 0)


def test_without_submitit_the_error_has_the_pip_line(
    store: Store, six: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "submitit":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs submitit; install it with: pip install 'xltransfer\[slurm\]'"):
        run_slurm(six, partial(score, store.folder), store, 1)
