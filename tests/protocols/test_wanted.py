"""Which units a study wants of a folder: counted by hand for the miniature study, and as it grows."""

from collections import Counter
from dataclasses import replace
from typing import Any

from mini_study import MiniStudy

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.transfer.wanted import Wanted, wanted
from xltransfer.runs.unit import Unit


def changed(resolved: ResolvedStudy, **fields: Any) -> ResolvedStudy:
    """Return the study with other fields."""
    return replace(resolved, study=resolved.study.model_copy(update=fields))


def keys(found: Wanted) -> dict[str, Any]:
    """Return id to key, as a folder that holds all these units gives it."""
    return {unit.id: unit.key for unit in found.units}


def models(found: Wanted) -> list[Unit]:
    """Return the units that are no adapters."""
    return [unit for unit in found.units if unit.produces == "measurements"]


def test_units_of_the_miniature_study_are_those_counted_by_hand(mini_files: MiniStudy) -> None:
    found = wanted(mini_files.resolved, "cpu", {})
    settings = Counter(unit.key["setting"] for unit in models(found))
    # Three corpora, k of 1 and 2, two replicates; shuffled text at k = 2 for all, random signs for two languages.
    assert settings == {
        "baseline": 1,
        "noise": 1,
        "nudge": 3 * 2 * 2,
        "shuffled_text": 3 * 2,
        "random_sign": 2 * 2,
        "zero_steps": 3,
    }
    assert [unit.key["task"] for unit in found.units if unit.produces == "artefact"] == ["pos", "dep", "ner"]
    # k = 1 scores pos and mlm on three targets each, everything else four tasks.
    assert found.cells == 6 * (3 * 2) + (1 + 1 + 6 + 6 + 4 + 3) * (3 * 4)


def test_controls_score_the_tasks_that_they_name(mini_files: MiniStudy) -> None:
    study, whole = mini_files.resolved.study, wanted(mini_files.resolved, "cpu", {})
    named = {"zero_steps": ("pos",), "shuffled_text": ("dep", "mlm"), "random_sign": ("mlm",)}
    controls = study.controls.model_copy(
        update={name: getattr(study.controls, name).model_copy(update={"tasks": t}) for name, t in named.items()}
    )
    found = wanted(changed(mini_files.resolved, controls=controls), "cpu", {})
    scored = {name: set[str]() for name in named}
    for unit in models(found):
        for by_scorer in unit.key["scores"].values():
            scored.setdefault(unit.key["setting"], set()).update(scorer.partition("@")[0] for scorer in by_scorer)
    assert {name: scored[name] for name in named} == {name: set(tasks) for name, tasks in named.items()}
    assert scored["nudge"] == {"pos", "dep", "ner", "mlm"}
    # What a control leaves out of four tasks on three targets each.
    assert whole.cells - found.cells == 3 * (3 * 3) + 6 * (2 * 3) + 4 * (3 * 3)


def test_every_model_needs_the_adapters_that_it_scores_with(mini_files: MiniStudy) -> None:
    found = wanted(mini_files.resolved, "cpu", {})
    adapters = {unit.key["task"]: unit.id for unit in found.units if unit.produces == "artefact"}
    for unit in models(found):
        tasks = {scorer.partition("@")[0] for by in unit.key["scores"].values() for scorer in by}
        assert set(unit.needs) == {adapters[task] for task in tasks - {"mlm"}}


def test_nothing_is_wanted_of_a_folder_that_has_it_all(mini_files: MiniStudy) -> None:
    found = wanted(mini_files.resolved, "cpu", {})
    again = wanted(mini_files.resolved, "cpu", keys(found))
    assert again.units == ()
    assert again.present == len(found.units)


def test_a_missing_unit_is_wanted_under_its_own_id(mini_files: MiniStudy) -> None:
    found = wanted(mini_files.resolved, "cpu", {})
    lost = models(found)[5]
    present = keys(found)
    del present[lost.id]
    assert [unit.id for unit in wanted(mini_files.resolved, "cpu", present).units] == [lost.id]


def test_another_replicate_wants_only_its_own_units(mini_files: MiniStudy) -> None:
    resolved = mini_files.resolved
    more = changed(resolved, transfer=resolved.study.transfer.model_copy(update={"replicates": 3}))
    new = wanted(more, "cpu", keys(wanted(resolved, "cpu", {})))
    assert {unit.key["replicate"] for unit in new.units} == {2}
    assert len(new.units) == 3 * 2 + 3 + 2


def test_another_task_for_a_step_wants_only_its_own_cells(mini_files: MiniStudy) -> None:
    resolved = mini_files.resolved
    cells = (resolved.study.cells[0], resolved.study.cells[1].model_copy(update={"tasks": ("pos", "mlm", "ner")}))
    new = wanted(changed(resolved, cells=cells), "cpu", keys(wanted(resolved, "cpu", {})))
    assert len(new.units) == 3 * 2
    assert all(set(unit.key["scores"]) == {"1"} and set(unit.key["scores"]["1"]) == {"ner@0"} for unit in new.units)


def test_another_adapter_seed_scores_every_model_with_it_alone(mini_files: MiniStudy) -> None:
    resolved = mini_files.resolved
    pos, *rest = resolved.study.tasks
    assert pos.adapter is not None
    pos = pos.model_copy(update={"adapter": pos.adapter.model_copy(update={"seeds": 2})})
    new = wanted(changed(resolved, tasks=(pos, *rest)), "cpu", keys(wanted(resolved, "cpu", {})))
    assert [unit.key["adapter_seed"] for unit in new.units if unit.produces == "artefact"] == [1]
    assert {scorer for unit in models(new) for by in unit.key["scores"].values() for scorer in by} == {"pos@1"}


def test_a_constant_schedule_makes_one_path_through_all_steps(mini_files: MiniStudy) -> None:
    resolved = mini_files.resolved
    constant = changed(resolved, nudge=resolved.study.nudge.model_copy(update={"schedule": "constant"}))
    nudges = [unit for unit in models(wanted(constant, "cpu", {})) if unit.key["setting"] == "nudge"]
    assert len(nudges) == 3 * 2
    assert all(list(unit.key["scores"]) == ["1", "2"] for unit in nudges)


def test_another_device_scores_its_own_baseline_and_nothing_else(mini_files: MiniStudy) -> None:
    new = wanted(mini_files.resolved, "cuda", keys(wanted(mini_files.resolved, "cpu", {})))
    assert sorted(unit.key["setting"] for unit in new.units) == ["baseline", "noise"]


def test_other_training_settings_make_another_adapter_and_other_units(mini_files: MiniStudy) -> None:
    resolved = mini_files.resolved
    pos, *rest = resolved.study.tasks
    assert pos.adapter is not None
    pos = pos.model_copy(update={"adapter": pos.adapter.model_copy(update={"epochs": 1})})
    before = {unit.id for unit in wanted(resolved, "cpu", {}).units}
    after = wanted(changed(resolved, tasks=(pos, *rest)), "cpu", {})
    assert not any(unit.id in before for unit in models(after))
