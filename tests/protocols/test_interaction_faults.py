"""What can go wrong with a run of an interaction study, and what must be there afterwards."""

import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mini_interaction import Rewrite, shards
from mini_study import MiniStudy

import xltransfer
from xltransfer.engine.bank import Batch, Trainee, View
from xltransfer.errors import RunFolderError, UnitError
from xltransfer.protocols.interaction import training, work
from xltransfer.protocols.interaction.compositions import Mix
from xltransfer.protocols.interaction.context import InteractionContext
from xltransfer.protocols.interaction.run import run_study
from xltransfer.protocols.interaction.wanted import wanted
from xltransfer.runs.merge import merge
from xltransfer.runs.store import Store
from xltransfer.runs.unit import Unit


def test_lost_units_come_back_with_the_same_bytes(interaction_study: MiniStudy, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(interaction_study.folder, out)
    store, key = Store(out), Store(out).present()
    for kind in ("language adapters", "fusions", "compositions"):
        unit = next(unit for unit, known in key.items() if known["kind"] == kind)
        store.artefact_path(unit).unlink(missing_ok=True)
        store.measurements_path(unit).unlink(missing_ok=True)
    outcome = run_study(interaction_study.resolved, out, workers=0)
    assert not outcome.failed
    # The adapter and the fusion come back where what is scored again needs them.
    assert 1 <= len(outcome.done) <= 3
    assert shards(out).items() <= shards(interaction_study.folder).items()
    assert len(store.placed("measurements")) == len(Store(interaction_study.folder).placed("measurements"))


@pytest.mark.slow
def test_killed_and_resumed_gives_the_bytes_of_an_uninterrupted_run(
    interaction_study: MiniStudy, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    code = "from xltransfer.cli.main import main; main()"
    words = ["run", str(interaction_study.path), "--out", str(out)]

    def started(workers: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *words, "--workers", str(workers)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    first, deadline = started(2), time.monotonic() + 180
    while len(list((out / "artefacts").glob("[!.]*.safetensors"))) < 10:
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.02)
    first.kill()
    first.communicate()
    # The resumed run has another number of workers: that changes speed, never bytes.
    second = started(1)
    printed, complaints = second.communicate(timeout=300)
    assert second.returncode == 0, complaints
    assert "0 failed" in printed
    assert shards(out) == shards(interaction_study.folder)


def test_a_grown_study_goes_on_in_the_same_folder(
    interaction_study: MiniStudy, rewritten: Rewrite, tmp_path: Path
) -> None:
    out = tmp_path / "grown"
    small = rewritten(triples="none", capacity_control=False, pairs=[["qaa", "qba"]])
    first = run_study(small, out, workers=0)
    assert not first.failed and shards(out).keys() - shards(interaction_study.folder).keys()
    before = shards(out)
    grown = run_study(interaction_study.resolved, out, workers=0)
    assert not grown.failed
    assert before.items() <= shards(out).items()
    # Whatever the units, the scores are those of the study run at once.
    cell = ["setting", "transfer", "task", "dataset", "metric"]
    rows = [xltransfer.open_run(folder).measurements() for folder in (out, interaction_study.folder)]
    one, two = (frame.set_index(cell).score.sort_index() for frame in rows)
    assert one.index.is_unique and one.equals(two)


def test_folders_of_two_workers_merge_into_the_whole(interaction_study: MiniStudy, tmp_path: Path) -> None:
    whole = Store(interaction_study.folder)
    keys = whole.present()
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders):
        shutil.copytree(whole.folder, folder)
        scored_here = [unit for unit, key in keys.items() if key["kind"] in ("model", "compositions")]
        for unit in scored_here[number::2]:
            Store(folder).measurements_path(unit).unlink()
            Store(folder).items_path(unit).unlink()
    lost = next(unit for unit, key in keys.items() if key["kind"] == "fusions")
    Store(folders[1]).artefact_path(lost).unlink()
    merge(folders, tmp_path / "merged")
    assert shards(tmp_path / "merged") == shards(whole.folder)
    assert not wanted(interaction_study.resolved, "cpu", Store(tmp_path / "merged").present()).units


def test_other_settings_of_training_are_refused(
    interaction_study: MiniStudy, rewritten: Rewrite, tmp_path: Path
) -> None:
    with pytest.raises(RunFolderError, match=r"settings\.interaction\.fusions\.steps: 4 in the folder, 9 now"):
        run_study(rewritten(fusions={"steps": 9, "batch_size": 3, "learning_rate": 0.01}), interaction_study.folder)


@pytest.fixture
def broken_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """The training of the fusion of qaa and qba diverges at its first step, whoever shares its pass."""
    made = training._trainee

    def diverging(context: InteractionContext, mix: Mix, steps: int) -> Trainee:
        trainee = made(context, mix, steps)
        if mix.label != "qaa+qba":
            return trainee

        def loss(view: View, batch: Batch) -> tuple[torch.Tensor, int]:
            total, predictions = trainee.loss(view, batch)
            return total * math.nan, predictions

        return replace(trainee, loss=loss)

    monkeypatch.setattr(training, "_trainee", diverging)


def scored(folder: Path) -> set[tuple[str, str, str]]:
    """Return setting, members and target of every row but those of the task adapters alone."""
    rows = xltransfer.open_run(folder).measurements(labels=False)
    rows = rows[rows.transfer != ""]
    return set(zip(rows.setting, rows.transfer, rows.target, strict=True))


@pytest.mark.usefixtures("broken_pair")
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_failed_fusion_fails_what_needs_it_and_nothing_else(
    rewritten: Rewrite, interaction_study: MiniStudy, tmp_path: Path, at_once: int
) -> None:
    fusions = {"steps": 4, "batch_size": 3, "learning_rate": 0.01, "at_once": at_once}
    study, out = rewritten(fusions=fusions, fusion=["trained", "uniform"]), tmp_path / "run"
    outcome = run_study(study, out, workers=0)
    # The fusion, and on each of its two languages a unit of that composition alone; the triple is another fusion.
    reasons = {failure.key.get("target", "fusion"): failure for failure in outcome.failed}
    assert set(reasons) == {"fusion", "qaa", "qba"} and len(outcome.failed) == 3
    assert list(reasons["fusion"].key["members"]) == ["qaa+qba"]
    assert "qaa+qba: the loss of step 1 of 4 is not finite; lower the learning rate" in reasons["fusion"].message
    for code in ("qaa", "qba"):
        assert list(reasons[code].key["compositions"]) == ["qaa+qba;trained"]
        assert reasons[code].message == f"needs artefact {reasons['fusion'].unit}, which failed"
    assert {failure.unit for failure in Store(out).failures()} == {failure.unit for failure in outcome.failed}
    lost = {("fusion_trained", "qaa+qba", code) for code in ("qaa", "qba")}
    whole = {row for row in scored(interaction_study.folder) if row[0] != "fusion_untrained"}
    assert scored(out) == whole - lost


@pytest.mark.usefixtures("broken_pair")
def test_a_fusion_that_can_be_trained_after_all_is_all_that_the_next_run_adds(
    rewritten: Rewrite, interaction_study: MiniStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fusions = {"steps": 4, "batch_size": 3, "learning_rate": 0.01}
    study, out = rewritten(fusions=fusions, fusion=["trained", "uniform"]), tmp_path / "run"
    run_study(study, out, workers=0)
    monkeypatch.undo()
    outcome = run_study(study, out, workers=0)
    assert not outcome.failed and not Store(out).failures()
    assert len(outcome.done) == 3
    assert scored(out) == {row for row in scored(interaction_study.folder) if row[0] != "fusion_untrained"}


def test_a_failed_adapter_fails_every_composition_of_its_language_and_no_other(
    rewritten: Rewrite, interaction_study: MiniStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = training.train_adapters

    def failing(context: InteractionContext, unit: Unit) -> None:
        if "qab" in unit.key["members"]:
            raise UnitError("qab: the loss of step 1 of 6 is not finite")
        made(context, unit)

    monkeypatch.setattr(work, "train_adapters", failing)
    study, out = rewritten(fusion=["trained", "uniform"]), tmp_path / "run"
    outcome = run_study(study, out, workers=0)
    assert outcome.failed
    whole = {row for row in scored(interaction_study.folder) if row[0] != "fusion_untrained"}
    # The second adapter of qab was trained, but stands in no composition without the first.
    assert scored(out) == {row for row in whole if "qab" not in row[1].split("+")}
