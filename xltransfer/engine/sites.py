"""Where adapters sit in each Hugging Face architecture, and where a checkpoint keeps its masked-LM head.

One table: a new release of transformers, or a new architecture, changes a row here and nothing else. In a post-norm
encoder (BERT) the layer ends with ``LN(F + A)``: F is the feed-forward output, A its input; the same behind the
attention. A pre-norm one (ModernBERT, Llama) ends with ``F + A``. An adapter changes F.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xltransfer.errors import ModelError, near_match


@dataclass(frozen=True)
class Setting:
    """A value that a checkpoint's own config holds under ``name``."""

    name: str


def value_of(given: Any, config: Any) -> Any:
    """Return what a field of a row means for one checkpoint: itself, or the config's value where it is a `Setting`."""
    return getattr(config, given.name) if isinstance(given, Setting) else given


@dataclass(frozen=True)
class Spot:
    """One place in a layer, as paths from the layer.

    Attributes
    ----------
    feed
        The module whose result, or the first of whose results, is F.
    residual
        The module that is called with A, and the number of that argument.
    norm
        The LayerNorm whose input is F + A, or None in a pre-norm layer.
    """

    feed: str
    residual: tuple[str, int]
    norm: str | None


@dataclass(frozen=True)
class LMKeys:
    """Keys of a masked-LM head in a checkpoint, and what its class takes from elsewhere.

    Attributes
    ----------
    dense, norm
        Without ``.weight`` and ``.bias``.
    bias
        Of the decoder, one number for each entry of the vocabulary.
    decoder
        Path at which a file may repeat the word embeddings (``.weight``) and the bias (``.bias``); None where the head
        reads the word embeddings themselves.
    activation, eps
        Between dense and norm, and of the norm.
    dense_bias, norm_bias
        Whether the two have a bias.
    """

    dense: str
    norm: str
    bias: str
    decoder: str | None
    activation: str | Setting = Setting("hidden_act")
    eps: float | Setting = Setting("layer_norm_eps")
    dense_bias: bool | Setting = True
    norm_bias: bool | Setting = True


@dataclass(frozen=True)
class Site:
    """Module paths inside a plain encoder (``AutoModel``), key prefixes inside its checkpoint, and what it can do.

    Attributes
    ----------
    layers, embeddings, word_embeddings
        Paths from the encoder. An invertible adapter changes what ``embeddings`` returns.
    output, attention
        Where an adapter sits behind the feed-forward, and behind the attention.
    prefix
        What a checkpoint with heads puts before the encoder's keys.
    masked_lm
        Where the checkpoint may keep a masked-LM head; the first that is there is read.
    spare
        Beginnings of checkpoint keys that an encoder may leave unread.
    attention_dropout, head_dropout
        Names in the config: dropout of attention weights; of a fresh head, the first that is set (0 if none is).
    pooler
        Whether the architecture has a pooler (that a checkpoint may lack).
    token_types
        Whether the encoder takes ``token_type_ids``, where its config has any types.
    causal
        Whether a token sees only what stands before it. Then there is no masked-LM head, and no token stands for the
        whole row: hidden states and tagging only.
    embeddings_mask
        Argument by which ``embeddings`` is told the real positions, where it sets the others to zero.
    kernel
        Attention implementation of transformers. Named, because a default may change with what is installed, and
        numbers with it.
    overrides
        Values put into the config: ways of computing the same without compilation, caches and chunks.
    """

    layers: str
    embeddings: str
    word_embeddings: str
    output: Spot
    attention: Spot
    prefix: str
    masked_lm: tuple[LMKeys, ...]
    spare: tuple[str, ...]
    attention_dropout: str
    head_dropout: tuple[str, ...]
    pooler: bool = False
    token_types: bool = False
    causal: bool = False
    embeddings_mask: str | None = None
    kernel: str = "sdpa"
    overrides: Mapping[str, object] = field(default_factory=dict)


