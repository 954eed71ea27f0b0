"""The plan of an interaction study: what it counts agrees with the arithmetic, and with what a run leaves."""

import math

import pytest
from mini_interaction import SECTION
from mini_study import MiniStudy

from xltransfer.protocols.by_name import protocol_of
from xltransfer.protocols.interaction.plan import make_plan, price
from xltransfer.runs.store import Store


def test_rows_hold_every_unit_once_with_the_tokens_of_the_arithmetic(interaction_files: MiniStudy) -> None:
    plan = price(interaction_files.resolved, None, None, 2, "cpu")
    rows = {row.kind: row for row in plan.rows}
    assert sum(row.units for row in plan.rows) == len(plan.wanted.units)
    assert (rows["fusions of 2"].units, rows["fusions of 3"].units) == (6, 1)
    # 4 steps of 3 blocks of 32, and 6 of 2.
    assert rows["fusions of 2"].tokens == 6 * 4 * 3 * 32
    assert rows["language adapters"].tokens == 6 * 6 * 2 * 32
    assert rows["compositions"].tokens == 13 * rows["baseline"].tokens
    assert sum(row.seconds for row in plan.rows) == pytest.approx(sum(unit.cost for unit in plan.wanted.units))


def test_a_plan_of_nothing_left_is_empty(interaction_study: MiniStudy) -> None:
    plan = price(interaction_study.resolved, interaction_study.folder, None, 1, "cpu")
    assert (plan.rows, plan.expected, plan.disk) == ((), 0.0, 0)


def test_long_units_come_first_within_a_stage(interaction_files: MiniStudy) -> None:
    units = price(interaction_files.resolved, None, None, 2, "cpu").wanted.units
    assert [unit.stage for unit in units] == sorted(unit.stage for unit in units)
    for stage in (0, 1, 2):
        costs = [unit.cost for unit in units if unit.stage == stage]
        assert costs == sorted(costs, reverse=True)


@pytest.mark.slow
def test_expected_disk_is_near_what_the_run_wrote(interaction_study: MiniStudy) -> None:
    plan = protocol_of(interaction_study.resolved).make_plan(interaction_study.resolved, None, workers=1, seconds=2.0)
    assert protocol_of(interaction_study.resolved).make_plan is make_plan
    store = Store(interaction_study.folder)
    written = sum(path.stat().st_size for kind in ("items", "measurements", "artefacts") for path in store.placed(kind))
    tasks = [unit for unit, key in store.present().items() if key["kind"] == "task_adapter"]
    written -= sum(store.artefact_path(unit).stat().st_size for unit in tasks)
    assert plan.disk == pytest.approx(written, rel=0.5)
    assert math.isfinite(plan.expected) and plan.expected > 0
    assert SECTION["fusion"] == list(interaction_study.resolved.study.interaction.fusion)
