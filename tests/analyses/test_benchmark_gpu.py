"""The script of the GPU figures, run on the CPU: FLOP against torch's own counter, the checks, the written file."""

import json
from pathlib import Path
from typing import Any

import benchmark_gpu
import gpu_flops
import gpu_twins
import numpy as np
import pytest
import torch
from benchmark_engine import backbone
from benchmark_gpu import SMALL, Bench, main
from gpu_flops import PEAKS, Geometry, peak
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig

from xltransfer.engine import Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.heads import TaggingHead
from xltransfer.engine.precision import Precision

CPU = torch.device("cpu")
GEOMETRY = Geometry(layers=2, hidden=32, inner=64, vocabulary=100)
ROWS, LENGTH = 3, 16
POOLER = 2 * ROWS * 32 * 32
"""Scoring makes it all the same; it is no part of what a task needs."""


@pytest.fixture
def model() -> Any:
    # Of attention, torch counts only what is written as products.
    model = backbone(BertConfig(**SMALL.bert, attn_implementation="eager"))
    model.add_adapter("t", AdapterConfig(reduction=4))
    model.add_adapter("l", AdapterConfig(reduction=2, invertible_reduction=2))
    model.add_head("tag", TaggingHead(32, 7, 0.0))
    return model.eval().requires_grad_(False)


def counted(work: Any) -> int:
    """Return FLOP by torch's counter."""
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return int(counter.get_total_flops())


def ids() -> torch.Tensor:
    return torch.randint(5, 100, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))


def test_flop_of_scoring_are_those_that_torch_counts(model: Any) -> None:
    tokens = ROWS * LENGTH
    base = GEOMETRY.encoder(np.full(ROWS, LENGTH))
    assert counted(lambda: model(ids())) - POOLER == base
    tagged = counted(lambda: model(ids(), composition=Stack("t"), head="tag", positions=torch.arange(10))) - POOLER
    assert tagged == base + GEOMETRY.adapter(tokens, 8) + GEOMETRY.tagging(10, 7)


def test_flop_of_masked_lm_are_those_that_torch_counts(model: Any) -> None:
    at = torch.arange(5)
    base = GEOMETRY.encoder(np.full(ROWS, LENGTH)) + GEOMETRY.masked_lm(5)
    assert counted(lambda: model(ids(), head=MASKED_LM, positions=at)) - POOLER == base
    adapted = GEOMETRY.adapter(ROWS * LENGTH, 16) + GEOMETRY.invertible(ROWS * LENGTH + 5, 8)
    assert (
        counted(lambda: model(ids(), composition=Stack("l"), head=MASKED_LM, positions=at)) - POOLER == base + adapted
    )


def test_a_step_is_three_passes_and_two_with_the_base_frozen(model: Any) -> None:
    at = torch.arange(5)

    def step(composition: Any) -> None:
        logits = model(ids(), composition=composition, head=MASKED_LM, positions=at).logits
        functional.cross_entropy(logits, at + 5).backward()

    base = GEOMETRY.encoder(np.full(ROWS, LENGTH)) + GEOMETRY.masked_lm(5)
    for weight in model.base_parameters().values():
        weight.requires_grad_(True)
    assert counted(lambda: step(None)) - POOLER == 3 * base
    model.requires_grad_(False)
    model.adapters["l"].requires_grad_(True)
    trained = GEOMETRY.adapter(ROWS * LENGTH, 16) + GEOMETRY.invertible(ROWS * LENGTH + 5, 8)
    # The first coupling reads embeddings, which need no gradient.
    spared = 2 * ROWS * LENGTH * 16 * 8
    mixed = GEOMETRY.attention(np.full(ROWS, LENGTH))
    assert counted(lambda: step(Stack("l"))) - POOLER == 2 * base + mixed + 3 * trained - spared


def test_only_real_tokens_count() -> None:
    alone = [GEOMETRY.encoder(np.array([n])) for n in (3, 9)]
    assert GEOMETRY.encoder(np.array([3, 9])) == sum(alone)
    # 2 layers of 2 · 3 · (4 · 32² + 2 · 32 · 64) + 4 · 3² · 32
    assert alone[0] == 2 * (49_152 + 1_152)


