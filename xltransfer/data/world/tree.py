"""The family tree: common ancestor, families, genera, languages, and the lengths of the branches between them.

Codes come from ISO 639-3's range for private use: family i has ``q`` and the i-th letter, and each genus five codes of
those 26. Code, name and branch length hang on a node's place alone, never on how many other nodes there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_lowercase

from xltransfer.randomness import stream

STEMS = (
    "Tal Mor Ven Kas Bir Dun Fel Gor Hal Jas Lom Nar Pel Rus Sim Tor Vil Wes Zan Ost".split()
)  # one family each, qa. to qt.
GENERA = 5
LANGUAGES = 5
GENUS_VOWELS = "aeiou"
ENDINGS = ("ri", "no", "ka", "su", "mi")


@dataclass(frozen=True)
class Branch:
    """The branch that leads to a node.

    Attributes
    ----------
    name
        Family name, genus name or language code: the name of the node and of its random streams.
    title
        Name for readers.
    family, genus
        Names of the family and the genus that the node lies in; ``genus`` is empty for a family.
    length
        Length in branch units, 0.5 to 1.5.
    parent
        Name of the node above; empty for a family, whose parent is the common ancestor.
    is_language
        Whether the node is a leaf.
    """

    name: str
    title: str
    family: str
    genus: str
    length: float
    parent: str
    is_language: bool = False


def family_name(family: int) -> str:
    """Return the name of the family at a place of the table."""
    return f"{STEMS[family]}ic"


def genus_name(family: int, genus: int) -> str:
    """Return the name of a genus."""
    return f"{STEMS[family]}{GENUS_VOWELS[genus]}"


def language_code(family: int, genus: int, language: int) -> str:
    """Return the private ISO 639-3 code of a language."""
    return f"q{ascii_lowercase[family]}{ascii_lowercase[LANGUAGES * genus + language]}"


@cache
def node_names() -> frozenset[str]:
    """Return the names of all nodes that any tree can have."""
    places = [(f, g, n) for f in range(len(STEMS)) for g in range(GENERA) for n in range(LANGUAGES)]
    return frozenset(name for f, g, n in places for name in (family_name(f), genus_name(f, g), language_code(f, g, n)))


def branches(seed: int, families: Sequence[Sequence[int]]) -> Iterator[Branch]:
    """Yield every branch, parents before children.

    Parameters
    ----------
    seed
        Seed of the world; a branch's length is a stream of its own.
    families
        Languages per genus, per family.
    """

    def length(name: str) -> float:
        return 0.5 + float(stream(seed, "length", name).random())

    for f, genera in enumerate(families):
        family = family_name(f)
        yield Branch(family, family, family, "", length(family), "")
        for g, languages in enumerate(genera):
            genus = genus_name(f, g)
            yield Branch(genus, genus, family, genus, length(genus), family)
            for n in range(languages):
                code = language_code(f, g, n)
                yield Branch(code, genus + ENDINGS[n], family, genus, length(code), genus, is_language=True)


def path_length(tree: dict[str, Branch], first: str, second: str) -> float:
    """Return the length of the path between two nodes."""
    ups = []
    for node in (first, second):
        chain = []
        while node:
            chain.append(node)
            node = tree[node].parent
        ups.append(chain)
    apart = set(ups[0]).symmetric_difference(ups[1])
    # Summed in the order of names, so that d(a, b) and d(b, a) are the same number.
    return sum(tree[name].length for name in sorted(apart))
