"""Text that comes from data files, made safe to draw: markup stays text, missing glyphs cannot warn, lines fit.

matplotlib reads a pair of dollar signs as mathematics and warns about glyphs that its font lacks. Every text of a
figure that a user may have written (names of languages, tasks, corpora, bases) passes through :func:`shown` first.
Right-to-left text is laid out by matplotlib. Widths
come from the font's outlines, so that a layout does not depend on the resolution that a figure is saved at.
"""

import unicodedata
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

FONT = "DejaVu Sans"
"""matplotlib ships it, so a figure looks the same on every machine. It has no Chinese, Ethiopic or Indic letters."""

LINE = 1.22
"""Height of a line of text over its font size, with accents above capitals and some air."""

_JOINERS = "\u200c\u200d"
_REPLACEMENT = "\ufffd"


def shown(text: object) -> str:
    """Return ``text`` as matplotlib should get it: one line, ``$`` escaped, glyphs that the font lacks replaced."""
    clean = "".join(character if drawable(character) else _REPLACEMENT for character in _one_line(str(text)))
    return clean.replace("$", r"\$")


def drawable(text: str) -> bool:
    """Return whether the font has a glyph for every character of ``text``, upright and bold."""
    return all(ord(character) in _glyphs() for character in _one_line(text))


def shortened(text: str, length: int) -> str:
    """Return ``text`` with its middle cut out where it is longer than ``length`` characters."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head].rstrip()}…{text[len(text) - (length - 1 - head) :].lstrip()}"


@cache
def width(text: str, size: float, weight: str = "normal") -> float:
    """Return the points that one line of :func:`shown` text takes at most, at a font size in points.

    Pixels are whole: at a low resolution letters come out up to a tenth wider than their outlines.
    """
    font = FontProperties(family=FONT, size=size, weight=weight)
    return 1.11 * float(text_to_path.get_text_width_height_descent(text.replace(r"\$", "$"), font, False)[0])


def wrapped(text: str, size: float, limit: float) -> str:
    """Return ``text`` (from :func:`shown`) broken between words into lines of at most ``limit`` points.

    A single word that is wider than that is cut in its middle.
    """
    lines: list[str] = []
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width(joined, size) <= limit:
            lines[-1] = joined
        else:
            lines.append(_fitting(word, size, limit))
    return "\n".join(lines)


def _fitting(word: str, size: float, limit: float) -> str:
    """Cut a word until it fits."""
    while width(word, size) > limit and len(word) > 4:
        # An escape that is cut in two must not leave a bare dollar sign.
        word = shortened(word.replace(r"\$", "$"), len(word.replace(r"\$", "$")) - 2).replace("$", r"\$")
    return word


def _one_line(text: str) -> str:
    """Return ``text`` with white space collapsed and without control and formatting characters (joiners stay)."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


@cache
def _glyphs() -> frozenset[int]:
    """Code points that the font can draw upright and bold."""
    faces = [get_font(findfont(FontProperties(family=FONT, weight=weight))) for weight in ("normal", "bold")]
    return frozenset(faces[0].get_charmap()) & frozenset(faces[1].get_charmap())
