"""Many adapters, fusions and heads trained together over one frozen base model, in one forward pass a step.

    trained = train_together(model, [Trainee("l1", (model.adapters["l1"],), batches, loss, settings), ...])

The trainees' rows are laid under one another, each row names its composition, and the encoder runs once, forward and
backward. Loss, gradient, optimizer, schedule, early stopping and random streams are each trainee's own: its loss reads
its own rows at their own length, its mean has its own denominator, and no gradient reaches another's parameters. So
the outcome is that of training one after another, up to the rounding of products over more rows. Adapters stay one by
one in the model; their weights are laid side by side inside the pass only (`rows`).

While adapters train, the base runs without dropout (``base_dropout: off``, a deviation from the published scripts,
which train with it; ``on`` draws each trainee's masks from its own generator, see `row_dropout`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from xltransfer.engine.backbone import Backbone
from xltransfer.engine.composition import Composition
from xltransfer.engine.fit import mean_loss
from xltransfer.engine.precision import Precision, precise
from xltransfer.engine.readout import Output
from xltransfer.engine.row_dropout import Part, RowDropout, refuse_hidden_draws
from xltransfer.engine.running import Running, as_found, parameters_of
from xltransfer.engine.trainee import Batch, Evaluation, Trained, Trainee, View
from xltransfer.errors import ConfigError

__all__ = ["Batch", "Evaluation", "Trained", "Trainee", "View", "train_together"]

BaseDropout = Literal["off", "on"]
Where = tuple[slice, ...]


def train_together(
    model: Backbone,
    trainees: Iterable[Trainee],
    *,
    at_once: int | None = None,
    base_dropout: BaseDropout = "off",
    precision: Precision = "float32",
    on_pass: Callable[[Sequence[str]], None] | None = None,
) -> dict[str, Trained]:
    """Train all of them, ``at_once`` in a pass; as one leaves, the next enters.

    A trainee whose loss is no longer a number stops alone; its `Trained.problem` says so. Modes, ``requires_grad`` and
    the process's random state are put back on leaving, also by an exception; the base model's weights never change.

    Parameters
    ----------
    trainees
        Taken one by one as there is room, so that they may be made when their turn comes.
    at_once
        See `bank_memory.bank_size`; None: all of them.
    base_dropout
        Whether the frozen base drops.
    precision
        Of the forward passes; weights and optimizer stay as they are.
    on_pass
        Called after each step with the names of those that took it.

    Returns
    -------
    dict
        How each training ended, in the order in which they were given.

    Raises
    ------
    ConfigError
        Two trainees of one name or with a parameter in common, one that would train the base, one whose loss does not
        depend on what it trains, or one without steps.
    ModelError
        ``base_dropout: on`` with a base model whose draws cannot be told apart by rows.
    ValueError
        A trainee whose batches run out.
    """
    if at_once is not None and at_once < 1:
        raise ConfigError(f"at_once={at_once}; expected at least 1, or None for all")
    if base_dropout == "on":
        refuse_hidden_draws(model.encoder)
    bank = _Bank(model, base_dropout, precision)
    waiting = iter(trainees)
    with borrowed(model), bank.closing():
        while bank.admit(waiting, at_once):
            names = bank.step()
            if on_pass is not None:
                on_pass(names)
            bank.dismiss()
    return {name: bank.ended[name] for name in bank.names}


@contextmanager
def borrowed(model: Backbone) -> Iterator[None]:
    """Freeze the model; put back its flags, modes, fusion dropout, and the process's random state."""
    drop = model.fusion_drop
    cuda = [model.device] if model.device.type == "cuda" else []
    with as_found([model]), torch.random.fork_rng(devices=cuda):
        model.requires_grad_(False)
        try:
            yield
        finally:
            model.fusion_drop = drop


