"""The benchmark beside the reference library, without that library: command line, turns, ratios, exchange, our side."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import benchmark_peers
import numpy as np
import peers_cases
import peers_ours
import pytest
import torch
from benchmark_engine import random_items
from benchmark_peers import PEERS, Worker, arguments, environment
from peers_cases import Portion, agree, ratios, take_turns, with_medians

from xltransfer.engine import Backbone
from xltransfer.engine.checkpoint import Format


def test_command_line() -> None:
    given = arguments([])
    assert (given.only, given.rounds, given.sentences) == (["stack", "fuse", "mlm", "adding", "fusions"], 2, 400)
    assert not given.check_files and given.out is None
    given = arguments(["--only", "mlm", "fuse", "--rounds", "5", "--check-files"])
    assert (given.only, given.rounds, given.check_files) == (["mlm", "fuse"], 5, True)
    with pytest.raises(SystemExit):
        arguments(["--only", "everything"])
    with pytest.raises(SystemExit):
        arguments(["--sentences", "100"])


def test_contenders_alternate_and_give_their_rates() -> None:
    seen: list[tuple[str, int]] = []

    def contender(name: str, tokens: int) -> peers_cases.Contender:
        def work(turn: int) -> Portion:
            seen.append((name, turn))
            return Portion(tokens, 2.0 + turn)

        return work

    rates = take_turns({"a": contender("a", 12), "b": contender("b", 6)}, turns=3)
    assert rates == {"a": [6.0, 4.0, 3.0], "b": [3.0, 2.0, 1.5]}
    assert seen == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_a_ratio_is_the_median_of_the_turns_and_not_the_ratio_of_medians() -> None:
    # Medians are 4 and 2; by turn 2, 2.5 and 1: the machine was slow for both in the third.
    compared = ratios([4.0, 2.5, 9.0], [2.0, 1.0, 9.0])
    assert compared == [2.0, 2.5, 1.0]
    assert with_medians({"key": compared}) == {"key": 2.0, "turns": {"key": [2.0, 2.5, 1.0]}}
    assert with_medians({"other": [1.0, 5.0, 1.5]})["other"] == 1.5


def test_outputs_that_differ_are_an_error() -> None:
    ours = torch.tensor([1.0, 2.0])
    assert agree("same", ours, ours + 5e-5) == pytest.approx(5e-5, rel=0.01)
    with pytest.raises(ValueError, match=r"Stack\(a\): ours and the reference's differ by 2.0e-04"):
        agree("Stack(a)", ours, ours + 2e-4)
    with pytest.raises(ValueError, match="nan"):
        agree("undefined", ours, torch.tensor([1.0, float("nan")]))
    with pytest.raises(ValueError, match=r"\(2,\), the reference's \(1,\)"):
        agree("shape", ours, ours[:1])


ANSWERING = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "end":
        break
    known = {"answer": sum(request.get("numbers", []))}
    print(json.dumps(known if request["do"] == "sum" else {"error": "no such method"}), flush=True)
"""


def test_worker_answers_tells_its_errors_and_ends() -> None:
    with Worker([sys.executable, "-c", ANSWERING]) as worker:
        assert worker.ask("sum", numbers=[1, 2, 3]) == 6
        with pytest.raises(RuntimeError, match="score: no such method"):
            worker.ask("score")
        assert worker.ask("sum") == 0
        with pytest.raises(RuntimeError, match="ended without an answer"):
            worker.ask("end")


def test_environment_is_made_once_and_again_for_other_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        ran.append(command)
        tmp_path.joinpath("env").mkdir(exist_ok=True)

    monkeypatch.setattr(subprocess, "run", run)
    python = environment(tmp_path / "env")
    assert [command[1:3] for command in ran] == [["-m", "venv"], ["-m", "pip"]]
    assert ran[1][0] == str(python) and set(PEERS) < set(ran[1])
    environment(tmp_path / "env")
    assert len(ran) == 2
    monkeypatch.setattr(benchmark_peers, "PEERS", ("adapters==1.2.0",))
    environment(tmp_path / "env")
    assert len(ran) == 4


def test_masked_block_asks_both_sides_for_the_same_tokens() -> None:
    masked, batch = peers_ours.masked_block(1000, 3)
    labels = batch["labels"].flatten().numpy()
    assert np.flatnonzero(labels != -100).tolist() == masked.positions.tolist()
    assert labels[masked.positions].tolist() == masked.labels.tolist()
    assert batch["input_ids"].shape == (8, 128) and batch["input_ids"].max() < 1000
    assert 0.10 < len(masked.positions) / labels.size < 0.20
    assert not np.isin(masked.positions, np.arange(8) * 128).any()


