"""How adapters are put together: which one reads first, which one last."""

import re
from dataclasses import dataclass

from xltransfer.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9_@.+-]+")


@dataclass(frozen=True, init=False)
class Stack:
    """Adapters one after another at every layer, the first nearest to the feed-forward.

    ``Stack()`` is the identity: the untouched model.
    """

    members: tuple[str, ...]

    def __init__(self, *members: str) -> None:
        object.__setattr__(self, "members", members)

    def __str__(self) -> str:
        return f"Stack({', '.join(self.members)})"


def parse_composition(text: str) -> Stack:
    """Read ``Stack(l1, t1)`` or a single adapter's name.

    Raises
    ------
    ConfigError
        For any other text, naming it.
    """
    stripped = text.strip()
    inside = stripped[len("Stack(") : -1] if stripped.startswith("Stack(") and stripped.endswith(")") else stripped
    members = tuple(part.strip() for part in inside.split(",")) if inside.strip() else ()
    if any(not _NAME.fullmatch(member) for member in members):
        raise ConfigError(f"composition {text!r} is not of the form 'NAME' or 'Stack(NAME, NAME)'")
    return Stack(*members)
