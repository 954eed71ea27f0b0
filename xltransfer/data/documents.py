"""From document marks to clusters: which sentences of one file are not independent of each other.

A ``# newdoc`` comment opens a document that lasts until the next one, provided that the file is in document order. A
file that was subsampled and shuffled keeps the comments but not the order, and there a mark says nothing about the
sentences behind it. Membership is never guessed from the spelling of sentence ids; the ids are only used to *refute*
the order. Numbers that fall within a document, or a first sentence that bears the document's name (``news-0071-0001``)
before others that do not, show that the file was shuffled, and then every sentence is its own cluster, unless every
sentence carries a mark of its own.
"""

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"\d+")


def clusters(ids: Sequence[str], documents: Sequence[str | None]) -> list[str]:
    """Return the cluster of every sentence of one file.

    Parameters
    ----------
    ids
        Sentence ids in file order.
    documents
        For every sentence the name of the document that *opens* with it, or None.

    Returns
    -------
    list of str
        The document's name; the sentence's own id before the first mark, and everywhere in a file out of order.
    """
    if None not in documents:
        return [document for document in documents if document is not None]
    current: str | None = None
    spans: list[str | None] = []
    for opened in documents:
        current = opened if opened is not None else current
        spans.append(current)
    if not _in_document_order(ids, spans):
        return list(ids)
    return [own if span is None else span for own, span in zip(ids, spans, strict=True)]


def _in_document_order(ids: Sequence[str], spans: Sequence[str | None]) -> bool:
    """Whether nothing within a span contradicts that it is one document in its order."""
    for i in range(1, len(ids)):
        name, before, here = spans[i], ids[i - 1], ids[i]
        if name is None or name != spans[i - 1]:
            continue
        if _NUMBER.sub("#", here) == _NUMBER.sub("#", before) and _numbers(here) < _numbers(before):
            return False
        if _bears(before, name) and not _bears(here, name):
            return False
    return True


def _bears(sentence: str, document: str) -> bool:
    """Whether a sentence id is a document's name, a separator and more."""
    return sentence.startswith(document) and sentence[len(document) : len(document) + 1] in tuple("-_./:")


def _numbers(text: str) -> list[int]:
    """All runs of digits as integers, left to right."""
    return [int(run) for run in _NUMBER.findall(text)]
