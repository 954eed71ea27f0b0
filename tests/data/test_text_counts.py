"""Counts of subwords: a text counted by hand, and the texts of the miniature study by other means."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from mini_study import MiniStudy
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.labelled import Labelled
from xltransfer.data.question import Question
from xltransfer.data.read import read_lines, read_sentences
from xltransfer.data.text_counts import TextCounts, _texts, count_text, study_texts
from xltransfer.data.tokenizer import load_tokenizer

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "sun": 5, "##ny": 6, "day": 7}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    rust = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    rust.pre_tokenizer = pre_tokenizers.Whitespace()
    rust.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=rust, mask_token="[MASK]", **names)


def test_a_text_counted_by_hand(tokenizer: PreTrainedTokenizerFast) -> None:
    found = count_text(["sunny day", "sun night sunny"], tokenizer)
    # sun 3, ny 2, day 1, night unknown; five words of seven subwords.
    assert found.tokens.tolist() == [5, 6, 7] and found.counts.tolist() == [3, 2, 1]
    assert (found.n_words, found.n_unknown) == (5, 1)
    assert found.fertility == 7 / 5


def test_a_text_that_is_mostly_unknown_has_no_fertility() -> None:
    tokens, counts = np.array([5, 6]), np.array([1, 2])
    assert np.isnan(TextCounts(tokens, counts, 40, 4).fertility)
    assert TextCounts(tokens, counts, 12, 3).fertility == 6 / 12


def test_a_text_without_words_has_no_fertility() -> None:
    none = np.empty(0, np.int64)
    assert np.isnan(TextCounts(none, none, 0, 0).fertility)


def token_tasks(resolved: ResolvedStudy) -> ResolvedStudy:
    """The study with the tasks whose texts are counted below."""
    kept = [task for task in resolved.study.tasks if task.name in ("pos", "dep", "ner", "mlm")]
    return replace(resolved, study=resolved.study.model_copy(update={"tasks": tuple(kept)}))


def test_what_is_read_of_pairs_and_questions() -> None:
    pair = Labelled("1", "1", "It rains.", "It is dry.", "contradiction", "f:1")
    review = Labelled("2", "2", "Broke at once.", None, "1", "f:2")
    question = Question("3", "3", "eng", "Who?", "She did.", ())
    assert [_texts(item) for item in (pair, review, question)] == [
        ("It rains.", "It is dry."), ("Broke at once.", ""), ("Who?", "She did.")
    ]  # fmt: skip


def test_the_texts_of_a_study(mini_files: MiniStudy) -> None:
    resolved = token_tasks(mini_files.resolved)
    texts = study_texts(resolved)
    codes = [ref.language for ref in resolved.corpora]
    assert list(texts.transfers) == codes and set(texts.targets) == set(codes)
    backend = load_tokenizer(resolved.model).backend_tokenizer
    code = codes[1]
    corpus = next(ref for ref in resolved.corpora if ref.language == code)
    lines = {"transfers": read_lines(corpus, "train"), "targets": read_lines(corpus, "test")}
    # pos and dep have one treebank, which counts once; ner has another set.
    for task in ("pos", "ner"):
        (ref,) = [ref for ref in resolved.targets[task] if ref.language == code]
        lines["targets"] += list(dict.fromkeys(" ".join(one.words) for one in read_sentences(ref, "test")))
    for side, mine in lines.items():
        ids = Counter(i for line in mine for i in backend.encode(line, add_special_tokens=False).ids)
        unknown = ids.pop(1, 0)
        found = getattr(texts, side)[code]
        assert dict(zip(found.tokens.tolist(), found.counts.tolist(), strict=True)) == ids
        assert found.n_unknown == unknown


def test_a_long_text_is_thinned_evenly(mini_files: MiniStudy) -> None:
    whole, part = study_texts(mini_files.resolved), study_texts(mini_files.resolved, max_lines=20)
    code = next(iter(whole.transfers))
    lines = read_lines(mini_files.resolved.corpora[0], "train")
    kept = [lines[k * len(lines) // 20] for k in range(20)]
    tokenizer = load_tokenizer(mini_files.resolved.model)
    assert part.transfers[code].counts.sum() == count_text(kept, tokenizer).counts.sum()
    assert part.transfers[code].counts.sum() < whole.transfers[code].counts.sum()
    with pytest.raises(ValueError, match="max_lines=0"):
        study_texts(mini_files.resolved, max_lines=0)