@pytest.fixture(scope="module")
def golden(shared: Path) -> tuple[Backbone, dict[str, Any]]:
    """The tiny BERT with two languages, a fusion of them, a task, and the folders that hold them."""
    folder = shared / "goldens" / "bert"
    folders = {
        "base": str(folder / "base"),
        "adapters": {name: str(folder / "adapters" / name) for name in ("l1", "l2", "t1")},
        "fusions": {"l1,l2": str(folder / "fusions" / "l1-l2_random")},
        "heads": {"t1": str(folder / "heads" / "t1")},
    }
    return peers_ours.load(folders), folders


COMPOSITIONS = ("Stack(l1, t1)", "Stack(Fuse(l1, l2), t1)", "Stack(l2, t1)")


def test_scores_are_the_same_however_rows_are_batched(golden: tuple[Backbone, dict[str, Any]]) -> None:
    model, _ = golden
    rng = np.random.default_rng(5)
    items = random_items([1 + rng.poisson(0.4, size) for size in (3, 9, 1, 6, 4)], 300, rng)
    batches = peers_ours.in_file_order(items, np.arange(5), 2)
    assert [batch.rows.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    expected = {}
    for text in COMPOSITIONS:
        found = [peers_ours.logits(model, "t1", batch, text) for batch in batches]
        by_row = peers_ours.by_row(batches, found, items.tokens.lengths)
        assert [len(by_row[row]) for row in range(5)] == items.tokens.lengths.tolist()
        expected |= {(row, text): scores for row, scores in by_row.items()}
    seen = []
    for batch, texts in peers_ours.routed(items, np.arange(5), COMPOSITIONS, 64):
        assert texts == sorted(texts, key=COMPOSITIONS.index)
        for row, text, scores in zip(batch.rows, texts, peers_ours.logits(model, "t1", batch, texts), strict=True):
            wanted = expected[int(row), text]
            torch.testing.assert_close(scores[: len(wanted)], wanted, atol=1e-5, rtol=1e-5)
            seen.append((int(row), text))
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_written_folders_load_again_with_the_same_scores(
    golden: tuple[Backbone, dict[str, Any]], tmp_path: Path, form: Format
) -> None:
    model, folders = golden
    written = peers_ours.write(model, folders, tmp_path, form)
    assert written["fusions"] == {"l1,l2": str(tmp_path / "fusions" / "l1-l2")}
    inputs = {"input_ids": torch.arange(24).reshape(2, 12)}
    again = peers_ours.load(written)
    for text in COMPOSITIONS:
        first, second = (peers_ours.scores(each, "t1", inputs, text) for each in (model, again))
        assert set(first) == {"logits"}
        assert torch.equal(first["logits"], second["logits"])


def test_training_lowers_the_loss_of_the_adapter_alone(shared: Path) -> None:
    folder = shared / "goldens" / "bert"
    parts = {"adapters": {"l1": str(folder / "adapters" / "l1")}, "heads": {"mlm": str(folder / "heads" / "mlm")}}
    model = peers_ours.load({"base": str(folder / "base"), "fusions": {}, **parts})
    before = {name: value.clone() for name, value in model.named_parameters() if not name.startswith("adapters.")}
    steps = peers_ours.train(model, "l1", "mlm", peers_ours.masked_block(300, 3, 64)[0], 1e-3)
    losses = [next(steps) for _ in range(5)]
    assert losses[-1] < losses[0] - 0.01
    after = dict(model.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_adapters_are_added_and_timed(golden: tuple[Backbone, dict[str, Any]]) -> None:
    model, folders = golden
    model = peers_ours.load({**folders, "fusions": {}})
    assert peers_ours.seconds_to_add(model, 6, repeats=3) > 0
    assert set(model.adapters) == {"l1", "l2", "t1", "a3", "a4", "a5"}


def test_goals_are_given_for_keys_that_the_cases_have(tmp_path: Path) -> None:
    text = Path(peers_cases.__file__).read_text()
    scored = [key for key in benchmark_peers.GOALS if not key.startswith("peak")]
    assert all(f'"{key}"' in text for key in scored)
    assert json.dumps(benchmark_peers.GOALS)
