"""Pretraining a small BERT from scratch on tokenised texts: masked-LM, and sentence pairs to train the pooler.

    [CLS] A [SEP] B [SEP]      A: whole lines up to half of the block; B: the lines that follow, or lines from elsewhere

Every row fills its block, so no padding and no attention mask is needed. Texts come in as arrays, one corpus a
language; which languages they are is the caller's business. Source: Devlin et al. 2019, section 3.1; languages are
drawn with exponent 0.7 as for multilingual BERT.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, BertForPreTraining

from xltransfer.engine.batches import Ragged
from xltransfer.engine.fit import descend, fit
from xltransfer.engine.masking import Masked, Vocabulary, mask_tokens
from xltransfer.errors import ConfigError, DataError
from xltransfer.randomness import child_seed

POSITIONS = 512
"""Positions that the model has; blocks of pretraining may be shorter, positions beyond them stay as initialised."""


@dataclass(frozen=True)
class PretrainSettings:
    """Size of the model and its training.

    Attributes
    ----------
    layers, hidden, heads
        Transformer layers, width, attention heads.
    intermediate
        Width of the feed-forward layer; None: four times ``hidden``.
    steps, batch_size, block
        Optimizer steps, rows a step, subword positions a row (special tokens included).
    learning_rate, warmup, weight_decay, clip
        AdamW: peak rate, share of the steps in which the rate rises to it (then it falls linearly to 0), decay, and
        largest norm of the gradient.
    initial
        Standard deviation of the fresh weights.
    dropout
        Probability, also written into the model's configuration: later fine-tuning uses it.
    mask_share
        Share of the non-special positions that are predicted.
    exponent
        A language with n tokens is drawn with probability proportional to n to this power.

    Raises
    ------
    ConfigError
        A number that cannot be meant.
    """

    layers: int = 2
    hidden: int = 128
    heads: int = 2
    intermediate: int | None = None
    steps: int = 1500
    batch_size: int = 32
    block: int = 64
    learning_rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    initial: float = 0.02
    dropout: float = 0.1
    mask_share: float = 0.15
    exponent: float = 0.7

    def __post_init__(self) -> None:
        problems = []
        whole = {name: getattr(self, name) for name in ("layers", "hidden", "heads", "steps", "batch_size")}
        problems += [f"{name}={value}; expected at least 1" for name, value in whole.items() if value < 1]
        if self.heads >= 1 and self.hidden % self.heads:
            near = max(self.heads, round(self.hidden / self.heads) * self.heads)
            problems.append(f"hidden={self.hidden} is not divisible by heads={self.heads}; take hidden={near}")
        if not 8 <= self.block <= POSITIONS:
            problems.append(f"block={self.block}; expected 8 to {POSITIONS} subword positions")
        if not self.learning_rate > 0:
            problems.append(f"learning_rate={self.learning_rate}; expected more than 0, such as 1e-3")
        shares = {"warmup": self.warmup, "dropout": self.dropout}
        problems += [f"{name}={v}; expected a share in [0, 1)" for name, v in shares.items() if not 0 <= v < 1]
        if not 0 < self.mask_share < 1:
            problems.append(f"mask_share={self.mask_share}; expected a share between 0 and 1, such as 0.15")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True)
class Ends:
    """Ids of the tokens that open a row, close a segment, and fill (the last only goes into the configuration)."""

    start: int
    end: int
    pad: int


@dataclass(frozen=True)
class PairBatch:
    """Some rows of sentence pairs.

    Attributes
    ----------
    masked
        Corrupted ids [batch, block] and what stood there.
    types
        [batch, block]: 0 for ``[CLS] A [SEP]``, 1 for ``B [SEP]``.
    elsewhere
        [batch]: 0 where B follows A, 1 where it does not (BERT's order of the two classes).
    """

    masked: Masked
    types: NDArray[np.int64]
    elsewhere: NDArray[np.int64]


class Pairs:
    """Draws sentence pairs from corpora.

    Parameters
    ----------
    corpora
        One a language; a row is a line, as subword ids without special tokens.
    ends
        Special ids.
    block
        Positions a row.
    exponent
        See `PretrainSettings`.

    Raises
    ------
    DataError
        A corpus too short for one pair, named by its number.
    """

    def __init__(self, corpora: Sequence[Ragged], ends: Ends, block: int, exponent: float) -> None:
        lengths = [corpus.lengths[corpus.lengths > 0] for corpus in corpora]
        values = np.concatenate([np.empty(0, dtype=np.int32), *(corpus.values for corpus in corpora)])
        self._lines = Ragged.from_lengths(values, np.concatenate([np.empty(0, dtype=np.int64), *lengths]))
        self._ends, self._block = ends, block
        self._room = block - 3
        self._half = self._room // 2
        self._openings = self._find_openings([len(part) for part in lengths])
        tokens = np.array([part.sum() for part in lengths], dtype=np.float64) ** exponent
        self._shares = tokens / tokens.sum()

    def _find_openings(self, counts: list[int]) -> list[NDArray[np.int64]]:
        """Return each corpus's lines behind which there is text enough for A and B."""
        offsets, openings, first = self._lines.offsets, [], 0
        for number, count in enumerate(counts):
            line = np.arange(first, first + count)
            reach = offsets[line] + np.maximum(self._half, self._lines.lengths[line]) + self._room
            openings.append(line[reach <= offsets[first + count]])
            if not openings[-1].size:
                held = int(offsets[first + count] - offsets[first])
                raise DataError(
                    f"corpus {number} (counted from 0) holds {held} tokens, too few for a sentence pair of "
                    f"{self._block}; add text or set a smaller block"
                )
            first += count
        return openings

    def draw(
        self, rows: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return ids [rows, block], types [rows, block] and elsewhere [rows]; see `PairBatch`."""
        offsets = self._lines.offsets
        corpus = rng.choice(len(self._shares), size=rows, p=self._shares)
        sizes = np.array([len(opening) for opening in self._openings])[corpus]
        place, other = rng.integers(0, sizes), rng.integers(0, sizes)
        opening, far = (
            np.array([self._openings[c][i] for c, i in zip(corpus, at, strict=True)]) for at in (place, other)
        )
        elsewhere = rng.integers(0, 2, rows)
        # The line behind A: A ends where a line ends, else the cut would tell whether B follows.
        behind = np.searchsorted(offsets, offsets[opening] + self._half, side="right") - 1
        behind = np.maximum(behind, opening + 1)
        length = np.minimum(offsets[behind] - offsets[opening], self._half)[:, None]
        first = offsets[behind][:, None] - length
        second = offsets[np.where(elsewhere == 1, far, behind)][:, None]
        column = np.arange(self._block)
        source = np.where(column <= length, first + column - 1, second + column - length - 2)
        ids = self._lines.values[np.clip(source, 0, len(self._lines.values) - 1)].astype(np.int64)
        ids[:, 0] = self._ends.start
        ids[(column == length + 1) | (column == self._block - 1)] = self._ends.end
        return ids, (column >= length + 2).astype(np.int64), elsewhere


def batches(
    pairs: Pairs, vocabulary: Vocabulary, settings: PretrainSettings, rows_seed: int, masks_seed: int
) -> Iterator[PairBatch]:
    """Yield masked batches without end."""
    rows, masks = np.random.default_rng(rows_seed), np.random.default_rng(masks_seed)
    while True:
        ids, types, elsewhere = pairs.draw(settings.batch_size, rows)
        yield PairBatch(mask_tokens(ids, vocabulary, settings.mask_share, masks), types, elsewhere)


@dataclass(frozen=True)
class Pretrained:
    """A trained model and its mean losses at every step, in nats; ``tokens`` were read, special ones included."""

    model: Any
    masked_lm_losses: tuple[float, ...]
    pair_losses: tuple[float, ...]
    tokens: int


def pretrain(
    corpora: Sequence[Ragged],
    vocabulary: Vocabulary,
    ends: Ends,
    settings: PretrainSettings,
    seed: int,
    on_step: Callable[[int, float], None] | None = None,
    device: torch.device | str = "cpu",
) -> Pretrained:
    """Train a fresh ``BertForPreTraining``.

    Parameters
    ----------
    corpora
        One a language, see `Pairs`.
    vocabulary, ends
        What masking and the rows need of the tokenizer.
    settings
        Size and training.
    seed
        Root of the child streams ``initial``, ``rows``, ``masks``, ``dropout``; the caller's random state stays.
    on_step
        Called with the step's number (from 1) and its loss, masked-LM plus sentence pair, in nats.

    Raises
    ------
    DataError
        A corpus is too short for one pair.
    ValueError
        A loss is not finite.
    """
    pairs = Pairs(corpora, ends, settings.block, settings.exponent)
    losses: list[tuple[Tensor, Tensor]] = []
    with torch.random.fork_rng(devices=[torch.device(device)] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(child_seed(seed, "initial"))
        model: Any = BertForPreTraining(_config(vocabulary, ends, settings))
        model.to(device).train()
        torch.manual_seed(child_seed(seed, "dropout"))

        def loss(batch: PairBatch) -> tuple[Tensor, int]:
            masked_lm, pair = pair_losses(model, batch)
            losses.append((masked_lm.detach(), pair.detach()))
            return masked_lm + pair, 1

        steps = descend(
            [parameter for parameter in model.parameters() if parameter.requires_grad],
            batches(pairs, vocabulary, settings, child_seed(seed, "rows"), child_seed(seed, "masks")),
            loss,
            steps=settings.steps,
            learning_rate=settings.learning_rate,
            warmup=round(settings.warmup * settings.steps),
            weight_decay=settings.weight_decay,
            clip=settings.clip,
        )
        fit(steps, on_step)
    masked_lm, pair = (tuple(float(value) for value in column) for column in zip(*losses, strict=True))
    return Pretrained(model.eval(), masked_lm, pair, settings.steps * settings.batch_size * settings.block)


def pair_losses(model: Any, batch: PairBatch) -> tuple[Tensor, Tensor]:
    """Return the mean losses in nats: over the masked positions (0 if none), and over the pairs."""
    device = next(model.parameters()).device
    ids, types, positions, labels, elsewhere = (
        torch.from_numpy(array).to(device)
        for array in (batch.masked.ids, batch.types, batch.masked.positions, batch.masked.labels, batch.elsewhere)
    )
    out = model.bert(ids, token_type_ids=types)
    at = out.last_hidden_state.flatten(0, 1).index_select(0, positions)
    # Logits at masked positions only: the vocabulary is the widest thing in the model.
    logits = model.cls.predictions(at)
    masked_lm = functional.cross_entropy(logits, labels, reduction="sum") / max(len(labels), 1)
    return masked_lm, functional.cross_entropy(model.cls.seq_relationship(out.pooler_output), elsewhere)


def save(pretrained: Pretrained, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` (float32) into ``folder``."""
    logging: Any = transformers.logging
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        pretrained.model.float().save_pretrained(folder)
    finally:
        if bars:
            logging.enable_progress_bar()


def _config(vocabulary: Vocabulary, ends: Ends, settings: PretrainSettings) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary.size,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.intermediate or 4 * settings.hidden,
        initializer_range=settings.initial,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        max_position_embeddings=POSITIONS,
        pad_token_id=ends.pad,
    )
