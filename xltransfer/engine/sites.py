"""Where adapters sit in each Hugging Face architecture, and where a checkpoint keeps its masked-LM head.

One small table: a new release of transformers, or a new post-norm encoder, changes a row here and nothing else. In a
post-norm encoder the layer ends with ``LN(F + A)``: F is the feed-forward output, A its input. An adapter changes the
input of that closing LayerNorm.
"""

from dataclasses import dataclass, replace

from xltransfer.errors import ModelError, near_match


@dataclass(frozen=True)
class Site:
    """Module paths inside a plain encoder (``AutoModel``) and key prefixes inside its checkpoint.

    Attributes
    ----------
    layers, embeddings, word_embeddings
        Paths from the encoder.
    output, dropout, closing_norm
        Paths from a layer: the module that adds residual and normalises, the dropout after the feed-forward (its result
        is F), and the LayerNorm whose input is F + A.
    prefix
        What a checkpoint with heads puts before the encoder's keys.
    lm_dense, lm_norm, lm_bias
        Keys of the masked-LM head in the checkpoint, without ``.weight`` and ``.bias`` for the first two.
    spare
        Beginnings of checkpoint keys that an encoder may leave unread.
    """

    layers: str
    embeddings: str
    word_embeddings: str
    output: str
    dropout: str
    closing_norm: str
    prefix: str
    lm_dense: str
    lm_norm: str
    lm_bias: str
    spare: tuple[str, ...]


_BERT = Site(
    layers="encoder.layer",
    embeddings="embeddings",
    word_embeddings="embeddings.word_embeddings",
    output="output",
    dropout="output.dropout",
    closing_norm="output.LayerNorm",
    prefix="bert",
    lm_dense="cls.predictions.transform.dense",
    lm_norm="cls.predictions.transform.LayerNorm",
    lm_bias="cls.predictions.bias",
    spare=("cls.", "bert.embeddings.position_ids", "embeddings.position_ids"),
)
_ROBERTA = replace(
    _BERT,
    prefix="roberta",
    lm_dense="lm_head.dense",
    lm_norm="lm_head.layer_norm",
    lm_bias="lm_head.bias",
    spare=("lm_head.", "roberta.embeddings.position_ids", "embeddings.position_ids"),
)

SITES = {"bert": _BERT, "roberta": _ROBERTA, "xlm-roberta": _ROBERTA}


def site_of(model_type: str) -> Site:
    """Return the row for a ``model_type`` of a Hugging Face config; raises `ModelError` for one without a row."""
    if model_type not in SITES:
        raise ModelError(
            f"model_type {model_type!r} has no adapter sites{near_match(model_type, SITES)}; "
            "add a row to xltransfer/engine/sites.py"
        )
    return SITES[model_type]
