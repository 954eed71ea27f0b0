"""One adapter, fusion or head as its two files hold it, in the current layout; and whose key is whose.

A key names its part by a word and the name behind it: ``adapters.l1``, ``adapter_fusion_layer.l1,l2``, ``heads.tag``.
Names are compared whole, never as substrings: the reference library writes head ``tag2`` along with head ``tag``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from xltransfer import __version__
from xltransfer.engine.checkpoint.layouts import Base, layout_of
from xltransfer.engine.composition import Fuse, Stack, parse_composition
from xltransfer.errors import ConfigError

VERSION = f"xltransfer.{__version__}"
"""Written into our files. The reference library only asks whether a version is there; then "gelu" is the exact one."""


@dataclass(frozen=True)
class Kind:
    """What a folder can hold.

    Attributes
    ----------
    name
        For messages.
    config, safetensors, bin
        File names.
    words
        Behind which a key has the name of a part of this kind.
    """

    name: str
    config: str
    safetensors: str
    bin: str
    words: tuple[str, ...]


ADAPTER = Kind(
    "adapter",
    "adapter_config.json",
    "adapter.safetensors",
    "pytorch_adapter.bin",
    # Weights of the other methods (prefix tuning, LoRA ..) belong to an adapter too, so that none is left unread.
    ("adapters", "invertible_adapters", "prefix_tunings", "prefix_gates", "loras", "refts", "prompt_tunings",
     "shared_parameters"),
)  # fmt: skip
FUSION = Kind(
    "fusion",
    "adapter_fusion_config.json",
    "model_adapter_fusion.safetensors",
    "pytorch_model_adapter_fusion.bin",
    ("adapter_fusion_layer",),
)
HEAD = Kind("head", "head_config.json", "model_head.safetensors", "pytorch_model_head.bin", ("heads",))
KINDS = (ADAPTER, FUSION, HEAD)
_WORDS = {word for kind in KINDS for word in kind.words}


def name_place(key: str) -> int | None:
    """Return which word of a key, counted from 0, is the name of a part; None where there is none."""
    words = key.split(".")
    return next((i + 1 for i, word in enumerate(words[:-1]) if word in _WORDS), None)


def is_of_another(key: str, kind: Kind, name: str) -> bool:
    """Whether a key says that it belongs to another part than the ``kind`` called ``name``."""
    at = name_place(key)
    words = key.split(".")
    return at is not None and (words[at - 1] not in kind.words or words[at] != name)


@dataclass(frozen=True)
class Part:
    """A part in the current layout.

    Attributes
    ----------
    kind
        `ADAPTER`, `FUSION` or `HEAD`.
    content
        The configuration file's object; ``config`` inside is complete (no default is left out).
    tensors
        The part's own tensors, float32, under the keys of the file.
    folder
        Name of the folder that it came from, for messages.
    generation
        Which layout that file had: ``current``, ``2.x``, ``1.x`` or ``1.x or 2.x``.
    """

    kind: Kind
    content: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    folder: str = "memory"
    generation: str = "current"

    @property
    def name(self) -> str:
        """Name that its keys carry."""
        return str(self.content["name"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """Options of the part."""
        settings: Mapping[str, Any] = self.content["config"]
        return settings

    @property
    def what(self) -> str:
        """Beginning of messages."""
        return f"{self.kind.name} {self.name!r} in folder {self.folder!r}"

    def base(self) -> Base:
        """Return the base model as far as the part itself tells: as many layers as it has weights for or leaves out."""
        content = self.content
        layout = layout_of(content["model_type"])
        layers = {found[0] for key in self.tensors if (found := layout.place_of(key)) is not None}
        left_out = self.settings.get("leave_out")
        layers |= {layer for layer in left_out if type(layer) is int} if isinstance(left_out, list) else set()
        return Base(content["model_type"], content["hidden_size"], max(layers, default=-1) + 1, content["model_name"])

    def renamed(self, name: str) -> "Part":
        """Return the same part under another name; raises `ConfigError` for one that cannot be used."""
        check_name(self.kind, name)
        tensors = {_with_name(key, name): tensor for key, tensor in self.tensors.items()}
        return replace(self, content={**self.content, "name": name}, tensors=tensors)


def new_content(name: str, base: Base, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration file's object in the current layout; a fusion adds its members."""
    return {
        "config": dict(settings),
        "hidden_size": base.hidden,
        "model_class": layout_of(base.model_type).model_class,
        "model_name": base.name,
        "model_type": base.model_type,
        "name": name,
        "version": VERSION,
    }


def _with_name(key: str, name: str) -> str:
    at = name_place(key)
    words = key.split(".")
    return ".".join(name if i == at else word for i, word in enumerate(words))


def chosen_name(part: Part, name: str | None) -> str:
    """Return ``name``, or by default the one in the file; raises `ConfigError` for one that cannot be used."""
    chosen = part.name if name is None else name
    check_name(part.kind, chosen)
    return chosen


def check_name(kind: Kind, name: str) -> None:
    """Refuse a name that no composition can say, or that torch cannot give to a module.

    Raises
    ------
    ConfigError
        Naming the remedy.
    """
    remedy = f"; give the {kind.name} another name (name=, or --name on the command line)"
    if not name or "." in name:
        raise ConfigError(f"{kind.name} name {name!r} is empty or has a dot, which torch's modules cannot have{remedy}")
    try:
        if kind is ADAPTER:
            Stack(name)
        elif kind is FUSION:
            fused = Fuse("one", "two", fusion=name)
            if parse_composition(str(fused)) != fused:
                raise ConfigError(f"fusion name {name!r} does not come back from a composition's text")
    except ConfigError as error:
        raise ConfigError(f"{error}{remedy}") from error
