"""Heads between our modules and AdapterHub's ``head_config.json`` with its weights: all five types.

The format has no word for a parser's dropout, which is always the model's. A masked-LM head's decoder is the word
embeddings; they are written out along with it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xltransfer.engine.checkpoint.fill import fill, spread
from xltransfer.engine.checkpoint.layouts import Base
from xltransfer.engine.checkpoint.part import HEAD, Part, new_content
from xltransfer.engine.checkpoint.placing import Format, place
from xltransfer.engine.checkpoint.settings import HEAD_DEFAULTS, activation_name
from xltransfer.engine.heads import (
    HEAD_ACTIVATIONS,
    BiaffineHead,
    ClassificationHead,
    LinearHead,
    MaskedLMHead,
    QuestionAnsweringHead,
    TaggingHead,
)
from xltransfer.errors import ConfigError, ModelError, near_match

_TYPES: tuple[tuple[type[nn.Module], str], ...] = (
    (TaggingHead, "tagging"),
    (ClassificationHead, "classification"),
    (QuestionAnsweringHead, "question_answering"),
    (BiaffineHead, "dependency_parsing"),
    (MaskedLMHead, "masked_lm"),
)
_PARSER = {"arcs": "biaffine_arcs.weight", "relations": "biaffine_rels.weight"}
_MASKED_LM = {
    "dense.weight": "0.weight",
    "dense.bias": "0.bias",
    "norm.weight": "2.weight",
    "norm.bias": "2.bias",
    "bias": "3.bias",
}
_DECODER = "3.weight"
_FIXED = {"bias": True, "layer_norm": True, "layers": 2, "shift_labels": False}
"""Options of masked-LM heads that have one value here."""
_VALUES: dict[str, tuple[Any, str]] = {
    "bias": (bool, "true or false"),
    "dropout_prob": (float | int | None, "a number or null"),
    "layers": (int, "a number"),
    "num_labels": (int, "a number"),
    "use_pooler": (bool, "true or false"),
    "vocab_size": (int, "a number"),
}
Labels = Mapping[str, int]
"""Label to its number among the scores."""


def build_head(
    part: Part, base: Base, dropout: float = 0.0, eps: float = 1e-12, embeddings: Tensor | None = None
) -> nn.Module:
    """Return the head of a part, in evaluation mode.

    Parameters
    ----------
    dropout
        The model's, for a head that names none of its own.
    eps
        Of a masked-LM head's LayerNorm.
    embeddings
        The model's word embeddings [vocabulary, hidden], to which a masked-LM decoder must be tied; None where there
        is no model.

    Raises
    ------
    ModelError
        A head type or option that is not supported, a decoder that is not tied, and what `fill` refuses.
    """
    settings, kind = _checked(part), part.settings["head_type"]
    given = settings.get("dropout_prob")
    drop = float(dropout if given is None else given)
    also: list[str] = []
    head: nn.Module
    try:
        if kind == "masked_lm":
            head = _masked_lm(part, base, eps)
            also = [f"heads.{part.name}.{_DECODER}"]
        elif kind == "dependency_parsing":
            head = BiaffineHead(base.hidden, int(settings["num_labels"]), drop)
        else:
            head = _linear(kind, settings, base.hidden, drop)
    except ModelError as error:
        raise ModelError(f"{part.what}: {error}") from error
    fill(head, part, _keys(head, part.name), also)
    if also and embeddings is not None and not _equal(part.tensors[also[0]], embeddings):
        raise ModelError(
            f"{part.what}: its decoder is not tied to this model's word embeddings; it belongs to another model, or to "
            "another vocabulary"
        )
    return head.eval()


def _equal(decoder: Tensor, embeddings: Tensor) -> bool:
    return torch.equal(decoder, embeddings.detach().to("cpu", torch.float32))


def _checked(part: Part) -> Mapping[str, Any]:
    settings = part.settings
    kind = settings.get("head_type")
    if kind not in HEAD_DEFAULTS:
        raise ModelError(f"{part.what}: head_type={kind!r} is not supported{near_match(str(kind), HEAD_DEFAULTS)}")
    defaults = HEAD_DEFAULTS[kind]
    known = {*defaults, "head_type", "num_labels", "id2label", "embedding_size", "vocab_size", *_BARE}
    problems = [f"{key}={value!r} is no known option" for key, value in settings.items() if value and key not in known]
    if kind == "masked_lm":
        if settings.get("embedding_size", part.content["hidden_size"]) != part.content["hidden_size"]:
            problems.append(f"embedding_size={settings['embedding_size']!r} is not supported, only the hidden size")
        problems += [
            f"{key}={settings[key]!r} is not supported, only {value!r}"
            for key, value in _FIXED.items()
            if settings[key] != value
        ]
    problems += [
        f"{key}={settings.get(key)!r}; expected {expected}"
        for key, (types, expected) in _VALUES.items()
        if (key in defaults or key in settings or key == "num_labels" and kind != "masked_lm")
        and not isinstance(settings.get(key), types)
    ]
    if kind == "question_answering" and settings.get("num_labels") != 2:
        problems.append(f"num_labels={settings.get('num_labels')!r}; expected 2, for start and end")
    if problems:
        raise ModelError(f"{part.what}: {'; '.join(problems)}")
    return settings


def _activation(settings: Mapping[str, Any]) -> str:
    """Return the name of a head's activation; a head of one layer has none, whatever its file says."""
    name = settings["activation_function"]
    if name is None and settings["layers"] > 1:
        raise ModelError("activation_function=None between layers is not supported")
    return "tanh" if name is None else activation_name(str(name))