class _Bank:
    """The trainees of the present pass."""

    def __init__(self, model: Backbone, base_dropout: BaseDropout, precision: Precision) -> None:
        self.model, self.base_dropout, self.precision = model, base_dropout, precision
        self.running: list[Running] = []
        self.names: dict[str, None] = {}
        self.ended: dict[str, Trained] = {}
        self._owner = {weight: f"the base model's {name}" for name, weight in model.base_parameters().items()}
        self._dropout = RowDropout()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Let go of whoever is still in the bank when an exception ends it."""
        try:
            yield
        finally:
            for running in self.running:
                running.close()

    def admit(self, waiting: Iterator[Trainee], at_once: int | None) -> bool:
        """Fill the bank; tell whether anybody is in it."""
        entered = False
        while at_once is None or len(self.running) < at_once:
            trainee = next(waiting, None)
            if trainee is None:
                break
            self._check(trainee)
            self.running.append(Running(trainee, self.model.rules, self.model.device))
            entered = True
        if entered:
            self._set_modes()
        return bool(self.running)

    def _check(self, trainee: Trainee) -> None:
        if trainee.name in self.names:
            raise ConfigError(f"two trainees are named {trainee.name!r}; give each a name of its own")
        self.names[trainee.name] = None
        if trainee.settings.steps < 1:
            raise ConfigError(f"trainee {trainee.name!r}: steps={trainee.settings.steps}; expected at least 1")
        parameters = parameters_of(trainee)
        taken = next((each for each in parameters if each in self._owner), None)
        if not parameters or taken is not None:
            what = "has no parameters to train" if taken is None else f"would also train {self._owner[taken]}"
            raise ConfigError(f"trainee {trainee.name!r} {what}; every trainee trains weights of its own")
        self._owner |= dict.fromkeys(parameters, f"weights of trainee {trainee.name!r}")

    def _set_modes(self) -> None:
        self.model.eval()
        self.model.encoder.train(self.base_dropout == "on")
        # Whether a fusion drops is decided by trainee, not by the fusion that stands first in a group.
        self.model.fusions.train()
        for running in self.running:
            for module in running.trainee.modules:
                module.train()

    def step(self) -> list[str]:
        """Take one step with everybody; returns their names."""
        device = self.model.device
        batches = [running.next_batch() for running in self.running]
        joint = collate(batches, device, int(getattr(self.model.encoder.config, "pad_token_id", None) or 0))
        # Backward passes repeat the formats of autocast by themselves, but TF32 is a setting of the process.
        with precise(device, "tf32" if self.precision == "tf32" else "float32"):
            states, ends = self._encode(batches, joint), _Ends()
            means = [self._head(*each, states, ends) for each in zip(self.running, batches, joint.rows, strict=True)]
            ends.backward()
        for running, mean in zip(self.running, means, strict=True):
            running.step(mean)
        return [running.trainee.name for running in self.running]

    def _encode(self, batches: Sequence[Batch], joint: "Joint") -> Output:
        self.model.fusion_drop = self._dropout.fusion
        routed = self.model.routed(joint.compositions, len(joint.input_ids))
        self._dropout.parts = self._parts(batches, routed.routing.order)
        drops = self._dropout if self.base_dropout == "on" else nullcontext()
        with precise(self.model.device, self.precision), drops:
            return self.model.encode(routed, joint.input_ids, joint.attention_mask, joint.token_type_ids)

    def _parts(self, batches: Sequence[Batch], order: Sequence[int] | None) -> list[Part]:
        """Return whose rows stand where in the sorted batch; a trainee's rows share a composition and stay together."""
        owners = [number for number, batch in enumerate(batches) for _ in range(len(batch.input_ids))]
        first = dict.fromkeys(owners if order is None else [owners[row] for row in order])
        return [self.running[i].part(batches[i]) for i in first]

    def _head(self, running: Running, batch: Batch, rows: slice, states: Output, ends: "_Ends") -> Tensor:
        """Return a trainee's mean loss, having gone backward through it down to the encoder's output."""
        own = replace(
            states,
            last_hidden_state=ends.cut(states.last_hidden_state, (rows, slice(batch.input_ids.shape[1]))),
            pooler_output=None if states.pooler_output is None else ends.cut(states.pooler_output, (rows,)),
        )
        view = View(self.model, own, self.model.routed(batch.composition, len(batch.input_ids)))
        with precise(self.model.device, self.precision), running.stream.on():
            mean = mean_loss(*running.trainee.loss(view, batch))
        # One trainee's scores are gone before the next one's are made: over a large vocabulary they are what is large.
        if mean.requires_grad:
            mean.backward()  # type: ignore[no-untyped-call]
        return mean.detach()

    def dismiss(self) -> None:
        """Evaluate whoever is due, and let go of those that have ended."""
        due = [running for running in self.running if running.is_due]
        if due:
            self.model.eval()
            for running in due:
                for module in running.trainee.modules:
                    module.eval()
                running.evaluate()
            self._set_modes()
        for running in [running for running in self.running if running.ended]:
            self.ended[running.trainee.name] = running.leave()
            self.running.remove(running)


