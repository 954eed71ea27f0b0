"""The two sides of a comparison of languages: texts, and which of them say the same.

That two texts say the same is the manifest's word (a reader's ``parallel``), never a guess: matched measures of texts
that merely stand in equal lines would be numbers without meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from xltransfer.config.readers import BioReader, ConlluReader, HubReader, SquadReader, TextReader
from xltransfer.config.resolve import EntryRef
from xltransfer.data.labelled import Labelled
from xltransfer.data.lines import lines, paragraphs
from xltransfer.data.parallel import parallel_name
from xltransfer.data.read import read_labelled, read_lines, read_sentences
from xltransfer.errors import ConfigError, DataError


@dataclass(frozen=True)
class TextSide:
    """The texts of one language.

    Attributes
    ----------
    entry, language
        Name of the entry, and code of its language.
    file
        Where they come from, for messages.
    collection
        Name of the collection of translations that they belong to; None where they translate nothing.
    texts
        In the order of the file; their labels, if any, mean nothing here.
    """

    entry: str
    language: str
    file: str
    collection: str | None
    texts: tuple[Labelled, ...]


def read_side(ref: EntryRef, split: str) -> TextSide:
    """Read the texts of one split.

    Plain text is read line by line, pairs as pairs, treebanks by the ``# text`` of their sentences where the split is
    declared parallel, other sentences as their words with spaces between.

    Raises
    ------
    DataError
        If the entry has no such split or holds questions; if the split is parallel and has an empty line, another
        number of ids than lines, or a sentence without ``sent_id`` or ``text``; and as the readers do.
    """
    reader = ref.reader
    if isinstance(reader, SquadReader) or reader.layout == "squad":
        raise DataError(f"entry {ref.name!r} of dataset {ref.dataset!r} holds questions, which are no texts to align")
    collection = collection_of(ref, split)
    if collection is not None and isinstance(reader, TextReader):
        texts = _parallel_lines(ref, reader, split, collection)
    elif collection is not None and isinstance(reader, ConlluReader):
        texts = _parallel_sentences(ref, split, collection)
    elif reader.layout in ("pairs", "labelled"):
        texts = read_labelled(ref, split)
    else:
        collection, texts = None, _unmatched(ref, split)
    return TextSide(ref.name, ref.language, str(ref.root / ref.files.get(split, "")), collection, tuple(texts))


def matched(first: TextSide, second: TextSide) -> TextSide:
    """Return ``second`` with its texts in the order of those of ``first`` that they translate.

    Raises
    ------
    ConfigError
        One of them is not declared to translate anything, or they belong to different collections.
    DataError
        They have different numbers of texts (with the files and their counts), or other items.
    """
    for side in (first, second):
        if side.collection is None:
            raise ConfigError(
                f"entry {side.entry!r} is not declared parallel, so measures of matched texts are refused; declare it "
                "in its dataset's reader (parallel), or compare it as 'unmatched'"
            )
    if first.collection != second.collection:
        raise ConfigError(
            f"entries {first.entry!r} and {second.entry!r} are of different collections of translations "
            f"({first.collection} and {second.collection}), so their texts are not matched"
        )
    if len(first.texts) != len(second.texts):
        raise DataError(
            f"texts that should be translations differ in number: {first.file} has {len(first.texts)}, {second.file} "
            f"has {len(second.texts)}; restore the file that lost or gained lines"
        )
    place = {text.id: number for number, text in enumerate(second.texts)}
    alone = [text.id for text in first.texts if text.id not in place]
    if alone:
        raise DataError(
            f"the sides have different items: {len(alone)} of {first.file} are not in {second.file}, the first is "
            f"{alone[0]!r}; give both the same items"
        )
    return replace(second, texts=tuple(second.texts[place[text.id]] for text in first.texts))


def collection_of(ref: EntryRef, split: str) -> str | None:
    """Return the collection of translations that a split is declared to belong to, or None; reads no file.

    Where only the columns of one file translate each other, each file is a collection, named by its path below the
    dataset's root; for two roots with such a path see `file_of_collection`. None as well for a declaration that no
    reading follows, see `why_unmatched`.
    """
    reader = ref.reader
    if isinstance(reader, BioReader) or _hub_beyond_matching(ref):
        return None
    name = reader.parallel.get(split)
    if name is not None and _in_one_file(ref):
        return f"{name}:{PurePosixPath(ref.files.get(split, ''))}"
    return name


def file_of_collection(ref: EntryRef, split: str) -> Path | None:
    """Return the one file that a split's collection consists of; None where a collection has many, or there is none."""
    if collection_of(ref, split) is None or not _in_one_file(ref):
        return None
    return (ref.root / ref.files.get(split, "")).resolve()


