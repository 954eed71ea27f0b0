"""Precisions: what they change (rounding of products), and what they must not (weights, settings of the process)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import TINY
from torch import Tensor
from torch.nn import functional

from xltransfer.engine import Backbone, Fuse, Stack
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.heads import BiaffineHead, ClassificationHead, QuestionAnsweringHead, TaggingHead
from xltransfer.engine.masking import Masked
from xltransfer.engine.nudge import masked_lm_loss
from xltransfer.engine.precision import precise, precisions_of, scored_at
from xltransfer.errors import ConfigError, ModelError

CPU = torch.device("cpu")
MASK = torch.tensor([[1] * 8, [1] * 5 + [0] * 3, [1] * 8, [1] * 8])
STARTS = torch.tensor([[1, 3, 4, 7, -1], [1, 2, 4, -1, -1], [1, 2, 3, 4, 7], [1, 3, 4, -1, -1]])
HOULSBY = {"attention": True, "original_ln_before": False}
FORMS: dict[str, dict[str, object]] = {
    "plain": {},
    "nice": {"invertible_reduction": 2},
    "houlsby": HOULSBY,
    "norms": {"ln_before": True, "ln_after": True},
    "open": {"original_ln_after": False, "scaling": 2.0},
}
COMPOSITIONS: dict[str, Any] = {
    "none": None,
    **{f"stack {form}": Stack("nice1", f"{form}2") for form in FORMS},
    **{f"fuse {form}": Fuse(f"{form}1", f"{form}2") for form in FORMS},
    "fused stacks": Fuse(Stack("nice1", "plain1"), Stack("nice2", "plain2"), fusion="stacked"),
    "routed": [Stack("plain1"), Stack("nice1", "plain2"), None, Stack("plain2")],
    "routed fusions": [Fuse("nice1", "nice2"), Fuse("open1", "open2"), Fuse("nice1", "nice2"), Stack("nice2")],
}
SCORES = ("logits", "start_logits", "end_logits", "arc_preds", "rel_preds")
HEADS = ("tag", "class", "pooled", "answer", "parse", MASKED_LM)


def rows() -> Tensor:
    return torch.randint(5, 60, (4, 8), generator=torch.Generator().manual_seed(3))


def built(folder: Path) -> Backbone:
    """Return the tiny model with two adapters of each form, their fusions, and every head."""
    model = Backbone.load(folder)
    for number, (form, config) in enumerate(FORMS.items()):
        for which in (1, 2):
            _draw(model.add_adapter(f"{form}{which}", AdapterConfig(reduction=4, **config)), 10 * number + which)  # type: ignore[arg-type]
        _draw(model.add_fusion([f"{form}1", f"{form}2"]), 7)
    _draw(model.add_fusion(["plain1", "plain2"], name="stacked"), 8)
    heads = {
        "tag": TaggingHead(16, 5, 0.0),
        "class": ClassificationHead(16, 3, 0.0),
        "pooled": ClassificationHead(16, 3, 0.0, use_pooler=True),
        "answer": QuestionAnsweringHead(16, 0.0),
        "parse": BiaffineHead(16, 4, 0.0),
    }
    for name, head in heads.items():
        _draw(head, 9)
        model.add_head(name, head)
    return model.eval().requires_grad_(False)


def _draw(module: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(centre + 0.3 * torch.randn(parameter.shape, generator=generator))


@pytest.fixture(scope="module")
def shared_model(tiny_folder: Path) -> Backbone:
    """A model for tests that train nothing."""
    return built(tiny_folder)


@pytest.fixture(scope="module")
def exact_model(tiny_folder: Path) -> Backbone:
    """The same in float64, made apart."""
    return built(tiny_folder).double()


@pytest.fixture
def full(tiny_folder: Path) -> Backbone:
    """A model of the test's own."""
    return built(tiny_folder)


def scores_of(model: Backbone, head: str, composition: Any) -> dict[str, Tensor]:
    out = model(rows(), MASK, composition=composition, head=head, word_starts=STARTS)
    return {name: getattr(out, name) for name in SCORES if getattr(out, name) is not None}


