"""CoNLL-U: words, layers, documents, and every way in which a file can be wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from xltransfer.data.conllu import read_conllu
from xltransfer.errors import DataError

Write = Callable[[str, str], Path]


def row(number: str, form: str, head: str = "_", relation: str = "_", upos: str = "X", xpos: str = "x") -> str:
    return f"{number}\t{form}\t_\t{upos}\t{xpos}\t_\t{head}\t{relation}\t_\t_"


TREE = [row("1", "dogs", "2", "nsubj", "NOUN", "NNS"), row("2", "run", "0", "root", "VERB", "VB")]


def test_multiword_tokens_and_empty_nodes_are_no_words(write: Write) -> None:
    lines = [
        "# sent_id = s1",
        "# text = vámonos al mar",
        row("1-2", "vámonos"),
        row("1", "vamos", "0", "root"),
        row("2", "nos", "1", "obj"),
        row("2.1", "ghost"),
        row("3-4", "al"),
        row("3", "a", "5", "case"),
        row("4", "el", "5", "det"),
        row("5", "mar", "1", "obl:arg"),
    ]
    (sentence,) = read_conllu(write("a.conllu", "\n".join(lines) + "\n\n"))
    assert sentence.words == ("vamos", "nos", "a", "el", "mar")
    assert sentence.heads == (0, 1, 5, 5, 1)
    assert sentence.relations == ("root", "obj", "case", "det", "obl:arg")
    assert (sentence.id, sentence.cluster) == ("s1", "s1")


def test_tag_column_chooses_upos_or_xpos(write: Write) -> None:
    path = write("a.conllu", "\n".join(TREE))
    assert read_conllu(path)[0].tags == ("NOUN", "VERB")
    assert read_conllu(path, "xpos")[0].tags == ("NNS", "VB")


def test_both_tag_columns_give_the_same_ids_and_clusters(write: Write) -> None:
    path = write("a.conllu", "\n".join(["# newdoc id = d", *TREE, "", *TREE, "", *TREE]))
    upos, xpos = read_conllu(path), read_conllu(path, "xpos")
    assert [(s.id, s.cluster) for s in upos] == [(s.id, s.cluster) for s in xpos]


def test_blank_forms_are_kept(write: Write) -> None:
    (sentence,) = read_conllu(write("a.conllu", row("1", "_", "0", "root")))
    assert sentence.words == ("_",)


def test_treebank_without_trees_or_tags_has_none(write: Write) -> None:
    (sentence,) = read_conllu(write("a.conllu", row("1", "a", upos="_") + "\n" + row("2", "b", upos="_")))
    assert (sentence.tags, sentence.heads, sentence.relations) == (None, None, None)


def test_forms_keep_spaces_and_odd_line_separators(write: Write) -> None:
    (sentence,) = read_conllu(write("a.conllu", row("1", "10 000", "0") + "\n" + row("2", "a\u2028b\u0085", "1")))
    assert sentence.words == ("10 000", "a\u2028b\u0085")


def test_windows_line_ends_and_byte_order_mark(write: Write) -> None:
    sentences = read_conllu(write("a.conllu", "\ufeff" + "\r\n".join(["# sent_id = s", *TREE, "", *TREE]) + "\r\n"))
    assert [s.words for s in sentences] == [("dogs", "run")] * 2
    assert sentences[0].id == "s"


def test_sentences_without_id_are_numbered_under_label(write: Write) -> None:
    path = write("a.conllu", "\n".join([*TREE, "", *TREE]))
    assert [s.id for s in read_conllu(path)] == ["a-1", "a-2"]
    assert [s.id for s in read_conllu(path, label="ud/x")] == ["ud/x-1", "ud/x-2"]


def test_newdoc_opens_a_cluster_until_the_next(write: Write) -> None:
    blocks = [
        ["# sent_id = a"],
        ["# newdoc id = D1", "# sent_id = b"],
        ["# sent_id = c"],
        ["# newdoc", "# sent_id = d"],
    ]
    path = write("t.conllu", "\n\n".join("\n".join(block + TREE) for block in blocks))
    assert [s.cluster for s in read_conllu(path)] == ["a", "D1", "D1", "t-document-2"]


MALFORMED = {
    "columns": (["1\tdogs\t_"], 1, "3 tab-separated columns, expected 10"),
    "head not a number": ([TREE[0], row("2", "run", "root")], 2, "head 'root' of word 2 is not a number"),
    "one head missing": ([row("1", "a", "0"), row("2", "b", "_")], 2, "head '_' of word 2 is not a number"),
    "head out of range": ([row("1", "a", "0"), row("2", "b", "3")], 2, "head 3 of word 2 is out of range; .* 2 words"),
    "ids": ([row("1", "a", "0"), row("3", "b", "1")], 2, "word id '3', expected 2"),
    "id is text": ([row("x", "a", "0")], 1, "word id 'x', expected 1"),
    "no root": ([row("1", "a", "2"), row("2", "b", "1")], 1, "has no root"),
    "several roots": ([row("1", "a", "0"), row("2", "b", "1"), row("3", "c", "0")], 3, "several roots .* 1, 3"),
    "cycle": ([row("1", "a", "0"), row("2", "b", "3"), row("3", "c", "2")], 2, "cycle: word 2 is its own ancestor"),
    "own head": ([row("1", "a", "0"), row("2", "b", "2")], 2, "cycle: word 2"),
    "empty form": ([row("1", "", "0")], 1, "empty form of word 1"),
}


@pytest.mark.parametrize(("lines", "line", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_file_is_refused_with_its_line(write: Write, lines: list[str], line: int, message: str) -> None:
    path = write("bad.conllu", "\n".join([*TREE, "", *lines]))
    with pytest.raises(DataError, match=rf"bad\.conllu:{len(TREE) + 1 + line}: .*{message}"):
        read_conllu(path)


def test_repeated_sentence_id_is_refused(write: Write) -> None:
    path = write("a.conllu", "\n".join(["# sent_id = s", *TREE, "", "# sent_id = s", *TREE]))
    with pytest.raises(DataError, match=r"a\.conllu:5: sent_id 's' occurs twice"):
        read_conllu(path)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_file_without_sentences_is_refused(write: Write, text: str) -> None:
    with pytest.raises(DataError, match=r"a\.conllu: holds no sentence"):
        read_conllu(write("a.conllu", text))


def test_missing_file_folder_and_wrong_encoding_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.conllu: no such file"):
        read_conllu(tmp_path / "none.conllu")
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_conllu(tmp_path)
    (tmp_path / "latin.conllu").write_bytes(b"# text = a\n1\tcaf\xe9\n")
    with pytest.raises(DataError, match=r"latin\.conllu:2: not UTF-8 \(byte 0xe9\)"):
        read_conllu(tmp_path / "latin.conllu")


def test_agrees_with_the_conllu_library_on_real_treebanks(shared: Path) -> None:
    import conllu

    for name in ("UD_Turkish-IMST/tr_imst-ud-test", "UD_Wolof-WTB/wo_wtb-ud-dev", "UD_Irish-IDT/ga_idt-ud-test"):
        path = shared / "data" / "ud" / f"{name}.conllu"
        theirs = [
            [word for word in sentence if isinstance(word["id"], int)]
            for sentence in conllu.parse(path.read_text(encoding="utf-8"))
        ]
        ours = read_conllu(path)
        assert [list(s.words) for s in ours] == [[w["form"] for w in sentence] for sentence in theirs]
        assert [list(s.heads or ()) for s in ours] == [[w["head"] for w in sentence] for sentence in theirs]
        assert [list(s.tags or ()) for s in ours] == [[w["upos"] for w in sentence] for sentence in theirs]
        assert [list(s.relations or ()) for s in ours] == [[w["deprel"] for w in sentence] for sentence in theirs]
