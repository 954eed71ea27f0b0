"""How the files of a dataset are to be read: one small model per format, told apart by ``kind``.

Only the declaration lives here; the reading itself is in ``xltransfer.data``. ``layout`` says what comes out:
``conllu`` (words, tags, trees), ``bio`` (words, entities), ``text`` (lines), ``pairs`` (premise, hypothesis, label),
``labelled`` (text, label) or ``squad`` (questions on paragraphs), whatever the files look like.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from xltransfer.config.base import Frozen

Layout = Literal["conllu", "bio", "text", "pairs", "labelled", "squad"]

Blank = Literal["refuse", "unscored"]
"""What a row without premise, hypothesis or text is: an error with its place, or an item that is never scored."""

Collections = Mapping[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]]
"""Split to the name of a collection of translations, which becomes a part of item names."""

ORPHANS = Literal["begin", "outside", "error"]
"""What an I- tag without a preceding B- or I- of its type becomes: B-, O, or an error with its line."""


def _refuse_one_column_twice(columns: Mapping[str, str]) -> None:
    """Raise ``ValueError`` where two of a reader's columns (setting to column) are the same."""
    for column, n in Counter(columns.values()).items():
        if n > 1:
            twice = " and ".join(setting for setting, named in columns.items() if named == column)
            raise ValueError(f"{twice} name the same column {column!r}; each needs one of its own")


class ConlluReader(Frozen):
    """CoNLL-U treebanks."""

    kind: Literal["conllu"] = "conllu"
    tag_column: Literal["upos", "xpos"] = "upos"
    """The column that gives a word its tag."""
    parallel: Collections = Field(default_factory=dict)
    """Splits whose sentences of one ``sent_id`` translate each other in all treebanks of the dataset (PUD)."""

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "conllu"


class BioReader(Frozen):
    """One token a line with a BIO tag, sentences apart by blank lines."""

    kind: Literal["bio"] = "bio"
    token_column: int = Field(default=0, ge=0)
    """Column of the token, from 0."""
    tag_column: int = -1
    """Column of the tag, from 0; negative numbers count from the end."""
    separator: Literal["whitespace", "space", "tab"] = "whitespace"
    """What stands between columns."""
    language_prefix: bool = False
    """Whether tokens are written as ``xx:token`` (WikiAnn)."""
    comments: bool = False
    """Whether lines that begin with ``# `` are comments."""
    drop_labels: tuple[str, ...] = ()
    """Entity types whose tags become O."""
    orphan_inside: ORPHANS = "begin"
    """What an orphan I- tag becomes."""

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "bio"

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if self.token_column == self.tag_column:
            raise ValueError(f"token_column and tag_column are both {self.tag_column}; a token cannot be its own tag")
        return self


class TextReader(Frozen):
    """Plain text, one sentence or paragraph a line."""

    kind: Literal["text"] = "text"
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the lines of ``train``, chosen by a hash, that is the split ``test`` of an entry without a test file."""
    column: int | None = Field(default=None, ge=0)
    """Column of a tab-separated file, from 0; None: the whole line is the text."""
    parallel: Collections = Field(default_factory=dict)
    """Splits that are translations: line i says the same in every file of a collection, in whatever dataset it is."""
    parallel_in: Literal["all_files", "one_file"] = "all_files"
    """``one_file``: only the columns of one file translate each other, as where each language has its own source."""
    ids: Mapping[str, str] = Field(default_factory=dict)
    """Split to a file with an id a line, relative to the dataset's root, for parallel lines; else they are numbered."""

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "text"


class _Rows(Frozen):
    """What all readers of rows with one label have in common."""

    label_column: str = Field(default="label", min_length=1)
    """Column of the label."""
    rename_labels: Mapping[str, str] = Field(default_factory=dict)
    """Label in the file to the task's; labels that are not listed stay as they are."""
    id_column: str | None = None
    """Column of the item's id; None: rows are numbered from ``first_id``."""
    first_id: int = 1
    """Number of the first row, or the first number that ids can have (see ``hypotheses``)."""
    parallel: Collections = Field(default_factory=dict)
    """Splits that are translations of each other: equal ids of a collection are one item in all languages and files."""
    blank: Blank = "refuse"
    """What a row without text is."""


class _TableRows(_Rows):
    """Rows of a TSV, CSV, JSONL or parquet file."""

    format: Literal["tsv", "csv", "jsonl", "parquet"] = "tsv"
    """``tsv`` knows no quotes: a tab always parts columns. ``csv`` does."""
    header: bool = True
    """Whether the first line of TSV or CSV names the columns; without one they are named 0, 1, 2 ..."""
    ids: Mapping[str, str] = Field(default_factory=dict)
    """Split to a file, relative to the dataset's root, with one id a line, in the order of the rows."""
    language_column: str | None = None
    """Column of the language where one file holds several: rows whose value is the entry's ``config`` are read."""

    @model_validator(mode="after")
    def _one_source_of_ids(self) -> Self:
        if self.ids and self.id_column is not None:
            raise ValueError("ids and id_column are both given; ids stand either in a file of their own or in a column")
        return self

    @model_validator(mode="after")
    def _header_of_a_table(self) -> Self:
        if not self.header and self.format not in ("tsv", "csv"):
            raise ValueError(f"header is false and format {self.format}, whose rows name their columns; leave it out")
        return self


