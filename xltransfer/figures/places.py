"""Where a language stands and what it looks like, the same in every figure.

Languages are ordered by family, then genus, then name, then code. A family's colour depends on the ``languages`` frame
alone and not on what a figure happens to show: give every figure of a study the same frame. Unseen languages have one
fixed colour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from xltransfer.analysis.frames import plain, require_columns, require_one_of
from xltransfer.figures.colours import FAMILY, OTHER_FAMILY, SEEN, UNKNOWN, UNSEEN
from xltransfer.figures.look import INK
from xltransfer.figures.text import drawable, shortened, shown

Show = Literal["name", "code"]

_LONGEST = 28  # characters of a label
_LEFTOVERS = ("other", "")  # families that are none


@dataclass(frozen=True)
class Place:
    """One language: its place in the order, its family's colour and the text that stands for it."""

    code: str
    order: int
    family: str
    colour: str
    seen: bool | None
    label: str

    @property
    def ink(self) -> str:
        """Colour of its label: that of unseen languages, or that of text."""
        return UNSEEN if self.seen is False else INK

    @property
    def fill(self) -> str:
        """Colour of marks where seen and unseen are told apart."""
        return UNKNOWN if self.seen is None else (SEEN if self.seen else UNSEEN)


class Places:
    """The languages of a study by code, in their order.

    Parameters
    ----------
    languages
        Columns code, name, family, genus and seen (nullable boolean; missing where it is not known).
    show
        Whether a language is called by its name or by its code. A name with letters that the font lacks gives way to
        the code in any case, and so do names that two languages share.

    Raises
    ------
    ValueError
        A column is missing or a code appears twice.
    """

    def __init__(self, languages: pd.DataFrame, show: Show = "name") -> None:
        require_columns(languages, ["code", "name", "family", "genus", "seen"], "languages")
        require_one_of(show, ("name", "code"), "show")
        frame = plain(languages).reset_index(drop=True)
        twice = frame.loc[frame["code"].duplicated(), "code"]
        if not twice.empty:
            raise ValueError(f"languages holds the code {twice.iloc[0]!r} twice; expected one row per language")
        frame[["name", "family", "genus"]] = frame[["name", "family", "genus"]].fillna("").astype(str)
        labels = _labels(frame, show)
        colours = _family_colours(frame["family"])
        keys = [_sort_key(language) for language in frame[["family", "genus", "name", "code"]].to_dict("records")]
        self._places = {}
        for order, row in enumerate(sorted(range(len(frame)), key=keys.__getitem__)):
            code, family, seen = (frame[column].iloc[row] for column in ("code", "family", "seen"))
            known = None if pd.isna(seen) else bool(seen)
            self._places[code] = Place(code, order, family, colours[family], known, labels[row])

    def __getitem__(self, code: str) -> Place:
        if code not in self._places:
            raise ValueError(f"languages has no row for the code {code!r}; add one with its name, family and genus")
        return self._places[code]

    def sorted(self, entries: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return pairs of (code, corpus or dataset) in the order of their languages, each once."""
        return sorted(set(entries), key=lambda entry: (self[entry[0]].order, entry[1]))

    def labels(self, entries: Sequence[tuple[str, str]]) -> list[str]:
        """Return the text of each (code, corpus or dataset); the second is added where a language occurs twice."""
        codes = [code for code, _ in entries]
        return [
            self[code].label if codes.count(code) == 1 else f"{self[code].label} · {shown(shortened(which, _LONGEST))}"
            for code, which in entries
        ]


def family_label(family: str) -> str:
    """Return how a family is written."""
    return shown(shortened(family, _LONGEST)) or "no family given"


def family_legend(places: Iterable[Place]) -> list[Artist]:
    """Return a legend entry per coloured family that occurs, in order of their first language, the others last."""
    coloured = {place.family: place.colour for place in sorted(places, key=lambda place: place.order)}
    named = [(family_label(family), colour) for family, colour in coloured.items() if colour != OTHER_FAMILY]
    rest = [("other families", OTHER_FAMILY)] if OTHER_FAMILY in coloured.values() else []
    return [Patch(facecolor=colour, label=label) for label, colour in [*named, *rest]]


def seen_legend(places: Iterable[Place]) -> list[Artist]:
    """Return a legend entry for each of seen, unseen and not known that occurs."""
    states = {place.seen for place in places}
    words = {True: "seen by the base model", False: "unseen", None: "not known whether seen"}
    fills = {True: SEEN, False: UNSEEN, None: UNKNOWN}
    mark: dict[str, Any] = {
        "linestyle": "",
        "marker": "o",
        "markersize": 5,
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }
    return [
        Line2D([], [], markerfacecolor=fills[state], label=words[state], **mark)
        for state in (True, False, None)
        if state in states
    ]


def ink_legend(places: Iterable[Place]) -> list[Artist]:
    """Return the legend entry of labels in the colour of unseen languages, if there is one."""
    unseen = any(place.seen is False for place in places)
    return [Patch(facecolor=UNSEEN, label="label of a language unseen by the base model")] if unseen else []


def _sort_key(language: dict[Any, Any]) -> tuple[bool, str, str, str, str]:
    """Order by family (leftovers last), genus, name, code."""
    family, genus, name = (language[column].casefold() for column in ("family", "genus", "name"))
    return family in _LEFTOVERS, family, genus, name, language["code"]


def _labels(frame: pd.DataFrame, show: Show) -> list[str]:
    """Return the text of each row: the code where the name cannot be drawn or is not the only one of its kind."""
    names = [
        shortened(name, _LONGEST) if show == "name" and name.strip() and drawable(name) else code
        for code, name in zip(frame["code"], frame["name"], strict=True)
    ]
    chosen = [name if names.count(name) == 1 else code for code, name in zip(frame["code"], names, strict=True)]
    return [shown(shortened(label, _LONGEST)) for label in chosen]


def _family_colours(families: "pd.Series[str]") -> dict[str, str]:
    """Give the largest families the colours, ties by name; one colour for the rest."""
    counts = families.value_counts()
    named = [family for family in counts.index if family.casefold() not in _LEFTOVERS]
    ranked = sorted(named, key=lambda family: (-counts[family], family))
    return dict.fromkeys(counts.index, OTHER_FAMILY) | dict(zip(ranked, FAMILY, strict=False))