def bits(model: torch.nn.Module) -> dict[str, Tensor]:
    """Return every weight's bits."""
    return {name: value.detach().clone().view(torch.int32) for name, value in model.named_parameters()}


def settings() -> list[str]:
    cudnn, onednn = torch.backends.cudnn, torch.backends.mkldnn
    parts = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn, onednn.matmul, onednn.conv, onednn.rnn)
    return [part.fp32_precision for part in parts]


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_bfloat16_scores_are_near_those_of_float64(shared_model: Backbone, exact_model: Backbone, name: str) -> None:
    for head in HEADS:
        with torch.inference_mode():
            exact = scores_of(exact_model, head, COMPOSITIONS[name])
            with precise(CPU, "bfloat16"):
                rough = scores_of(shared_model, head, COMPOSITIONS[name])
            with precise(CPU, "float32"):
                plain = scores_of(shared_model, head, COMPOSITIONS[name])
        for key, truth in exact.items():
            allowed = torch.isfinite(truth)
            # Padded heads of a parser are -inf at any precision, and nothing else is.
            assert torch.equal(allowed, torch.isfinite(rough[key]))
            assert (rough[key].dtype, plain[key].dtype) == (torch.bfloat16, torch.float32)
            off = [float((each[key] - truth)[allowed].norm() / truth[allowed].norm()) for each in (rough, plain)]
            # One product is rounded by up to 2^-9 of its size, and there are some layers of them.
            assert 2**-10 < off[0] < 25 * 2**-9, (head, key)
            assert off[1] < 2e-6, (head, key)


def trained_parts(model: Backbone, composition: Any, head: str) -> dict[str, torch.nn.Parameter]:
    """Return adapters, fusions and head that the composition uses, ready to be trained."""
    parts = [model.adapters, model.fusions, *([] if head == MASKED_LM else [model.heads[head]])]
    for part in parts:
        part.requires_grad_(True)
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def loss_of(model: Backbone, head: str, composition: Any) -> Tensor:
    """Return a cross entropy over whatever scores the head gives."""
    given = [scores for scores in scores_of(model, head, composition).values()]
    flat = [each.flatten(0, -2) for each in given]
    # Class 1: an arc to the first word, which no sentence lacks.
    return sum(functional.cross_entropy(each, torch.ones(len(each), dtype=torch.long)) for each in flat)  # type: ignore[return-value]


@pytest.mark.parametrize("head", ["tag", "parse", MASKED_LM])
@pytest.mark.parametrize("name", ["stack nice", "fuse nice", "fused stacks", "routed", "routed fusions"])
def test_bfloat16_gradients_are_float32_and_near(full: Backbone, name: str, head: str) -> None:
    found = {}
    parameters = trained_parts(full, COMPOSITIONS[name], head)
    for precision in ("float32", "bfloat16"):
        with precise(CPU, precision):  # type: ignore[arg-type]
            loss = loss_of(full, head, COMPOSITIONS[name])
        assert loss.dtype == torch.float32
        full.zero_grad(set_to_none=True)
        loss.backward()
        found[precision] = {key: value.grad for key, value in parameters.items() if value.grad is not None}
    exact, rough = found["float32"], found["bfloat16"]
    assert exact.keys() == rough.keys() and len(exact) > 8
    assert all(value.dtype == torch.float32 for value in rough.values())
    together = [torch.cat([value.flatten() for value in each.values()]) for each in (exact, rough)]
    assert torch.isfinite(together[1]).all()
    assert 2**-10 < float((together[0] - together[1]).norm() / together[0].norm()) < 0.2


def test_a_backward_pass_repeats_the_formats_of_its_forward_pass(full: Backbone) -> None:
    composition = COMPOSITIONS["stack nice"]
    parameters, found = trained_parts(full, composition, "tag"), []
    for inside in (True, False):
        full.zero_grad(set_to_none=True)
        with precise(CPU, "bfloat16"):
            loss = loss_of(full, "tag", composition)
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        found.append({name: value.grad.clone() for name, value in parameters.items() if value.grad is not None})
    assert found[0] and all(torch.equal(found[0][name], found[1][name]) for name in found[1])


