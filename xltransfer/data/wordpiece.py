"""Training a cased WordPiece tokenizer on texts and saving it as the hub's layout has it.

The same texts and size give the same files. What is written is read back by ``AutoTokenizer`` and by
``xltransfer.data.tokenizer.load_tokenizer``; nothing else here knows the file format. Source of the pieces' rules:
BERT (Devlin et al. 2019), cased: words split at white space and punctuation, accents and case kept.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from xltransfer.errors import ConfigError, DataError

SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Special tokens; their ids are their places."""

LONGEST_WORD: Final = 100
"""Characters; a longer word is one unknown token, as in BERT."""

_OPENING, _INSIDE = 0xF0000, 0x100000  # planes 15 and 16, private use


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
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = Counter(
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
        if len(word) <= LONGEST_WORD
    )
    if not words:
        raise DataError("the texts for the tokenizer are empty; give at least one line")
    pieces = [*SPECIAL, *_train_pieces(words, vocabulary - len(SPECIAL))]
    if len(pieces) > vocabulary:
        raise ConfigError(
            f"vocabulary={vocabulary} is too small: special tokens and single characters of the texts are "
            f"{len(pieces)} pieces; give at least {2 * len(pieces)}"
        )
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    return tokenizer


def _train_pieces(words: Mapping[str, int], limit: int) -> list[str]:
    """Return the pieces of counted words: all characters, alone and inside a word, then merges by frequency.

    The library's own WordPiece trainer numbers the pieces inside a word as they come out of a hash table, and breaks
    ties by these numbers: every process gives another vocabulary. Written as single characters of private planes, the
    pieces are an ordinary alphabet, which the byte-pair trainer sorts. The merges are the same otherwise.
    """
    from tokenizers import Tokenizer, models, trainers

    characters = sorted({character for word in words for character in word})
    opening = {character: chr(_OPENING + number) for number, character in enumerate(characters)}
    inside = {character: chr(_INSIDE + number) for number, character in enumerate(characters)}
    back = {code: character for character, code in opening.items()}
    back |= {code: character for character, code in inside.items()}
    plain = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=max(limit, 1), special_tokens=[], show_progress=False)
    coded = {opening[word[0]] + "".join(inside[c] for c in word[1:]): count for word, count in words.items()}
    plain.train_from_iterator((word for code, count in coded.items() for word in repeat(code, count)), trainer)
    by_number = sorted(plain.get_vocab().items(), key=lambda item: int(item[1]))
    return [
        ("" if ord(code[0]) < _INSIDE else "##") + "".join(back[character] for character in code)
        for code, _ in by_number
    ]


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
