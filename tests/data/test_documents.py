"""Clusters from document marks, and shuffled files, where the marks mean nothing."""

from xltransfer.data.documents import clusters


def test_no_marks_each_sentence_is_its_own_cluster() -> None:
    assert clusters(["a", "b"], [None, None]) == ["a", "b"]


def test_document_lasts_until_the_next_mark() -> None:
    assert clusters(["s1", "s2", "s3", "s4"], [None, "D", None, "E"]) == ["s1", "D", "D", "E"]


def test_numbers_that_fall_within_a_document_show_a_shuffled_file() -> None:
    ids = ["wtb_7", "wtb_3", "wtb_9"]
    assert clusters(ids, ["D", None, None]) == ids


def test_numbers_may_fall_between_documents() -> None:
    assert clusters(["t-9", "t-1", "t-2"], ["D", "E", None]) == ["D", "E", "E"]


def test_numbers_are_compared_as_numbers_and_left_to_right() -> None:
    assert clusters(["p1s9", "p1s10", "p2s1"], ["D", None, None]) == ["D", "D", "D"]


def test_sentences_that_do_not_bear_the_name_of_the_document_show_a_shuffled_file() -> None:
    ids = ["news-71-0A", "fiction-7-0B", "wiki-8-0C"]
    assert clusters(ids, ["news-71", None, None]) == ids


def test_name_that_is_only_a_prefix_by_chance_refutes_nothing() -> None:
    assert clusters(["1", "2"], ["1", None]) == ["1", "1"]


def test_marks_on_every_sentence_hold_also_in_a_shuffled_file() -> None:
    assert clusters(["n1004", "n1002", "w3001"], ["n1", "n1", "w3"]) == ["n1", "n1", "w3"]
