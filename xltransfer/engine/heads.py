"""Prediction heads: tagging, biaffine parsing, masked-LM. Each maps hidden states to scores and knows no loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine.invertible import Invertible


class TaggingHead(nn.Module):
    """Dropout and one linear map to ``labels`` scores, at whatever positions it is given."""

    def __init__(self, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden, labels)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., labels]``."""
        out: Tensor = self.linear(self.dropout(hidden))
        return out


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


def _one(x: Tensor) -> Tensor:
    return functional.pad(x, (0, 1), value=1.0)


class MaskedLMHead(nn.Module):
    """Dense, activation, LayerNorm, then the transposed word embeddings (tied, not owned here) and a bias."""

    def __init__(self, hidden: int, vocabulary: int, activation: nn.Module, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.activation = activation
        self.norm = nn.LayerNorm(hidden, eps=eps)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden: Tensor, embeddings: Tensor, invertible: Invertible | None = None) -> Tensor:
        """Map ``[..., hidden]`` to ``[..., vocabulary]``; ``embeddings`` is [vocabulary, hidden]."""
        z = self.norm(self.activation(self.dense(hidden)))
        if invertible is not None:
            z = invertible.inverse(z)
        return functional.linear(z, embeddings, self.bias)
