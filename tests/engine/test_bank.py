"""Training together is training apart: against a plain torch loop, and against a bank of one where dropout is on."""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine import Backbone, Fuse, Stack, parse_composition
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bank import Batch, Evaluation, Trained, Trainee, View, collate, train_together
from xltransfer.engine.fit import DescentSettings, rate
from xltransfer.engine.fusion import Fusion, FusionConfig
from xltransfer.engine.heads import TaggingHead
from xltransfer.errors import ConfigError, ModelError

CPU = torch.device("cpu")


def fill(module: nn.Module, seed: int, spread: float) -> None:
    """Draw every parameter, none of them zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))


@dataclass(frozen=True)
class Kind:
    """One kind of training, as data: everything that both the bank and the plain loop need."""

    parts: tuple[str, ...]
    composition: str
    head: str
    rows: int
    tokens: int
    settings: DescentSettings
    padded: bool = False


LANGUAGE = DescentSettings(steps=20, learning_rate=3e-3)
KINDS = {
    "l1": Kind(("adapters.l1",), "Stack(l1)", "masked_lm", 2, 8, LANGUAGE),
    "t": Kind(
        ("adapters.t", "heads.t"),
        "Stack(a, t)",
        "t",
        3,
        11,
        DescentSettings(20, 1e-2, decay="constant", weight_decay=0.1, clip=0.5),
        padded=True,
    ),
    "l2": Kind(("adapters.l2",), "Stack(l2)", "masked_lm", 4, 5, replace(LANGUAGE, warmup=5)),
    "f": Kind(("fusions.a,b",), "Fuse(a, b)", "masked_lm", 2, 9, DescentSettings(20, 2e-3, weight_decay=0.3)),
}
FUSED = ("Stack(Fuse(a, b), t)", "Stack(Fuse(l1, l2), t2)")


@pytest.fixture
def build(tiny_folder: Path) -> Callable[..., Backbone]:
    """Build the model with its adapters, a fusion and a head, always the same."""

    def made(dtype: torch.dtype = torch.float64, dropout: float = 0.0, rules: str = "corrected") -> Backbone:
        model = Backbone.load(tiny_folder, rules=rules)
        for number, name in enumerate("ab"):
            fill(model.add_adapter(name, AdapterConfig(4)), number, 0.3)
        for number, name in enumerate(("l1", "l2")):
            fill(model.add_adapter(name, AdapterConfig(4, invertible_reduction=2)), 7 + number, 0.1)
        fill(model.add_adapter("t", AdapterConfig(8)), 9, 0.1)
        model.add_head("t", TaggingHead(model.hidden, 5, dropout))
        fill(model.head("t"), 10, 0.1)
        fill(model.add_fusion(["a", "b"], FusionConfig(dropout_prob=dropout)), 11, 0.2)
        return model.to(dtype).eval()

    return made


def data(kind: Kind, seed: int, vocabulary: int = 60) -> Iterator[Batch]:
    """Draw batches without end; gold is [positions, labels] of a third of the tokens."""
    rng = np.random.default_rng(seed)
    labels = vocabulary if kind.head == "masked_lm" else 5
    while True:
        ids = torch.from_numpy(rng.integers(5, vocabulary, (kind.rows, kind.tokens)))
        mask = None
        if kind.padded:
            mask = torch.ones_like(ids)
            mask[0, kind.tokens - 3 :] = 0
        positions = torch.from_numpy(rng.choice(kind.rows * (kind.tokens - 3), kind.rows * 2, replace=False))
        gold = (positions, torch.from_numpy(rng.integers(0, labels, len(positions))))
        yield Batch(ids, parse_composition(kind.composition), mask, gold=gold)


def loss_of(head: str) -> Callable[[View, Batch], tuple[Tensor, int]]:
    def loss(view: View, batch: Batch) -> tuple[Tensor, int]:
        positions, gold = batch.gold
        return functional.cross_entropy(view.ask(head, positions).logits, gold, reduction="sum"), len(gold)

    return loss


def modules(model: Backbone, kind: Kind) -> tuple[nn.Module, ...]:
    found = (part.split(".", 1) for part in kind.parts)
    return tuple(getattr(model, group)[name] for group, name in found)


def trainee(model: Backbone, name: str, **changes: Any) -> Trainee:
    kind = KINDS[name]
    made = Trainee(name, modules(model, kind), data(kind, len(name)), loss_of(kind.head), kind.settings, seed=5)
    return replace(made, **changes)


def trainees(model: Backbone, names: tuple[str, ...] = tuple(KINDS)) -> list[Trainee]:
    return [trainee(model, name) for name in names]


def weights(model: Backbone, name: str) -> dict[str, Tensor]:
    found = {}
    for part in modules(model, KINDS[name]):
        found |= {f"{type(part).__name__}.{key}": value.detach().clone() for key, value in part.named_parameters()}
    return found


def assert_close(one: dict[str, Tensor], two: dict[str, Tensor], atol: float) -> None:
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], rtol=0, atol=atol, msg=lambda text, key=key: f"{key}: {text}")


def plain_loop(model: Backbone, name: str) -> list[float]:
    """Train one by itself as a textbook would: whole forward pass, torch's AdamW, penalty by the reference's habit."""
    kind, source, losses = KINDS[name], data(KINDS[name], len(name)), []
    parts = modules(model, kind)
    model.requires_grad_(False)
    for part in parts:
        part.requires_grad_(True)
    fusions = [part for part in parts if isinstance(part, Fusion)]
    values = [value for fusion in fusions for value in fusion.values()] if model.rules.value_decay == "exempt" else []
    others = [p for part in parts for p in part.parameters() if not any(p is value for value in values)]
    groups = [{"params": others}, *([{"params": values, "weight_decay": 0.0}] if values else [])]
    s = kind.settings
    optimizer = torch.optim.AdamW(groups, lr=1.0, weight_decay=s.weight_decay)
    optimizer.zero_grad()
    for step, batch in zip(range(s.steps), source, strict=False):
        positions, gold = batch.gold
        out = model(batch.input_ids, batch.attention_mask, None, batch.composition, kind.head, positions=positions)
        loss = functional.cross_entropy(out.logits, gold)
        if fusions and model.rules.fusion_regularisation == "every_step":
            (loss + fusions[0].regularisation()).backward()
        else:
            loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = rate(step, s.steps, s.learning_rate, s.decay, s.warmup)
        if s.clip is not None:
            nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], s.clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if fusions and model.rules.fusion_regularisation == "from_second_step":
            fusions[0].regularisation().backward()
    model.requires_grad_(False)
    return losses


@pytest.mark.parametrize(
    "rules", ["corrected", "corrected, fusion_regularisation=from_second_step, value_decay=decayed"]
)
def test_mixed_kinds_together_are_the_plain_loops_in_float64(build: Callable[..., Backbone], rules: str) -> None:
    joint, apart = build(rules=rules), build(rules=rules)
    before = {name: weights(joint, name) for name in KINDS}
    trained = train_together(joint, trainees(joint))
    for name in KINDS:
        losses = plain_loop(apart, name)
        assert trained[name].losses == pytest.approx(losses, abs=1e-9)
        assert_close(weights(joint, name), weights(apart, name), atol=1e-9)
        assert any((value != before[name][key]).any() for key, value in weights(joint, name).items())


def test_mixed_kinds_together_in_float32(build: Callable[..., Backbone]) -> None:
    joint, apart = build(torch.float32), build(torch.float32)
    trained = train_together(joint, trainees(joint))
    for name in KINDS:
        assert trained[name].losses == pytest.approx(plain_loop(apart, name), abs=1e-5)


def test_the_rules_of_the_penalty_are_different_trainings(build: Callable[..., Backbone]) -> None:
    found = []
    for rules in ("", ", fusion_regularisation=from_second_step", ", value_decay=decayed"):
        model = build(rules=f"corrected{rules}")
        train_together(model, trainees(model, ("f",)))
        found.append(weights(model, "f")["Fusion.layers.0.value.weight"])
    assert not torch.allclose(found[0], found[1], atol=1e-6)
    assert not torch.allclose(found[0], found[2], atol=1e-6)


@pytest.mark.parametrize("base_dropout", ["off", "on"])
@pytest.mark.parametrize("rules", ["corrected", "adapterhub"])
def test_with_dropout_too_company_changes_nothing(build, base_dropout: Any, rules: str) -> None:
    joint = build(dropout=0.2, rules=rules)
    trained = train_together(joint, trainees(joint), base_dropout=base_dropout)
    for name in KINDS:
        apart = build(dropout=0.2, rules=rules)
        alone = train_together(apart, trainees(apart, (name,)), base_dropout=base_dropout)
        assert trained[name].losses == pytest.approx(alone[name].losses, abs=1e-9)
        assert_close(weights(joint, name), weights(apart, name), atol=1e-9)


def test_dropout_of_head_fusion_and_base_is_there_and_follows_the_seed(build: Callable[..., Backbone]) -> None:
    def losses(name: str, dropout: float, base_dropout: Any = "off", seed: int = 5) -> tuple[float, ...]:
        model, settings = build(dropout=dropout), replace(KINDS[name].settings, steps=4)
        chosen = [trainee(model, name, seed=seed, settings=settings)]
        return train_together(model, chosen, base_dropout=base_dropout)[name].losses

    for name in ("t", "f"):
        own = losses(name, 0.2)
        assert losses(name, 0.0) != own == losses(name, 0.2) != losses(name, 0.2, seed=6)
        assert losses(name, 0.2, "on") != own


def test_modes_in_which_the_model_is_found_do_not_matter(build: Callable[..., Backbone]) -> None:
    losses = []
    for training in (False, True):
        model = build(dropout=0.3).train(training)
        only_adapter = trainee(model, "t", modules=(model.adapters["t"],))
        losses.append(train_together(model, [only_adapter])["t"].losses)
    assert losses[0] == losses[1]


def test_frozen_fusion_beside_a_trained_one_of_its_shape_does_not_drop(build: Callable[..., Backbone]) -> None:
    def prepared() -> tuple[Backbone, list[Trainee]]:
        model = build(dropout=0.4)
        model.add_adapter("t2", AdapterConfig(8))
        model.add_fusion(["l1", "l2"], FusionConfig(dropout_prob=0.4))
        model.add_head("t2", TaggingHead(model.hidden, 5, 0.0))
        for module in (model.adapters["t2"], model.fusions["l1,l2"], model.head("t2")):
            fill(module.double(), 3, 0.1)
        frozen, dropping = (replace(KINDS["t"], composition=text) for text in FUSED)
        first = trainee(model, "t", batches=data(frozen, 1))
        both = (model.fusions["l1,l2"], model.adapters["t2"])
        second = replace(first, name="f", modules=both, batches=data(dropping, 2), loss=loss_of("t2"))
        return model, [first, second]

    (joint, both), (apart, alone) = prepared(), prepared()
    together = train_together(joint, both)
    for one in alone:
        assert together[one.name].losses == pytest.approx(train_together(apart, [one])[one.name].losses, abs=1e-9)


def evaluation(values: list[float], every: int = 4, patience: int | None = 2) -> Evaluation:
    source = iter(values)
    return Evaluation(lambda: next(source), every, patience)


def test_early_stopping_of_one_leaves_the_others_alone(build: Callable[..., Backbone]) -> None:
    joint, at_best = build(), build()
    stopping = trainee(joint, "l1", evaluation=evaluation([3.0, 2.0, float("nan"), 2.0, 0.0]))
    trained = train_together(joint, [stopping, *trainees(joint, ("t", "l2", "f"))])
    assert trained["l1"].evaluations[:2] == ((4, 3.0), (8, 2.0))
    assert (trained["l1"].best, len(trained["l1"].losses), trained["l1"].problem) == (8, 16, None)
    train_together(at_best, [trainee(at_best, "l1", evaluation=evaluation([0.0, 1.0], 8, 1))])
    assert_close(weights(joint, "l1"), weights(at_best, "l1"), atol=1e-9)
    for name in ("t", "l2", "f"):
        apart = build()
        alone = train_together(apart, trainees(apart, (name,)))
        assert trained[name].losses == pytest.approx(alone[name].losses, abs=1e-9)
        assert_close(weights(joint, name), weights(apart, name), atol=1e-9)


def test_evaluation_sees_the_model_at_rest_and_does_not_disturb(build: Callable[..., Backbone]) -> None:
    seen: list[tuple[bool, bool]] = []
    joint, apart = build(dropout=0.2), build(dropout=0.2)

    def look() -> float:
        seen.append((any(module.training for module in joint.modules()), torch.is_grad_enabled()))
        torch.rand(3)
        joint(torch.full((2, 4), 7), composition=Fuse("a", "b"))
        return -float(len(seen))

    looked = trainee(joint, "t", evaluation=Evaluation(look, 3))
    together = train_together(joint, [looked, trainee(joint, "f")], base_dropout="on")
    assert set(seen) == {(False, False)} and len(seen) == 7
    assert [at for at, _ in together["t"].evaluations] == [3, 6, 9, 12, 15, 18, 20]
    assert together["t"].best == 20
    alone = train_together(apart, trainees(apart, ("f",)), base_dropout="on")
    assert together["f"].losses == pytest.approx(alone["f"].losses, abs=1e-9)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_how_many_train_at_once_changes_nothing(build: Callable[..., Backbone], at_once: int) -> None:
    def lengths(model: Backbone) -> list[Trainee]:
        steps = {"l1": 20, "t": 5, "l2": 12, "f": 3}
        return [
            trainee(model, name, settings=replace(KINDS[name].settings, steps=n), modules=modules(model, KINDS[name]))
            for name, n in steps.items()
        ]

    whole, parts, heard = build(), build(), []
    expected = train_together(whole, lengths(whole))
    got = train_together(parts, iter(lengths(parts)), at_once=at_once, on_pass=heard.append)
    assert list(got) == list(KINDS)
    assert max(map(len, heard)) == at_once
    assert sorted(name for names in heard for name in names) == sorted(
        ["l1"] * 20 + ["t"] * 5 + ["l2"] * 12 + ["f"] * 3
    )
    for name in KINDS:
        assert got[name].losses == pytest.approx(expected[name].losses, abs=1e-9)
        assert_close(weights(parts, name), weights(whole, name), atol=1e-9)


def state(model: Backbone) -> dict[str, Any]:
    return {
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "grads": [parameter.grad for parameter in model.parameters()],
        "random": torch.random.get_rng_state().tolist(),
        "drop": model.fusion_drop,
        "base": [weight.tolist() for weight in model.base_parameters().values()],
    }


@pytest.mark.parametrize("base_dropout", ["off", "on"])
@pytest.mark.parametrize("broken", [False, True])
def test_everything_but_the_trained_weights_is_as_it_was(build, base_dropout: Any, broken: bool) -> None:
    model = build(dropout=0.1).train()
    model.requires_grad_(True)
    model.adapters["l1"].requires_grad_(False)
    model.encoder.encoder.layer[0].eval()
    before = state(model)
    untrained = {name: value.clone() for name, value in model.adapters["a"].state_dict().items()}
    chosen = trainees(model)
    if broken:

        def stops(view: View, batch: Batch) -> tuple[Tensor, int]:
            raise KeyboardInterrupt

        chosen[2] = replace(chosen[2], loss=stops)
        with pytest.raises(KeyboardInterrupt):
            train_together(model, chosen, base_dropout=base_dropout)
    else:
        train_together(model, chosen, base_dropout=base_dropout)
    assert state(model) == before
    assert all(torch.equal(value, untrained[name]) for name, value in model.adapters["a"].state_dict().items())


def test_loss_that_is_not_finite_stops_one_alone_and_is_told(build: Callable[..., Backbone]) -> None:
    joint = build()

    def spoilt(view: View, batch: Batch) -> tuple[Tensor, int]:
        total, n = loss_of("masked_lm")(view, batch)
        spoilt.calls += 1
        return (total * float("nan") if spoilt.calls == 7 else total), n

    spoilt.calls = 0
    base = state(joint)["base"]
    trained = train_together(joint, [trainee(joint, "l1", loss=spoilt), *trainees(joint, ("t", "l2", "f"))])
    assert trained["l1"].problem == "the loss of step 7 of 20 is not finite; lower the learning rate"
    assert len(trained["l1"].losses) == 7 and trained["l1"].best is None
    assert not all(value.isfinite().all() for value in weights(joint, "l1").values())
    assert state(joint)["base"] == base
    for name in ("t", "l2", "f"):
        apart = build()
        assert trained[name].losses == pytest.approx(plain_loop(apart, name), abs=1e-9)
        assert_close(weights(joint, name), weights(apart, name), atol=1e-9)


def test_failed_training_falls_back_on_its_best_state(build: Callable[..., Backbone]) -> None:
    model = build()

    def spoilt(view: View, batch: Batch) -> tuple[Tensor, int]:
        total, n = loss_of("masked_lm")(view, batch)
        spoilt.calls += 1
        return (total * float("inf") if spoilt.calls == 6 else total), n

    spoilt.calls = 0
    trained = train_together(model, [trainee(model, "l1", loss=spoilt, evaluation=evaluation([1.0, 0.5], 4))])["l1"]
    assert trained.best == 4 and "step 6 of 20 is not finite" in str(trained.problem)
    assert trained.evaluations == ((4, 1.0),)
    assert all(value.isfinite().all() for value in weights(model, "l1").values())


def test_gradient_that_is_not_finite_in_the_last_step_is_told(build: Callable[..., Backbone]) -> None:
    model = build()

    def root(view: View, batch: Batch) -> tuple[Tensor, int]:
        return (view.states.last_hidden_state * 0).abs().sqrt().sum(), 1

    once = trainee(model, "l1", loss=root, settings=replace(LANGUAGE, steps=1))
    trained = train_together(model, [once])["l1"]
    assert trained.losses == (0.0,)
    assert trained.problem == "its parameters are not finite after the last step; lower the learning rate"


def test_evaluations_without_a_number_are_a_problem(build: Callable[..., Backbone]) -> None:
    model = build()
    nans = trainee(model, "l1", evaluation=Evaluation(lambda: float("nan"), 10))
    trained = train_together(model, [nans])["l1"]
    assert trained.problem == "none of its evaluations is a number" and len(trained.losses) == 20


def test_composition_may_change_from_batch_to_batch(build: Callable[..., Backbone]) -> None:
    def cycling(model: Backbone) -> Trainee:
        below = cycle(["Stack(a, t)", "Stack(b, t)", "Stack(t)"])
        batches = (replace(b, composition=parse_composition(next(below))) for b in data(KINDS["t"], 1))
        return trainee(model, "t", batches=batches)

    joint, apart = build(), build()
    together = train_together(joint, [trainee(joint, "l1"), cycling(joint), trainee(joint, "l2")])
    alone = train_together(apart, [cycling(apart)])
    assert together["t"].losses == pytest.approx(alone["t"].losses, abs=1e-9)
    assert_close(weights(joint, "t"), weights(apart, "t"), atol=1e-9)


def test_losses_stay_on_the_device_until_they_are_read_together(build, monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = build(), []
    for name in ("item", "tolist", "__float__", "__bool__", "__int__"):
        original = getattr(Tensor, name)

        def counted(self: Tensor, *args: Any, original: Any = original, name: str = name) -> Any:
            calls.append(name)
            return original(self, *args)

        monkeypatch.setattr(Tensor, name, counted)
    chosen = [
        trainee(model, name, settings=replace(LANGUAGE, steps=7), batches=repeat(Batch(ids, Stack(name), gold=gold)))
        for name, ids, gold in (
            (name, torch.full((2, 8), 9), (torch.tensor([1, 3]), torch.tensor([7, 8]))) for name in ("l1", "l2")
        )
    ]
    train_together(model, chosen, on_pass=lambda names: calls.append("pass"))
    assert set(calls[: calls.index("tolist")]) == {"pass"}
    assert calls.count("pass") == 7 and calls.count("tolist") == 2


def test_scores_of_one_are_gone_before_the_next_ones_are_made(build: Callable[..., Backbone]) -> None:
    model, alive = build(), []

    def watched(view: View, batch: Batch) -> tuple[Tensor, int]:
        assert not [each for each in alive if each() is not None]
        positions, gold = batch.gold
        logits = view.ask("masked_lm", positions).logits
        alive.append(weakref.ref(logits))
        return functional.cross_entropy(logits, gold, reduction="sum"), len(gold)

    train_together(model, [trainee(model, name, loss=watched) for name in ("l1", "l2")])
    assert len(alive) == 40


def test_joint_batch_has_a_mask_and_types_only_where_somebody_needs_them() -> None:
    short, long = torch.full((1, 2), 5), torch.full((2, 3), 6)
    equal = collate([Batch(short, Stack("x")), Batch(short + 1, Stack())], CPU, pad=9)
    assert equal.attention_mask is None and equal.token_type_ids is None
    assert equal.input_ids.tolist() == [[5, 5], [6, 6]]
    types = torch.ones_like(long)
    joint = collate([Batch(short, Stack("x")), Batch(long, Stack(), token_type_ids=types)], CPU, pad=9)
    assert joint.input_ids.tolist() == [[5, 5, 9], [6, 6, 6], [6, 6, 6]]
    assert joint.attention_mask.tolist() == [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    assert joint.token_type_ids.tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1]]
    assert joint.rows == (slice(0, 1), slice(1, 3)) and joint.compositions == (Stack("x"), Stack(), Stack())


def refused(model: Backbone, chosen: list[Trainee], match: str, error: type[Exception] = ConfigError, **more) -> None:
    with pytest.raises(error, match=match):
        train_together(model, chosen, **more)


def test_trainees_that_cannot_be_meant(build: Callable[..., Backbone]) -> None:
    model = build()
    one, other = trainees(model, ("l1", "l2"))
    refused(model, [one, replace(other, name="l1")], "two trainees are named 'l1'")
    refused(model, [one, replace(other, modules=one.modules)], "'l2' would also train weights of trainee 'l1'")
    base = (model.encoder.encoder.layer[1],)
    refused(model, [replace(one, modules=base)], "would also train the base model's encoder.encoder.layer.1.attention")
    refused(model, [replace(one, modules=())], "'l1' has no parameters to train")
    refused(model, [replace(one, settings=DescentSettings(0, 0.1))], "'l1': steps=0; expected at least 1")
    elsewhere = (replace(batch, composition=Stack("a")) for batch in data(KINDS["l1"], 1))
    refused(model, [other, replace(one, batches=elsewhere)], "'l1': its loss depends on none of its parameters")
    few = [next(one.batches) for _ in range(2)]  # type: ignore[call-overload]
    message = "batches of 'l1' ended after 2 of 20 steps"
    refused(model, [replace(one, batches=few)], message, ValueError)
    refused(model, [one], "at_once=0; expected at least 1", at_once=0)
    with pytest.raises(ConfigError, match="every=0, patience=None"):
        Evaluation(lambda: 0.0, 0)


def test_base_dropout_is_refused_where_attention_draws_inside_a_kernel(build: Callable[..., Backbone]) -> None:
    model = build()
    model.encoder.config._attn_implementation_internal = "flash_attention_2"
    refused(model, trainees(model), "inside attention 'flash_attention_2'", ModelError, base_dropout="on")


def test_nobody_to_train(build: Callable[..., Backbone]) -> None:
    empty: dict[str, Trained] = {}
    assert train_together(build(), []) == empty
