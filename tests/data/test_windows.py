"""Windows of a paragraph: every subword is read, neighbours share the stride, and answers lie where they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xltransfer.data.question import Answer, Question
from xltransfer.data.windows import Window, all_longer, answer_spans, cut_windows, read_windows


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


def test_a_paragraph_that_fits_is_one_window_whatever_the_stride() -> None:
    assert cut_windows(50, 120, 128, (3, 4)) == [Window(0, 50, True, True)]
    assert cut_windows(120, 120, 128, None) == [Window(0, 120)]
    assert cut_windows(121, 120, 128, None) == ()


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


@pytest.mark.parametrize(
    ("answer", "wanted"),
    # Windows 0-11, 4-15 and 8-19. A tie: beside (7, 8) are three behind in the first and three before in the second.
    [((7, 7), 0), ((7, 8), 0), ((8, 8), 4), ((11, 11), 4), ((11, 12), 4), ((12, 12), 8)],
)
def test_the_window_with_most_context_on_both_sides_is_chosen(answer: tuple[int, int], wanted: int) -> None:
    (chosen,) = [window.start for window in cut_windows(20, 12, 8, answer) if window.chosen]
    assert chosen == wanted


def test_an_answer_longer_than_the_stride_can_lie_in_no_window() -> None:
    windows = cut_windows(20, 10, 2, (8, 12))
    assert [(window.start, window.holds, window.chosen) for window in windows] == [
        (0, False, False),
        (8, True, True),
        (16, False, False),
    ]
    assert not any(window.holds for window in cut_windows(20, 10, 2, (7, 12)))


def test_the_first_answer_that_a_window_holds_counts() -> None:
    """Windows 0-10, 8-18, 16-20: subwords 7-12 lie in none of them whole, 6-13 neither."""
    reading = read_windows(20, 10, 2, [(7, 12), (1, 2), (9, 9)])
    assert reading.answer == (1, 2) and [window.chosen for window in reading.windows] == [True, False, False]
    assert reading.held and not reading.unheld
    reading = read_windows(20, 10, 2, [(7, 12), (6, 13)])
    assert reading.answer == (7, 12) and reading.unheld
    assert ends(reading.windows) == [(0, 10), (8, 18), (16, 20)]


def test_a_question_without_windows_or_without_answers_is_not_unheld() -> None:
    unasked = read_windows(20, 10, 10, [(7, 12)])
    assert (unasked.windows, unasked.unheld) == ((), False)
    misplaced = read_windows(20, 10, 2, [])
    assert (misplaced.answer, len(misplaced.windows), misplaced.unheld) == (None, 3, False)


def test_answers_are_longer_if_all_of_them_are() -> None:
    assert all_longer([(4, 6)], 2) and not all_longer([(4, 6)], 3)
    assert not all_longer([(4, 9), (4, 4)], 2)
    assert not all_longer([], 2)


OFFSETS = np.array([(0, 2), (2, 4), (5, 9), (9, 10), (10, 12)])  # ab|cd efgh|.|ij, no space before the last


def spans(*answers: tuple[str, int | None]) -> tuple[tuple[int, int], ...]:
    made = tuple(Answer(text, start) for text, start in answers)
    return answer_spans(Question("a", "a", "eng", "q", "abcd efgh.ij", made), OFFSETS)


def test_a_subword_belongs_to_an_answer_if_they_share_a_character() -> None:
    assert spans(("efgh", 5)) == ((2, 2),)
    assert spans(("d e", 3)) == ((1, 2),)
    assert spans((" ef", 4)) == ((2, 2),)
    assert spans(("cd ", 2)) == ((1, 1),)
    assert spans(("abcd efgh.ij", 0)) == ((0, 4),)


def test_answers_without_an_offset_have_no_span() -> None:
    assert spans(("zz", None), ("ij", 10), ("ab", 0)) == ((4, 4), (0, 0))
    assert spans(("zz", None)) == ()
    assert spans((" ", 4)) == ()
