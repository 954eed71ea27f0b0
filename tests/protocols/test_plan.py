"""The plan: what it counts agrees with what the run then leaves."""

import math
from dataclasses import replace

import pytest
from mini_study import MiniStudy

from xltransfer.errors import ConfigError
from xltransfer.protocols.by_name import foreseen
from xltransfer.protocols.transfer.plan import make_plan, price


def test_a_plan_of_nothing_left_is_empty(mini_study: MiniStudy) -> None:
    plan = price(mini_study.resolved, mini_study.folder, None, 1, "cpu")
    assert (plan.rows, plan.expected, plan.disk) == ((), 0.0, 0)


@pytest.mark.slow
def test_expected_disk_is_near_what_the_run_wrote(mini_study: MiniStudy) -> None:
    plan = make_plan(mini_study.resolved, None, workers=1, seconds=1.0)
    shards = [path for kind in ("items", "measurements") for path in (mini_study.folder / kind).iterdir()]
    written = sum(path.stat().st_size for path in shards)
    assert plan.disk == pytest.approx(written, rel=0.5)
    assert math.isfinite(plan.expected)
    assert plan.expected > 0


def test_long_units_come_first_within_a_stage(mini_files: MiniStudy) -> None:
    units = price(mini_files.resolved, None, None, 2, "cpu").wanted.units
    for stage in (0, 1):
        costs = [unit.cost for unit in units if unit.stage == stage]
        assert costs == sorted(costs, reverse=True)


def test_rows_hold_every_unit_once(mini_files: MiniStudy) -> None:
    plan = price(mini_files.resolved, None, None, 2, "cpu")
    assert sum(row.units for row in plan.rows) == len(plan.wanted.units)
    assert sum(row.seconds for row in plan.rows) == pytest.approx(sum(unit.cost for unit in plan.wanted.units))


def test_a_plan_refuses_what_the_run_refuses(mini_files: MiniStudy) -> None:
    study = mini_files.resolved.study
    long = study.model_copy(update={"nudge": study.nudge.model_copy(update={"block": 512})})
    resolved = replace(mini_files.resolved, study=long)
    with pytest.raises(ConfigError, match="nudge.block is 512, but the base model 'mini-bert' has positions for 64"):
        make_plan(resolved, None, seconds=0.1)
    assert foreseen(resolved)[0] == [
        "nudge.block is 512, but the base model 'mini-bert' has positions for 64 subwords; give 64 or less"
    ]
    assert foreseen(mini_files.resolved) == ([], [])
    (refusal,) = foreseen(replace(mini_files.resolved, model="no/such-model"))[0]
    assert "'no/such-model' is no folder here" in refusal
