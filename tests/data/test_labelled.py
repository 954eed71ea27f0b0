"""Pairs and labelled texts: columns, ids, clusters, what is refused; XNLI and AmericasNLI as they lie on disk."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xltransfer.config.manifests import load_datasets
from xltransfer.config.readers import ConlluReader, HubReader, LabelledReader, PairReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.hub import HubSplit
from xltransfer.data.labelled import Labelled
from xltransfer.data.read import read_examples, read_labelled, read_lines, read_questions, read_sentences
from xltransfer.errors import DataError

Entry = Callable[..., EntryRef]
Write = Callable[[str, str], Path]
HEAD = "id\tpremise\thypothesis\tlabel\n"
PAIRS = HEAD + "7\tIt rains.\tIt is wet.\tentailment\n9\tIt rains.\tIt is dry.\tcontradiction\n8\tA b\tc\tneutral\n"


@pytest.fixture
def pairs(write: Write, entry: Entry) -> Callable[..., list[Labelled]]:
    """Read a text as one file of pairs."""

    def _pairs(text: str, name: str = "data/x.tsv", config: str | None = None, **options: Any) -> list[Labelled]:
        write(name, text)
        return read_labelled(entry({"test": name}, PairReader(**options), config=config), "test")

    return _pairs


def test_pairs_of_one_premise_are_one_cluster_named_after_the_first(pairs: Callable[..., list[Labelled]]) -> None:
    found = pairs(PAIRS, id_column="id")
    assert [(each.id, each.cluster) for each in found] == [("7", "7"), ("9", "7"), ("8", "8")]
    assert (found[0].text, found[0].second, found[0].label) == ("It rains.", "It is wet.", "entailment")
    assert found[2].place.endswith("x.tsv:4")


def test_rows_without_ids_are_numbered_under_the_file(pairs: Callable[..., list[Labelled]]) -> None:
    assert [each.id for each in pairs(PAIRS)] == ["data/x-1", "data/x-2", "data/x-3"]
    assert [each.cluster for each in pairs(PAIRS)] == ["data/x-1", "data/x-1", "data/x-3"]
    assert [each.id for each in pairs(PAIRS, parallel={"test": "world"})] == [f"parallel:world:{n}" for n in (1, 2, 3)]
    assert pairs(PAIRS, parallel={"train": "world"})[0].id == "data/x-1"


def test_premises_by_number_hold_where_translations_lack_pairs(pairs: Callable[..., list[Labelled]]) -> None:
    options: dict[str, Any] = {"id_column": "id", "hypotheses": 3, "parallel": {"test": "c"}}
    whole = HEAD + "".join(f"{n}\tp{(n - 1) // 3}\th{n}\tneutral\n" for n in range(1, 7))
    lacking = HEAD + "".join(f"{n}\tq{(n - 1) // 3}\th{n}\tneutral\n" for n in (2, 3, 6))
    a, b = pairs(whole, **options), pairs(lacking, **options)
    assert {each.id: each.cluster for each in b}.items() <= {each.id: each.cluster for each in a}.items()
    assert [each.cluster for each in b] == [f"parallel:c:premise-{n}" for n in (0, 0, 1)]


def test_a_column_may_name_the_premise(pairs: Callable[..., list[Labelled]]) -> None:
    text = "promptID\tpremise\thypothesis\tlabel\n5\ta\tb\tneutral\n5\tA.\tc\tneutral\n"
    assert [each.cluster for each in pairs(text, premise_id_column="promptID")] == ["data/x-promptID-5"] * 2


def test_official_xnli_jsonl_holds_all_languages_in_one_file(pairs: Callable[..., list[Labelled]]) -> None:
    rows = [
        {"language": language, "gold_label": "neutral", "sentence1": f"p {language}", "sentence2": "h", "pairID": "3"}
        for language in ("de", "en")
    ]
    columns = {"premise_column": "sentence1", "hypothesis_column": "sentence2", "label_column": "gold_label"}
    options: dict[str, Any] = columns | {"format": "jsonl", "id_column": "pairID", "language_column": "language"}
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (only,) = pairs(text, config="en", **options)
    assert (only.text, only.id) == ("p en", "3")
    with pytest.raises(DataError, match="no row has 'sw' in column 'language'; it holds de, en"):
        pairs(text, config="sw", **options)
    with pytest.raises(DataError, match="the entry has no config that names its language"):
        pairs(text, **options)


def test_labels_can_be_renamed(pairs: Callable[..., list[Labelled]]) -> None:
    text = PAIRS.replace("contradiction", "contradictory")
    found = pairs(text, rename_labels={"contradictory": "contradiction"})
    assert [each.label for each in found] == ["entailment", "contradiction", "neutral"]


BAD = {
    "no premise": ("7\t \tIt is wet.\tneutral\n", ":2: no premise; fill it in, or set blank to unscored"),
    "no hypothesis": ("7\tIt rains.\t\tneutral\n", ":2: no hypothesis; fill"),
    "neither": ("7\t\t\tneutral\n", ":2: no premise and hypothesis; fill"),
    "no label": ("7\ta\tb\t\n", ":2: no label in column 'label'"),
    "id twice": ("7\ta\tb\tx\n7\ta\tc\tx\n", ":3: id '7' occurs twice; ids must be unique"),
    "no id": ("\ta\tb\tx\n", ":2: id '' is empty"),
    "columns": ("7\ta\tb\n", ":2: 3 columns, expected 4"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_with_file_and_line(name: str, pairs: Callable[..., list[Labelled]]) -> None:
    rows, message = BAD[name]
    with pytest.raises(DataError, match=f"x.tsv{message}"):
        pairs(HEAD + rows, id_column="id")


def test_numbers_that_do_not_fit_the_premises_are_refused(pairs: Callable[..., list[Labelled]]) -> None:
    with pytest.raises(DataError, match="x.tsv:4: id 8 belongs to premise-2 by its number, but its premise differs"):
        pairs(PAIRS, id_column="id", hypotheses=3)
    with pytest.raises(DataError, match="x.tsv:2: id 'seven'; hypotheses=3 needs ids that are numbers from 1"):
        pairs(PAIRS.replace("7\t", "seven\t"), id_column="id", hypotheses=3)


def test_a_pair_without_a_side_can_stay_unscored(pairs: Callable[..., list[Labelled]]) -> None:
    first, second = pairs(HEAD + "1\t\th\tneutral\n2\tp\th\tneutral\n", id_column="id", blank="unscored")
    assert (first.blank, second.blank) == (True, False)


def test_ids_may_stand_in_a_file_of_their_own(write: Write, pairs: Callable[..., list[Labelled]]) -> None:
    write("ids.txt", "30\n31\n40\n")
    options: dict[str, Any] = {"ids": {"test": "ids.txt"}, "hypotheses": 3, "first_id": 0}
    found = pairs(PAIRS, **options)
    assert [(each.id, each.cluster) for each in found] == [
        ("30", "premise-10"),
        ("31", "premise-10"),
        ("40", "premise-13"),
    ]
    write("ids.txt", "30\n31\n")
    with pytest.raises(DataError, match="the file has 3 rows, but 2 ids are listed for it"):
        pairs(PAIRS, **options)


def test_reviews_join_their_columns_and_go_by_product(write: Write, entry: Entry) -> None:
    write("r.csv", 'title,body,stars,product\nGood,"Yes, good.",5,a\n,Bad.,1,a\n')
    reader = LabelledReader(
        format="csv", text_columns=("title", "body"), label_column="stars", cluster_column="product"
    )
    good, bad = read_labelled(entry({"test": "r.csv"}, reader), "test")
    assert (good.text, good.second, good.label) == ("Good Yes, good.", None, "5")
    assert (bad.text, bad.label) == ("Bad.", "1")
    assert good.cluster == bad.cluster != good.id
    alone = LabelledReader(format="csv", text_columns=("body",), label_column="stars")
    assert [each.cluster for each in read_labelled(entry({"test": "r.csv"}, alone), "test")] == ["r-1", "r-2"]
    with pytest.raises(DataError, match="r.csv:2: no column 'star'; did you mean 'stars'"):
        read_labelled(
            entry({"test": "r.csv"}, LabelledReader(format="csv", text_columns=("body",), label_column="star")), "test"
        )


def test_a_row_without_a_cluster_is_on_its_own(
    write: Write, entry: Entry, pairs: Callable[..., list[Labelled]]
) -> None:
    write("r.csv", "text,label,product\na,5,x\nb,1,\nc,1, \nd,2,x\n")
    reader = LabelledReader(format="csv", cluster_column="product")
    found = read_labelled(entry({"test": "r.csv"}, reader), "test")
    assert [each.cluster for each in found] == ["r-product-x", "r-2", "r-3", "r-product-x"]
    text = "promptID\tpremise\thypothesis\tlabel\n\ta\tb\tneutral\n\tc\td\tneutral\n"
    found = pairs(text, premise_id_column="promptID", parallel={"test": "world"})
    assert [each.cluster for each in found] == ["parallel:world:1", "parallel:world:2"]


def test_layouts_are_not_mixed_up(entry: Entry) -> None:
    with pytest.raises(DataError, match="holds conllu, neither pairs nor labelled texts"):
        read_labelled(entry({"test": "a"}, ConlluReader()), "test")
    with pytest.raises(DataError, match="holds pairs, not questions"):
        read_questions(entry({"test": "a"}, PairReader()), "test")
    with pytest.raises(DataError, match="holds pairs, not sentences; read_examples reads it"):
        read_sentences(entry({"test": "a"}, PairReader()), "test")
    with pytest.raises(DataError, match=r"holds annotated texts \(labelled\), not text; read_examples reads it"):
        read_lines(entry({"test": "a"}, LabelledReader()), "test")
    with pytest.raises(DataError, match="has no split 'train'; it has test"):
        read_examples(entry({"test": "a"}, PairReader()), "train")


class Rows(list[dict[str, Any]]):
    """What the reader needs of a ``datasets.Dataset``: rows, and features that name classes."""

    class Classes:
        names = ["entailment", "neutral", "contradiction"]

    features = {"premise": None, "hypothesis": None, "label": Classes()}


def test_hub_pairs_get_their_labels_from_the_features(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows({"premise": "p", "hypothesis": f"h{n}", "label": n} for n in (2, 0))
    monkeypatch.setattr(HubSplit, "load", lambda self: rows)
    reader = HubReader(hub_id="o/n", layout="pairs", hypotheses=3, parallel={"test": "xnli-test"})
    found = read_labelled(entry({"test": "test"}, reader), "test")
    assert [(each.label, each.second) for each in found] == [("contradiction", "h2"), ("entailment", "h0")]
    assert [(each.id, each.cluster) for each in found] == [
        ("parallel:xnli-test:1", "parallel:xnli-test:premise-0"),
        ("parallel:xnli-test:2", "parallel:xnli-test:premise-0"),
    ]
    rows.append({"premise": "p", "hypothesis": "h", "label": -1})
    with pytest.raises(DataError, match="row 2: no label in column 'label'"):
        read_labelled(entry({"test": "test"}, reader), "test")


def real(shared: Path, name: str, split: str = "test") -> dict[str, list[Labelled]]:
    """Return every entry of a shipped dataset by language."""
    manifest = load_datasets()[name]
    return {
        each.language: list(
            read_labelled(
                EntryRef(name, each.name, each.language, manifest.reader, shared / manifest.root, each.files), split
            )
        )
        for each in manifest.entries
        if split in each.files
    }


def test_xnli_has_the_same_84_premises_three_times_in_every_language(shared: Path) -> None:
    found = real(shared, "xnli-small")
    assert len(found) == 16
    rows = (shared / "data/nli/xnli/rows-dev.txt").read_text().split()
    for pairs in found.values():
        assert [each.id.rpartition(":")[2] for each in pairs] == rows
        assert [each.label for each in pairs] == [each.label for each in found["eng"]]
        assert set(Counter(each.cluster for each in pairs).values()) == {3}
        texts = defaultdict(set)
        for each in pairs:
            texts[each.cluster].add(each.text)
        assert len(texts) == 84 and all(len(values) == 1 for values in texts.values())
    assert len({tuple(each.cluster for each in pairs) for pairs in found.values()}) == 1


def test_americasnli_shares_ids_and_premises_where_pairs_are_missing(shared: Path) -> None:
    found = real(shared, "americasnli")
    cluster: dict[str, str] = {}
    label: dict[str, str] = {}
    for pairs in found.values():
        for each in pairs:
            assert cluster.setdefault(each.id, each.cluster) == each.cluster
            assert label.setdefault(each.id, each.label) == each.label
    sizes = {code: len(pairs) for code, pairs in found.items()}
    assert sizes["grn"] == 750 and sizes["nah"] == 738 and sizes["oto"] == 748
    assert sum(each.blank for each in found["nah"]) == 3
    assert sum(each.blank for pairs in found.values() for each in pairs) == 3
    assert len(set(cluster.values())) == 250
