"""What can go wrong with a run of the real protocol, and what must be there afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from mini_study import MiniStudy

import xltransfer
from xltransfer.config.load import load_study
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.errors import ConfigError, DataError, ModelError, RunFolderError
from xltransfer.protocols.execution import Slurm
from xltransfer.protocols.transfer.run import run_study

SHARDS = ("measurements", "items", "artefacts", "targets")


def command(study: MiniStudy, out: Path, *options: str) -> subprocess.Popen[str]:
    """Start ``xltransfer run`` in a process of its own."""
    code = "from xltransfer.cli.main import main; main()"
    words = ["run", str(study.path), "--out", str(out), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def shards(folder: Path) -> dict[str, bytes]:
    """Return every shard of a folder by its place."""
    return {f"{kind}/{path.name}": path.read_bytes() for kind in SHARDS for path in sorted((folder / kind).iterdir())}


def wait_for_units(folder: Path, number: int, process: subprocess.Popen[str]) -> None:
    """Wait until a run has finished so many units of measurement."""
    deadline = time.monotonic() + 180
    while len(list((folder / "measurements").glob("[!.]*.parquet"))) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_and_resumed_gives_the_bytes_of_an_uninterrupted_run(mini_study: MiniStudy, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    first = command(mini_study, out, "--workers", "2")
    wait_for_units(out, 3, first)
    first.kill()
    first.communicate()
    kept = shards(out)
    # The resumed run has another number of workers: that changes speed, never bytes.
    second = command(mini_study, out, "--workers", "1")
    printed, complaints = second.communicate(timeout=300)
    assert second.returncode == 0, complaints
    assert "0 failed" in printed
    assert shards(out) == shards(mini_study.folder)
    assert kept.items() <= shards(out).items()


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(mini_study: MiniStudy, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    run = command(mini_study, out, "--workers", "1")
    wait_for_units(out, 1, run)
    run.send_signal(signal.SIGINT)
    _, complaints = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the same command goes on" in complaints
    assert not [path for kind in SHARDS if (out / kind).is_dir() for path in (out / kind).glob(".*")]
    assert shards(out).items() <= shards(mini_study.folder).items()


@pytest.mark.slow
def test_two_runs_on_one_folder_finish_and_no_unit_is_there_twice(mini_study: MiniStudy, tmp_path: Path) -> None:
    out = tmp_path / "both"
    runs = [command(mini_study, out, "--workers", "1") for _ in range(2)]
    for run in runs:
        _, complaints = run.communicate(timeout=300)
        assert run.returncode == 0, complaints
    assert shards(out) == shards(mini_study.folder)
    rows = xltransfer.open_run(out).measurements()
    key = ["setting", "corpus", "steps", "replicate", "adapter_seed", "task", "dataset", "metric"]
    assert not rows.duplicated(key).any()


def rewritten(study: MiniStudy, tmp_path: Path, **changes: object) -> ResolvedStudy:
    """Return the study with top-level keys changed, read from a file of its own."""
    content = yaml.safe_load(study.path.read_text("utf-8"))
    content |= changes | {"data_root": str(study.path.parent)}
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_study(path)


def section(study: MiniStudy, name: str, **changes: object) -> dict[str, object]:
    """Return a section of the study file with some keys changed."""
    return {name: yaml.safe_load(study.path.read_text("utf-8"))[name] | changes}


def test_another_study_is_refused_with_the_keys_that_differ(mini_study: MiniStudy, tmp_path: Path) -> None:
    other = rewritten(mini_study, tmp_path, seed=12, **section(mini_study, "nudge", learning_rate=0.002))
    with pytest.raises(RunFolderError, match=r"(?s)settings\.nudge\.learning_rate: 0\.001.*0\.002.*settings\.seed: 11"):
        run_study(other, mini_study.folder, workers=0)


def test_a_task_trained_differently_is_refused_by_name(mini_study: MiniStudy, tmp_path: Path) -> None:
    tasks = yaml.safe_load(mini_study.path.read_text("utf-8"))["tasks"]
    tasks[0]["adapter"] = tasks[0]["adapter"] | {"epochs": 9}
    with pytest.raises(RunFolderError, match=r"task pos\.adapter\.epochs: 4 in the folder, 9 now"):
        run_study(rewritten(mini_study, tmp_path, tasks=tasks), mini_study.folder, workers=0)


def test_another_thread_count_is_refused_without_mixed(mini_study: MiniStudy, tmp_path: Path) -> None:
    other = rewritten(mini_study, tmp_path, **section(mini_study, "engine", threads=2))
    with pytest.raises(RunFolderError, match=r"(?s)environment\.threads: 1 in the folder, 2 now.*--mixed"):
        run_study(other, mini_study.folder, workers=0)


def test_with_mixed_another_thread_count_goes_on_and_marks_its_rows(mini_study: MiniStudy, tmp_path: Path) -> None:
    out = tmp_path / "mixed"
    shutil.copytree(mini_study.folder, out)
    lost = next((out / "measurements").iterdir())
    lost.unlink()
    other = rewritten(mini_study, tmp_path, **section(mini_study, "engine", threads=2))
    outcome = run_study(other, out, workers=0, mixed=True)
    assert [unit.id for unit in outcome.done] == [lost.stem]
    rows = xltransfer.open_run(out).measurements()
    marked = rows.options.str.contains('"mixed":["environment.threads"]', regex=False)
    assert set(rows[marked].unit) == {lost.stem}


def test_more_replicates_than_distinct_blocks_are_refused(mini_study: MiniStudy, tmp_path: Path) -> None:
    other = rewritten(mini_study, tmp_path, **section(mini_study, "transfer", replicates=500))
    with pytest.raises(ConfigError, match=r"distinct blocks of 32 tokens for 500 replicates"):
        run_study(other, tmp_path / "run", workers=0)


def test_text_shorter_than_one_block_is_refused(mini_study: MiniStudy, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("one line\n", encoding="utf-8")
    short = {
        "name": "short",
        "title": "A short text",
        "source": "this test",
        "licence": "none",
        "citation": "none",
        "root": str(tmp_path),
        "reader": {"kind": "text", "held_out": 0},
        "entries": [{"name": "short-text", "language": "eng", "files": {"train": "short.txt"}}],
    }
    datasets = [*yaml.safe_load(mini_study.path.read_text("utf-8"))["datasets"], short]
    corpora = {"corpora": [{"dataset": "short"}]}
    controls = section(mini_study, "controls", random_sign={"steps": [2]})
    transfer = section(mini_study, "transfer", **corpora)
    other = rewritten(mini_study, tmp_path, datasets=datasets, **transfer, **controls)
    with pytest.raises(DataError, match="short-text: .* shorter than one block of 32"):
        run_study(other, tmp_path / "run", workers=0)


def test_an_empty_treebank_is_refused_before_any_unit_starts(mini_study: MiniStudy, tmp_path: Path) -> None:
    (tmp_path / "empty.conllu").write_text("\n", encoding="utf-8")
    empty = {
        "name": "empty",
        "title": "A treebank without sentences",
        "source": "this test",
        "licence": "none",
        "citation": "none",
        "root": str(tmp_path),
        "reader": {"kind": "conllu"},
        "entries": [{"name": "Empty", "language": "eng", "files": {"test": "empty.conllu"}}],
    }
    content = yaml.safe_load(mini_study.path.read_text("utf-8"))
    content["tasks"][0]["targets"].append({"dataset": "empty"})
    other = rewritten(mini_study, tmp_path, datasets=[*content["datasets"], empty], tasks=content["tasks"])
    with pytest.raises(DataError, match="empty.conllu"):
        run_study(other, tmp_path / "run", workers=0)
    assert not (tmp_path / "run" / "measurements").exists()


def test_a_base_model_without_masked_lm_head_is_refused_before_any_unit_starts(
    mini_study: MiniStudy, tmp_path: Path
) -> None:
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(mini_study.resolved.model).save_pretrained(tmp_path / "plain")
    AutoTokenizer.from_pretrained(mini_study.resolved.model).save_pretrained(tmp_path / "plain")
    base = section(mini_study, "base", model=str(tmp_path / "plain"))
    with pytest.raises(ModelError, match="holds no masked-LM head"):
        run_study(rewritten(mini_study, tmp_path, **base), tmp_path / "run", workers=0)


def test_a_longer_study_goes_on_in_the_same_folder(mini_study: MiniStudy, tmp_path: Path) -> None:
    out = tmp_path / "grown"
    shutil.copytree(mini_study.folder, out)
    before = shards(out)
    more = rewritten(mini_study, tmp_path, **section(mini_study, "transfer", replicates=3))
    outcome = run_study(more, out, workers=0)
    assert len(outcome.done) == 3 * 2 + 3 + 2
    after = shards(out)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2 * len(outcome.done)


def test_array_jobs_leave_the_bytes_that_a_process_leaves(mini_study: MiniStudy, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra 'slurm' is not installed")
    out = tmp_path / "jobs"
    outcome = run_study(mini_study.resolved, out, slurm=Slurm(2, cluster="debug"))
    assert not outcome.failed
    assert shards(out) == shards(mini_study.folder)


def test_array_jobs_need_to_know_their_device(mini_study: MiniStudy, tmp_path: Path) -> None:
    other = rewritten(mini_study, tmp_path, **section(mini_study, "engine", device="auto"))
    with pytest.raises(ConfigError, match="engine.device is 'auto'"):
        run_study(other, tmp_path / "run", slurm=Slurm(2, cluster="debug"))
