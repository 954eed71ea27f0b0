"""The two stack rules against their equations, worked by hand from captured feed-forward outputs and residuals."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from xltransfer.engine import Backbone, Stack


def run_with_capture(model: Backbone, ids: Tensor, stack: Stack) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return F, A and the output of every layer, seen through hooks of the test's own."""
    feed_forward, residual = [], []
    handles = []
    for layer in model.encoder.encoder.layer:
        output = layer.output
        handles.append(output.dense.register_forward_hook(lambda m, a, out: feed_forward.append(out)))
        handles.append(output.register_forward_pre_hook(lambda m, args: residual.append(args[1])))
    with torch.no_grad():
        out = model(ids, composition=stack, output_hidden_states=True)
    for handle in handles:
        handle.remove()
    return feed_forward, residual, list(out.hidden_states[1:])


def norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """LayerNorm from its definition."""
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(dim=-1, keepdim=True) + eps) * weight + bias


def up(adapter: torch.nn.Module, layer: int, x: Tensor) -> Tensor:
    """The bottleneck U relu(D x + d) + u as plain matrix products."""
    b = adapter.layers[str(layer)]
    return torch.relu(x @ b.down.weight.T + b.down.bias) @ b.up.weight.T + b.up.bias


@pytest.fixture
def models(tiny_folder: Path, add_trained) -> dict[str, Backbone]:
    both = {}
    for rule in ("adapterhub", "madx_equation"):
        both[rule] = Backbone.load(tiny_folder, stack=rule)
        add_trained(both[rule], "l", 1)
        add_trained(both[rule], "t", 2)
    return both


@pytest.mark.parametrize("rule", ["adapterhub", "madx_equation"])
def test_stack_of_two_is_its_equation(models: dict[str, Backbone], ids: Tensor, rule: str) -> None:
    model = models[rule]
    feed_forward, residual, outputs = run_with_capture(model, ids, Stack("l", "t"))
    language, task = model.adapters["l"], model.adapters["t"]
    for number, layer in enumerate(model.encoder.encoder.layer):
        f, a, closing = feed_forward[number], residual[number], layer.output.LayerNorm
        weights = (closing.weight, closing.bias, closing.eps)
        h1 = f + up(language, number, norm(f + a, *weights))
        if rule == "madx_equation":
            h2 = f + up(task, number, h1)
        else:
            h2 = h1 + up(task, number, norm(h1 + a, *weights))
        torch.testing.assert_close(outputs[number], norm(h2 + a, *weights), atol=1e-5, rtol=1e-5)


def test_rules_agree_on_one_adapter_and_differ_on_two(models: dict[str, Backbone], ids: Tensor) -> None:
    one = [model(ids, composition=Stack("l")).last_hidden_state for model in models.values()]
    two = [model(ids, composition=Stack("l", "t")).last_hidden_state for model in models.values()]
    torch.testing.assert_close(one[0], one[1], atol=1e-5, rtol=1e-5)
    assert (two[0] - two[1]).abs().max() > 0.01
