"""Checks that a device computes what the tests check on the CPU: goldens, routed rows, the fused optimizer."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmark_engine import backbone
from torch import Tensor, nn
from transformers import BertConfig

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bottleneck import draw_like_bert
from xltransfer.engine.precision import precise

TOLERANCE = 1e-4
FIELDS = ("logits", "start_logits", "end_logits", "arc_preds", "rel_preds")


def twins(device: torch.device) -> dict[str, Any]:
    """Return each check's largest difference in float32, `TOLERANCE` and whether all keep to it.

    Goldens that are absent are null and count as not kept.
    """
    with precise(device, "float32"):
        found = {
            "goldens": goldens(device),
            "routed_and_alone": routed_and_alone(device),
            "fused_adamw": fused_adamw(device),
        }
    return {**found, "tolerance": TOLERANCE, "kept": all(v is not None and v <= TOLERANCE for v in found.values())}


def goldens(device: torch.device) -> float | None:
    """Return the largest difference from the reference library's arrays, beyond as much again of their size.

    Scores, hidden states, losses, and the losses of five training steps of every case; None without the goldens.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "engine"))
    from golden_cases import Case, listed

    worst = None
    for entry in listed():
        case = Case(entry["id"])
        case.model.to(device)
        case.arrays = {name: value.to(device) for name, value in case.arrays.items()}
        for got, expected in _pairs(case):
            over = (got.detach() - expected).abs() - TOLERANCE * expected.abs()
            worst = max(worst or 0.0, float(over.max()))
    return worst


def _pairs(case: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what a case gives here and what it should."""
    if "losses" in case.arrays:
        yield case.losses, case.arrays["losses"]
    if not any(name in case.arrays for name in FIELDS):
        return
    for name in FIELDS:
        if name in case.arrays:
            yield getattr(case.out, name), case.arrays[name]
    for number, state in enumerate(case.out.hidden_states):
        if f"hidden_states.{number}" in case.arrays:
            yield state, case.arrays[f"hidden_states.{number}"]
    if "loss" in case.arrays:
        yield case.loss, case.arrays["loss"]


def routed_and_alone(device: torch.device) -> float:
    """Return how far rows that name their compositions lie from the same rows each by themselves."""
    model = _with_adapters().to(device)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 200, (6, 24), generator=generator).to(device)
    fused = Stack(Fuse("l1", "l2"), "t1")
    rows = [Stack("l1", "t1"), None, Stack("l2", "t1"), fused, Stack("l1", "t2"), fused]
    with torch.inference_mode():
        together = model(ids, composition=rows, head="masked_lm").logits
        alone = [model(ids[i : i + 1], composition=row, head="masked_lm").logits for i, row in enumerate(rows)]
    return float((together - torch.cat(alone)).abs().max())


def _with_adapters() -> Backbone:
    model = backbone(BertConfig(vocab_size=200, hidden_size=64, num_attention_heads=4, intermediate_size=128))
    generator = torch.Generator().manual_seed(2)
    for name in ("l1", "l2", "t1", "t2"):
        config = AdapterConfig(reduction=4, invertible_reduction=2 if name[0] == "l" else None)
        draw_like_bert(model.add_adapter(name, config), generator)
    model.add_fusion(["l1", "l2"])
    return model.eval()


def fused_adamw(device: torch.device, steps: int = 20) -> float:
    """Return how far the fused optimizer ends from the plain one, over the same gradients; rate 5e-5."""
    ends = []
    for fused in (True, False):
        generator = torch.Generator().manual_seed(3)
        weight = nn.Parameter(torch.randn(300, 200, generator=generator).to(device))
        optimizer = torch.optim.AdamW([weight], lr=5e-5, weight_decay=0.01, fused=fused, foreach=False)
        for _ in range(steps):
            weight.grad = torch.randn(300, 200, generator=generator).to(device)
            optimizer.step()
        ends.append(weight.detach())
    return float((ends[0] - ends[1]).abs().max())
