"""One unit of work: a key, what it produces, and what it needs.

The id is a hash of the key, so that the same work has the same id on every machine and in every run. Nothing that only
affects speed or order (expected cost, stage) is part of it.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


def canonical_json(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, no spaces, no escapes for non-ASCII letters.

    Raises
    ------
    ValueError
        If the value holds something that JSON cannot hold (a path, a set, an array, NaN).
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as err:
        raise ValueError(f"{value!r} is not plain JSON ({err}); use text, finite numbers, lists and mappings") from err


@dataclass(frozen=True, eq=False)
class Unit:
    """Work that is done as a whole or not at all; equal and hashed by its id.

    Attributes
    ----------
    key
        JSON values that say what the unit computes; kept as a copy. Units that write measurements need the texts
        ``protocol`` and ``base`` in it.
    produces
        ``measurements`` (shards of item counts and scores) or ``artefact`` (one ``.safetensors`` file).
    needs
        Ids of the artefacts that have to be present before this unit starts.
    stage
        All units of a stage end before the next stage starts; not part of the identity.
    cost
        Expected seconds, NaN where unknown; not part of the identity.
    id
        First 16 hexadecimal digits of SHA-256 of the canonical JSON of ``key``, ``produces`` and ``needs``.
    """

    key: Mapping[str, Any]
    produces: Literal["measurements", "artefact"] = "measurements"
    needs: tuple[str, ...] = ()
    stage: int = 0
    cost: float = math.nan
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Copy the key, so that the id stays true, and compute the id."""
        object.__setattr__(self, "key", json.loads(canonical_json(dict(self.key))))
        identity = canonical_json({"key": self.key, "produces": self.produces, "needs": list(self.needs)})
        object.__setattr__(self, "id", hashlib.sha256(identity.encode()).hexdigest()[:16])

    def __eq__(self, other: object) -> bool:
        """Two units are equal if their ids are."""
        return isinstance(other, Unit) and self.id == other.id

    def __hash__(self) -> int:
        """Hash of the id."""
        return hash(self.id)
