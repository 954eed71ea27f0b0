"""Windows of a paragraph: every subword is read, neighbours share the stride, and answers lie where they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.data.question import Answer, Question
from xltransfer.data.windows import Window, answer_span, cut_windows


def ends(windows: object) -> list[tuple[int, int]]:
    assert isinstance(windows, list | tuple)
    return [(window.start, window.stop) for window in windows]


def test_windows_by_hand() -> None:
    assert ends(cut_windows(10, 10, 3, None)) == [(0, 10)]
    assert ends(cut_windows(11, 10, 3, None)) == [(0, 10), (7, 11)]
    assert ends(cut_windows(25, 10, 4, None)) == [(0, 10), (6, 16), (12, 22), (18, 25)]
    assert ends(cut_windows(5, 3, 0, None)) == [(0, 3), (3, 5)]


@pytest.mark.parametrize(("length", "room", "stride"), [(5, 3, 3), (5, 0, 0), (0, 5, 1), (5, -2, 0)])
def test_no_window_where_none_would_move_on(length: int, room: int, stride: int) -> None:
    assert cut_windows(length, room, stride, (0, 0)) == ()


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_windows_cover_all_and_overlap_by_the_stride(length: int, room: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(0, room - 1))
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first, length - 1))
    windows = cut_windows(length, room, stride, (first, last))
    assert windows[0].start == 0 and windows[-1].stop == length
    assert all(window.stop - window.start <= room for window in windows)
    assert all(a.stop - b.start == stride for a, b in zip(windows, windows[1:], strict=False))
    for window in windows:
        assert window.holds == (set(range(first, last + 1)) <= set(range(window.start, window.stop)))
    assert sum(window.chosen for window in windows) == any(window.holds for window in windows)
    if last - first < stride:
        assert any(window.holds for window in windows)
    chosen = [window for window in windows if window.chosen]
    for window in (window for window in windows if window.holds):
        assert beside(window, first, last) <= beside(chosen[0], first, last)


def beside(window: Window, first: int, last: int) -> int:
    """Return the smaller of the contexts beside an answer."""
    return min(first - window.start, window.stop - 1 - last)


def test_an_answer_longer_than_the_stride_can_lie_in_no_window() -> None:
    windows = cut_windows(20, 10, 2, (8, 12))
    assert [(window.start, window.holds, window.chosen) for window in windows] == [
        (0, False, False),
        (8, True, True),
        (16, False, False),
    ]
    assert not any(window.holds for window in cut_windows(20, 10, 2, (7, 12)))


OFFSETS = np.array([(0, 2), (2, 4), (5, 9), (9, 10), (10, 12)])  # ab|cd efgh|.|ij, no space before the last


def span(*answers: tuple[str, int | None]) -> tuple[int, int] | None:
    made = tuple(Answer(text, start) for text, start in answers)
    return answer_span(Question("a", "a", "eng", "q", "abcd efgh.ij", made), OFFSETS)


def test_a_subword_belongs_to_an_answer_if_they_share_a_character() -> None:
    assert span(("efgh", 5)) == (2, 2)
    assert span(("d e", 3)) == (1, 2)
    assert span((" ef", 4)) == (2, 2)
    assert span(("cd ", 2)) == (1, 1)
    assert span(("abcd efgh.ij", 0)) == (0, 4)


def test_the_first_answer_with_an_offset_counts() -> None:
    assert span(("zz", None), ("ij", 10), ("ab", 0)) == (4, 4)
    assert span(("zz", None)) is None
    assert span((" ", 4)) is None