class _Ends:
    """Where the encoder's graph is cut from the losses, so that each loss has a backward pass of its own."""

    def __init__(self) -> None:
        self._cuts: list[tuple[Tensor, Where, Tensor]] = []

    def cut(self, whole: Tensor, where: Where) -> Tensor:
        """Return ``whole[where]`` without its history; `backward` carries the gradient over."""
        leaf = whole[where].detach().requires_grad_(whole.requires_grad)
        self._cuts.append((whole, where, leaf))
        return leaf

    def backward(self) -> None:
        """Go on backward through the encoder, once for all."""
        gradients: dict[Tensor, Tensor] = {}
        for whole, where, leaf in self._cuts:
            if leaf.grad is not None:
                if whole not in gradients:
                    gradients[whole] = torch.zeros_like(whole)
                gradients[whole][where] = leaf.grad
        if gradients:
            torch.autograd.backward(list(gradients), list(gradients.values()))


@dataclass(frozen=True)
class Joint:
    """The rows of several batches under one another.

    Attributes
    ----------
    input_ids, attention_mask, token_type_ids
        [row, token], padded to the longest; None where no batch needs it.
    compositions
        One a row.
    rows
        Where each batch stands.
    """

    input_ids: Tensor
    attention_mask: Tensor | None
    token_type_ids: Tensor | None
    compositions: tuple[Composition, ...]
    rows: tuple[slice, ...]


def collate(batches: Sequence[Batch], device: torch.device, pad: int) -> Joint:
    """Lay batches under one another; there is a mask only if something is padded or a batch brought one."""
    longest = max(batch.input_ids.shape[1] for batch in batches)
    padded = any(batch.input_ids.shape[1] < longest for batch in batches)

    def together(parts: Sequence[Tensor], fill: int) -> Tensor:
        wide = [functional.pad(part, (0, longest - part.shape[1]), value=fill) for part in parts] if padded else parts
        whole = torch.cat(list(wide))
        # From pinned memory the copy waits for nothing that the device has still to do.
        return (whole.pin_memory() if device.type == "cuda" and not whole.is_cuda else whole).to(
            device, non_blocking=True
        )

    masks = [torch.ones_like(batch.input_ids) if (m := batch.attention_mask) is None else m for batch in batches]
    types = [torch.zeros_like(batch.input_ids) if (t := batch.token_type_ids) is None else t for batch in batches]
    starts = [0]
    for batch in batches:
        starts.append(starts[-1] + len(batch.input_ids))
    return Joint(
        together([batch.input_ids for batch in batches], pad),
        together(masks, 0) if padded or any(batch.attention_mask is not None for batch in batches) else None,
        together(types, 0) if any(batch.token_type_ids is not None for batch in batches) else None,
        tuple(batch.composition for batch in batches for _ in range(len(batch.input_ids))),
        tuple(slice(*ends) for ends in zip(starts, starts[1:], strict=False)),
    )
