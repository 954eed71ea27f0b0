"""Dependency parsing: UAS and LAS over all words, greedy heads, relations cut at the colon."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.config.task import TaskSpec
from xltransfer.data.sentence import Sentence
from xltransfer.engine import Backbone, Compositions
from xltransfer.engine.heads import BiaffineHead, no_head
from xltransfer.errors import DataError
from xltransfer.tasks.counts import Counts, frequency_nll, per_item, per_label
from xltransfer.tasks.encoded import Batch, Encoded, encode_sentences, numbered


class Dep:
    """The biaffine parser of `BiaffineHead`; each word takes its best-scored head, trees are not enforced."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.index = {relation: number for number, relation in enumerate(spec.labels)}

    def encode(self, name: str, sentences: Sequence[Sentence], tokenizer: Any) -> Encoded:
        """Number heads (0 is the root) and relations."""

        def heads(sentence: Sentence) -> Sequence[int]:
            if sentence.heads is None or sentence.relations is None:
                raise DataError(f"{name}: sentence {sentence.id!r} has no dependency tree")
            return sentence.heads

        def relations(sentence: Sentence) -> list[int]:
            cut = [relation.split(":")[0] for relation in sentence.relations or ()]
            return numbered(name, cut, self.index, "relation")

        layers = {"head": heads, "relation": relations}
        return encode_sentences(name, sentences, tokenizer, self.spec.max_length, layers)

    def head(self, model: Backbone) -> nn.Module:
        """Return a fresh biaffine head (all zero, as in the reference library)."""
        return BiaffineHead(model.hidden, len(self.spec.labels), model.head_dropout)

    def _arcs(
        self, model: Backbone, composition: Compositions, head: str, batch: Batch
    ) -> tuple[BiaffineHead, Tensor, Tensor, Tensor]:
        """Return the head, flat dependents [word, hidden], candidates [batch, word + 1, hidden], flat arc scores."""
        parser = model.head(head)
        assert isinstance(parser, BiaffineHead)
        hidden = model(batch.input_ids, batch.attention_mask, composition=composition).last_hidden_state
        dependents, heads = parser.words(hidden, batch.word_starts)
        arcs = parser.arc_scores(dependents, heads)
        if model.rules.padded_heads == "masked":
            arcs = arcs.masked_fill(no_head(batch.word_starts)[:, None], float("-inf"))
        flat = dependents.reshape(-1, dependents.shape[-1]).index_select(0, batch.word)
        return parser, flat, heads, arcs.reshape(-1, arcs.shape[-1]).index_select(0, batch.word)

    @staticmethod
    def _states(heads: Tensor, batch: Batch, chosen: Tensor) -> Tensor:
        """Return the states [word, hidden] of the chosen heads (0 is the root)."""
        width = heads.shape[1]
        row = batch.word // (width - 1)
        return heads.reshape(-1, heads.shape[-1]).index_select(0, row * width + chosen)

    def loss(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> tuple[Tensor, int]:
        """Return summed cross entropy of the heads plus that of the relations under the gold heads."""
        parser, flat, heads, arcs = self._arcs(model, composition, head, batch)
        gold = batch.gold["head"]
        relations = parser.relation_scores(flat, self._states(heads, batch, gold))
        total = functional.cross_entropy(arcs, gold, reduction="sum")
        total = total + functional.cross_entropy(relations, batch.gold["relation"], reduction="sum")
        return total, len(gold)

    def answer(self, model: Backbone, composition: Compositions, head: str, batch: Batch) -> Mapping[str, Tensor]:
        """Return ``head``, ``relation`` (under the predicted head) and ``nll`` of gold head and gold relation."""
        parser, flat, heads, arcs = self._arcs(model, composition, head, batch)
        gold, best = batch.gold["head"], arcs.argmax(dim=-1)
        under_gold, under_best = parser.relation_scores_twice(
            flat, self._states(heads, batch, gold), self._states(heads, batch, best)
        )
        nll = functional.cross_entropy(arcs.float(), gold, reduction="none")
        nll = nll + functional.cross_entropy(under_gold.float(), batch.gold["relation"], reduction="none")
        return {"head": best, "relation": under_best.argmax(dim=-1), "nll": nll}

    def count(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> Counts:
        """Count right heads, right heads with right relations, and nll."""
        gold_head, gold_relation = (encoded.gold[layer].flat(rows) for layer in ("head", "relation"))
        attached = answers["head"] == gold_head
        return self._counted(encoded, rows, attached, attached & (answers["relation"] == gold_relation), answers["nll"])

    def _counted(
        self,
        encoded: Encoded,
        rows: NDArray[np.int64],
        attached: NDArray[np.bool_],
        labelled: NDArray[np.bool_],
        nll: NDArray[np.floating[Any]],
    ) -> Counts:
        item, n, relations = encoded.words(rows), len(encoded.items), self.spec.labels
        gold = encoded.gold["relation"].flat(rows)
        columns = {"uas": attached, "las": labelled, "total": np.ones(len(item), dtype=np.bool_)}
        return Counts(
            overall={column: per_item(item, hit, n).astype(np.int64) for column, hit in columns.items()}
            | {"nll": per_item(item, nll, n)},
            labelled={
                column: (relations, per_label(item, gold, hit, n, len(relations))) for column, hit in columns.items()
            },
        )

    def trivial(self, encoded: Encoded) -> Counts:
        """Count the better of two chains, each word under its left or its right neighbour, with the majority relation.

        The nll is that of uniform heads and of the target's relation frequencies.
        """
        rows = np.arange(len(encoded.kept))
        lengths = encoded.word_starts.lengths - 1
        number = np.concatenate([np.arange(1, length + 1) for length in lengths])
        length = np.repeat(lengths, lengths)
        gold, relation = (encoded.gold[layer].flat(rows) for layer in ("head", "relation"))
        chains = (number - 1, np.where(number == length, 0, number + 1))
        attached = max((chain == gold for chain in chains), key=lambda hit: int(hit.sum()))
        seen = np.bincount(relation[relation >= 0], minlength=len(self.spec.labels))
        nll = np.log(length + 1) + frequency_nll(relation, len(self.spec.labels))
        return self._counted(encoded, rows, attached, attached & (relation == seen.argmax()), nll)

    def annotated(self, encoded: Encoded, rows: NDArray[np.int64], answers: Mapping[str, NDArray[Any]]) -> list[str]:
        """Return a CoNLL-U block a sentence with predicted heads and relations."""
        blocks, start = [], 0
        for row in rows:
            sentence = encoded.sentences[encoded.kept[row]]
            end = start + len(sentence.words)
            heads, relations = answers["head"][start:end], answers["relation"][start:end]
            lines = [f"# sent_id = {sentence.id}"]
            lines += [
                f"{number}\t{word}\t_\t_\t_\t_\t{head}\t{self.spec.labels[relation]}\t_\t_"
                for number, (word, head, relation) in enumerate(
                    zip(sentence.words, heads, relations, strict=True), start=1
                )
            ]
            blocks.append("\n".join(lines) + "\n")
            start = end
        return [blocks[at] for at in np.argsort(rows)]
