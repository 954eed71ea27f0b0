"""Words to subwords: hand-counted pieces, words that vanish, special tokens, and tokenizers that are not there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xltransfer.data.tokenizer import encode_words, load_tokenizer, special_ids
from xltransfer.errors import ModelError


def test_pieces_counted_by_hand(tokenizer: Any) -> None:
    pieces = encode_words(tokenizer, [["the", "cats", "running"], [], ["dog.", "zebra"]])
    assert pieces.ids.tolist() == [8, 5, 6, 9, 10, 7, 12, 1]  # the cat ##s run ##ning | dog . [UNK]
    assert pieces.word_lengths.tolist() == [1, 2, 2, 2, 1]
    assert pieces.words_per_sentence.tolist() == [3, 0, 2]
    assert pieces.sentence_lengths().tolist() == [5, 0, 3]
    assert pieces.blank_words == 0
    assert {pieces.ids.dtype, pieces.word_lengths.dtype, pieces.words_per_sentence.dtype} == {np.dtype(np.int32)}


def test_word_without_subword_becomes_one_unknown_token_in_its_place(tokenizer: Any) -> None:
    pieces = encode_words(tokenizer, [["\u00ad", "cats", "\u200b"], ["\u200b"], ["dog"]])
    assert pieces.ids.tolist() == [1, 5, 6, 1, 1, 7]
    assert pieces.word_lengths.tolist() == [1, 2, 1, 1, 1]
    assert pieces.blank_words == 3


def test_word_with_a_space_inside_stays_one_word(tokenizer: Any) -> None:
    assert encode_words(tokenizer, [["big cats", "run"]]).word_lengths.tolist() == [3, 1]


def test_no_sentences(tokenizer: Any) -> None:
    pieces = encode_words(tokenizer, [])
    assert pieces.ids.size == pieces.word_lengths.size == pieces.sentence_lengths().size == 0


def test_truncation_left_on_by_a_call_does_not_reach_the_words(tokenizer: Any) -> None:
    tokenizer(["the big big dog"], truncation=True, max_length=4, padding="max_length")
    assert len(encode_words(tokenizer, [["the", "big", "big", "dog", "."]]).ids) == 5


def test_many_sentences_cross_chunks(tokenizer: Any) -> None:
    sentences = [["cats"] * (i % 3) for i in range(9001)]
    pieces = encode_words(tokenizer, sentences)
    assert pieces.sentence_lengths().tolist() == [2 * (i % 3) for i in range(9001)]


def test_agrees_with_the_python_call_on_real_words(shared: Path) -> None:
    tokenizer = load_tokenizer(str(shared / "models" / "mini-mbert"))
    lines = [
        (shared / "data" / "text" / f"{c}.txt").read_text(encoding="utf-8").split("\n")[:20]
        for c in ("amh", "jpn", "fra")
    ]
    sentences = [line.split() for text in lines for line in text]
    theirs = [
        tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"] if words else []
        for words in sentences
    ]
    pieces = encode_words(tokenizer, sentences)
    assert pieces.ids.tolist() == [piece for sentence in theirs for piece in sentence]
    assert pieces.sentence_lengths().tolist() == [len(sentence) for sentence in theirs]


def test_special_ids(tokenizer: Any) -> None:
    assert special_ids(tokenizer) == (2, 3, 0, 4, 1)


def test_bos_and_eos_serve_where_there_is_no_cls(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    assert special_ids(tokenizer) == (0, 2, 1, None, None)


def test_missing_special_tokens_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no end and no pad token; use an encoder's tokenizer"):
        special_ids(byte_level(tmp_path, bos_token="<s>"))


def test_byte_level_words_are_read_as_behind_a_space(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    first, second = encode_words(tokenizer, [["a", "a"]]).ids.tolist()
    assert first == second == 5  # the piece with the space before it, not the bare letter 3


def test_vanishing_word_without_an_unknown_token_is_refused(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    with pytest.raises(ModelError, match="1 words yield no subword .* has no unknown token; add one"):
        encode_words(tokenizer, [["a", ""]])


def byte_level(folder: Path, **special: str) -> Any:
    """A byte-level BPE of two letters, saved without ``add_prefix_space``."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    save: Any = PreTrainedTokenizerFast  # its constructor has no types
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "a": 3, "Ġ": 4, "Ġa": 5}
    rust = Tokenizer(models.BPE(vocabulary, [("Ġ", "a")]))
    rust.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    save(tokenizer_object=rust, **special).save_pretrained(folder)
    return load_tokenizer(str(folder))


def test_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no tokenizer at .*; give a folder with tokenizer.json"):
        load_tokenizer(str(tmp_path))


def test_unknown_hub_id_is_refused() -> None:
    with pytest.raises(ModelError, match="no tokenizer at 'nobody/no-such-model'"):
        load_tokenizer("nobody/no-such-model")


def test_slow_tokenizer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    class Slow:
        is_fast = False

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda name: Slow())
    with pytest.raises(ModelError, match="the tokenizer at 'x' is Slow, not a fast one"):
        load_tokenizer("x")