class PairReader(_TableRows):
    """Premise, hypothesis and label a row."""

    kind: Literal["pairs"] = "pairs"
    premise_column: str = "premise"
    """Column of the premise."""
    hypothesis_column: str = "hypothesis"
    """Column of the hypothesis."""
    premise_id_column: str | None = None
    """Column that is equal for the pairs of one premise (XNLI's ``promptID``); a row where it is empty is alone."""
    hypotheses: int | None = Field(default=None, ge=1)
    """Pairs a premise where ids are numbers that run premise by premise from ``first_id``; None: equal premises."""

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "pairs"

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        names = ("premise_column", "hypothesis_column", "label_column")
        _refuse_one_column_twice({name: getattr(self, name) for name in names})
        return self

    @model_validator(mode="after")
    def _one_rule_for_premises(self) -> Self:
        if self.hypotheses is not None and self.premise_id_column is not None:
            raise ValueError(
                "hypotheses and premise_id_column are both given; one of them says which pairs go together"
            )
        return self


class LabelledReader(_TableRows):
    """Text and label a row, such as a review and its stars."""

    kind: Literal["labelled"] = "labelled"
    text_columns: tuple[str, ...] = Field(default=("text",), min_length=1)
    """Columns of the text, joined by a space (title, body)."""
    cluster_column: str | None = None
    """Column that is equal for texts that are not independent (the product of a review); None: each is on its own, as
    is a row where it is empty."""

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "labelled"

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        texts = {f"text_columns[{number}]": column for number, column in enumerate(self.text_columns)}
        _refuse_one_column_twice(texts | {"label_column": self.label_column})
        return self


class SquadReader(Frozen):
    """JSON of SQuAD v1.1: articles, paragraphs, questions with their answers and offsets."""

    kind: Literal["squad"] = "squad"
    parallel: Collections = Field(default_factory=dict)
    """As for pairs: equal ids of a collection are one question in all languages and files."""

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "squad"


_HUB_ONLY: Mapping[str, tuple[Layout, ...]] = {
    "label_column": ("pairs", "labelled"),
    "rename_labels": ("pairs", "labelled"),
    "blank": ("pairs", "labelled"),
    "first_id": ("pairs", "labelled"),
    "id_column": ("conllu", "bio", "pairs", "labelled", "squad"),
    "words_column": ("conllu", "bio"),
    "tags_column": ("conllu", "bio"),
    "heads_column": ("conllu",),
    "relations_column": ("conllu",),
    "text_column": ("text", "labelled"),
    "premise_column": ("pairs",),
    "hypothesis_column": ("pairs",),
    "hypotheses": ("pairs",),
    "cluster_column": ("labelled",),
    "drop_labels": ("bio",),
    "orphan_inside": ("bio",),
    "held_out": ("text",),
}
"""Settings of the hub reader that are read in some layouts only."""

_HUB_COLUMNS: Mapping[Layout, tuple[str, ...]] = {
    "conllu": ("words_column", "tags_column", "heads_column", "relations_column"),
    "bio": ("words_column", "tags_column"),
    "pairs": ("premise_column", "hypothesis_column", "label_column"),
    "labelled": ("text_column", "label_column"),
}
"""Settings of a layout that name columns with different contents."""


class HubReader(_Rows):
    """A dataset of the Hugging Face hub, or a local folder in its parquet layout."""

    kind: Literal["hub"] = "hub"
    hub_id: str = Field(min_length=1)
    """``owner/name`` on the hub, or a folder relative to the data root."""
    revision: str | None = None
    """Commit, tag or branch; None: the hub's default branch."""
    layout: Layout
    """What the rows hold."""
    words_column: str = "tokens"
    """Column with the list of words."""
    tags_column: str = "ner_tags"
    """Column with the list of BIO tags (``bio``) or part-of-speech tags (``conllu``), names or class numbers."""
    heads_column: str = "head"
    """Column with the list of heads (``conllu``)."""
    relations_column: str = "deprel"
    """Column with the list of relations (``conllu``)."""
    text_column: str = "text"
    """Column with the text (``text``, ``labelled``)."""
    premise_column: str = "premise"
    """Column with the premise (``pairs``)."""
    hypothesis_column: str = "hypothesis"
    """Column with the hypothesis (``pairs``)."""
    hypotheses: int | None = Field(default=None, ge=1)
    """As for pairs in files (``pairs``)."""
    cluster_column: str | None = None
    """As for labelled texts in files (``labelled``)."""
    drop_labels: tuple[str, ...] = ()
    """Entity types whose tags become O (``bio``)."""
    orphan_inside: ORPHANS = "begin"
    """What an orphan I- tag becomes (``bio``)."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """As for plain text (``text``)."""

    @model_validator(mode="after")
    def _fits_its_layout(self) -> Self:
        for name, layouts in _HUB_ONLY.items():
            value, field = getattr(self, name), type(self).model_fields[name]
            if self.layout not in layouts and value != field.get_default(call_default_factory=True):
                raise ValueError(
                    f"{name} is {value!r} and layout {self.layout}, which does not read it (only "
                    f"{', '.join(layouts)}); leave it out"
                )
        _refuse_one_column_twice({name: getattr(self, name) for name in _HUB_COLUMNS.get(self.layout, ())})
        return self


Reader = Annotated[
    ConlluReader | BioReader | TextReader | PairReader | LabelledReader | SquadReader | HubReader,
    Field(discriminator="kind"),
]
