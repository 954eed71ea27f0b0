"""One annotated sentence, as every reader gives it and every token task takes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """A tokenised sentence with the annotation layers that its source has.

    Attributes
    ----------
    id
        Sentence id of the source, unique within one file (``sent_id``, else the file's stem and the running number).
    cluster
        What is independent of other clusters: the document, else the sentence itself. Equal across tasks that share
        sentences (pos and dep) and across parallel languages.
    words
        Surface forms (syntactic words in CoNLL-U).
    tags
        One part-of-speech tag a word, or None where the source has no such layer.
    heads
        One head a word, 0 for the root, else the 1-based number of a word; or None.
    relations
        One dependency relation a word (subtypes kept), or None.
    entities
        One IOB2 tag a word, or None.
    """

    id: str
    cluster: str
    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    heads: tuple[int, ...] | None = None
    relations: tuple[str, ...] | None = None
    entities: tuple[str, ...] | None = None