_BERT = Site(
    layers="encoder.layer",
    embeddings="embeddings",
    word_embeddings="embeddings.word_embeddings",
    output=Spot(feed="output.dropout", residual=("output", 1), norm="output.LayerNorm"),
    attention=Spot(
        feed="attention.output.dropout", residual=("attention.output", 1), norm="attention.output.LayerNorm"
    ),
    prefix="bert",
    masked_lm=(
        LMKeys(
            dense="cls.predictions.transform.dense",
            norm="cls.predictions.transform.LayerNorm",
            bias="cls.predictions.bias",
            decoder="cls.predictions.decoder",
        ),
    ),
    spare=("cls.", "bert.embeddings.position_ids", "embeddings.position_ids"),
    attention_dropout="attention_probs_dropout_prob",
    head_dropout=("classifier_dropout", "hidden_dropout_prob"),
    pooler=True,
    token_types=True,
    overrides={"chunk_size_feed_forward": 0},
)
_ROBERTA = replace(
    _BERT,
    prefix="roberta",
    masked_lm=(
        # Its class writes gelu, whatever the config says.
        LMKeys(
            dense="lm_head.dense",
            norm="lm_head.layer_norm",
            bias="lm_head.bias",
            decoder="lm_head.decoder",
            activation="gelu",
        ),
    ),
    spare=("lm_head.", "roberta.embeddings.position_ids", "embeddings.position_ids"),
)
_DISTILBERT = Site(
    layers="transformer.layer",
    embeddings="embeddings",
    word_embeddings="embeddings.word_embeddings",
    output=Spot(feed="ffn", residual=("ffn", 0), norm="output_layer_norm"),
    attention=Spot(feed="attention.out_lin", residual=("attention", 0), norm="sa_layer_norm"),
    prefix="distilbert",
    masked_lm=(
        LMKeys(
            dense="vocab_transform",
            norm="vocab_layer_norm",
            bias="vocab_projector.bias",
            decoder="vocab_projector",
            activation=Setting("activation"),
            eps=1e-12,
        ),
    ),
    spare=(
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "distilbert.embeddings.position_ids",
        "embeddings.position_ids",
    ),
    attention_dropout="attention_dropout",
    head_dropout=("dropout",),
    overrides={"chunk_size_feed_forward": 0},
)
_DEBERTA_V2 = replace(
    _BERT,
    prefix="deberta",
    # What the authors' own files hold (mDeBERTa), and what transformers' class writes unless its config says otherwise.
    masked_lm=(
        LMKeys(
            dense="lm_predictions.lm_head.dense",
            norm="lm_predictions.lm_head.LayerNorm",
            bias="lm_predictions.lm_head.bias",
            decoder=None,
        ),
        *_BERT.masked_lm,
    ),
    spare=(
        "cls.",
        "lm_predictions.",
        "mask_predictions.",
        "deberta.embeddings.position_ids",
        "embeddings.position_ids",
        # Some files keep absolute positions that their config leaves out.
        "deberta.embeddings.position_embeddings.",
        "embeddings.position_embeddings.",
    ),
    head_dropout=("hidden_dropout_prob",),
    pooler=False,
    embeddings_mask="mask",
    kernel="eager",
    overrides={},
)
_MODERNBERT = Site(
    layers="layers",
    embeddings="embeddings",
    word_embeddings="embeddings.tok_embeddings",
    output=Spot(feed="mlp", residual=("mlp_norm", 0), norm=None),
    attention=Spot(feed="attn", residual=("attn_norm", 0), norm=None),
    prefix="model",
    masked_lm=(
        LMKeys(
            dense="head.dense",
            norm="head.norm",
            bias="decoder.bias",
            decoder="decoder",
            activation=Setting("classifier_activation"),
            eps=Setting("norm_eps"),
            dense_bias=Setting("classifier_bias"),
            norm_bias=Setting("norm_bias"),
        ),
    ),
    spare=("head.", "decoder."),
    attention_dropout="attention_dropout",
    head_dropout=("classifier_dropout",),
    overrides={"reference_compile": False},
)
_LLAMA = Site(
    layers="layers",
    embeddings="embed_tokens",
    word_embeddings="embed_tokens",
    output=Spot(feed="mlp", residual=("post_attention_layernorm", 0), norm=None),
    attention=Spot(feed="self_attn", residual=("input_layernorm", 0), norm=None),
    prefix="model",
    masked_lm=(),
    spare=("lm_head.",),
    attention_dropout="attention_dropout",
    head_dropout=("classifier_dropout",),
    causal=True,
    overrides={"use_cache": False},
)

SITES = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "distilbert": _DISTILBERT,
    "deberta-v2": _DEBERTA_V2,
    "modernbert": _MODERNBERT,
    "llama": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}


def site_of(model_type: str) -> Site:
    """Return the row for a ``model_type`` of a Hugging Face config; raises `ModelError` for one without a row."""
    if model_type not in SITES:
        raise ModelError(
            f"model_type {model_type!r} has no adapter sites{near_match(model_type, SITES)}; "
            "add a row to xltransfer/engine/sites.py"
        )
    return SITES[model_type]
