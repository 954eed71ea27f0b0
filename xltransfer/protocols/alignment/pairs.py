"""What is compared with what: the pairs of sides of every set of texts, and their texts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from xltransfer.config.alignment import Compared
from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.data.parallel_text import (
    TextSide,
    collection_of,
    file_of_collection,
    matched,
    read_side,
    why_unmatched,
)
from xltransfer.errors import ConfigError


@dataclass(frozen=True)
class Pair:
    """Two sides, the one that is a source first, where the set names sources."""

    first: EntryRef
    second: EntryRef

    @property
    def name(self) -> str:
        """Name of the pair in results, where tasks have the name of a dataset."""
        return f"{self.first.name}+{self.second.name}"

    @property
    def languages(self) -> tuple[str, str]:
        """Codes of the two sides' languages."""
        return self.first.language, self.second.language


def pairs_of(resolved: ResolvedStudy, spec: Compared) -> tuple[Pair, ...]:
    """Return the pairs of a set of texts in the order of its entries; reads no file.

    Entries of one language are never a pair.

    Raises
    ------
    ConfigError
        A set is ``matched``, but an entry of it is not declared parallel, no other entry translates it, or two files
        of one name would be one collection; all texts are of one language; or an entry is in no pair.
    """
    refs = resolved.compared[spec.name]
    if spec.kind == "matched":
        _refuse_unmatched(refs, spec)
    if len({ref.language for ref in refs}) == 1:
        raise ConfigError(
            f"alignment: set {spec.name!r} has texts of one language only, {refs[0].language}; a comparison needs two"
        )
    found = tuple(_ordered(pair, spec) for pair in combinations(refs, 2) if _asked(pair, spec))
    paired = {ref.name for pair in found for ref in (pair.first, pair.second)}
    if alone := [ref for ref in refs if ref.name not in paired]:
        raise ConfigError([_no_partner(ref, spec) for ref in alone])
    return found


def _no_partner(ref: EntryRef, spec: Compared) -> str:
    partner = "no partner of another language" + (", one of them a source" if spec.sources is not None else "")
    return (
        f"alignment: entry {ref.name!r} ({ref.language}) of set {spec.name!r} would be in no pair: it has {partner}"
        f"{' among its translations' if spec.kind == 'matched' else ''}; leave it out of data, or add what it is to be "
        "compared with"
    )


def _refuse_unmatched(refs: tuple[EntryRef, ...], spec: Compared) -> None:
    collections = [collection_of(ref, spec.split) for ref in refs]
    problems = [
        f"alignment: set {spec.name!r} is matched, but entry {ref.name!r} {why_unmatched(ref, spec.split)}"
        if collection is None
        else f"alignment: set {spec.name!r} is matched, but no other entry of it translates {ref.name!r}"
        for ref, collection in zip(refs, collections, strict=True)
        if collection is None or collections.count(collection) < 2
    ]
    problems += _namesakes(refs, spec)
    if problems:
        raise ConfigError(problems)


def _namesakes(refs: tuple[EntryRef, ...], spec: Compared) -> Iterator[str]:
    """Say which files have one name below different roots: their items would have the same names."""
    first: dict[str | None, EntryRef] = {}
    for ref in refs:
        name, file = collection_of(ref, spec.split), file_of_collection(ref, spec.split)
        other = first.setdefault(name, ref)
        if file_of_collection(other, spec.split) != file:
            yield (
                f"alignment: set {spec.name!r} has two collections of translations named {name!r}, of the entries "
                f"{other.name!r} (dataset {other.dataset!r}) and {ref.name!r} (dataset {ref.dataset!r}), which are not "
                "one file; give one of them another name in its dataset's reader (parallel)"
            )


def _asked(pair: tuple[EntryRef, EntryRef], spec: Compared) -> bool:
    if pair[0].language == pair[1].language:
        return False
    if spec.kind == "matched" and len({collection_of(ref, spec.split) for ref in pair}) > 1:
        return False
    return spec.sources is None or any(ref.language in spec.sources for ref in pair)


def _ordered(pair: tuple[EntryRef, EntryRef], spec: Compared) -> Pair:
    first, second = pair
    swap = spec.sources is not None and first.language not in spec.sources
    return Pair(second, first) if swap else Pair(first, second)


def sides_of(resolved: ResolvedStudy, spec: Compared) -> dict[str, TextSide]:
    """Return the texts of every entry of a set, those of matched ones in one order.

    Raises
    ------
    ConfigError
        As `pairs_of`.
    DataError
        Sides that should be translations have different numbers of texts, or other items; a file is malformed.
    """
    pairs_of(resolved, spec)
    read = {ref.name: read_side(ref, spec.split) for ref in resolved.compared[spec.name]}
    if spec.kind == "matched":
        read = dict(_in_one_order(read))
    return {name: replace(side, texts=side.texts[: spec.max_items]) for name, side in read.items()}


def _in_one_order(read: dict[str, TextSide]) -> Iterator[tuple[str, TextSide]]:
    """Yield the sides with their texts in the order of the first one of their collection."""
    leaders: dict[str | None, TextSide] = {}
    for name, side in read.items():
        yield name, matched(leaders.setdefault(side.collection, side), side)
