"""Text from data files: nothing is read as markup, nothing warns, widths hold at every resolution."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure

from xltransfer.figures.text import FONT, drawable, shortened, shown, width, wrapped

NASTY = [
    *("$x$", r"\$x$", "a$b", "$$", r"\alpha_{x}^2", "<b>&amp;</b>", "_x", "العربية", "中文", "tab\tline\nend "),
    *("", "\u202eevil\u202c", "Yorùbá Ẹ̀kọ́", "\ud800", "\x00", "﷽", "🙂"),
]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_is_mathematics_and_nothing_warns(text):
    safe = shown(text)
    assert not is_math_text(safe)
    figure = Figure()
    FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, safe, family=FONT)
    figure.text(0.5, 0.2, safe, family=FONT, weight="bold")
    figure.canvas.draw()


def test_dollar_signs_are_what_is_seen():
    # matplotlib shows an escaped dollar sign as a dollar sign.
    assert shown("a$b$").replace(r"\$", "$") == "a$b$"


def test_missing_glyphs_are_replaced_one_by_one():
    assert shown("a中b") == "a\ufffdb"
    assert [drawable(text) for text in ("Wolof", "Apurinã", "العربية", "中文", "አማርኛ", "हिन्दी")] == [True] * 3 + [
        False
    ] * 3


def test_white_space_and_direction_marks_vanish_and_joiners_stay():
    assert shown(" a\n\tb\u202e ") == "a b"
    assert "\u200c" in shown("می\u200cخواهم")


def test_shortened_keeps_both_ends_and_the_length():
    long = "abcdefghijklmnopqrstuvwxyz"
    for length in (5, 10, 25):
        short = shortened(long, length)
        assert len(short) == length and short[0] == "a" and short[-1] == "z" and "…" in short
    assert shortened(long, 26) == long


@pytest.mark.parametrize("dpi", [72, 100, 150, 200])
@pytest.mark.parametrize("size", [5.0, 6.5, 7.5, 9.5])
def test_no_drawn_text_is_wider_than_stated(dpi, size):
    figure = Figure(dpi=dpi)
    FigureCanvasAgg(figure)
    for text in ("Assyrian Neo-Aramaic", "il", "WWW", "95 % intervals for new target languages.", r"a\$b", "العربية"):
        drawn = figure.text(0, 0, text, family=FONT, size=size).get_window_extent().width * 72 / dpi
        assert drawn <= width(text, size) + 72 / dpi, text  # a pixel


def test_width_grows_with_size_and_text():
    assert width("aa", 10) == pytest.approx(2 * width("a", 10), rel=0.1)
    assert width("abc", 20) == pytest.approx(2 * width("abc", 10), rel=0.02)
    assert width("abc", 10, "bold") > width("abc", 10)
    assert width(r"\$", 10) == width("$", 10)


def test_wrapped_lines_fit_and_lose_no_word():
    text = "one two three four five six seven eight nine ten"
    lines = wrapped(text, 8, 60).split("\n")
    assert " ".join(lines) == text
    assert len(lines) > 2 and all(width(line, 8) <= 60 for line in lines)


def test_a_word_that_is_too_wide_is_cut_and_stays_escaped():
    line = wrapped(shown("$" * 40), 8, 60)
    assert width(line, 8) <= 60 and "\n" not in line
    assert not is_math_text(line)
