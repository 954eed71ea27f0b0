"""The shared adapter engine: a base model, adapters by name, compositions, heads, training, nudging.

Knows torch and transformers only; no language, task name, study or file layout.
"""

from xltransfer.engine.backbone import Backbone, Compositions
from xltransfer.engine.composition import Composition, Fuse, Stack, parse_composition

__all__ = ["Backbone", "Composition", "Compositions", "Fuse", "Stack", "parse_composition"]
