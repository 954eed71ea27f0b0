"""Entity tags: what a well-formed IOB tag is, and how the three kinds of real data are made strict IOB2.

In IOB2 (Tjong Kim Sang & Veenstra 1999, https://aclanthology.org/E99-1023) every entity starts with ``B-``. Real files
hold *orphan* ``I-`` tags, which follow ``O``, the start of the sentence or another type: IOB1 files by design, others
by mistake. Which entity is then meant is an option, because scores depend on it.
"""

import re
from collections.abc import Collection, Sequence
from typing import Literal

Orphan = Literal["begin", "outside", "error"]

_TAG = re.compile(r"O|[BI]-\S+")


def is_iob(tag: str) -> bool:
    """Whether ``tag`` is ``O``, ``B-<type>`` or ``I-<type>``."""
    return _TAG.fullmatch(tag) is not None


def strict_iob2(tags: Sequence[str], drop: Collection[str] = (), orphan: Orphan = "begin") -> tuple[str, ...]:
    """Return the tags of one sentence as strict IOB2.

    Parameters
    ----------
    tags
        Well-formed tags (:func:`is_iob`).
    drop
        Entity types that become ``O``. They are dropped first, so that nothing else changes.
    orphan
        An ``I-`` that continues nothing: ``begin`` starts an entity there (as IOB1 and conlleval read it), ``outside``
        makes it ``O`` (and with it the ``I-`` of its type that follow), ``error`` raises.

    Raises
    ------
    ValueError
        If ``orphan`` is ``error`` and there is one; the message says which word.
    """
    strict: list[str] = []
    for number, given in enumerate(tags, start=1):
        tag = "O" if given[2:] in drop else given
        if tag.startswith("I-") and (not strict or strict[-1][2:] != tag[2:]):
            if orphan == "error":
                raise ValueError(f"tag {tag!r} of word {number} continues no entity of its type")
            tag = "B-" + tag[2:] if orphan == "begin" else "O"
        strict.append(tag)
    return tuple(strict)


def n_entities(tags: Sequence[str]) -> int:
    """Return the number of entities of strict IOB2 tags."""
    return sum(tag.startswith("B-") for tag in tags)
