"""How the files of a dataset are to be read: one small model per format, told apart by ``kind``.

Only the declaration lives here; the reading itself is in ``xltransfer.data``. ``layout`` says what comes out:
``conllu`` (words, tags, trees), ``bio`` (words, entities) or ``text`` (lines), whatever the files look like.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from xltransfer.config.base import Frozen

Layout = Literal["conllu", "bio", "text"]

ORPHANS = Literal["begin", "outside", "error"]
"""What an I- tag without a preceding B- or I- of its type becomes: B-, O, or an error with its line."""


class ConlluReader(Frozen):
    """CoNLL-U treebanks."""

    kind: Literal["conllu"] = "conllu"
    tag_column: Literal["upos", "xpos"] = "upos"
    """The column that gives a word its tag."""

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

    @property
    def layout(self) -> Layout:
        """What comes out of this reader."""
        return "text"


class HubReader(Frozen):
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
    """Column with the text (``text``)."""
    id_column: str | None = None
    """Column with the sentence id; None: rows are numbered."""
    drop_labels: tuple[str, ...] = ()
    """Entity types whose tags become O (``bio``)."""
    orphan_inside: ORPHANS = "begin"
    """What an orphan I- tag becomes (``bio``)."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """As for plain text (``text``)."""


Reader = Annotated[ConlluReader | BioReader | TextReader | HubReader, Field(discriminator="kind")]
