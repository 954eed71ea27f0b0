"""Two texts in one row, against the tokenizers' own rows and their own truncation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from xltransfer.data.pair_template import longest_first, pair_template
from xltransfer.data.tokenizer import load_tokenizer, token_ids
from xltransfer.errors import ModelError

SPECIAL = [("<s>", 0), ("</s>", 1)]
TEMPLATES = {
    "bert": dict(single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1"),
    "xlm-r": dict(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>"),
    "no end": dict(single="<s> $A", pair="<s> $A </s> $B:1"),
}


def tokenizer_of(**template: str) -> Any:
    """A tokenizer of single letters."""
    pieces = {piece: number for number, piece in enumerate(("<s>", "</s>", "<pad>", "<unk>", *"abcdefgh"))}
    backend = Tokenizer(models.WordLevel(pieces, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    if template:
        backend.post_processor = processors.TemplateProcessing(**template, special_tokens=SPECIAL)
    names = dict(bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=backend, **names)


@pytest.mark.parametrize("name", TEMPLATES)
def test_rows_are_those_that_the_tokenizer_makes(name: str) -> None:
    tokenizer = tokenizer_of(**TEMPLATES[name])
    template = pair_template(tokenizer)
    first, second = token_ids(tokenizer, ["a b c", "d e"])
    own = tokenizer("a b c", "d e", return_token_type_ids=True)
    assert template.ids(first, second).tolist() == own["input_ids"]
    assert template.token_types(3, 2).tolist() == own["token_type_ids"]
    assert template.specials == len(own["input_ids"]) - 5


def test_a_tokenizer_without_a_template_for_pairs_is_refused() -> None:
    for template in ({}, {"single": "<s> $A </s>"}):
        with pytest.raises(ModelError, match="does not say how two texts stand in one row"):
            pair_template(tokenizer_of(**template))


@given(st.integers(0, 9), st.integers(1, 9), st.integers(2, 14))
def test_the_cut_is_that_of_fast_tokenizers(first: int, second: int, room: int) -> None:
    # An empty second text is no text to them, and they make a row of one.
    tokenizer = tokenizer_of(**TEMPLATES["bert"])
    kept = longest_first(first, second, room)
    row = tokenizer("a " * first, "b " * second, truncation="longest_first", max_length=room + 3)["input_ids"]
    a, b = 4, 5
    assert kept == (row.count(a), row.count(b))


def test_real_tokenizer_cuts_the_same_tokens(shared: Path) -> None:
    tokenizer = load_tokenizer(str(shared / "models" / "mini-mbert"))
    lines = (shared / "data/nli/xnli/dev-en.tsv").read_text(encoding="utf-8").splitlines()[:60]
    pairs = [line.split("\t")[:2] for line in lines]
    template = pair_template(tokenizer)
    first, second = (token_ids(tokenizer, [pair[side] for pair in pairs]) for side in (0, 1))
    cut = 0
    for pair, a, b in zip(pairs, first, second, strict=True):
        i, j = longest_first(len(a), len(b), 24 - template.specials)
        own = tokenizer(*pair, truncation="longest_first", max_length=24)
        assert template.ids(a[:i], b[:j]).tolist() == own["input_ids"]
        assert template.token_types(i, j).tolist() == own["token_type_ids"]
        cut += i + j < len(a) + len(b)
    assert 10 < cut < 60
    assert np.array_equal(token_ids(tokenizer, ["x y"])[0], tokenizer("x y", add_special_tokens=False)["input_ids"])
