"""The training loop against a plain torch.optim.AdamW loop, its rates against a hand-worked table, its errors."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from xltransfer.engine.fit import Descent, DescentSettings, descend, fit, rate
from xltransfer.errors import ConfigError


def batches(n: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(6, 3, generator=generator), torch.randn(6, 2, generator=generator)) for _ in range(n)]


def linear_model() -> nn.Linear:
    model = nn.Linear(3, 2)
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.linspace(-1, 1 + number, parameter.numel()).reshape(parameter.shape))
    return model


def steps_of(model: nn.Linear, data: list[tuple[Tensor, Tensor]], n: int, **more: object) -> Iterator[Tensor]:
    def loss(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, int]:
        return ((model(batch[0]) - batch[1]) ** 2).sum(), batch[1].numel()

    return descend(list(model.parameters()), data, loss, steps=n, learning_rate=0.1, **more)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_same_weights_and_losses_as_a_plain_loop(weight_decay: float, clip: float | None) -> None:
    data, model, plain = batches(5), linear_model(), linear_model()
    ours = fit(steps_of(model, data, 5, weight_decay=weight_decay, clip=clip))
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.1, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (5 - step) / 5)
    theirs = []
    for x, y in data:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(plain(x), y)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(plain.parameters(), clip)
        optimizer.step()
        schedule.step()
        theirs.append(loss.item())
    assert ours == pytest.approx(theirs, rel=1e-5)
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("decay", "warmup", "expected"),
    [
        ("linear", 0, [1.0, 0.75, 0.5, 0.25]),
        ("constant", 0, [1.0, 1.0, 1.0, 1.0]),
        ("linear", 2, [0.5, 0.75, 0.5, 0.25]),
        ("constant", 4, [0.25, 0.5, 0.75, 1.0]),
    ],
)
def test_rates_of_four_steps(decay: str, warmup: int, expected: list[float]) -> None:
    assert [rate(step, 4, 1.0, decay, warmup) for step in range(4)] == expected


def test_loop_stops_after_each_step_with_the_weights_of_that_step() -> None:
    data, stopped, seen = batches(3), linear_model(), []
    for _ in steps_of(stopped, data, 3, decay="constant"):
        seen.append(stopped.weight.detach().clone())
    for n in (1, 2, 3):
        alone = linear_model()
        fit(steps_of(alone, data, n, decay="constant"))
        assert torch.equal(alone.weight, seen[n - 1])


def test_no_gradient_is_left_behind() -> None:
    model = linear_model()
    fit(steps_of(model, batches(2), 2))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_on_step_hears_every_step() -> None:
    heard: list[tuple[int, float]] = []
    losses = fit(steps_of(linear_model(), batches(3), 3), lambda number, loss: heard.append((number, loss)))
    assert heard == list(enumerate(losses, start=1))


def test_too_few_batches() -> None:
    with pytest.raises(ValueError, match="batches ended after 2 of 3 steps; give at least 3 batches"):
        fit(steps_of(linear_model(), batches(2), 3))


def test_loss_that_is_not_finite_names_its_step() -> None:
    data = batches(3)
    data[1] = (data[1][0], data[1][1] * float("inf"))
    with pytest.raises(ValueError, match="the loss of step 2 of 3 is not finite"):
        fit(steps_of(linear_model(), data, 3))


def test_weights_that_decay_leaves_alone_only_follow_their_gradient() -> None:
    model = linear_model()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    settings = DescentSettings(steps=2, learning_rate=0.1, decay="constant", weight_decay=0.5)
    descent = Descent(list(model.parameters()), settings, undecayed=[model.bias])
    for _ in range(2):
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        descent.step()
    assert descent.taken == 2
    assert torch.equal(model.bias, before["bias"])
    torch.testing.assert_close(model.weight, before["weight"] * (1 - 0.1 * 0.5) ** 2)
    descent.clear()
    assert model.weight.grad is None


def test_numbers_that_cannot_be_meant() -> None:
    with pytest.raises(ConfigError) as caught:
        DescentSettings(steps=-1, learning_rate=float("nan"), warmup=-1, weight_decay=-0.1, clip=0)
    named = [problem.split("=")[0] for problem in caught.value.problems]
    assert named == ["steps", "warmup", "weight_decay", "learning_rate", "clip"]
    with pytest.raises(ConfigError, match="learning_rate=inf; expected more than 0, such as 1e-4"):
        next(descend([], [], lambda batch: (torch.zeros(()), 1), steps=1, learning_rate=float("inf")))
