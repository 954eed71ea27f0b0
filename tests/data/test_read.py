"""The way in by entry: dispatch, missing splits, limits, and real files against the data's own manifest."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from xltransfer.config.readers import BioReader, ConlluReader, Reader, TextReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.read import read_lines, read_sentences
from xltransfer.errors import DataError

Entry = Callable[..., EntryRef]
Write = Callable[[str, str], Path]
SENTENCES = "1\ta\t_\tX\t_\t_\t0\troot\t_\t_\n\n1\tb\t_\tX\t_\t_\t0\troot\t_\t_\n"


def test_limit_keeps_the_first_sentences_and_their_ids(write: Write, entry: Entry) -> None:
    write("ud/x-test.conllu", SENTENCES)
    ref = entry({"test": "ud/x-test.conllu"})
    assert [s.id for s in read_sentences(ref, "test")] == ["ud/x-test-1", "ud/x-test-2"]
    assert [s.id for s in read_sentences(ref, "test", limit=1)] == ["ud/x-test-1"]


def test_missing_split_names_the_entry_and_what_it_has(entry: Entry) -> None:
    ref = entry({"test": "a", "dev": "b"}, name="UD_X")
    with pytest.raises(DataError, match="entry 'UD_X' of dataset 'd' has no split 'train'; it has dev, test"):
        read_sentences(ref, "train")


def test_layouts_are_not_mixed_up(entry: Entry) -> None:
    with pytest.raises(DataError, match="'e' of dataset 'd' holds text"):
        read_sentences(entry({"test": "a"}, TextReader()), "test")
    with pytest.raises(DataError, match=r"holds annotated sentences \(bio\), not text"):
        read_lines(entry({"test": "a"}, BioReader()), "test")


def test_options_of_the_reader_arrive(write: Write, entry: Entry) -> None:
    write("n", "en:Ada\tB-PER\nen:1999\tI-DATE\n")
    reader = BioReader(separator="tab", language_prefix=True, drop_labels=("DATE",), orphan_inside="error")
    (sentence,) = read_sentences(entry({"test": "n"}, reader), "test")
    assert (sentence.words, sentence.entities) == (("Ada", "1999"), ("B-PER", "O"))
    write("t.conllu", SENTENCES.replace("X\t_", "X\tQ"))
    assert read_sentences(entry({"test": "t.conllu"}, ConlluReader(tag_column="xpos")), "test")[0].tags == ("Q",)


def test_text_without_a_test_file_is_divided(write: Write, entry: Entry) -> None:
    write("a.txt", "".join(f"line {i}\n" for i in range(100)))
    write("b.txt", "other\n")
    ref = entry({"train": "a.txt"}, TextReader(held_out=0.2))
    train, test = read_lines(ref, "train"), read_lines(ref, "test")
    assert len(train) + len(test) == 100 and 8 <= len(test) <= 35
    assert read_lines(ref, "train", limit=3) == train[:3]
    both = entry({"train": "a.txt", "test": "b.txt"}, TextReader(held_out=0.2))
    assert (len(read_lines(both, "train")), read_lines(both, "test")) == (100, ["other"])


def test_text_that_holds_nothing_out_has_no_test(write: Write, entry: Entry) -> None:
    write("a.txt", "one\n")
    with pytest.raises(DataError, match="has no split 'test'; it has train"):
        read_lines(entry({"train": "a.txt"}, TextReader(held_out=0.0)), "test")
    with pytest.raises(DataError, match="no line is left for 'test' at held_out 0.01; add text"):
        read_lines(entry({"train": "a.txt"}, TextReader(held_out=0.01)), "test")


READERS: dict[str, Reader] = {
    "ud": ConlluReader(),
    "masakhaner": BioReader(drop_labels=("DATE",)),
    "uner": BioReader(token_column=1, tag_column=2, separator="tab", comments=True),
    "wikiann": BioReader(separator="tab", language_prefix=True),
    "text": TextReader(held_out=0.0),
}


@pytest.mark.parametrize("collection", READERS)
def test_real_files_hold_what_their_manifest_says(shared: Path, entry: Entry, collection: str) -> None:
    with (shared / "data" / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["path"].startswith(f"{collection}/")]
    counted = {}
    for item in listed:
        ref = entry({"s": item["path"]}, READERS[collection], root=shared / "data")
        read = read_lines if collection == "text" else read_sentences
        counted[item["path"]] = len(read(ref, "s"))
    assert counted == {item["path"]: int(item["rows"]) for item in listed}
    assert len(counted) == {"ud": 108, "masakhaner": 30, "uner": 11, "wikiann": 15, "text": 48}[collection]


def test_shuffled_real_treebanks_have_no_documents_longer_than_their_marks(shared: Path, entry: Entry) -> None:
    def clusters(path: str) -> list[str]:
        ref = entry({"test": path}, ConlluReader(), root=shared / "data" / "ud")
        return [s.cluster for s in read_sentences(ref, "test")]

    assert len(set(clusters("UD_Armenian-BSUT/hy_bsut-ud-test.conllu"))) == 250  # 5 marks among shuffled sentences
    assert len(set(clusters("UD_English-EWT/en_ewt-ud-test.conllu"))) == 250
    arabic = clusters("UD_Arabic-PUD/ar_pud-ud-test.conllu")  # a mark on each sentence: 250 sentences of 189 documents
    assert (len(arabic), len(set(arabic))) == (250, 189)
