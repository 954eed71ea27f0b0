"""The inline executor: order, skipping, failures that do not stop the run, and stages."""

from functools import partial
from pathlib import Path

import pytest
from runs_work import content, raise_on, score, staged, train_and_score, train_nothing, write_nothing

from xltransfer.runs.executors.inline import run_inline
from xltransfer.runs.executors.ledger import Event
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def test_units_are_done_in_order_and_a_second_run_skips_them(store: Store, six: list[Unit]) -> None:
    events: list[Event] = []
    outcome = run_inline([*six, six[0]], partial(score, store.folder), store, events.append)
    assert outcome.done == tuple(six)
    assert [(event.kind, event.unit) for event in events] == [
        pair for unit in six for pair in (("started", unit), ("done", unit))
    ]
    before = content(store.folder)
    again = run_inline(six, partial(score, store.folder), store)
    assert (again.done, again.skipped) == ((), tuple(six))
    assert content(store.folder) == before


def test_a_unit_that_raises_is_recorded_the_run_goes_on_and_the_next_run_tries_it_again(
    store: Store, six: list[Unit]
) -> None:
    events: list[Event] = []
    outcome = run_inline(six, partial(raise_on, store.folder, 2), store, events.append)
    assert outcome.done == tuple(unit for unit in six if unit is not six[2])
    assert [(f.unit, f.error, f.message) for f in outcome.failed] == [
        (six[2].id, "ValueError", "cannot read 'wol.conllu': line 3")
    ]
    assert store.failures() == list(outcome.failed)
    assert [event.error for event in events if event.kind == "failed"] == [str(outcome.failed[0])]
    healed = run_inline(six, partial(score, store.folder), store)
    assert healed.done == (six[2],)
    assert store.failures() == []


def test_artefacts_come_before_the_units_that_need_them(store: Store) -> None:
    wanted = staged(2)
    outcome = run_inline(reversed(wanted), partial(train_and_score, store.folder), store)
    assert outcome.done[0] == wanted[0]
    assert set(outcome.done) == set(wanted)


def test_units_whose_artefact_failed_fail_with_its_id(store: Store) -> None:
    adapter, *scored = staged(2)
    outcome = run_inline([adapter, *scored], partial(train_nothing, store.folder), store)
    assert [failure.message for failure in outcome.failed] == [
        "the loss is not finite", *[f"needs artefact {adapter.id}, which failed"] * 2
    ]  # fmt: skip
    repaired = run_inline([adapter, *scored], partial(train_and_score, store.folder), store)
    assert len(repaired.done) == 3
    assert store.failures() == []


def test_a_need_that_nobody_makes_is_said_to_be_so(store: Store) -> None:
    outcome = run_inline(staged(1)[1:], partial(train_and_score, store.folder), store)
    assert outcome.failed[0].message.endswith("which is neither in the folder nor among the units of this run")


def test_work_that_writes_nothing_has_failed(store: Store, six: list[Unit]) -> None:
    outcome = run_inline(six[:1], write_nothing, store)
    assert str(outcome.failed[0]) == "UnitError: work returned without writing its measurements"


def test_ctrl_c_is_passed_on_and_the_run_can_continue(store: Store, six: list[Unit]) -> None:
    def interrupted(unit: Unit) -> None:
        if unit == six[1]:
            raise KeyboardInterrupt
        score(store.folder, unit)

    with pytest.raises(KeyboardInterrupt):
        run_inline(six, interrupted, store)
    assert store.failures() == []
    assert run_inline(six, partial(score, store.folder), store).skipped == (six[0],)


def test_a_full_disk_fails_the_unit_even_if_the_failure_cannot_be_recorded(
    tmp_path: Path, six: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, events = Store(tmp_path / "run"), list[Event]()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "shard"))

    monkeypatch.setattr("xltransfer.runs.atomic.place", full)
    monkeypatch.setattr(Store, "log", full)
    outcome = run_inline(six[:1], partial(score, store.folder), store, events.append)
    assert str(outcome.failed[0]) == "OSError: [Errno 28] No space left on device: 'shard'"
    assert [event.kind for event in events] == ["started", "failed"]
