"""Reader of datasets in the Hugging Face hub's layout: by hub id through ``datasets``, or a local folder of parquet.

Rows become the same :class:`~xltransfer.data.sentence.Sentence` as those of files, with the same checks. Tags may be
names or class numbers; the names of class numbers come from the dataset's own features, never from a guessed order.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from xltransfer.data.entities import Orphan, is_iob, strict_iob2
from xltransfer.data.question import Question
from xltransfer.data.records import Record
from xltransfer.data.sentence import Sentence
from xltransfer.data.squad import questions
from xltransfer.data.tree import TreeError, check_tree
from xltransfer.errors import DataError


@dataclass(frozen=True)
class HubSplit:
    """One split of one configuration.

    Attributes
    ----------
    source
        Hub id, or the path of a local folder in the hub's layout.
    label
        What rows without an id are numbered under.
    split, config, revision
        As ``datasets.load_dataset`` takes them.
    """

    source: str
    label: str
    split: str
    config: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.source, self.config, self.split) if part)

    def load(self) -> Any:
        """Return the ``datasets.Dataset``.

        Raises
        ------
        DataError
            If the dataset, configuration or split is not there, with what ``datasets`` said.
        """
        from datasets import load_dataset

        try:
            with _no_progress_bars():
                return load_dataset(self.source, self.config, split=self.split, revision=self.revision)
        except (OSError, ValueError) as err:  # every error of datasets on a name, split or missing file is one of these
            first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
            raise DataError(
                f"{self}: cannot be loaded ({first}); check hub_id, config, split and revision, and whether the hub "
                "can be reached"
            ) from err


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keep ``datasets`` quiet, and leave its setting as it was."""
    from datasets.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

    shown = is_progress_bar_enabled()
    disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            enable_progress_bar()


def read_hub_lines(source: HubSplit, column: str) -> list[str]:
    """Return the texts of ``column`` with white space normalised, empty ones dropped; raises :class:`DataError`."""
    lines = (" ".join(text.split()) for text in _column(source, source.load(), column) if text is not None)
    kept = [line for line in lines if line]
    if not kept:
        raise DataError(f"{source}: column {column!r} holds no text")
    return kept


def read_hub_bio(
    source: HubSplit,
    words_column: str,
    tags_column: str,
    *,
    drop_labels: Collection[str] = (),
    orphan_inside: Orphan = "begin",
    id_column: str | None = None,
) -> list[Sentence]:
    """Return the sentences of an entity dataset.

    Parameters
    ----------
    source
        What to load.
    words_column, tags_column
        Columns of the lists of words and of IOB tags (names, or class numbers whose names the features give).
    drop_labels, orphan_inside
        As in :func:`xltransfer.data.bio.read_bio`.
    id_column
        Column of the sentence id; None numbers the rows.

    Raises
    ------
    DataError
        For a missing column, lists of unequal length, class numbers without names or a tag that is not IOB, with its
        row.
    """
    rows = source.load()
    tags_of = _names(source, rows, tags_column)
    sentences = []
    for place, name, words, tags in _rows(source, rows, words_column, tags_of, id_column):
        for tag in tags:
            if not is_iob(tag):
                raise DataError(f"{place}: tag {tag!r} is not IOB; expected O, B-<type> or I-<type>")
        try:
            strict = strict_iob2(tags, drop_labels, orphan_inside)
        except ValueError as err:
            raise DataError(f"{place}: {err}; set orphan_inside to begin or outside") from err
        sentences.append(Sentence(name, name, words, entities=strict))
    return _not_empty(source, sentences)


def read_hub_conllu(
    source: HubSplit,
    words_column: str,
    tags_column: str,
    heads_column: str,
    relations_column: str,
    *,
    id_column: str | None = None,
) -> list[Sentence]:
    """Return the sentences of a treebank; without the columns of heads and relations they have tags only.

    Parameters
    ----------
    source
        What to load.
    words_column, tags_column, heads_column, relations_column
        Columns of lists; heads are numbers or their digits.
    id_column
        Column of the sentence id; None numbers the rows.

    Raises
    ------
    DataError
        As for entities, and for heads that are no tree.
    """
    rows = source.load()
    tags_of = _names(source, rows, tags_column)
    trees: list[tuple[tuple[int, ...], tuple[str, ...]] | None] = [None] * len(rows)
    if heads_column in rows.column_names and relations_column in rows.column_names:
        relations_of = _names(source, rows, relations_column)
        heads_of = _column(source, rows, heads_column)
        trees = [_tree(f"{source}: row {i}", *pair) for i, pair in enumerate(zip(heads_of, relations_of, strict=True))]
    sentences = []
    for (place, name, words, tags), tree in zip(
        _rows(source, rows, words_column, tags_of, id_column), trees, strict=True
    ):
        if tree is not None and len(tree[0]) != len(words):
            raise DataError(f"{place}: {len(words)} words but {len(tree[0])} heads")
        sentences.append(Sentence(name, name, words, tuple(tags), *(tree or (None, None))))
    return _not_empty(source, sentences)


