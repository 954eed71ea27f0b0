"""One of the many that are trained together (`bank`): what it is, what its loss sees, how its training ended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from xltransfer.engine.backbone import Backbone
from xltransfer.engine.composition import Composition
from xltransfer.engine.fit import DescentSettings
from xltransfer.engine.passing import Pass
from xltransfer.engine.readout import Output
from xltransfer.errors import ConfigError


@dataclass(frozen=True)
class Batch:
    """Some rows of one trainee, on any device.

    Attributes
    ----------
    input_ids
        [row, token].
    composition
        What all of these rows go through; it may change from batch to batch.
    attention_mask, token_type_ids
        [row, token], or None where the trainee needs none.
    gold
        What the loss needs besides.
    """

    input_ids: Tensor
    composition: Composition
    attention_mask: Tensor | None = None
    token_type_ids: Tensor | None = None
    gold: Any = None


@dataclass(frozen=True)
class View:
    """What a loss sees of the joint pass: the trainee's own rows, cut to their own length, as if they were alone."""

    model: Backbone
    states: Output
    routed: Pass

    def ask(self, head: str, positions: Tensor | None = None, word_starts: Tensor | None = None) -> Output:
        """Return the states with the scores of ``head``; see `Backbone.forward`."""
        return self.model.score(head, self.states, self.routed, positions, word_starts)


Loss = Callable[[View, Batch], tuple[Tensor, int]]
"""The summed loss of a batch and how many predictions it sums over; a step descends on their ratio."""


@dataclass(frozen=True)
class Evaluation:
    """When training stops early, and which state it keeps.

    Attributes
    ----------
    loss
        What is to become small, such as the nll of held-out text. Called with the whole model in evaluation mode.
    every
        Steps between two evaluations; the last step is evaluated too. The best state is kept, the first of equal ones.
    patience
        Training stops after this many evaluations in a row without a new best; None: it takes all steps.
    """

    loss: Callable[[], float]
    every: int
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or (self.patience is not None and self.patience < 1):
            raise ConfigError(f"every={self.every}, patience={self.patience}; expected at least 1 (or no patience)")


@dataclass(frozen=True)
class Trainee:
    """One training among many.

    Attributes
    ----------
    name
        For results and messages.
    modules
        What is trained, all of it: an adapter, a fusion, an adapter and its head. Parts of the model, or the caller's
        own; of the penalties, the fusions among them are charged theirs.
    batches
        At least as many as steps.
    loss
        Of its own rows.
    settings
        Optimizer and schedule.
    seed
        Of everything random in its training: dropout of heads, of fusions and of the base, and what ``batches`` and
        ``loss`` draw from torch.
    evaluation
        None: all steps are taken, and the last state is kept.
    """

    name: str
    modules: tuple[nn.Module, ...]
    batches: Iterable[Batch]
    loss: Loss
    settings: DescentSettings
    seed: int = 0
    evaluation: Evaluation | None = None


@dataclass(frozen=True)
class Trained:
    """How a training ended.

    Attributes
    ----------
    losses
        Mean loss of each step taken, in nats, penalties left out. Fewer than the settings' steps: it stopped early.
    evaluations
        Steps taken before each evaluation, and what it gave.
    best
        Steps behind the state that was kept, where there were evaluations.
    problem
        Why the training failed, or None. Then the parameters are the best evaluated state, or, with ``best`` None, not
        finite and of no use.
    """

    losses: tuple[float, ...]
    evaluations: tuple[tuple[int, float], ...] = ()
    best: int | None = None
    problem: str | None = None