def why_unmatched(ref: EntryRef, split: str) -> str:
    """Return why a split belongs to no collection, and what to do, as the end of a sentence that names the entry."""
    if _hub_beyond_matching(ref) and split in getattr(ref.reader, "parallel", {}):
        return (
            f"is declared parallel in split {split!r}, but is {ref.reader.layout} from a hub reader, of which only "
            "pairs and labelled texts can be matched; save it as files (one text a line) and read these, or set kind: "
            "unmatched"
        )
    return (
        f"is not declared parallel in split {split!r}, so its measures are refused; declare it in the dataset's "
        "reader, or set kind: unmatched"
    )


def _in_one_file(ref: EntryRef) -> bool:
    return isinstance(ref.reader, TextReader) and ref.reader.parallel_in == "one_file"


def _hub_beyond_matching(ref: EntryRef) -> bool:
    """Whether texts come from a hub dataset whose reading passes over empty rows, or gives words and no raw text."""
    return isinstance(ref.reader, HubReader) and ref.reader.layout not in ("pairs", "labelled")


def _parallel_lines(ref: EntryRef, reader: TextReader, split: str, collection: str) -> list[Labelled]:
    """Return every line of a file, none passed over: a dropped line would shift all that follow."""
    if split not in ref.files:
        raise DataError(
            f"entry {ref.name!r} of dataset {ref.dataset!r} has no file for split {split!r}; it has "
            f"{', '.join(sorted(ref.files))}"
        )
    path = ref.root / ref.files[split]
    raw = lines(path)
    ids = [str(number) for number in range(1, len(raw) + 1)]
    if split in reader.ids:
        listed = ref.root / reader.ids[split]
        ids = [line.strip() for line in lines(listed)]
        if len(ids) != len(raw) or len(set(ids)) != len(ids):
            raise DataError(
                f"{path} has {len(raw)} lines, {listed} {len(ids)} ids ({len(set(ids))} different); a matched text "
                "needs one id of its own a line"
            )
    return [_line(f"{path}:{number}", name, line, reader, collection) for number, (name, line) in _counted(ids, raw)]


def _counted(ids: Sequence[str], raw: Sequence[str]) -> "enumerate[tuple[str, str]]":
    return enumerate(zip(ids, raw, strict=True), start=1)


def _line(place: str, name: str, line: str, reader: TextReader, collection: str) -> Labelled:
    fields = [line] if reader.column is None else line.split("\t")
    column = reader.column or 0
    text = " ".join(fields[column].split()) if column < len(fields) else ""
    if not text:
        raise DataError(f"{place}: no text in a file of translations; every line needs one, or must go from all files")
    item = parallel_name(collection, name)
    return Labelled(item, item, text, None, "", place)


def _parallel_sentences(ref: EntryRef, split: str, collection: str) -> list[Labelled]:
    """Return the raw text of the sentences of a treebank, named by their ``sent_id``."""
    read_sentences(ref, split)  # refuses what is malformed, ids that occur twice among it
    found = []
    for paragraph in paragraphs(ref.root / ref.files[split]):
        comments = dict(_comment(line) for _, line in paragraph if line.startswith("#"))
        if len(comments) == len(paragraph):
            continue
        place = str(paragraph[0][0])
        name, text = comments.get("sent_id", ""), " ".join(comments.get("text", "").split())
        if not name or not text:
            raise DataError(f"{place}: a sentence of translations without '# sent_id' or '# text'; it needs both")
        item = parallel_name(collection, name)
        found.append(Labelled(item, item, text, None, "", place))
    return found


def _comment(line: str) -> tuple[str, str]:
    key, _, value = line[1:].partition("=")
    return key.strip(), value.strip()


def _unmatched(ref: EntryRef, split: str) -> list[Labelled]:
    """Return the lines or sentences of a split that translates nothing."""
    if ref.reader.layout == "text":
        texts = read_lines(ref, split)
    else:
        texts = [" ".join(sentence.words) for sentence in read_sentences(ref, split)]
    names = [f"{ref.name}-{split}-{number}" for number in range(1, len(texts) + 1)]
    return [Labelled(name, name, text, None, "", ref.name) for name, text in zip(names, texts, strict=True)]
