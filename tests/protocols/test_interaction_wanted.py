"""Which units an interaction study wants of a folder: counted by hand, as it grows, and after losses."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from mini_interaction import Rewrite
from mini_study import MiniStudy

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.interaction.wanted import ADAPTERS, COMPOSITIONS, FUSIONS, wanted
from xltransfer.protocols.transfer.wanted import Wanted
from xltransfer.runs.unit import Unit


def keys(found: Wanted) -> dict[str, Any]:
    """Return id to key, as a folder that holds all these units gives it."""
    return {unit.id: unit.key for unit in found.units}


def of(found: Wanted, kind: str) -> list[Unit]:
    return [unit for unit in found.units if unit.key["kind"] == kind]


def members(units: list[Unit]) -> list[str]:
    return [label for unit in units for label in unit.key["members"]]


def test_units_of_the_miniature_study_are_those_counted_by_hand(interaction_files: MiniStudy) -> None:
    found = wanted(interaction_files.resolved, "cpu", {})
    assert Counter(unit.key["kind"] for unit in found.units) == {
        "task_adapter": 2,
        ADAPTERS: 6,
        FUSIONS: 7,
        "model": 1,
        COMPOSITIONS: 3,
    }
    assert members(of(found, ADAPTERS)) == ["qaa", "qab", "qba", "qaa'", "qab'", "qba'"]
    # Each language: itself, and by each of three fusions its control, two pairs and the triple, on three tasks.
    assert all(len(unit.key["compositions"]) == 1 + 3 * 4 for unit in of(found, COMPOSITIONS))
    assert found.cells == 3 * 3 + 3 * 13 * 3


def test_stages_and_needs_lead_from_adapters_to_scores(interaction_files: MiniStudy) -> None:
    found = wanted(interaction_files.resolved, "cpu", {})
    by_id = {unit.id: unit for unit in found.units}
    for unit in found.units:
        assert all(by_id[need].stage < unit.stage for need in unit.needs)
    adapter = {label: unit.id for unit in of(found, ADAPTERS) for label in unit.key["members"]}
    fusion = {label: unit for unit in of(found, FUSIONS) for label in unit.key["members"]}
    assert set(fusion["qaa+qba"].needs) == {adapter["qaa"], adapter["qba"]}
    assert set(fusion["qab+qab'"].needs) == {adapter["qab"], adapter["qab'"]}
    tasks = {unit.id for unit in of(found, "task_adapter")}
    (on_qba,) = [unit for unit in of(found, COMPOSITIONS) if unit.key["target"] == "qba"]
    own = {"qba+qba'", "qaa+qba", "qab+qba", "qaa+qab+qba"}
    assert set(on_qba.needs) == tasks | {adapter[m] for m in ("qaa", "qab", "qba", "qba'")} | {
        fusion[label].id for label in own
    }


def test_nothing_is_wanted_of_a_folder_that_has_it_all(interaction_files: MiniStudy) -> None:
    found = wanted(interaction_files.resolved, "cpu", {})
    again = wanted(interaction_files.resolved, "cpu", keys(found))
    assert (again.units, again.present, again.cells) == ((), len(found.units), 0)


def test_another_fusion_wants_only_its_own_compositions(rewritten: Rewrite) -> None:
    less, more = rewritten(fusion=["uniform"], fusions={}), rewritten(fusion=["uniform", "untrained"], fusions={})
    before = wanted(less, "cpu", {})
    new = wanted(more, "cpu", keys(before))
    assert {unit.key["kind"] for unit in new.units} == {COMPOSITIONS}
    assert {text.partition(";")[2] for unit in new.units for text in unit.key["compositions"]} == {"untrained"}


def test_another_language_trains_its_own_adapters_and_fusions(interaction_files: MiniStudy) -> None:
    resolved = interaction_files.resolved
    two = replace(resolved, corpora=resolved.corpora[:2])
    small = replace(two, study=no_triples(two))
    before = wanted(small, "cpu", {})
    new = wanted(replace(resolved, study=small.study), "cpu", keys(before))
    assert members(of(new, ADAPTERS)) == ["qba", "qba'"]
    assert members(of(new, FUSIONS)) == ["qba+qba'", "qaa+qba", "qab+qba"]
    texts = {text for unit in of(new, COMPOSITIONS) if unit.key["target"] == "qaa" for text in unit.key["compositions"]}
    assert texts == {f"qaa+qba;{kind}" for kind in ("trained", "untrained", "uniform")}


def no_triples(resolved: ResolvedStudy) -> Any:
    section = resolved.study.interaction.model_copy(update={"triples": "none"})
    return resolved.study.model_copy(update={"interaction": section})


def test_a_fusion_that_everything_was_scored_with_may_be_deleted(interaction_files: MiniStudy) -> None:
    found = wanted(interaction_files.resolved, "cpu", {})
    left = {unit: key for unit, key in keys(found).items() if key["kind"] != FUSIONS}
    assert wanted(interaction_files.resolved, "cpu", left).units == ()


def test_a_lost_unit_is_wanted_under_its_own_id_with_all_that_it_needs(interaction_files: MiniStudy) -> None:
    found = wanted(interaction_files.resolved, "cpu", {})
    lost = of(found, COMPOSITIONS)[1]
    fusion = next(unit for unit in of(found, FUSIONS) if unit.id in lost.needs)
    gone = {lost.id, fusion.id, fusion.needs[0]}
    left = {unit: key for unit, key in keys(found).items() if unit not in gone}
    assert {unit.id for unit in wanted(interaction_files.resolved, "cpu", left).units} == gone


def test_other_training_settings_make_other_adapters(rewritten: Rewrite, interaction_files: MiniStudy) -> None:
    before = {unit.id for unit in wanted(interaction_files.resolved, "cpu", {}).units}
    changed = wanted(rewritten(adapters={"reduction": 4}), "cpu", {})
    assert not {unit.id for kind in (ADAPTERS, FUSIONS, COMPOSITIONS) for unit in of(changed, kind)} & before
    fusions = wanted(rewritten(fusions={"steps": 5}), "cpu", {})
    assert {unit.id for unit in of(fusions, ADAPTERS)} <= before
    assert not {unit.id for unit in of(fusions, FUSIONS)} & before


def test_another_device_scores_everything_anew_with_the_same_adapters(interaction_files: MiniStudy) -> None:
    new = wanted(interaction_files.resolved, "cuda", keys(wanted(interaction_files.resolved, "cpu", {})))
    assert Counter(unit.key["kind"] for unit in new.units) == {"model": 1, COMPOSITIONS: 3}


@pytest.mark.parametrize(("at_once", "sizes"), [(None, [6]), (4, [4, 2]), (1, [1] * 6)])
def test_trainings_of_one_pass_are_one_artefact(rewritten: Rewrite, at_once: int | None, sizes: list[int]) -> None:
    # A GPU trains eight at once where the study does not say.
    found = wanted(rewritten(adapters={"at_once": at_once}), "cuda", {})
    assert [len(unit.key["members"]) for unit in of(found, ADAPTERS)] == sizes


def test_large_studies_have_units_of_at_most_16_compositions(interaction_files: MiniStudy) -> None:
    resolved = interaction_files.resolved
    ref = resolved.corpora[0]
    corpora = tuple(replace(ref, name=f"text-q{i:02}", language=f"q{i:02}") for i in range(12))
    target = replace(resolved.targets["pos"][0], language="q00")
    large = replace(resolved, corpora=corpora, targets={"pos": (target,), "ner": (), "mlm": ()})
    units = of(wanted(large, "cpu", {}), COMPOSITIONS)
    # 1 + 3 kinds x (1 + 11 pairs + 55 triples) on the only language with test data.
    assert [len(unit.key["compositions"]) for unit in units] == [16] * 12 + [10]
    assert {unit.key["target"] for unit in units} == {"q00"}


def test_what_needs_a_failed_fusion_is_in_units_apart(interaction_files: MiniStudy) -> None:
    found = wanted(interaction_files.resolved, "cpu", {})
    (fusion,) = [unit for unit in of(found, FUSIONS) if members([unit]) == ["qaa+qba"]]
    after = wanted(interaction_files.resolved, "cpu", {}, {fusion.id})
    # It is wanted still, under its own id.
    assert set(of(after, FUSIONS)) == set(of(found, FUSIONS))
    assert after.cells == found.cells
    apart = [unit for unit in of(after, COMPOSITIONS) if fusion.id in unit.needs]
    assert [(unit.key["target"], list(unit.key["compositions"])) for unit in apart] == [
        ("qaa", ["qaa+qba;trained"]),
        ("qba", ["qaa+qba;trained"]),
    ]
    rest = [unit for unit in of(after, COMPOSITIONS) if unit not in apart]
    assert [len(unit.key["compositions"]) for unit in rest] == [12, 13, 12]
    (whole,) = [unit for unit in of(found, COMPOSITIONS) if unit.key["target"] == "qab"]
    assert whole in rest


def test_trainings_that_failed_together_are_wanted_one_by_one(rewritten: Rewrite) -> None:
    resolved = rewritten(fusions={"steps": 4, "batch_size": 3, "learning_rate": 0.01, "at_once": 4})
    found = wanted(resolved, "cpu", {})
    first, second = of(found, FUSIONS)
    after = of(wanted(resolved, "cpu", {}, {first.id}), FUSIONS)
    alone = [unit for unit in after if unit != second]
    assert len(after) == 1 + len(alone) == 5
    assert sorted(members(alone)) == sorted(members([first])) and all(len(members([unit])) == 1 for unit in alone)
    # Once three of them are there, the fourth stays by itself, though others that are new would fill its pass.
    there = {unit.id: unit.key for unit in alone[1:]}
    last = wanted(resolved, "cpu", there, {alone[0].id})
    assert of(last, FUSIONS) == [alone[0], second]
