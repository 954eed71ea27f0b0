"""Training a cased WordPiece tokenizer on texts and saving it as the hub's layout has it.

The same texts and size give the same files. What is written is read back by ``AutoTokenizer`` and by
``xltransfer.data.tokenizer.load_tokenizer``; nothing else here knows the file format. Source of the pieces' rules:
BERT (Devlin et al. 2019), cased: words split at white space and punctuation, accents and case kept.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from xltransfer.errors import ConfigError, DataError

SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Special tokens; their ids are their places."""


def train_wordpiece(texts: Iterable[str], vocabulary: int) -> Any:
    """Train a tokenizer.

    Parameters
    ----------
    texts
        Lines of text of all languages that it is to know; consumed once.
    vocabulary
        Largest number of word pieces, special tokens included. Small texts give fewer.

    Returns
    -------
    tokenizers.Tokenizer
        Adds ``[CLS]`` and ``[SEP]`` where special tokens are asked for.

    Raises
    ------
    ConfigError
        If the vocabulary cannot hold the special tokens and every character of the texts, alone and inside a word:
        characters without a piece would be unknown tokens.
    DataError
        If the texts hold nothing but white space.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    lines = [text for text in texts if text.strip()]
    if not lines:
        raise DataError("the texts for the tokenizer are empty; give at least one line")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    pieces = tokenizer.get_vocab()
    if len(pieces) > vocabulary:
        raise ConfigError(
            f"vocabulary={vocabulary} is too small: special tokens and single characters of the texts are "
            f"{len(pieces)} pieces; give at least {2 * len(pieces)}"
        )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", pieces["[SEP]"]), ("[CLS]", pieces["[CLS]"]))
    return tokenizer


def save_wordpiece(tokenizer: Any, folder: Path, longest: int = 512) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` into ``folder``, which is made where needed.

    ``longest`` is the most positions that the model takes, in subwords.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    config = {
        **names,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "model_max_length": longest,
        # The generic class takes tokenizer.json as it is; a model's own class would rebuild it by its own rules.
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
