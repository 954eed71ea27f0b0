"""How adapters are put together: one after another (`Stack`), side by side (`Fuse`), and each inside the other.

    Stack("l1", "t1")                            a language adapter below a task adapter
    Stack(Fuse("l1", "l2"), "t1")                a task over fused languages (faisal2024, [AB])
    Stack("l1", Fuse("t1", "t2"))                fused, then paired (fadx2022, FtP)
    Fuse(Stack("l1", "t1"), Stack("l2", "t2"))   paired, then fused (fadx2022, PtF)

The text form is the expression without quotes; ``parse_composition(str(c)) == c``.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias, Union

from xltransfer.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_@+-]+")
_FUSION = re.compile(r"[A-Za-z0-9_@+-]+(,[A-Za-z0-9_@+-]+)*")
_TOKEN = re.compile(r"\s*([A-Za-z0-9_@+-]+|[(),;])")

Member: TypeAlias = Union[str, "Stack", "Fuse"]


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"adapter name {name!r} is not made of letters, digits, _, @, + and -")


@dataclass(frozen=True, init=False)
class Stack:
    """Members one after another at every layer, the first nearest to the feed-forward.

    ``Stack()`` is the identity: the untouched model. A stack inside a stack is the same as its members.

    Raises
    ------
    ConfigError
        A name with other characters; a member of another type.
    """

    members: tuple["str | Fuse", ...]

    def __init__(self, *members: Member) -> None:
        flat: list[str | Fuse] = []
        for member in members:
            flat.extend(member.members if isinstance(member, Stack) else [member])
        for member in flat:
            if isinstance(member, str):
                _check_name(member)
            elif not isinstance(member, Fuse):
                raise ConfigError(f"a member of Stack is a name, a Stack or a Fuse, got {member!r}")
        object.__setattr__(self, "members", tuple(flat))

    def __str__(self) -> str:
        return f"Stack({', '.join(str(member) for member in self.members)})"


@dataclass(frozen=True, init=False)
class Fuse:
    """Members side by side, weighted per token and layer by a fusion.

    Parameters
    ----------
    members
        At least two: names, or stacks of names. In the field's naming a stack counts with its last member.
    fusion
        Name under which the fusion's weights are loaded; default: the members' names joined by commas.

    Raises
    ------
    ConfigError
        Fewer than two members, an empty stack, the same last adapter twice, a fusion inside a fusion; a fusion's name
        that is not made of names joined by commas.
    """

    members: tuple[str | Stack, ...]
    fusion: str

    def __init__(self, *members: str | Stack, fusion: str | None = None) -> None:
        if len(members) < 2:
            raise ConfigError(f"Fuse needs at least two members, got {len(members)}; a single adapter goes into Stack")
        for member in members:
            if isinstance(member, str):
                _check_name(member)
            elif not isinstance(member, Stack) or not member.members:
                raise ConfigError(f"a member of Fuse is a name or a Stack of names, got {member!s}")
            elif any(isinstance(inner, Fuse) for inner in member.members):
                raise ConfigError(f"Fuse inside a Fuse is not defined: {member}")
        lasts = tuple(_last(member) for member in members)
        if len(set(lasts)) < len(lasts):
            raise ConfigError(f"Fuse({', '.join(map(str, members))}) ends twice in the same adapter")
        if fusion is not None and not _FUSION.fullmatch(fusion):
            raise ConfigError(f"fusion name {fusion!r} is not made of names joined by commas")
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "fusion", ",".join(lasts) if fusion is None else fusion)

    @property
    def lasts(self) -> tuple[str, ...]:
        """Name of the last adapter of each member: what the fusion weighs."""
        return tuple(_last(member) for member in self.members)

    def __str__(self) -> str:
        named = "" if self.fusion == ",".join(self.lasts) else f"; {self.fusion}"
        return f"Fuse({', '.join(str(member) for member in self.members)}{named})"


Composition: TypeAlias = Stack | Fuse


def _last(member: str | Stack) -> str:
    name = member if isinstance(member, str) else member.members[-1]
    assert isinstance(name, str)
    return name


def leaves(composition: Member) -> tuple[str, ...]:
    """Return the adapters' names from left to right, repeated ones as often as they stand there."""
    if isinstance(composition, str):
        return (composition,)
    return tuple(name for member in composition.members for name in leaves(member))


def entries(composition: Member) -> tuple[str, ...]:
    """Return the adapters that read the embeddings first: one of a stack, one of each branch of a fusion."""
    if isinstance(composition, str):
        return (composition,)
    if isinstance(composition, Stack):
        return entries(composition.members[0]) if composition.members else ()
    return tuple(name for member in composition.members for name in entries(member))


def parse_composition(text: str) -> Composition:
    """Read the text form; a single name stands for a stack of it, no text for the identity.

    Raises
    ------
    ConfigError
        For any other text, naming it and the place where it stops making sense.
    """
    tokens = _tokens(text)
    member, rest = _member(tokens, text) if tokens else (Stack(), [])
    if rest:
        raise _wrong(text, f"nothing may follow, found {' '.join(rest)!r}")
    return Stack(member) if isinstance(member, str) else member


def _tokens(text: str) -> list[str]:
    tokens, at, stripped = [], 0, text.strip()
    while at < len(stripped):
        found = _TOKEN.match(stripped, at)
        if found is None:
            raise _wrong(text, f"unexpected {stripped[at:].lstrip()[0]!r}")
        tokens.append(found[1])
        at = found.end()
    return tokens


def _member(tokens: list[str], text: str) -> tuple[Member, list[str]]:
    head, rest = tokens[0], tokens[1:]
    if rest[:1] != ["("]:
        if not _NAME.fullmatch(head):
            raise _wrong(text, f"a name was expected, found {head!r}")
        return head, rest
    if head not in ("Stack", "Fuse"):
        raise _wrong(text, f"{head!r} is neither Stack nor Fuse")
    members, fusion, rest = _inside(rest[1:], text)
    if head == "Stack":
        if fusion is not None:
            raise _wrong(text, "only Fuse takes a fusion's name behind ';'")
        return Stack(*members), rest
    return Fuse(*members, fusion=fusion), rest  # type: ignore[arg-type]


def _inside(tokens: list[str], text: str) -> tuple[list[Member], str | None, list[str]]:
    """Read members up to the closing bracket, and the name of a fusion behind ``;``."""
    members: list[Member] = []
    if tokens[:1] == [")"]:
        return members, None, tokens[1:]
    while tokens:
        member, tokens = _member(tokens, text)
        members.append(member)
        if tokens[:1] == [")"]:
            return members, None, tokens[1:]
        if tokens[:1] == [";"] and ")" in tokens:
            end = tokens.index(")")
            return members, " ".join(tokens[1:end]).replace(" , ", ","), tokens[end + 1 :]
        if tokens[:1] != [","]:
            break
        tokens = tokens[1:]
    raise _wrong(text, "a bracket is not closed")


def _wrong(text: str, why: str) -> ConfigError:
    return ConfigError(f"composition {text!r} is not of the form NAME, Stack(..) or Fuse(..): {why}")
