"""Blocks of transfer text, and how many of them are used."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xltransfer.data.blocks import blocks, blocks_used, cut_corpora, token_stream
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.errors import DataError


def test_lines_with_special_tokens_are_concatenated_and_the_tail_dropped(tokenizer: Any) -> None:
    lines = ["the cats", "dog", "big big dog ."]  # 5 + 3 + 6 = 14 tokens
    cut = blocks(lines, tokenizer, 4)
    assert cut.tolist() == [[2, 8, 5, 6], [3, 2, 7, 3], [2, 11, 11, 7]]
    assert cut.dtype == np.int32


def test_text_of_exactly_one_block_is_enough(tokenizer: Any) -> None:
    assert blocks(["dog", "dog"], tokenizer, 6).tolist() == [[2, 7, 3, 2, 7, 3]]


def test_text_shorter_than_one_block_is_refused(tokenizer: Any) -> None:
    with pytest.raises(DataError, match="text-wol: 6 tokens in 2 lines are shorter than one block of 7; add text"):
        blocks(["dog", "dog"], tokenizer, 7, name="text-wol")
    with pytest.raises(ValueError, match="block=0; expected at least one token"):
        blocks(["dog"], tokenizer, 0)


def test_agrees_with_the_python_call_on_real_text(shared: Path) -> None:
    tokenizer = load_tokenizer(str(shared / "models" / "mini-mbert"))
    lines = (shared / "data" / "text" / "yor.txt").read_text(encoding="utf-8").splitlines()[:300]
    assert token_stream(lines, tokenizer).tolist() == [i for line in tokenizer(lines)["input_ids"] for i in line]


def test_blocks_used() -> None:
    available = {"a": 10, "b": 4, "c": 7}
    assert blocks_used(available, "all", 128) == available
    assert blocks_used(available, "equal", 128) == {"a": 4, "b": 4, "c": 4}
    assert blocks_used(available, 6 * 128 + 127, 128) == {"a": 6, "b": 4, "c": 6}
    assert blocks_used({}, "equal", 128) == {}
    with pytest.raises(ValueError, match="tokens=127 is less than one block of 128"):
        blocks_used(available, 127, 128)


def test_cut_corpora_spreads_the_kept_blocks() -> None:
    corpora = {"a": np.arange(20, dtype=np.int32).reshape(10, 2), "b": np.arange(8, dtype=np.int32).reshape(4, 2)}
    cut = cut_corpora(corpora, "equal")
    assert cut["a"][:, 0].tolist() == [0, 4, 10, 14]  # blocks 0, 2, 5, 7 of 10
    assert np.array_equal(cut["b"], corpora["b"])
    assert np.array_equal(cut_corpora(corpora, "all")["a"], corpora["a"])
    assert {name: len(kept) for name, kept in cut_corpora(corpora, 6).items()} == {"a": 3, "b": 3}
    assert cut_corpora({}, "equal") == {}