def read_hub_records(source: HubSplit) -> list[Record]:
    """Return the rows of a dataset, class numbers as the names that its features give."""
    rows = source.load()
    named = {name: feature for name, feature in rows.features.items() if getattr(feature, "names", None) is not None}
    return [
        Record(f"{source}: row {i}", row | {name: _class_name(named[name], row[name]) for name in named})
        for i, row in enumerate(rows)
    ]


def _class_name(feature: Any, number: int | None) -> str | None:
    """The name of a class; None where there is no label, which datasets write as -1."""
    return None if number is None or number < 0 else str(feature.names[number])


def read_hub_squad(source: HubSplit, language: str, id_column: str | None, parallel: str | None) -> list[Question]:
    """Return the questions of a dataset with SQuAD's columns ``id``, ``question``, ``context``, ``answers``.

    Parameters
    ----------
    source
        What to load.
    language, parallel
        As in :func:`xltransfer.data.squad.read_squad`.
    id_column
        Column of the id; None: ``id``.

    Raises
    ------
    DataError
        For a missing column, and as for files, with the row.
    """
    rows = source.load()
    names = (id_column or "id", "question", "context", "answers")
    columns = zip(*(_column(source, rows, name) for name in names), strict=True)
    fields = ("id", *names[1:])
    records = [Record(f"{source}: row {i}", dict(zip(fields, values, strict=True))) for i, values in enumerate(columns)]
    return questions(str(source), records, language, parallel)


def _tree(place: str, heads: Sequence[Any], relations: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Check one row's heads and relations."""
    if len(heads) != len(relations):
        raise DataError(f"{place}: {len(heads)} heads but {len(relations)} relations")
    try:
        numbers = tuple(int(head) for head in heads)
    except (TypeError, ValueError) as err:
        raise DataError(f"{place}: heads {list(heads)!r} are not all numbers (0 is the root)") from err
    try:
        check_tree(numbers)
    except TreeError as err:
        raise DataError(f"{place}: {err}") from err
    return numbers, tuple(relations)


def _rows(
    source: HubSplit, rows: Any, words_column: str, tags_of: Sequence[Sequence[str]], id_column: str | None
) -> Iterator[tuple[str, str, tuple[str, ...], Sequence[str]]]:
    """Yield place, id, words and tags of every row that has words."""
    words_of = _column(source, rows, words_column)
    ids = None if id_column is None else [str(value) for value in _column(source, rows, id_column)]
    if ids is not None and len(set(ids)) < len(ids):
        raise DataError(f"{source}: values of the id column {id_column!r} occur twice; ids must be unique")
    for i, (words, tags) in enumerate(zip(words_of, tags_of, strict=True)):
        place = f"{source}: row {i}"
        if len(words) != len(tags):
            raise DataError(f"{place}: {len(words)} words but {len(tags)} tags")
        if not words:
            raise DataError(f"{place}: no words")
        yield place, f"{source.label}-{i + 1}" if ids is None else ids[i], tuple(words), tags


def _column(source: HubSplit, rows: Any, name: str) -> list[Any]:
    """The values of one column."""
    if name not in rows.column_names:
        raise DataError(f"{source}: no column {name!r}; it has {', '.join(rows.column_names)}")
    return list(rows[name])


def _names(source: HubSplit, rows: Any, name: str) -> list[list[str]]:
    """A column of label lists as names, class numbers translated by the dataset's own features."""
    values = _column(source, rows, name)
    label = getattr(rows.features[name], "feature", None)
    names = getattr(label, "names", None)
    if names is not None:
        return [[names[number] for number in labels] for labels in values]
    if any(not isinstance(value, str) for labels in values for value in labels):
        raise DataError(
            f"{source}: column {name!r} holds numbers and the dataset's features name no classes; expected a list of "
            "ClassLabel or of names"
        )
    return values


def _not_empty(source: HubSplit, sentences: list[Sentence]) -> list[Sentence]:
    """Refuse a split without sentences."""
    if not sentences:
        raise DataError(f"{source}: holds no sentence")
    return sentences
