"""Texts that say the same: by line, by column of one file, by id; and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from xltransfer.config.manifests import load_datasets
from xltransfer.config.readers import BioReader, ConlluReader, HubReader, PairReader, Reader, SquadReader, TextReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.parallel_text import TextSide, collection_of, file_of_collection, matched, read_side, why_unmatched
from xltransfer.errors import ConfigError, DataError

Write = Callable[[str, str], Path]
LINES = TextReader(held_out=0, parallel={"test": "c"})


@pytest.fixture
def side(tmp_path: Path) -> Callable[..., TextSide]:
    """Read one file as a side; entry and language are the file's stem."""

    def _side(name: str, reader: Reader = LINES) -> TextSide:
        stem = Path(name).stem
        return read_side(EntryRef("d", stem, stem, reader, tmp_path, {"test": name}), "test")

    return _side


def texts(side: TextSide) -> list[str]:
    return [text.text for text in side.texts]


def test_line_i_of_every_file_is_item_i(side: Callable[..., TextSide], write: Write) -> None:
    write("a.txt", "one\n  two   words \nthree\n")
    write("b.txt", "un\ndeux\ntrois\n")
    first, second = side("a.txt"), side("b.txt")
    assert texts(first) == ["one", "two words", "three"]
    assert [text.id for text in first.texts] == [f"parallel:c:{n}" for n in (1, 2, 3)]
    assert [text.cluster for text in first.texts] == [text.id for text in first.texts]
    assert texts(matched(first, second)) == ["un", "deux", "trois"]


def test_ids_from_a_file_of_their_own(side: Callable[..., TextSide], write: Write) -> None:
    write("a.txt", "one\ntwo\n")
    write("ids.txt", "n7\nn3\n")
    reader = TextReader(held_out=0, parallel={"test": "c"}, ids={"test": "ids.txt"})
    assert [text.id for text in side("a.txt", reader).texts] == ["parallel:c:n7", "parallel:c:n3"]
    write("ids.txt", "n7\nn7\n")
    with pytest.raises(DataError, match=r"a\.txt has 2 lines, .*ids\.txt 2 ids \(1 different\)"):
        side("a.txt", reader)
    write("ids.txt", "n7\n")
    with pytest.raises(DataError, match=r"a\.txt has 2 lines, .*ids\.txt 1 ids"):
        side("a.txt", reader)


def test_unequal_lengths_name_both_files_and_their_counts(side: Callable[..., TextSide], write: Write) -> None:
    write("a.txt", "one\ntwo\nthree\n")
    write("b.txt", "un\ndeux\n")
    with pytest.raises(DataError, match=r"a\.txt has 3, .*b\.txt has 2"):
        matched(side("a.txt"), side("b.txt"))


def test_an_empty_line_is_named_and_not_passed_over(side: Callable[..., TextSide], write: Write) -> None:
    write("a.txt", "one\n\nthree\n")
    with pytest.raises(DataError, match=r"a\.txt:2: no text"):
        side("a.txt")
    write("b.tsv", "one\tun\ntwo\n")
    with pytest.raises(DataError, match=r"b\.tsv:2: no text"):
        side("b.tsv", TextReader(held_out=0, column=1, parallel={"test": "c"}))


def test_columns_of_one_file_match_each_other_and_no_other_file(side: Callable[..., TextSide], write: Write) -> None:
    write("eng-wol.tsv", "one\tbenn\ntwo\tñaar\n")
    write("eng-hau.tsv", "red\tja\nblue\tshuɗi\n")
    left, right = (
        TextReader(held_out=0, column=column, parallel={"test": "c"}, parallel_in="one_file") for column in (0, 1)
    )
    source = side("eng-wol.tsv", left)
    assert texts(matched(source, side("eng-wol.tsv", right))) == ["benn", "ñaar"]
    with pytest.raises(ConfigError, match="different collections"):
        matched(source, side("eng-hau.tsv", right))


def test_a_file_is_a_collection_by_its_path_below_the_root(tmp_path: Path) -> None:
    reader = TextReader(held_out=0, column=0, parallel={"test": "c"}, parallel_in="one_file")
    sides = []
    for folder in ("eng-x", "eng-y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dev.tsv").write_text(f"{folder} says\n", encoding="utf-8")
        ref = EntryRef("d", folder, folder, reader, tmp_path, {"test": f".//{folder}/./dev.tsv"})
        assert collection_of(ref, "test") == f"c:{folder}/dev.tsv"
        assert file_of_collection(ref, "test") == (tmp_path / folder / "dev.tsv").resolve()
        sides.append(read_side(ref, "test"))
    assert [text.id for side in sides for text in side.texts] == [
        "parallel:c:eng-x/dev.tsv:1",
        "parallel:c:eng-y/dev.tsv:1",
    ]
    with pytest.raises(ConfigError, match="different collections"):
        matched(*sides)
    every = EntryRef("d", "e", "e", LINES, tmp_path, {"test": "eng-x/dev.tsv"})
    assert (collection_of(every, "test"), file_of_collection(every, "test")) == ("c", None)


