"""Tagging: what pos and ner share. One label a word, read at the word's first subword."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.data.sentence import Sentence
from xltransfer.engine import Backbone, Compositions
from xltransfer.engine.heads import TaggingHead
from xltransfer.errors import DataError
from xltransfer.tasks.counts import Counts, frequency_nll
from xltransfer.tasks.encoded import IGNORED, Batch, Encoded, encode_sentences, numbered
from xltransfer.tasks.spans import TagSystem


class Tagging:
    """Encoding, head, loss and answers of a tagging task; subclasses count.

    Parameters
    ----------
    spec
        The task of the study.
    tags
        All tags, in the order of the head's outputs.
    """

    what = "tag"
    """How a message calls a tag."""

    def __init__(self, spec: TaskSpec, tags: Sequence[str]) -> None:
        self.spec = spec
        self.tags = tuple(tags)
        self.index = {tag: number for number, tag in enumerate(self.tags)}
        self.system = TagSystem.of(self.tags)

    def gold(self, sentence: Sentence) -> tuple[str, ...] | None:
        """Return the gold tags of a sentence, or None where its source has no such layer."""
        raise TypeError(f"{type(self).__name__} must say where its gold tags are")

    def encode(self, name: str, sentences: Sequence[Sentence], tokenizer: Any) -> Encoded:
        """Number words and tags; a tag ``_`` is not scored."""

        def numbers(sentence: Sentence) -> list[int]:
            tags = self.gold(sentence)
            if tags is None:
                raise DataError(f"{name}: sentence {sentence.id!r} has no {self.what} for its words")
            return numbered(name, tags, self.index, self.what)

        return encode_sentences(name, sentences, tokenizer, self.spec.max_length, {"tag": numbers})

    def head(self, model: Backbone) -> nn.Module:
        """Return a fresh linear head."""
        return TaggingHead(model.hidden, len(self.tags), model.head_dropout)

    def _logits(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Tensor:
        out = model(
            batch.input_ids,
            batch.attention_mask,
            composition=composition,
            head=head,
            positions=batch.positions,
        )
        return out.logits  # type: ignore[no-any-return]

    def loss(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> tuple[Tensor, int]:
        """Return summed cross entropy over words with a gold tag."""
        logits = self._logits(model, composition, head, batch)
        gold = batch.gold["tag"]
        return functional.cross_entropy(logits, gold, reduction="sum", ignore_index=IGNORED), int((gold >= 0).sum())

    def answer(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Mapping[str, Tensor]:
        """Return ``tag`` [word] and ``nll`` [word] (0 where there is no gold tag)."""
        logits = self._logits(model, composition, head, batch).float()
        nll = functional.cross_entropy(logits, batch.gold["tag"], reduction="none", ignore_index=IGNORED)
        return {"tag": logits.argmax(dim=-1), "nll": nll}

    def count(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> Counts:
        """Count ``answers`` against the gold tags of ``rows``."""
        gold, item = encoded.gold["tag"].flat(rows).astype(np.int64), encoded.words(rows)
        # In the order of the file: by seqeval's rules a span may reach back into the sentence before.
        order = np.argsort(item, kind="stable")
        return self.counted(encoded, item[order], gold[order], answers["tag"][order], answers["nll"][order])

    def counted(
        self,
        encoded: Encoded,
        item: NDArray[np.int64],
        gold: NDArray[np.int64],
        predicted: NDArray[np.int64],
        nll: NDArray[np.floating[Any]],
    ) -> Counts:
        """Turn flat gold and predicted tags into counts."""
        raise TypeError(f"{type(self).__name__} must say how it counts")

    def trivial(self, encoded: Encoded) -> Counts:
        """Count the predictor that gives every word `trivial_tag`; its nll is that of the target's tag frequencies."""
        rows = np.arange(len(encoded.kept))
        gold = encoded.gold["tag"].flat(rows).astype(np.int64)
        seen = np.bincount(gold[gold >= 0], minlength=len(self.tags))
        nll = frequency_nll(gold, len(self.tags))
        return self.counted(encoded, encoded.words(rows), gold, np.full(len(gold), self.trivial_tag(seen)), nll)

    def trivial_tag(self, seen: NDArray[np.int64]) -> int:
        """Return the majority tag's number."""
        return int(seen.argmax())

    def annotated(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> list[str]:
        """Return a block a sentence, one line a word: `annotated_line`."""
        blocks, start = [], 0
        for row in rows:
            sentence = encoded.sentences[encoded.kept[row]]
            end = start + len(sentence.words)
            tags = [self.tags[number] for number in answers["tag"][start:end]]
            lines = [f"# sent_id = {sentence.id}"]
            lines += [
                self.annotated_line(number, word, tag)
                for number, (word, tag) in enumerate(zip(sentence.words, tags, strict=True), start=1)
            ]
            blocks.append("\n".join(lines) + "\n")
            start = end
        return [blocks[at] for at in np.argsort(rows)]

    def annotated_line(self, number: int, word: str, tag: str) -> str:
        """Return one word's line: CoNLL-U with the tag as UPOS."""
        return f"{number}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_"


def as_numpy(answers: Sequence[Mapping[str, Tensor]]) -> dict[str, NDArray[Any]]:
    """Join the answers of several batches and bring them to the CPU, once for all."""
    return {name: torch.cat([part[name] for part in answers]).cpu().numpy() for name in answers[0]}
