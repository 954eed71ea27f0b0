"""Prediction heads: tagging, classification, question answering, biaffine parsing, masked-LM.

Each maps hidden states to scores and knows no loss.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine.bottleneck import ACTIVATIONS
from xltransfer.errors import ModelError, near_match

HEAD_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {**ACTIVATIONS, "sigmoid": nn.Sigmoid}


class LinearHead(nn.Module):
    """n linear maps: (dropout, Linear(hidden, hidden), activation) n - 1 times, then dropout, Linear(hidden, outputs).

    The numbering of ``layers`` is AdapterHub's.

    Raises
    ------
    ModelError
        An unknown activation, fewer than one layer or output.
    """

    def __init__(
        self, hidden: int, outputs: int, dropout: float, layers: int = 1, activation: str = "tanh", bias: bool = True
    ) -> None:
        super().__init__()
        if layers < 1 or outputs < 1:
            raise ModelError(f"a head needs at least one layer and one output, got {layers} and {outputs}")
        if activation not in HEAD_ACTIVATIONS:
            raise ModelError(f"head activation {activation!r} is not known{near_match(activation, HEAD_ACTIVATIONS)}")
        parts: list[nn.Module] = []
        for _ in range(layers - 1):
            parts += [nn.Dropout(dropout), nn.Linear(hidden, hidden), HEAD_ACTIVATIONS[activation]()]
        parts += [nn.Dropout(dropout), nn.Linear(hidden, outputs, bias=bias)]
        self.activation = activation
        self.layers = nn.Sequential(*parts)
        for part in parts:
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=0.02)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., outputs]``."""
        out: Tensor = self.layers(hidden)
        return out


class TaggingHead(LinearHead):
    """Scores at every position that it is given: ``[..., labels]``."""


class ClassificationHead(LinearHead):
    """Scores of a whole row, from its first token's hidden state or from the pooler's output: ``[row, labels]``."""

    def __init__(
        self,
        hidden: int,
        labels: int,
        dropout: float,
        layers: int = 2,
        activation: str = "tanh",
        bias: bool = True,
        use_pooler: bool = False,
    ) -> None:
        super().__init__(hidden, labels, dropout, layers, activation, bias)
        self.use_pooler = use_pooler


class QuestionAnsweringHead(LinearHead):
    """Two scores a position, for the start and for the end of an answer: ``[row, token, 2]``."""

    def __init__(self, hidden: int, dropout: float, layers: int = 1, activation: str = "tanh") -> None:
        super().__init__(hidden, 2, dropout, layers, activation)


class BiaffineHead(nn.Module):
    """Arc and relation scores between words: the reference library's parser, without projection layers.

    Words are means of their subwords' hidden states D [batch, word, hidden]; candidate heads R put the first token's
    state (the root) before them [batch, word + 1, hidden]. Head 0 is the root, head k the k-th word.
    Source: AdapterHub's dependency head, after Glavaš and Vulić (2021).
    """

    def __init__(self, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.arcs = nn.Parameter(torch.zeros(1, hidden + 1, hidden))
        self.relations = nn.Parameter(torch.zeros(labels, hidden + 1, hidden + 1))

    def words(self, hidden: Tensor, word_starts: Tensor) -> tuple[Tensor, Tensor]:
        """Pool subwords into words.

        Parameters
        ----------
        hidden
            [batch, token, hidden].
        word_starts
            [batch, word + 1]: subword position of each word's start, closed by one end position, padded with -1.

        Returns
        -------
        tuple
            D [batch, word, hidden] (zero where padded) and R [batch, word + 1, hidden].
        """
        hidden = self.dropout(hidden)
        start, end = word_starts[:, :-1, None], word_starts[:, 1:, None]
        position = torch.arange(hidden.shape[1], device=hidden.device)
        # A product with a pooling matrix has one order of summation on every device; scattered adds have not.
        inside = ((position >= start) & (position < end) & (end > 0)).to(hidden.dtype)
        dependents = torch.bmm(inside / (end - start).clamp(min=1).to(hidden.dtype), hidden)
        return dependents, torch.cat((hidden[:, :1], dependents), dim=1)

    def arc_scores(self, dependents: Tensor, heads: Tensor) -> Tensor:
        """Return [batch, word, word + 1] scores of each candidate head of each word."""
        return torch.matmul(torch.matmul(_one(dependents), self.arcs), heads.transpose(1, 2))

    def relation_scores(self, dependents: Tensor, heads: Tensor) -> Tensor:
        """Return [word, labels] relation scores of ``dependents`` under ``heads``, both [word, hidden]."""
        return torch.einsum("wi,oij,wj->wo", _one(dependents), self.relations, _one(heads))

    def relation_scores_twice(self, dependents: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As `relation_scores` for two choices of heads, with the expensive product made once."""
        halfway = torch.einsum("wi,oij->woj", _one(dependents), self.relations)
        scores = torch.matmul(halfway, torch.stack((_one(first), _one(second)), dim=-1))
        return scores[..., 0], scores[..., 1]

    def all_relation_scores(self, dependents: Tensor, heads: Tensor) -> Tensor:
        """Return [batch, word, word + 1, labels] relation scores of every pair."""
        return torch.einsum("bwi,oij,bhj->bwho", _one(dependents), self.relations, _one(heads))


def no_head(word_starts: Tensor) -> Tensor:
    """Return [row, word + 1]: True where a column of arc scores is neither the root nor a word."""
    padded = word_starts[:, 1:] < 0
    return functional.pad(padded, (1, 0), value=False)


def _one(x: Tensor) -> Tensor:
    return functional.pad(x, (0, 1), value=1.0)


class MaskedLMHead(nn.Module):
    """Dense, activation, LayerNorm; then the transposed word embeddings (tied, not owned here) and a bias.

    ``dense_bias`` and ``norm_bias`` are off in ModernBERT.
    """

    def __init__(
        self,
        hidden: int,
        vocabulary: int,
        activation: nn.Module,
        eps: float,
        dense_bias: bool = True,
        norm_bias: bool = True,
    ) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden, bias=dense_bias)
        self.activation = activation
        self.norm = nn.LayerNorm(hidden, eps=eps, bias=norm_bias)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def transform(self, hidden: Tensor) -> Tensor:
        """Return what enters the decoder (before the inverse of an invertible adapter): ``[..., hidden]``."""
        out: Tensor = self.norm(self.activation(self.dense(hidden)))
        return out

    def decode(self, z: Tensor, embeddings: Tensor, with_bias: bool = True) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., vocabulary]``; ``embeddings`` is [vocabulary, hidden]."""
        return functional.linear(z, embeddings, self.bias if with_bias else None)

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., vocabulary]``, no invertible adapter between."""
        return self.decode(self.transform(hidden), embeddings)
