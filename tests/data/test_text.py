"""Plain text and the split that belongs to each line's own text."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.data.text import is_held_out, read_text_lines, split_lines
from xltransfer.errors import DataError

Write = Callable[[str, str], Path]


def test_white_space_is_normalised_and_empty_lines_dropped(write: Write) -> None:
    assert read_text_lines(write("a.txt", "  one \t two\u00a0 \n\n \u3000\nthree\r\n")) == ["one two", "three"]


def test_column_of_a_tab_separated_file(write: Write) -> None:
    path = write("a.tsv", "x\ta b\n\ny\tc\td\n")
    assert read_text_lines(path, 1) == ["a b", "c"]
    with pytest.raises(DataError, match=r"a\.tsv:1: 2 tab-separated columns, column 2"):
        read_text_lines(path, 2)


def test_file_without_text_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"a\.txt: holds no text"):
        read_text_lines(write("a.txt", " \n\n"))


LINES = st.lists(st.text(min_size=1, max_size=8), max_size=30)


@given(LINES, LINES, st.floats(0, 0.99))
def test_split_is_a_partition_that_added_lines_do_not_move(corpus: list[str], added: list[str], share: float) -> None:
    train, test = split_lines(corpus, "train", share), split_lines(corpus, "test", share)
    assert sorted(train + test) == sorted(corpus)
    assert not set(train) & set(test)
    more = split_lines(added + corpus, "test", share)
    assert set(test) <= set(more) and not set(train) & set(more)


def test_held_out_share_is_about_what_was_asked() -> None:
    lines = [f"line {i}" for i in range(20_000)]
    assert len(split_lines(lines, "test", 0.1)) == pytest.approx(2000, abs=4 * 42)  # 4 binomial standard deviations


def test_held_out_lines_are_the_same_everywhere() -> None:
    words = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    held_out = {share: [word for word in words if is_held_out(word, share)] for share in (0.0, 0.25, 0.5)}
    # Written down once: a change of the rule would silently move lines between training and test.
    assert held_out == {0.0: [], 0.25: ["epsilon", "theta"], 0.5: ["beta", "delta", "epsilon", "eta", "theta"]}


def test_other_splits_and_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="split='dev'.*'train' and 'test'"):
        split_lines([], "dev", 0.1)
    with pytest.raises(ValueError, match=r"share=1\.0; expected a share in \[0, 1\)"):
        split_lines([], "test", 1.0)
