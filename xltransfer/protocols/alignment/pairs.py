"""What is compared with what: the pairs of sides of every set of texts, and their texts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from xltransfer.config.alignment import Compared
from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.data.parallel_text import TextSide, collection_of, matched, read_side
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

    Raises
    ------
    ConfigError
        A set is ``matched``, but an entry of it is not declared parallel, or no other entry translates it; or nothing
        is left to compare: one language only, or sources without a partner.
    """
    refs = resolved.compared[spec.name]
    if spec.kind == "matched":
        _refuse_unmatched(refs, spec)
    if len({ref.language for ref in refs}) == 1:
        raise ConfigError(
            f"alignment: set {spec.name!r} has texts of one language only, {refs[0].language}; a comparison needs two"
        )
    found = tuple(_ordered(pair, spec) for pair in combinations(refs, 2) if _asked(pair, spec))
    if not found:
        raise ConfigError(f"alignment: set {spec.name!r} has no two sides to compare; check data and sources")
    return found


def _refuse_unmatched(refs: tuple[EntryRef, ...], spec: Compared) -> None:
    collections = [collection_of(ref, spec.split) for ref in refs]
    problems = [
        f"alignment: set {spec.name!r} is matched, but entry {ref.name!r} is not declared parallel in split "
        f"{spec.split!r}, so its measures are refused; declare it in the dataset's reader, or set kind: unmatched"
        if collection is None
        else f"alignment: set {spec.name!r} is matched, but no other entry of it translates {ref.name!r}"
        for ref, collection in zip(refs, collections, strict=True)
        if collection is None or collections.count(collection) < 2
    ]
    if problems:
        raise ConfigError(problems)


def _asked(pair: tuple[EntryRef, EntryRef], spec: Compared) -> bool:
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
