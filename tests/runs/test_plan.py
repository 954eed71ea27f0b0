"""Plans: what is missing, in which order, and how long it takes."""

import math

import pytest
from runs_work import score, staged

from xltransfer.runs.plan import by_stage, expected_seconds, total_cost, wanted_minus_present
from xltransfer.runs.status import status
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def test_wanted_minus_present_keeps_each_missing_unit_once_and_lower_stages_first(
    store: Store, six: list[Unit]
) -> None:
    adapter, *scored = staged(2)
    score(store.folder, six[1])
    assert wanted_minus_present([*scored, *six[:2], adapter, adapter], store) == [six[0], adapter, *scored]


def test_units_are_grouped_by_stage() -> None:
    adapter, *scored = staged(2)
    stages = by_stage([*scored, adapter])
    assert [(stage.number, stage.units) for stage in stages] == [(0, (adapter,)), (1, tuple(scored))]
    assert math.isnan(stages[0].cost)


def test_costs_by_hand() -> None:
    stage0 = [Unit({"n": n}, cost=cost) for n, cost in enumerate([4.0, 1.0, 1.0, 3.0])]
    stage1 = [Unit({"n": 9}, cost=2.0, stage=1)]
    assert total_cost([*stage0, *stage1]) == 11.0
    assert total_cost([]) == 0.0
    assert expected_seconds([*stage0, *stage1], 1) == 11.0
    # Two workers: one does 4; the other 1, 1, 3 = 5; then stage 1 waits for both.
    assert expected_seconds([*stage0, *stage1], 2) == 7.0
    assert math.isnan(expected_seconds([*stage0, Unit({"n": 10})], 2))
    with pytest.raises(ValueError, match="workers is 0; expected at least 1"):
        expected_seconds(stage0, 0)


def test_status_counts_what_is_there_missing_and_failed(store: Store, six: list[Unit]) -> None:
    from xltransfer.runs.folder import Header, claim

    claim(store.folder, Header({"name": "s"}, {}, {}))
    score(store.folder, six[0])
    failure = store.record_failure(six[1], "no")
    alone = status(store.folder)
    assert (alone.measured, alone.artefacts, alone.wanted, alone.missing) == (1, 0, None, None)
    against = status(store.folder, six)
    assert (against.wanted, against.missing) == (6, tuple(six[1:]))
    assert against.failed == (failure,)
    assert against.header.study == {"name": "s"}
    assert against.size > store.measurements_path(six[0].id).stat().st_size
