"""The plan of an interaction study: what it counts agrees with the arithmetic, and with what a run leaves."""

import math
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from math import comb
from string import ascii_lowercase

import pytest
from mini_interaction import SECTION
from mini_study import MiniStudy

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.errors import ConfigError
from xltransfer.protocols.by_name import foreseen, protocol_of
from xltransfer.protocols.interaction.compositions import mixes
from xltransfer.protocols.interaction.plan import make_plan, price
from xltransfer.protocols.interaction.wanted import wanted
from xltransfer.protocols.transfer.plan import Plan, Row
from xltransfer.runs.store import Store


def rows_of(plan: Plan) -> Mapping[str, Row]:
    """Return the rows by their kind, without the number of parts behind it."""
    return {row.kind.partition(":")[0]: row for row in plan.rows}


def test_rows_hold_every_unit_once_with_the_tokens_of_the_arithmetic(interaction_files: MiniStudy) -> None:
    plan = price(interaction_files.resolved, None, None, 2, "cpu")
    rows = rows_of(plan)
    assert sum(row.units for row in plan.rows) == len(plan.wanted.units)
    assert (rows["fusions of 2"].units, rows["fusions of 3"].units) == (6, 1)
    # 4 steps of 3 blocks of 32, and 6 of 2.
    assert rows["fusions of 2"].tokens == 6 * 4 * 3 * 32
    assert rows["language adapters"].tokens == 6 * 6 * 2 * 32
    assert rows["compositions"].tokens == 13 * rows["baseline"].tokens
    assert rows["fusions of 2"].kind == "fusions of 2: 6 trainings"
    # Each of three languages: 13 compositions on three tasks.
    assert rows["compositions"].kind == "compositions: 117 scores"
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


def of_38_languages(resolved: ResolvedStudy) -> ResolvedStudy:
    """Return the study with 38 languages in place of three, all with the first one's texts and test data."""
    codes = [f"q{a}{b}" for a in "ab" for b in ascii_lowercase[:19]]

    def spread(ref: EntryRef) -> tuple[EntryRef, ...]:
        return tuple(replace(ref, name=f"{ref.name}-{code}", language=code) for code in codes)

    section = resolved.study.interaction.model_copy(update={"fusion": ("trained",), "triples": "all"})
    return replace(
        resolved,
        study=resolved.study.model_copy(update={"interaction": section}),
        corpora=spread(resolved.corpora[0]),
        targets={task: spread(refs[0]) for task, refs in resolved.targets.items()},
    )


def test_38_languages_are_planned_in_seconds(interaction_files: MiniStudy) -> None:
    began = time.process_time()
    plan = price(of_38_languages(interaction_files.resolved), None, None, 2, "cpu")
    assert time.process_time() - began < 10
    rows = rows_of(plan)
    # The capacity controls are fusions of two as well.
    assert rows["language adapters"].units == 2 * 38
    assert rows["fusions of 2"].units == 703 + 38
    assert rows["fusions of 3"].units == 8436
    assert rows["fusions of 3"].tokens == 8436 * 4 * 3 * 32
    # A language: alone, with its second adapter, in 37 pairs and in the triples of those 37; on three tasks.
    scored = 38 * (1 + 1 + 37 + comb(37, 2)) * 3
    assert rows["compositions"].kind == f"compositions: {scored:,} scores"
    assert plan.wanted.cells == scored + 38 * 3
    assert rows["compositions"].units == 38 * math.ceil(705 / 16)
    assert plan.expected > 0 and plan.disk > 0


def test_units_of_38_languages_take_little_memory(interaction_files: MiniStudy) -> None:
    resolved = of_38_languages(interaction_files.resolved)
    tracemalloc.start()
    found = wanted(resolved, "cpu", {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.units) > 10_000
    assert peak < 100e6


def test_compositions_that_nothing_scores_are_counted(interaction_files: MiniStudy) -> None:
    resolved = interaction_files.resolved
    targets = {task: refs[:1] for task, refs in resolved.targets.items()}
    own = {ref.language for refs in targets.values() for ref in refs}
    assert own == {"qaa"}
    fewer = replace(resolved, targets=targets)
    plan = price(fewer, None, None, 1, "cpu")
    (row,) = [row for row in plan.rows if row.kind.startswith("compositions left out")]
    left = [mix for mix in mixes(resolved) if "qaa" not in mix.members]
    # Two languages alone, and by three fusions each: two controls and one pair.
    assert row.units == len(left) == 2 + 3 * 3
    assert foreseen(fewer) == ([], ["11 compositions left out: no member has test data"])
    assert rows_of(plan)["fusions of 2"].units == 3


def test_a_plan_refuses_what_the_run_refuses(interaction_files: MiniStudy) -> None:
    study = interaction_files.resolved.study
    section = study.interaction.model_copy(update={"block": 512})
    resolved = replace(interaction_files.resolved, study=study.model_copy(update={"interaction": section}))
    with pytest.raises(ConfigError, match="interaction.block is 512, but the base model 'mini-bert' has positions for"):
        make_plan(resolved, None, seconds=0.1)
    assert foreseen(resolved)[0][0].startswith("interaction.block is 512")