def _linear(kind: str, settings: Mapping[str, Any], hidden: int, dropout: float) -> LinearHead:
    layers, activation = int(settings["layers"]), _activation(settings)
    if kind == "tagging":
        return TaggingHead(hidden, int(settings["num_labels"]), dropout, layers, activation)
    if kind == "question_answering":
        return QuestionAnsweringHead(hidden, dropout, layers, activation)
    bias, use_pooler = bool(settings["bias"]), bool(settings["use_pooler"])
    return ClassificationHead(hidden, int(settings["num_labels"]), dropout, layers, activation, bias, use_pooler)


_BARE = ("dense_bias", "norm_bias")
"""Ours: false where a masked-LM head (ModernBERT's) has no such bias. The library knows no such head."""


def _masked_lm(part: Part, base: Base, eps: float) -> MaskedLMHead:
    name = _activation(part.settings)
    if name not in HEAD_ACTIVATIONS:
        raise ModelError(f"head activation {name!r} is not known{near_match(name, HEAD_ACTIVATIONS)}")
    decoder = part.tensors.get(f"heads.{part.name}.{_DECODER}")
    vocabulary = part.settings.get("vocab_size") or (0 if decoder is None else len(decoder))
    biases = [bool(part.settings.get(key, True)) for key in _BARE]
    return MaskedLMHead(base.hidden, int(vocabulary), HEAD_ACTIVATIONS[name](), eps, *biases)


def _keys(head: nn.Module, name: str) -> dict[str, Sequence[str]]:
    """Return the file's key of each parameter of a head; a linear head has the library's numbers already."""
    words = _PARSER if isinstance(head, BiaffineHead) else _MASKED_LM if isinstance(head, MaskedLMHead) else {}
    return {key: (f"heads.{name}.{words.get(key, key.removeprefix('layers.'))}",) for key in head.state_dict()}


def head_part(
    head: nn.Module,
    name: str,
    base: Base,
    labels: Labels | None = None,
    dropout: float | None = None,
    embeddings: Tensor | None = None,
) -> Part:
    """Return a head as what its files will hold.

    Parameters
    ----------
    labels
        Names of the labels, or None where nobody gave them any.
    dropout
        The model's own: a head that has the same is written as one that follows the model.
    embeddings
        Word embeddings, which are written as a masked-LM head's decoder.

    Raises
    ------
    ConfigError
        Labels of another number than the head has.
    ModelError
        A module that is no head of ours, or that the format cannot say.
    """
    kind = next((kind for each, kind in _TYPES if isinstance(head, each)), None)
    if kind is None:
        raise ModelError(f"head {name!r} is a {type(head).__name__}, which the format does not have")
    tensors = spread(head, _keys(head, name))
    if isinstance(head, MaskedLMHead):
        if embeddings is None:
            raise ModelError(f"head {name!r} is a masked-LM head and is written with the model's word embeddings")
        tensors[f"heads.{name}.{_DECODER}"] = embeddings.detach().to("cpu", copy=True)
        settings = _masked_lm_settings(head, base)
    else:
        settings = _settings(head, kind, name, dropout)
        settings["label2id"] = _labels(name, labels, settings["num_labels"])
    return Part(HEAD, new_content(name, base, settings), tensors)


def _labels(name: str, labels: Labels | None, expected: int) -> dict[str, int] | None:
    if labels is None:
        return None
    if sorted(labels.values()) != list(range(expected)):
        raise ConfigError(
            f"labels={dict(labels)!r} of head {name!r}; expected a name for each of its {expected} scores"
        )
    return dict(labels)


def _settings(head: nn.Module, kind: str, name: str, dropout: float | None) -> dict[str, Any]:
    if isinstance(head, BiaffineHead):
        return {"head_type": kind, "num_labels": len(head.relations)}
    assert isinstance(head, LinearHead)
    maps = [part for part in head.layers if isinstance(part, nn.Linear)]
    own = next(part.p for part in head.layers if isinstance(part, nn.Dropout))
    settings = {
        "activation_function": head.activation,
        "dropout_prob": None if own == dropout else own,
        "head_type": kind,
        "layers": len(maps),
        "num_labels": maps[-1].out_features,
    }
    bias = maps[-1].bias is not None
    if isinstance(head, ClassificationHead):
        return {**settings, "bias": bias, "use_pooler": head.use_pooler}
    if not bias:
        raise ModelError(f"head {name!r} is a {kind} head without bias, which the format does not have")
    return settings


def _masked_lm_settings(head: MaskedLMHead, base: Base) -> dict[str, Any]:
    biases = dict(zip(_BARE, (head.dense.bias is not None, head.norm.bias is not None), strict=True))
    return {
        **_FIXED,
        "activation_function": _name_of(head.activation),
        "embedding_size": base.hidden,
        "head_type": "masked_lm",
        "label2id": None,
        "vocab_size": len(head.bias),
        **{key: value for key, value in biases.items() if not value},
    }


def _name_of(activation: nn.Module) -> str:
    """Return the name of the function that a module computes, compared on a grid; its class may be anybody's."""
    x = torch.linspace(-4, 4, 81)
    for name, made in HEAD_ACTIVATIONS.items():
        if torch.allclose(activation(x), made()(x), atol=1e-6, rtol=1e-6):
            return name
    raise ModelError(f"activation {type(activation).__name__} of a masked-LM head has no name in the format")


def write_head(
    head: nn.Module,
    name: str,
    folder: str | Path,
    base: Base,
    format: Format = "safetensors",
    overwrite: bool = False,
    labels: Labels | None = None,
    dropout: float | None = None,
    embeddings: Tensor | None = None,
) -> None:
    """Write a head's folder; see `placing.place` and `head_part`."""
    place([head_part(head, name, base, labels, dropout, embeddings)], folder, format, overwrite)