@pytest.mark.parametrize("layout", ["text", "conllu"])
def test_rows_of_the_hub_without_ids_belong_to_no_collection(layout: Literal["text", "conllu"], tmp_path: Path) -> None:
    hub = HubReader(hub_id="o/n", layout=layout, parallel={"test": "c"})
    ref = EntryRef("d", "e", "e", hub, tmp_path, {"test": "test", "dev": "dev"})
    assert collection_of(ref, "test") is None
    assert f"is {layout} from a hub reader, of which only pairs and labelled texts" in why_unmatched(ref, "test")
    assert "is not declared parallel in split 'dev'" in why_unmatched(ref, "dev")
    rows = EntryRef("d", "e", "e", hub.model_copy(update={"layout": "labelled"}), tmp_path, {"test": "test"})
    assert collection_of(rows, "test") == "c"


TREES = "# sent_id = {}\n# text = {}\n1\tx\t_\tX\t_\t_\t0\troot\t_\t_\n2\ty\t_\tX\t_\t_\t1\tdep\t_\t_\n\n"


def test_sentences_of_treebanks_go_by_id_in_whatever_order(side: Callable[..., TextSide], write: Write) -> None:
    reader = ConlluReader(parallel={"test": "pud"})
    write("a.conllu", TREES.format("n1", "One.") + TREES.format("n2", "Two."))
    write("b.conllu", TREES.format("n2", "二。") + TREES.format("n1", "一。"))
    second = matched(side("a.conllu", reader), side("b.conllu", reader))
    assert texts(second) == ["一。", "二。"]
    write("c.conllu", TREES.format("n2", "Deux.") + TREES.format("n9", "Neuf."))
    with pytest.raises(DataError, match=r"different items: 1 of .*a\.conllu .*'parallel:pud:n1'"):
        matched(side("a.conllu", reader), side("c.conllu", reader))
    write("d.conllu", TREES.format("n1", ""))
    with pytest.raises(DataError, match=r"d\.conllu:1: .*'# text'"):
        side("d.conllu", reader)


def test_pairs_keep_their_premises_as_clusters(side: Callable[..., TextSide], write: Write) -> None:
    rows = "id\tpremise\thypothesis\tlabel\n1\tp\th1\tneutral\n2\tp\th2\tneutral\n"
    write("a.tsv", rows)
    write("b.tsv", rows.replace("p\t", "q\t"))
    reader = PairReader(id_column="id", hypotheses=2, parallel={"test": "x"})
    second = matched(side("a.tsv", reader), side("b.tsv", reader))
    assert [(text.text, text.second) for text in second.texts] == [("q", "h1"), ("q", "h2")]
    assert {text.cluster for text in second.texts} == {"parallel:x:premise-0"}


def test_data_that_is_not_declared_parallel_is_never_matched(side: Callable[..., TextSide], write: Write) -> None:
    write("a.txt", "one\ntwo\n")
    first = side("a.txt", TextReader(held_out=0))
    assert texts(first) == ["one", "two"]
    for pair in ((first, side("a.txt")), (side("a.txt"), first)):
        with pytest.raises(ConfigError, match="'a' is not declared parallel, .* refused"):
            matched(*pair)


def test_other_layouts(side: Callable[..., TextSide], write: Write) -> None:
    write("a.bio", "John B-PER\nran O\n\n")
    assert texts(side("a.bio", BioReader())) == ["John ran"]
    write("a.conllu", TREES.format("n1", "One."))
    assert texts(side("a.conllu", ConlluReader())) == ["x y"]
    write("a.json", "{}")
    with pytest.raises(DataError, match="holds questions"):
        side("a.json", SquadReader())
    with pytest.raises(DataError, match="no file for split 'dev'"):
        read_side(EntryRef("d", "a", "a", TextReader(parallel={"dev": "c"}), Path("."), {"test": "a.txt"}), "dev")


@pytest.mark.parametrize(
    ("datasets", "split", "count"),
    [
        (("pud-small",), "train", 500),
        (("xnli-small",), "test", 252),
        (("lafand-small", "lafand-sources"), "train", 500),
    ],
)
def test_the_real_files_match(shared: Path, datasets: tuple[str, ...], split: str, count: int) -> None:
    sides = []
    for name in datasets:
        manifest = load_datasets()[name]
        root = shared / manifest.root
        sides += [
            read_side(EntryRef(name, each.name, each.language, manifest.reader, root, each.files), split)
            for each in manifest.entries
        ]
    groups: dict[str | None, list[TextSide]] = {}
    for each in sides:
        groups.setdefault(each.collection, []).append(each)
    assert len(groups) == (8 if len(datasets) == 2 else 1)
    for own in groups.values():
        assert len(own) > 1
        for other in own[1:]:
            assert len(matched(own[0], other).texts) == count
