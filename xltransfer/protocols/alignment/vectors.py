"""The vectors of texts, layer by layer: of the first token, and the mean over the text's own tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xltransfer.data.parallel_text import TextSide
from xltransfer.data.tokenizer import special_ids
from xltransfer.engine import Backbone, Stack
from xltransfer.tasks.encoded import Batch, Encoded, make_batch, token_types_for
from xltransfer.tasks.texts import encode_texts

READOUTS = ("cls", "mean")
"""Names of the vectors of a text: of its first token; the mean over its tokens without the special ones."""


@dataclass(frozen=True)
class Vectors:
    """The vectors of one side.

    Attributes
    ----------
    values
        Readout to [layer, item, hidden], float32; layer 0 is the embeddings. NaN for a text without a vector.
    shown
        [item]: whether the text has vectors; a blank one has none.
    """

    values: dict[str, NDArray[np.float32]]
    shown: NDArray[np.bool_]

    @property
    def layers(self) -> int:
        """Number of layers, the embeddings included."""
        return len(self.values[READOUTS[0]])


@dataclass(frozen=True)
class PreparedSide:
    """Texts of one side on the device, in their batches.

    Attributes
    ----------
    encoded
        The texts as tokens.
    batches
        See `Encoded.plan`.
    framing
        Ids of the tokens that frame texts: start, end and padding.
    """

    encoded: Encoded
    batches: tuple[Batch, ...]
    framing: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all batches, padding included."""
        return sum(batch.input_ids.numel() for batch in self.batches)


def prepare_side(
    side: TextSide, tokenizer: object, max_length: int, token_budget: int, device: torch.device
) -> PreparedSide:
    """Tokenise the texts of a side, cut to ``max_length`` positions, and put them on the device.

    Raises
    ------
    DataError
        When every text is blank.
    """
    encoded = encode_texts(side.entry, side.texts, [0] * len(side.texts), tokenizer, max_length, "truncate")
    batches = tuple(make_batch(encoded, rows, device) for rows in encoded.plan(token_budget))
    ids = special_ids(tokenizer)
    return PreparedSide(encoded, batches, (ids.start, ids.end, ids.pad))


@torch.inference_mode()
def vectors(model: Backbone, side: PreparedSide, stack: Stack) -> Vectors:
    """Return the vectors of a side's texts under the adapters of ``stack``, with the model as it stands now."""
    items, kept = len(side.encoded.items), side.encoded.kept
    values: dict[str, NDArray[np.float32]] = {}
    for batch in side.batches:
        out = model(
            batch.input_ids,
            batch.attention_mask,
            token_types_for(model, batch),
            composition=stack,
            output_hidden_states=True,
        )
        assert out.hidden_states is not None
        for name, found in _readouts(out.hidden_states, _own(batch, side.framing)).items():
            if name not in values:
                values[name] = np.full((len(found), items, found.shape[2]), np.nan, dtype=np.float32)
            values[name][:, kept[batch.rows]] = found
    shown = np.isfinite(values["mean"][0]).all(axis=1)
    return Vectors(values, shown)


def _own(batch: Batch, framing: Sequence[int]) -> Tensor:
    """Return which tokens [row, token] belong to the text itself."""
    own = torch.ones_like(batch.input_ids, dtype=torch.bool)
    for token in framing:
        own &= batch.input_ids != token
    return own if batch.attention_mask is None else own & batch.attention_mask.bool()


def _readouts(states: Sequence[Tensor], own: Tensor) -> dict[str, NDArray[np.float32]]:
    """Return readout to [layer, row, hidden]; the mean of a row without own tokens is NaN."""
    weights = (own / own.sum(dim=1, keepdim=True))[:, :, None]
    first = torch.stack([state[:, 0].float() for state in states])
    # A padded position may hold anything finite; its weight is 0.
    mean = torch.stack([(state.float() * weights).sum(dim=1) for state in states])
    return {"cls": first.cpu().numpy(), "mean": mean.cpu().numpy()}
