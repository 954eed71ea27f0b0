"""What AdapterHub wrote from 2020 on, rewritten to what it writes now: words of keys, and configurations.

1.x (2020, 2021) told language adapters from task adapters in the words of keys, and nested the invertible adapter's
options. 2.x (2021, 2022) has today's words. Neither has a ``version``, and both meant the tanh approximation by "gelu".
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from xltransfer.engine.checkpoint.layouts import Base
from xltransfer.engine.checkpoint.part import ADAPTER, FUSION, Kind, name_place, new_content
from xltransfer.engine.checkpoint.settings import ADAPTER_DEFAULTS, FUSION_DEFAULTS, HEAD_DEFAULTS, STATIC
from xltransfer.errors import ModelError

OLD_WORDS = {
    "layer_text_lang_adapters": "adapters",
    "layer_text_task_adapters": "adapters",
    "attention_text_lang_adapters": "adapters",
    "attention_text_task_adapters": "adapters",
    "invertible_lang_adapters": "invertible_adapters",
}
OLD_ACTIVATIONS = {"gelu": "gelu_new", "gelu_orig": "gelu"}
_DEAD = ("attention_type", "new_attention_norm")
"""Options of the earliest uploads, which nothing reads."""


def current_keys(tensors: Mapping[str, Tensor], prefix: str, what: str) -> dict[str, Tensor]:
    """Return ``tensors`` under today's words, with the architecture's prefix where it was left out.

    Raises
    ------
    ModelError
        Two keys that become the same.
    """
    renamed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        words = [OLD_WORDS.get(word, word) for word in key.split(".")]
        now = ".".join(words if words[0] in (prefix, "heads") else [prefix, *words])
        if now in renamed:
            raise ModelError(f"{what}: the file holds {now} twice, in two spellings")
        renamed[now] = tensor
    return renamed


def generation(kind: Kind, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Return which layout a file has; ``content`` and ``tensors`` as they stand in it."""
    if "version" in content:
        return "current"
    if kind is not ADAPTER:
        return "1.x or 2.x"
    return "1.x" if "type" in content else "2.x"


def current_content(kind: Kind, content: Mapping[str, Any], tensors: Mapping[str, Tensor], what: str) -> dict[str, Any]:
    """Return today's configuration file for a part; its ``config`` is complete.

    Parameters
    ----------
    content
        As read.
    tensors
        The part's own, under today's keys.
    what
        Beginning of messages.

    Raises
    ------
    ModelError
        No options; an invertible adapter with another activation than the bottlenecks'.
    """
    settings = content.get("config")
    if kind is FUSION and settings in ("dynamic", "static"):
        settings = STATIC if settings == "static" else {}
    if not isinstance(settings, Mapping):
        raise ModelError(f"{what}: config={settings!r} in {kind.config}; expected an object with its options")
    if kind is ADAPTER:
        settings = _adapter_settings(settings, content, tensors, what)
    elif kind is FUSION:
        settings = {**FUSION_DEFAULTS, **settings}
    else:
        settings = {**HEAD_DEFAULTS.get(str(settings.get("head_type")), {}), **settings}
    base = Base(content["model_type"], content["hidden_size"], layers=0, name=content.get("model_name"))
    now = new_content(content["name"], base, settings)
    return now if kind is not FUSION else now | {"adapter_names": _members(content)}


def _adapter_settings(
    settings: Mapping[str, Any], content: Mapping[str, Any], tensors: Mapping[str, Tensor], what: str
) -> dict[str, Any]:
    now = {key: value for key, value in settings.items() if key not in _DEAD}
    nested = now.pop("invertible_adapter", None)
    if nested is not None:
        if not isinstance(nested, Mapping):
            raise ModelError(f"{what}: invertible_adapter={nested!r}; expected an object with its options, or null")
        own, inside = settings.get("non_linearity"), nested.get("non_linearity", settings.get("non_linearity"))
        if own != inside:
            raise ModelError(
                f"{what}: its invertible adapter has activation {inside!r}, its bottlenecks {own!r}; one for both is "
                "supported"
            )
        now |= {
            "inv_adapter": nested.get("block_type"),
            "inv_adapter_reduction_factor": nested.get("reduction_factor"),
        }
    if "version" not in content:
        now["non_linearity"] = OLD_ACTIVATIONS.get(now.get("non_linearity", ""), now.get("non_linearity"))
    if content.get("type") == "text_task" and not any(_is_invertible(key) for key in tensors):
        # 1.x listed an invertible adapter for tasks too, and made none.
        now |= {"inv_adapter": None, "inv_adapter_reduction_factor": None}
    return {**ADAPTER_DEFAULTS, **now}


def _is_invertible(key: str) -> bool:
    at = name_place(key)
    return at is not None and key.split(".")[at - 1] == "invertible_adapters"


def _members(content: Mapping[str, Any]) -> list[str]:
    names = content.get("adapter_names") or content["name"]
    return names.split(",") if isinstance(names, str) else list(names)