def test_masked_lm_loss_is_float32(tiny: Backbone) -> None:
    batch = Masked(rows().numpy(), torch.tensor([1, 9, 20]).numpy(), torch.tensor([7, 8, 9]).numpy())
    exact, count = masked_lm_loss(tiny, batch)
    with precise(CPU, "bfloat16"):
        total, _ = masked_lm_loss(tiny, batch)
    assert count == 3
    assert total.dtype == torch.float32
    assert 0 < abs(float(total) - float(exact)) < 0.1


@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16", "float64"])
def test_weights_keep_every_bit(full: Backbone, arithmetic: Any) -> None:
    before, same = bits(full), dict(full.named_parameters())
    with scored_at(full, arithmetic), torch.inference_mode():
        scores_of(full, "tag", COMPOSITIONS["routed"])
        scores_of(full, MASKED_LM, COMPOSITIONS["fuse nice"])
    after = dict(full.named_parameters())
    assert all(after[name] is value and value.dtype == torch.float32 for name, value in same.items())
    assert all(torch.equal(value, bits(full)[name]) for name, value in before.items())
    assert full.word_embeddings is full.base_parameters()["encoder.embeddings.word_embeddings.weight"]


def test_updates_of_5e_5_reach_the_masters_and_would_be_lost_in_bfloat16(tiny: Backbone) -> None:
    weight = tiny.encoder.get_parameter("encoder.layer.0.output.dense.weight").requires_grad_(True)
    before = weight.detach().clone()
    optimizer = torch.optim.AdamW([weight], lr=5e-5, weight_decay=0.0)
    with precise(CPU, "bfloat16"):
        loss = functional.cross_entropy(tiny(rows(), head=MASKED_LM).logits.flatten(0, 1), rows().flatten())
    loss.backward()
    optimizer.step()
    # Adam's first step is the rate times the sign of the gradient.
    moved = (weight - before).detach()
    clear = weight.grad.abs() > 1e-6  # type: ignore[union-attr]
    assert clear.float().mean() > 0.9
    torch.testing.assert_close(moved[clear], -5e-5 * weight.grad.sign()[clear], rtol=0.05, atol=0)  # type: ignore[union-attr]
    large = before.abs() > 0.1
    narrow = before.bfloat16()
    assert torch.equal((narrow + moved.bfloat16())[large], narrow[large])


def test_a_step_inside_the_block_is_seen_by_the_next_pass(tiny: Backbone) -> None:
    weight = tiny.encoder.get_parameter("encoder.layer.0.output.dense.weight").requires_grad_(True)
    with precise(CPU, "bfloat16"):
        before = tiny(rows()).last_hidden_state
        with torch.no_grad():
            weight.mul_(1.5)
        inside = tiny(rows()).last_hidden_state
    with precise(CPU, "bfloat16"):
        anew = tiny(rows()).last_hidden_state
    assert torch.equal(inside, anew)
    assert not torch.equal(inside, before)


def test_float64_scores_are_those_of_a_model_made_in_float64(shared_model: Backbone, exact_model: Backbone) -> None:
    for head in HEADS:
        with scored_at(shared_model, "float64"), torch.inference_mode():
            mine = scores_of(shared_model, head, COMPOSITIONS["routed"])
        with torch.inference_mode():
            apart = scores_of(exact_model, head, COMPOSITIONS["routed"])
        assert all(value.dtype == torch.float64 and torch.equal(value, apart[key]) for key, value in mine.items())


def test_float64_leaves_a_model_as_it_was_after_a_failure(full: Backbone) -> None:
    before = bits(full)
    with pytest.raises(KeyError), scored_at(full, "float64"):
        raise KeyError
    assert all(torch.equal(value, bits(full)[name]) for name, value in before.items())
    full.heads["tag"].bfloat16()
    with (
        pytest.raises(ModelError, match=r"heads\.tag\.layers\.1\.weight is torch\.bfloat16; weights must be float32"),
        scored_at(full, "float64"),
    ):
        pass


