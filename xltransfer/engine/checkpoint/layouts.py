"""Where each architecture's files keep an adapter: the words of a key around its name.

    bert.encoder.layer.0.output.adapters.NAME.adapter_up.weight
    distilbert.transformer.layer.0.output_adapters.adapter_fusion_layer.NAME.query.weight
    model.layers.0.attention_adapters.adapters.NAME.adapter_down.0.bias
    roberta.invertible_adapters.NAME.F.0.weight

As ``adapters`` 1.3.0 writes them. Classes of that library which are bare encoders (its ModernBERT and Qwen) leave the
first word out; it is added on reading, whatever the architecture.
"""

import re
from dataclasses import dataclass, replace

from xltransfer.errors import ModelError, near_match


@dataclass(frozen=True)
class Base:
    """The base model that a file is for, as far as files know it.

    Attributes
    ----------
    model_type
        Of its Hugging Face config.
    hidden, layers
        Hidden size, number of layers.
    name
        What the file calls the model, if it does; for human eyes only.
    """

    model_type: str
    hidden: int
    layers: int
    name: str | None = None


@dataclass(frozen=True)
class Layout:
    """Words of an architecture's keys.

    Attributes
    ----------
    prefix
        First word.
    layers
        Words before a layer's number.
    output, attention
        Words behind it, for a bottleneck behind the feed-forward, and behind the attention.
    model_class
        Class of the reference library that loads heads for this architecture, or None.
    """

    prefix: str
    layers: str
    output: str
    attention: str
    model_class: str | None = None

    def layer(self, number: int | str, place: str, part: str, name: str) -> str:
        """Return the beginning of the keys of ``part`` (adapters, adapter_fusion_layer) in one layer, dot included."""
        words = self.output if place == "output" else self.attention
        return f"{self.prefix}.{self.layers}.{number}.{words}.{part}.{name}."

    def invertible(self, name: str) -> str:
        """Return the beginning of an invertible adapter's keys, dot included."""
        return f"{self.prefix}.invertible_adapters.{name}."

    def place_of(self, key: str) -> tuple[int, str] | None:
        """Return layer and place of a key, or None where it has none."""
        found = re.match(rf"{re.escape(self.prefix)}\.{re.escape(self.layers)}\.(\d+)\.(.+)", key)
        if found is None:
            return None
        # The words behind the attention may end in those behind the feed-forward, never the other way.
        place = "attention" if found[2].startswith(f"{self.attention}.") else "output"
        return int(found[1]), place


_BERT = Layout("bert", "encoder.layer", "output", "attention.output", "BertAdapterModel")
_DECODER = Layout("model", "layers", "output_adapters", "attention_adapters")
LAYOUTS = {
    "bert": _BERT,
    "roberta": replace(_BERT, prefix="roberta", model_class="RobertaAdapterModel"),
    "xlm-roberta": replace(_BERT, prefix="roberta", model_class="XLMRobertaAdapterModel"),
    "deberta-v2": replace(_BERT, prefix="deberta", model_class="DebertaV2AdapterModel"),
    "distilbert": Layout(
        "distilbert", "transformer.layer", "output_adapters", "attention_adapters", "DistilBertAdapterModel"
    ),
    "modernbert": _DECODER,
    "llama": replace(_DECODER, model_class="LlamaAdapterModel"),
    "qwen2": _DECODER,
    "qwen3": _DECODER,
}


def layout_of(model_type: str) -> Layout:
    """Return the row of a ``model_type``; raises `ModelError` for one without a row."""
    if model_type not in LAYOUTS:
        raise ModelError(
            f"adapters, fusions and heads of model_type {model_type!r} have no known layout of keys"
            f"{near_match(model_type, LAYOUTS)}; add a row to xltransfer/engine/checkpoint/layouts.py"
        )
    return LAYOUTS[model_type]
