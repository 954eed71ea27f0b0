"""Reader of entity files with a word a line: MasakhaNER (``word TAG``), UNER (five columns), WikiAnn (``xx:word``).

A blank line stands between sentences. Tags become strict IOB2, see :mod:`xltransfer.data.entities`. ``# sent_id`` and
``# newdoc`` are read as in CoNLL-U, so that UNER shows which sentences it shares with the treebank that it annotates.
CoNLL-2003's ``-DOCSTART-`` opens a document.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from xltransfer.data.documents import clusters
from xltransfer.data.entities import Orphan, is_iob, strict_iob2
from xltransfer.data.lines import Place, paragraphs
from xltransfer.data.sentence import Sentence
from xltransfer.errors import DataError

Separator = Literal["whitespace", "space", "tab"]
_Line = tuple[Place, str]
_SEPARATORS = {"tab": "\t", "space": " ", "whitespace": "[ \t]+"}
_PREFIX = re.compile(r"[a-z]{2,3}(-[\w-]+)?:")


def read_bio(
    path: Path,
    word_column: int = 0,
    tag_column: int = -1,
    *,
    separator: Separator = "whitespace",
    comments: bool = False,
    language_prefix: bool = False,
    drop_labels: Collection[str] = (),
    orphan_inside: Orphan = "begin",
    label: str | None = None,
) -> list[Sentence]:
    """Read every sentence of an entity file.

    Parameters
    ----------
    path
        The file, UTF-8.
    word_column, tag_column
        Columns of the word and of its tag, from 0; negative ones count from the right.
    separator
        What stands between columns: one ``tab``, one ``space``, or ``whitespace`` (a run of both).
    comments
        Whether lines that begin with ``# `` are comments; where they are not, ``#`` is a word.
    language_prefix
        Whether every word carries WikiAnn's ``xx:`` in front; it is cut off.
    drop_labels
        Entity types that become ``O``.
    orphan_inside
        What becomes of an ``I-`` that continues nothing: ``begin``, ``outside`` or ``error``.
    label
        What sentences without a ``sent_id`` are numbered under; default the file's stem.

    Raises
    ------
    DataError
        For a line without these columns, an empty word, a tag that is not IOB, a missing prefix, an orphan under
        ``error``, a ``sent_id`` that occurs twice, or a file without sentences; always with ``file:line``.
    """
    label = path.stem if label is None else label
    names: list[str] = []
    opened: list[str | None] = []
    annotated: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    known: set[str] = set()
    document: str | None = None
    for paragraph in paragraphs(path):
        name, mark, rows = _head(paragraph, label, comments)
        document = mark if mark is not None else document
        if not rows:
            continue
        place = rows[0][0]
        name = name or f"{label}-{len(names) + 1}"
        if name in known:
            raise DataError(f"{place}: sent_id {name!r} occurs twice in this file; ids must be unique")
        known.add(name)
        fields = [_fields(*row, (word_column, tag_column), separator, language_prefix) for row in rows]
        try:
            tags = strict_iob2([tag for _, tag in fields], drop_labels, orphan_inside)
        except ValueError as err:
            remedy = "set orphan_inside to begin or outside"
            raise DataError(f"{place}: in the sentence that starts here {err}; {remedy}") from err
        annotated.append((tuple(word for word, _ in fields), tags))
        names.append(name)
        opened.append(document)
        document = None
    if not annotated:
        raise DataError(f"{path}: holds no sentence; expected one word and its tag a line")
    return [
        Sentence(name, cluster, words, entities=tags)
        for name, cluster, (words, tags) in zip(names, clusters(names, opened), annotated, strict=True)
    ]


def _head(paragraph: list[_Line], label: str, comments: bool) -> tuple[str | None, str | None, list[_Line]]:
    """Split a paragraph into its sent_id, the document that it opens, and its word lines."""
    name = document = None
    rows = []
    for place, line in paragraph:
        if line.startswith("-DOCSTART-"):
            document = f"{label}-document-at-line-{place.line}"
        elif comments and line.startswith("# "):
            key, _, value = (part.strip() for part in line[2:].partition("="))
            if key == "sent_id":
                name = value
            elif key in ("newdoc", "newdoc id"):
                document = value or f"{label}-document-at-line-{place.line}"
        else:
            rows.append((place, line))
    return name, document, rows


def _fields(
    place: Place, line: str, columns: tuple[int, int], separator: Separator, language_prefix: bool
) -> tuple[str, str]:
    """The word and the tag of one line, checked."""
    fields = re.split(_SEPARATORS[separator], line.strip(" ") if separator == "whitespace" else line)
    needed = max(2, *(column + 1 if column >= 0 else -column for column in columns))
    if len(fields) < needed:
        raise DataError(f"{place}: {len(fields)} columns ({separator}), expected at least {needed}: {line[:60]!r}")
    word, tag = (fields[column].strip() for column in columns)
    if not is_iob(tag):
        hint = "; if lines that begin with '# ' are comments, set comments to true" if line.startswith("# ") else ""
        raise DataError(f"{place}: tag {tag!r} of word {word!r} is not IOB; expected O, B-<type> or I-<type>{hint}")
    if language_prefix:
        match = _PREFIX.match(word)
        if match is None:
            raise DataError(f"{place}: word {word!r} has no language prefix 'xx:'; set language_prefix to false")
        word = word[match.end() :]
    if not word:
        raise DataError(f"{place}: empty word")
    return word, tag
