"""The one way in: sentences, lines, labelled texts or questions of an entry's split, whatever its format.

Which format is read how is in one module per format; which file belongs to which split is the manifest's word.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from xltransfer.config.readers import (
    BioReader,
    ConlluReader,
    HubReader,
    LabelledReader,
    PairReader,
    SquadReader,
    TextReader,
)
from xltransfer.config.resolve import EntryRef
from xltransfer.data.bio import read_bio
from xltransfer.data.conllu import read_conllu
from xltransfer.data.hub import HubSplit, read_hub_bio, read_hub_conllu, read_hub_lines, read_hub_squad
from xltransfer.data.labelled import Labelled
from xltransfer.data.labelled_files import read_hub_labelled, read_table
from xltransfer.data.question import Question
from xltransfer.data.sentence import Sentence
from xltransfer.data.squad import read_squad
from xltransfer.data.text import read_text_lines, split_lines
from xltransfer.errors import DataError

Example = Sentence | Labelled | Question
"""What a task with adapter scores: one of these is one item."""


def read_examples(ref: EntryRef, split: str, limit: int | None = None) -> Sequence[Example]:
    """Read one split of an entry of whatever layout but ``text``; parameters and errors as `read_sentences`."""
    if ref.reader.layout in ("pairs", "labelled"):
        return read_labelled(ref, split, limit)
    return read_questions(ref, split, limit) if ref.reader.layout == "squad" else read_sentences(ref, split, limit)


def read_labelled(ref: EntryRef, split: str, limit: int | None = None) -> list[Labelled]:
    """Read the labelled texts, or pairs, of one split; parameters as `read_sentences`.

    Raises
    ------
    DataError
        If the entry has no such split, is of another layout, or its file is malformed or empty.
    """
    reader = ref.reader
    if reader.layout not in ("pairs", "labelled"):
        raise DataError(f"{_named(ref)} holds {reader.layout}, neither pairs nor labelled texts")
    _require(ref, split)
    if isinstance(reader, HubReader):
        examples = read_hub_labelled(_hub_split(ref, reader, split), reader, split)
    elif isinstance(reader, PairReader | LabelledReader):
        examples = read_table(ref, reader, split, _label(ref, split))
    return examples if limit is None else examples[:limit]


def read_questions(ref: EntryRef, split: str, limit: int | None = None) -> list[Question]:
    """Read the questions of one split; parameters as `read_sentences`.

    Raises
    ------
    DataError
        If the entry has no such split, is of another layout, or its file is malformed or empty.
    """
    reader = ref.reader
    if reader.layout != "squad":
        raise DataError(f"{_named(ref)} holds {reader.layout}, not questions")
    _require(ref, split)
    if isinstance(reader, HubReader):
        collection = reader.parallel.get(split)
        questions = read_hub_squad(_hub_split(ref, reader, split), ref.language, reader.id_column, collection)
    elif isinstance(reader, SquadReader):
        questions = read_squad(_path(ref, split), ref.language, reader.parallel.get(split))
    return questions if limit is None else questions[:limit]


def read_sentences(ref: EntryRef, split: str, limit: int | None = None) -> list[Sentence]:
    """Read the annotated sentences of one split.

    Parameters
    ----------
    ref
        A treebank or entity file; its reader's layout is ``conllu`` or ``bio``.
    split
        ``train``, ``dev`` or ``test``.
    limit
        Keep the first this many sentences; None keeps all. The whole file is read and checked in any case.

    Returns
    -------
    list of Sentence
        At least one.

    Raises
    ------
    DataError
        If the entry has no such split, holds lines and not sentences, or its file is malformed or empty (see the
        reader of the format).
    """
    reader = ref.reader
    if reader.layout == "text":
        raise DataError(f"{_named(ref)} holds text, which has no words and labels; read_lines reads it")
    if reader.layout not in ("conllu", "bio"):
        raise DataError(f"{_named(ref)} holds {reader.layout}, not sentences; read_examples reads it")
    _require(ref, split)
    if isinstance(reader, HubReader):
        sentences = _hub_sentences(ref, reader, split)
    elif isinstance(reader, ConlluReader):
        sentences = read_conllu(_path(ref, split), reader.tag_column, _label(ref, split))
    elif isinstance(reader, BioReader):
        sentences = read_bio(
            _path(ref, split),
            reader.token_column,
            reader.tag_column,
            separator=reader.separator,
            comments=reader.comments,
            language_prefix=reader.language_prefix,
            drop_labels=reader.drop_labels,
            orphan_inside=reader.orphan_inside,
            label=_label(ref, split),
        )
    return sentences if limit is None else sentences[:limit]


def read_lines(ref: EntryRef, split: str, limit: int | None = None) -> list[str]:
    """Read the lines of one split of a plain text.

    An entry that lists a training file and no test file is divided by the reader's ``held_out`` share, see
    :func:`xltransfer.data.text.split_lines`.

    Parameters
    ----------
    ref
        A text; its reader's layout is ``text``.
    split
        ``train`` or ``test`` (or any split that the entry lists).
    limit
        Keep the first this many lines; None keeps all.

    Returns
    -------
    list of str
        White space normalised, none empty, at least one.

    Raises
    ------
    DataError
        If the entry has no such split and holds none out, has sentences and not lines, or leaves no line.
    """
    reader = ref.reader
    if not isinstance(reader, TextReader | HubReader) or reader.layout != "text":
        raise DataError(
            f"{_named(ref)} holds annotated {_WHAT[reader.layout]} ({reader.kind}), not text; read_examples reads it"
        )
    divided = "train" in ref.files and "test" not in ref.files and split in ("train", "test") and reader.held_out > 0
    stored = "train" if divided else split
    _require(ref, stored)
    if isinstance(reader, HubReader):
        lines = read_hub_lines(_hub_split(ref, reader, stored), reader.text_column)
    else:
        lines = read_text_lines(_path(ref, stored), reader.column)
    if divided:
        lines = split_lines(lines, split, reader.held_out)
        if not lines:
            raise DataError(f"{_named(ref)}: no line is left for {split!r} at held_out {reader.held_out}; add text")
    return lines if limit is None else lines[:limit]


_WHAT = {"conllu": "sentences", "bio": "sentences", "pairs": "pairs", "labelled": "texts", "squad": "questions"}


def _hub_sentences(ref: EntryRef, reader: HubReader, split: str) -> list[Sentence]:
    """Sentences of a hub dataset in either layout."""
    source = _hub_split(ref, reader, split)
    if reader.layout == "bio":
        return read_hub_bio(
            source,
            reader.words_column,
            reader.tags_column,
            drop_labels=reader.drop_labels,
            orphan_inside=reader.orphan_inside,
            id_column=reader.id_column,
        )
    return read_hub_conllu(
        source,
        reader.words_column,
        reader.tags_column,
        reader.heads_column,
        reader.relations_column,
        id_column=reader.id_column,
    )


def _hub_split(ref: EntryRef, reader: HubReader, split: str) -> HubSplit:
    """Where a hub dataset is: a folder below the entry's root if there is one, else the hub."""
    folder = ref.root / reader.hub_id
    source = str(folder) if folder.is_dir() else reader.hub_id
    label = "/".join(part for part in (reader.hub_id, ref.config, ref.files[split]) if part)
    return HubSplit(source, label, ref.files[split], ref.config, None if folder.is_dir() else reader.revision)


def _path(ref: EntryRef, split: str) -> Path:
    """The file of a split."""
    return ref.root / ref.files[split]


def _label(ref: EntryRef, split: str) -> str:
    """What sentences without ids are numbered under: the file's path below its root, the same for every task."""
    return PurePosixPath(ref.files[split]).with_suffix("").as_posix()


def _require(ref: EntryRef, split: str) -> None:
    """Refuse a split that the entry does not list."""
    if split not in ref.files:
        raise DataError(f"{_named(ref)} has no split {split!r}; it has {', '.join(sorted(ref.files))}")


def _named(ref: EntryRef) -> str:
    """How messages call an entry."""
    return f"entry {ref.name!r} of dataset {ref.dataset!r}"
