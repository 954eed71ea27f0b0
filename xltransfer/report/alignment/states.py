"""States of the model in words, the same in every table and sentence."""

from collections.abc import Mapping
from typing import Any

from xltransfer.report.numbers import is_undefined

_SAID = {
    "baseline": "untouched",
    "language_adapters": "language adapters",
    "task_adapters": "task adapter",
    "language_and_task_adapters": "language and task adapter",
    "nudge": "nudged",
    "zero_steps": "zero steps",
    "shuffled_text": "nudged on shuffled text",
    "random_sign": "nudged with random signs",
}


def state_label(row: Mapping[Any, Any]) -> str:
    """Return a state in words: ``untouched``, ``task adapter pos, seed 1``, ``nudged on text-wol, k = 10``.

    ``row`` has setting and task_adapter, and may have corpus, steps and adapter_seed.
    """
    setting, adapter, corpus = str(row["setting"]), row["task_adapter"], row.get("corpus")
    parts = [_SAID.get(setting, setting) + (f" {adapter}" if adapter else "") + (f" on {corpus}" if corpus else "")]
    seed, steps = _number(row.get("adapter_seed")), _number(row.get("steps"))
    parts += [f"seed {seed}"] if seed else []
    parts += [f"k = {steps}"] if steps else []
    return ", ".join(parts)


def _number(value: Any) -> int:
    """Return a number of a row, 0 where it has none: the first seed and no step go without saying."""
    return 0 if is_undefined(value) else int(value)
