"""Where the field's reference library has a fault, which way is computed: each fault is an option with a name.

``corrected`` computes the right thing and is what studies use; ``adapterhub`` gives the numbers of AdapterHub's
``adapters`` 1.3.0. A text such as ``adapterhub, padded_heads=masked`` takes one set and changes single rules. The rules
are stored with every row. No torch here: the study's file is read without it.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args, get_type_hints

from xltransfer.errors import ConfigError, near_match


@dataclass(frozen=True)
class Rules:
    """One choice a fault; the defaults are the corrected ones, the library's way is named second.

    Attributes
    ----------
    fused_invertible
        Under ``Fuse`` of adapters with NICE: ``mean`` averages F and G inside one coupling, so that the inverse is
        exact and the order of languages does not matter; ``first`` uses the first branch's and leaves the others out.
    fused_stack_entry
        LayerNorm on entering ``Fuse(Stack(..), ..)``: ``once``, as the stack by itself; or ``twice``.
    fusion_dropout
        Dropout of a fusion acts on the attention ``weights``, or on the ``scores`` before the softmax.
    fusion_dropout_zero
        A fusion's ``dropout_prob`` of 0 is ``off``, or becomes the ``model``'s attention dropout (mostly 0.1).
    fusion_regularisation
        The penalty on the value matrices counts in ``every_step``, or is added behind ``zero_grad`` of the step before
        and so starts ``from_second_step``.
    value_decay
        The regularised value matrices are ``exempt`` from weight decay, or ``decayed``: the library means to exempt
        them, but its pattern never matches.
    word_padding
        What pads the starts of words: ``minus_one`` only, or, where a batch holds no -1, the model's ``pad_id``, which
        collides with real positions.
    padded_heads
        Padded columns in the scores of arcs: ``masked``, so that no padding is a head, or ``kept`` with score 0.
    masked_lm
        The base model's own masked-LM head under an invertible adapter: ``whole`` inverts it before the decoder and
        keeps the decoder's bias. The library has two ways to use such a head, and neither is whole: converted to its
        own class, ``bias_lost``; wrapped as it is, ``no_inverse``. As it is both, ``adapterhub`` leaves it whole.
    """

    fused_invertible: Literal["mean", "first"] = "mean"
    fused_stack_entry: Literal["once", "twice"] = "once"
    fusion_dropout: Literal["weights", "scores"] = "weights"
    fusion_dropout_zero: Literal["off", "model"] = "off"
    fusion_regularisation: Literal["every_step", "from_second_step"] = "every_step"
    value_decay: Literal["exempt", "decayed"] = "exempt"
    word_padding: Literal["minus_one", "pad_id"] = "minus_one"
    padded_heads: Literal["masked", "kept"] = "masked"
    masked_lm: Literal["whole", "bias_lost", "no_inverse"] = "whole"

    def __post_init__(self) -> None:
        problems = [problem for name in CHOICES for problem in _value_problems(name, getattr(self, name))]
        if problems:
            raise ConfigError(problems)

    def __str__(self) -> str:
        for name, preset in PRESETS.items():
            if self == preset:
                return name
        changed = (field.name for field in fields(self) if getattr(self, field.name) != getattr(CORRECTED, field.name))
        return ", ".join(["corrected", *(f"{name}={getattr(self, name)}" for name in changed)])


CHOICES: dict[str, tuple[str, ...]] = {name: get_args(hint) for name, hint in get_type_hints(Rules).items()}
"""The values that each rule can take."""


def _value_problems(name: str, value: str) -> list[str]:
    known = CHOICES[name]
    return [] if value in known else [f"rules: {name}={value!r}; expected {' or '.join(known)}"]


CORRECTED = Rules()
ADAPTERHUB = Rules(
    fused_invertible="first",
    fused_stack_entry="twice",
    fusion_dropout="scores",
    fusion_dropout_zero="model",
    fusion_regularisation="from_second_step",
    value_decay="decayed",
    word_padding="pad_id",
    padded_heads="kept",
)
PRESETS = {"corrected": CORRECTED, "adapterhub": ADAPTERHUB}


def rules_of(given: str | Rules) -> Rules:
    """Read ``corrected``, ``adapterhub``, or one of these followed by changes: ``corrected, padded_heads=kept``.

    Raises
    ------
    ConfigError
        An unknown set, rule or value, a rule given twice; all of them together.
    """
    if isinstance(given, Rules):
        return given
    first, *changes = (part.strip() for part in given.split(","))
    problems = [] if first in PRESETS else [f"rules {first!r} is no set of rules{near_match(first, PRESETS)}"]
    chosen: dict[str, str] = {}
    for change in changes:
        name, _, value = (part.strip() for part in change.partition("="))
        if name not in CHOICES:
            problems.append(f"rules: {name!r} is no rule{near_match(name, CHOICES)}")
        elif name in chosen:
            problems.append(f"rules: {name} is given twice; keep one of {chosen[name]} and {value}")
        else:
            problems += _value_problems(name, value)
        chosen[name] = value
    if problems:
        raise ConfigError(problems)
    return replace(PRESETS[first], **chosen)  # type: ignore[arg-type]