@pytest.fixture
def loose() -> Any:
    """Products of float32 tensors are allowed to be rougher, as `torch.set_float32_matmul_precision` would say it."""
    before = settings()
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]
    yield
    torch.backends.mkldnn.matmul.fp32_precision = before[3]  # type: ignore[attr-defined]


def test_float32_is_float32_whatever_the_process_had_set(loose: None) -> None:
    x = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    outside = settings()
    with precise(CPU, "float32"):
        product = x @ x
        assert settings() == ["ieee"] * 6
    assert settings() == outside and outside[3] == "bf16"
    assert float((product - x.double() @ x.double()).abs().max()) < 1e-3


def test_settings_come_back_after_a_failure_and_blocks_nest() -> None:
    before = settings()
    x = torch.ones(2, 2)
    with pytest.raises(KeyError), precise(CPU, "bfloat16"):
        assert (x @ x).dtype == torch.bfloat16
        with precise(CPU, "float32"):
            assert (x @ x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16
        raise KeyError
    assert (x @ x).dtype == torch.float32
    assert settings() == before


def test_tf32_sets_what_cuda_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    before = settings()
    with precise(torch.device("cuda"), "tf32"):
        assert settings()[:3] == ["tf32"] * 3
    assert settings() == before
    assert precisions_of(torch.device("cuda")) == ("float32", "tf32", "bfloat16")


def test_what_a_device_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert precisions_of(CPU) == ("float32", "bfloat16")
    wrong: Sequence[tuple[torch.device, Any, str]] = [
        (CPU, "tf32", "precision 'tf32' needs a CUDA device, and this one is 'cpu'; use float32"),
        (CPU, "bflot16", "precision 'bflot16' is unknown; did you mean 'bfloat16'?"),
        (torch.device("cuda"), "tf32", "needs compute capability 8.0, and cuda has 7.5; use float32"),
        (torch.device("cuda"), "bfloat16", "needs compute capability 8.0, and cuda has 7.5; use float32"),
    ]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    before = settings()
    for device, precision, message in wrong:
        with pytest.raises(ConfigError) as caught, precise(device, precision):
            pass
        assert message in str(caught.value)
    assert settings() == before
    assert precisions_of(torch.device("cuda")) == ("float32",)


@pytest.mark.parametrize("name", TINY)
def test_every_architecture_has_every_precision(tmp_path: Path, name: str) -> None:
    tiny = TINY[name]
    model = Backbone.load(tiny.save(tmp_path)).requires_grad_(False)
    for seed, adapter in enumerate(("l1", "l2")):
        _draw(model.add_adapter(adapter, AdapterConfig(reduction=4, invertible_reduction=2)), seed)
    head = None if tiny.causal else MASKED_LM
    before = bits(model)
    for composition in (None, Stack("l1", "l2"), [Stack("l1"), Stack("l2"), None, Stack("l1")]):
        found = {}
        for arithmetic in ("float64", "float32", "bfloat16"):
            with scored_at(model, arithmetic), torch.inference_mode():  # type: ignore[arg-type]
                out = model(rows(), MASK, composition=composition, head=head)
            found[arithmetic] = out.last_hidden_state if head is None else out.logits
        exact = found["float64"]
        assert exact.dtype == torch.float64
        off = {key: float((value - exact).norm() / exact.norm()) for key, value in found.items()}
        assert off["float32"] < 2e-6 and 2**-10 < off["bfloat16"] < 25 * 2**-9
    assert all(torch.equal(value, bits(model)[name]) for name, value in before.items())


@pytest.mark.gpu
def test_precisions_on_a_cuda_device() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = torch.device("cuda")
    x = torch.randn(512, 512, generator=torch.Generator().manual_seed(0)).to(device)
    exact = x.double() @ x.double()
    off = {}
    for precision in precisions_of(device):
        with precise(device, precision):
            off[precision] = float(((x @ x).double() - exact).norm() / exact.norm())
    assert off["float32"] < 1e-6 < 1e-4 < off["tf32"] < 1e-3 < off["bfloat16"] < 1e-2
