"""Reader of CoNLL-U treebanks. Words are the syntactic words; nothing is repaired.

An own parser and not the ``conllu`` library, because that one accepts trees that are none (cycles, several roots,
heads out of range) and names no line; here each of these is a :class:`~xltransfer.errors.DataError` with its place.
Multiword tokens (``3-4``) and empty nodes (``5.1``) are no words and are passed over. Forms ``_`` are kept as they
are: :mod:`xltransfer.data.audit` counts them. Source: https://universaldependencies.org/format.html.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xltransfer.data.documents import clusters
from xltransfer.data.lines import Place, paragraphs
from xltransfer.data.sentence import Sentence
from xltransfer.data.tree import TreeError, check_tree
from xltransfer.errors import DataError

FORM, UPOS, XPOS, HEAD, RELATION = 1, 3, 4, 6, 7
_COLUMNS = 10
_NO_WORD = re.compile(r"\d+(-|\.)\d+")


@dataclass(frozen=True)
class _Row:
    """One word's line: where it is and its ten columns."""

    place: Place
    columns: Sequence[str]


def read_conllu(path: Path, tag_column: Literal["upos", "xpos"] = "upos", label: str | None = None) -> list[Sentence]:
    """Read every sentence of a CoNLL-U file.

    Parameters
    ----------
    path
        The file, UTF-8.
    tag_column
        Which column becomes :attr:`Sentence.tags`.
    label
        What sentences without a ``sent_id`` are numbered under; default the file's stem.

    Returns
    -------
    list of Sentence
        In file order. ``tags``, ``heads`` and ``relations`` are None in a sentence that leaves that column ``_``
        throughout.

    Raises
    ------
    DataError
        For a line with another number of columns than ten, ids that do not run 1..n, a head that is no number or out of
        range, no root or several, a cycle, a ``sent_id`` that occurs twice, or a file without sentences; always with
        ``file:line``.
    """
    label = path.stem if label is None else label
    drafts: list[Sentence] = []
    opened: list[str | None] = []
    seen: set[str] = set()
    document: str | None = None
    marks = 0
    for comments, rows in _sentences(path):
        name = None
        for place, key, value in comments:
            if key == "sent_id":
                name = value
                if name in seen:
                    raise DataError(f"{place}: sent_id {name!r} occurs twice in this file; ids must be unique")
                seen.add(name)
            elif key in ("newdoc", "newdoc id"):
                marks += 1
                document = value or f"{label}-document-{marks}"
        if not rows:  # a paragraph of comments only: its newdoc mark opens with the next sentence
            continue
        drafts.append(_sentence(name or f"{label}-{len(drafts) + 1}", rows, UPOS if tag_column == "upos" else XPOS))
        opened.append(document)
        document = None
    if not drafts:
        raise DataError(f"{path}: holds no sentence; expected a CoNLL-U treebank")
    names = clusters([draft.id for draft in drafts], opened)
    return [
        Sentence(draft.id, cluster, draft.words, draft.tags, draft.heads, draft.relations)
        for draft, cluster in zip(drafts, names, strict=True)
    ]


def _sentences(path: Path) -> Iterator[tuple[list[tuple[Place, str, str]], list[_Row]]]:
    """Yield (comments as place, key, value; word lines) of every paragraph."""
    for paragraph in paragraphs(path):
        comments: list[tuple[Place, str, str]] = []
        rows: list[_Row] = []
        for place, line in paragraph:
            if line.startswith("#"):
                key, _, value = line[1:].partition("=")
                comments.append((place, key.strip(), value.strip()))
                continue
            columns = line.split("\t")
            if len(columns) != _COLUMNS:
                found = f"{len(columns)} tab-separated columns, expected {_COLUMNS} (CoNLL-U)"
                raise DataError(f"{place}: {found}: {line[:60]!r}")
            if _NO_WORD.fullmatch(columns[0]):
                continue
            if columns[0] != str(len(rows) + 1):
                raise DataError(f"{place}: word id {columns[0]!r}, expected {len(rows) + 1}: ids must run 1, 2, 3, ...")
            if not columns[FORM].strip():
                raise DataError(f"{place}: empty form of word {columns[0]}; an absent form is written '_'")
            rows.append(_Row(place, columns))
        yield comments, rows


def _sentence(name: str, rows: Sequence[_Row], tag_column: int) -> Sentence:
    """Make a sentence (its own cluster for now) of its word lines."""
    words = tuple(row.columns[FORM] for row in rows)
    tags = tuple(row.columns[tag_column] for row in rows)
    relations = tuple(row.columns[RELATION] for row in rows)
    heads = _heads(rows)
    return Sentence(
        id=name,
        cluster=name,
        words=words,
        tags=None if all(tag == "_" for tag in tags) else tags,
        heads=heads,
        relations=None if heads is None or all(relation == "_" for relation in relations) else relations,
    )


def _heads(rows: Sequence[_Row]) -> tuple[int, ...] | None:
    """Check and return the heads of one sentence, or None where every head is ``_``."""
    if all(row.columns[HEAD] == "_" for row in rows):
        return None
    heads = []
    for row in rows:
        text = row.columns[HEAD]
        if not (text.isascii() and text.isdigit()):
            raise DataError(f"{row.place}: head {text!r} of word {row.columns[0]} is not a number (0 is the root)")
        heads.append(int(text))
    try:
        check_tree(heads)
    except TreeError as err:
        raise DataError(f"{rows[err.word - 1].place}: {err}") from err
    return tuple(heads)
