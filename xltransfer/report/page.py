"""One HTML page that holds everything it shows: style, script, data and pictures, and loads nothing.

The page is a list of sections, a section a list of blocks; the template only lays blocks out. Every text is escaped by
jinja2; data for the page's script are JSON in which nothing can end the script element. A content security policy lets
exactly one script run, by its hash, so that markup which came in with a name of a language stays text even if an escape
were forgotten.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from xltransfer import __version__
from xltransfer.report.names import END_OF_ISOLATE, ISOLATE
from xltransfer.report.tables import Table, page_data

TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Prose:
    """Paragraphs."""

    block: ClassVar = "prose"
    paragraphs: Sequence[str]
    heading: str = ""


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    block: ClassVar = "points"
    points: Sequence[str]
    heading: str = ""


@dataclass(frozen=True)
class Facts:
    """Pairs of a term and its value."""

    block: ClassVar = "facts"
    facts: Sequence[tuple[str, str]]
    heading: str = ""


@dataclass(frozen=True)
class Verbatim:
    """Text as it is, in a fixed-width font."""

    block: ClassVar = "verbatim"
    text: str
    heading: str = ""


@dataclass(frozen=True)
class ShownTable:
    """A table, and the names of its files."""

    block: ClassVar = "table"
    table: Table
    files: Sequence[str] = ()
    heading: str = ""

    @property
    def name(self) -> str:
        """Name of the table."""
        return self.table.name

    @property
    def title(self) -> str:
        """Title of the table."""
        return self.table.title

    @property
    def caption(self) -> str:
        """Caption of the table."""
        return self.table.caption


@dataclass(frozen=True)
class Picture:
    """A figure as a picture in the page, or why there is none.

    ``image`` is a data URI, ``width`` and ``height`` its size in CSS pixels; ``absent`` stands in its place.
    """

    block: ClassVar = "figure"
    name: str
    title: str
    caption: str
    image: str = ""
    width: int = 0
    height: int = 0
    absent: str = ""
    files: Sequence[str] = ()
    heading: str = ""


@dataclass(frozen=True)
class ShownHeatmap:
    """A heatmap that tells its values; ``spec`` is what the page's script draws, see `heatmaps`.

    Its numbers are those of the table ``cells``, which must be on the page too."""

    block: ClassVar = "heatmap"
    name: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    files: Sequence[str] = ()
    heading: str = ""


@dataclass(frozen=True)
class Switch:
    """Panels of which one is seen; all of them where the page is printed. ``start`` is the first one seen."""

    block: ClassVar = "switch"
    label: str
    panels: Sequence[tuple[str, Sequence["Block"]]]
    start: int = 0
    heading: str = ""


@dataclass(frozen=True)
class Collapsed:
    """Blocks that are seen when they are asked for."""

    block: ClassVar = "collapsed"
    title: str
    blocks: Sequence["Block"]
    heading: str = ""


Block = Prose | Points | Facts | Verbatim | ShownTable | Picture | ShownHeatmap | Switch | Collapsed


@dataclass(frozen=True)
class Section:
    """A part of the page with its own heading; ``key`` is its anchor."""

    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """All that the page shows.

    Attributes
    ----------
    title, lead, notices
        The heading, a sentence under it, and what a reader must know before anything else.
    sections
        In order.
    colours
        What heatmaps are drawn with, see `heatmaps.colours`.
    """

    title: str
    lead: str
    notices: Sequence[str]
    sections: Sequence[Section]
    colours: Mapping[str, Any] = field(default_factory=dict)


def render(page: Page) -> str:
    """Return the page as HTML."""
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"isolated": with_bdi, "plain": without_isolates}
    return environment.get_template("report.html.j2").render(
        page=page,
        data=Markup(script_json(_data(page))),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=Markup(f"sha256-{digest}"),
        version=__version__,
    )


def with_bdi(text: str) -> Markup:
    """Return escaped text whose isolated names are in ``<bdi>``: right-to-left letters stay among themselves."""
    return Markup(str(escape(text)).replace(ISOLATE, "<bdi>").replace(END_OF_ISOLATE, "</bdi>"))


def without_isolates(text: str) -> str:
    """Return text for an attribute, where no markup is possible."""
    return text.replace(ISOLATE, "").replace(END_OF_ISOLATE, "")


def script_json(data: Any) -> str:
    """Return JSON that may stand within a script element: nothing in it can end the element or a line of it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def data_uri(content: bytes, kind: str) -> str:
    """Return bytes as the address of a picture."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def all_blocks(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks and those within them."""
    for block in blocks:
        yield block
        if isinstance(block, Switch):
            for _, inner in block.panels:
                yield from all_blocks(inner)
        elif isinstance(block, Collapsed):
            yield from all_blocks(block.blocks)


def _data(page: Page) -> dict[str, Any]:
    """Return what the page's script reads."""
    shown = [block for section in page.sections for block in all_blocks(section.blocks)]
    return {
        "tables": {block.name: page_data(block.table) for block in shown if isinstance(block, ShownTable)},
        "heatmaps": {block.name: block.spec for block in shown if isinstance(block, ShownHeatmap)},
        "colours": page.colours,
    }
