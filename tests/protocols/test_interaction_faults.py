"""What can go wrong with a run of an interaction study, and what must be there afterwards."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mini_interaction import Rewrite, shards
from mini_study import MiniStudy

import xltransfer
from xltransfer.errors import RunFolderError
from xltransfer.protocols.interaction.run import run_study
from xltransfer.runs.store import Store


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


def test_other_settings_of_training_are_refused(
    interaction_study: MiniStudy, rewritten: Rewrite, tmp_path: Path
) -> None:
    with pytest.raises(RunFolderError, match=r"settings\.interaction\.fusions\.steps: 4 in the folder, 9 now"):
        run_study(rewritten(fusions={"steps": 9, "batch_size": 3, "learning_rate": 0.01}), interaction_study.folder)


def test_a_failed_training_fails_what_needs_it_and_nothing_else(rewritten: Rewrite, tmp_path: Path) -> None:
    study = rewritten(
        pairs=[["qaa", "qba"]],
        triples="none",
        capacity_control=False,
        targets="members",
        fusion=["trained", "uniform"],
        fusions={"steps": 2, "learning_rate": 1e30},
    )
    outcome = run_study(study, tmp_path / "run", workers=0)
    messages = [failure.message for failure in outcome.failed]
    assert any("qaa+qba: " in message and "lower the learning rate" in message for message in messages)
    # The units of the two languages of the pair need its fusion; the third language's has its adapter alone.
    assert sum("needs artefact" in message and "which failed" in message for message in messages) == 2
    assert len(messages) == 3
    rows = xltransfer.open_run(tmp_path / "run").measurements()
    assert set(rows[rows.setting == "language_adapter"].target) == {"qab"}
