"""Entity files in their three kinds, orphan tags, and malformed ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from xltransfer.data.bio import read_bio
from xltransfer.data.entities import n_entities, strict_iob2
from xltransfer.errors import DataError

Write = Callable[[str, str], Path]


def test_two_columns_with_spaces(write: Write) -> None:
    sentences = read_bio(write("t.txt", "A O\nParkland B-LOC\n\n# O\n2019 B-DATE\nga I-DATE\n"), drop_labels=["DATE"])
    assert [s.words for s in sentences] == [("A", "Parkland"), ("#", "2019", "ga")]
    assert [s.entities for s in sentences] == [("O", "B-LOC"), ("O", "O", "O")]
    assert [s.id for s in sentences] == ["t-1", "t-2"]
    assert sentences[0].tags is None and sentences[0].heads is None


def test_labels_are_kept_without_the_option(write: Write) -> None:
    assert read_bio(write("t.txt", "2019 B-DATE\nga I-DATE\n"))[0].entities == ("B-DATE", "I-DATE")


def test_five_columns_with_comments(write: Write) -> None:
    first_lines = "# newdoc id = r-1\n# sent_id = r-1-0001\n# text = x\n1\tAda\tB-PER\t-\tann\n2\t#\tO\t-\tann\n"
    text = first_lines + "\n# sent_id = r-1-0002\n1\tx\tO\t-\t-\n"
    first, second = read_bio(write("t.iob2", text), 1, 2, separator="tab", comments=True)
    assert (first.id, first.cluster, first.words, first.entities) == ("r-1-0001", "r-1", ("Ada", "#"), ("B-PER", "O"))
    assert (second.id, second.cluster) == ("r-1-0002", "r-1")


def test_language_prefix_is_cut_once(write: Write) -> None:
    (sentence,) = read_bio(
        write("t", "en:Star\tB-ORG\nen::\tI-ORG\nen:en:\tO\n"), separator="tab", language_prefix=True
    )
    assert sentence.words == ("Star", ":", "en:")


def test_docstart_opens_documents(write: Write) -> None:
    text = (
        "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\n\nrejects VBZ I-VP O\n\n-DOCSTART- -X- O O\n\nBonn NNP I-NP B-LOC\n"
    )
    sentences = read_bio(write("t", text))
    assert [s.cluster for s in sentences] == ["t-document-at-line-1"] * 2 + ["t-document-at-line-7"]
    assert sentences[0].entities == ("B-ORG",)


@pytest.mark.parametrize(
    ("orphan", "expected"),
    [("begin", "B-PER I-PER O B-LOC B-ORG I-ORG"), ("outside", "O O O B-LOC O O")],
)
def test_orphan_inside_tags(orphan: str, expected: str) -> None:
    tags = "I-PER I-PER O B-LOC I-ORG I-ORG".split()
    assert strict_iob2(tags, orphan=orphan) == tuple(expected.split())  # type: ignore[arg-type]


def test_orphan_error_names_the_sentence(write: Write) -> None:
    with pytest.raises(DataError, match=r"t\.txt:3: .*tag 'I-PER' of word 2 continues no entity.*set orphan_inside"):
        read_bio(write("t.txt", "a O\n\na O\nb I-PER\n"), orphan_inside="error")


TAGS = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=12)


@given(TAGS)
def test_begin_keeps_the_entities_that_seqeval_reads(tags: list[str]) -> None:
    strict = list(strict_iob2(tags))
    assert get_entities(strict) == get_entities(tags)
    assert n_entities(strict) == len(get_entities(tags))


@given(TAGS)
def test_dropping_a_type_leaves_the_others(tags: list[str]) -> None:
    kept = [entity for entity in get_entities(tags) if entity[0] != "LOC"]
    assert get_entities(list(strict_iob2(tags, drop=["LOC"]))) == kept


MALFORMED = {
    "no tag": ("a O\nword\n", {}, 2, "1 columns .* expected at least 2"),
    "not IOB": ("a O\nb S-PER\n", {}, 2, "tag 'S-PER' of word 'b' is not IOB"),
    "bare B": ("b B-\n", {}, 1, "tag 'B-' of word 'b' is not IOB"),
    "lower case": ("b o\n", {}, 1, "tag 'o' of word 'b' is not IOB"),
    "comment unannounced": ("# sent_id = 7\na O\n", {}, 1, "not IOB.* set comments to true"),
    "no prefix": ("en:a\tO\nb\tO\n", {"language_prefix": True}, 2, "word 'b' has no language prefix"),
    "empty word": ("en:\tO\n", {"language_prefix": True}, 1, "empty word"),
    "too few columns": ("1\ta\tO\n2\tb\n", {"word_column": 1, "tag_column": 2}, 2, "2 columns .* at least 3"),
    "same id": ("# sent_id = 1\na O\n\n# sent_id = 1\nb O\n", {"comments": True}, 5, "sent_id '1' occurs twice"),
}


@pytest.mark.parametrize(("text", "options", "line", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_file_is_refused_with_its_line(
    write: Write, text: str, options: dict[str, object], line: int, message: str
) -> None:
    with pytest.raises(DataError, match=rf"bad\.txt:{line}: .*{message}"):
        read_bio(write("bad.txt", text), **options)  # type: ignore[arg-type]


def test_file_without_sentences_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"t\.txt: holds no sentence"):
        read_bio(write("t.txt", "\n\n"))