def test_a_peak_is_looked_up_by_name_or_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    cuda = torch.device("cuda")
    assert peak(cuda, "bfloat16") == (989e12, "data sheet of NVIDIA H200, dense")
    assert peak(cuda, "tf32")[0] == 494e12
    found, source = peak(CPU, "float32", 64)
    assert 1e6 < found < 1e13 and source == "best of ten products of 64 x 64, measured here"
    assert all(each["bfloat16"] == pytest.approx(2 * each["tf32"], rel=0.01) for each in PEAKS.values())


@pytest.mark.parametrize("form", ["float32", "bfloat16"])
def test_every_part_gives_rows(form: Precision) -> None:
    bench = Bench(SMALL, CPU, form, 0.01)
    rows = [row for part in benchmark_gpu.PARTS.values() for row in part(bench)]
    assert len(rows) == 2 * len(SMALL.budgets) + 1 + len(SMALL.at_once)
    for row in rows:
        assert row["precision"] == form
        assert row["tokens_per_second"] == pytest.approx(row["tokens"] / row["seconds"])
        assert row["utilisation"] == pytest.approx(row["flop"] / row["seconds"] / bench.peak)
    bank = rows[-len(SMALL.at_once) :]
    assert [row["at_once"] for row in bank] == list(SMALL.at_once) and bank[0]["over_one"] == 1.0
    assert bank[1]["over_one"] == pytest.approx(bank[1]["tokens_per_second"] / bank[0]["tokens_per_second"])
    assert bank[1]["flop"] == 3 * bank[0]["flop"]


def test_the_file_holds_results_device_versions_and_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(benchmark_gpu, "twins", lambda device: {"kept": True})
    out = tmp_path / "made" / "gpu.json"
    words = ["--device", "cpu", "--small", "--seconds", "0.01", "--only", "nudge", "--out", str(out)]
    assert main(words) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["device"] == "CPU" and set(found["versions"]) == {"torch", "transformers", "xltransfer"}
    assert found["command"] == "python analyses/benchmark_gpu.py " + " ".join(words)
    assert [row["precision"] for row in found["nudge"]] == ["float32", "bfloat16"]
    assert set(found["peaks"]) == {"float32", "bfloat16"} and "scoring" not in found


def test_a_device_that_computes_otherwise_ends_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu_twins, "goldens", lambda device: 2e-4)
    words = ["--device", "cpu", "--small", "--seconds", "0.01", "--only", "nudge", "--out", str(tmp_path / "gpu.json")]
    assert main(words) == 1
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["twins"]
    assert found["kept"] is False and found["goldens"] == 2e-4 and found["routed_and_alone"] < 1e-5


def test_without_cuda_the_script_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        main([])
    assert "torch finds no CUDA device; --device cpu --small tries the script" in capsys.readouterr().err


def test_twins_keep_to_the_tolerance_and_can_fail(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = gpu_twins.twins(CPU)
    assert found["kept"] and 0 < found["goldens"] < 1e-4
    monkeypatch.setattr(gpu_twins, "goldens", lambda device: None)
    assert gpu_twins.twins(CPU)["kept"] is False


def test_optimizers_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = torch.optim.AdamW

    def other(weights: Any, **settings: Any) -> Any:
        return made(weights, **{**settings, "lr": settings["lr"] * (2 if settings["fused"] else 1)})

    assert gpu_twins.fused_adamw(CPU) < 1e-6
    monkeypatch.setattr(torch.optim, "AdamW", other)
    assert gpu_twins.fused_adamw(CPU) > 1e-4


@pytest.mark.gpu
def test_the_checks_on_a_cuda_device(shared: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert gpu_twins.twins(torch.device("cuda"))["kept"]
    assert gpu_flops.peak(torch.device("cuda"), "bfloat16")[0] > 1e13
