"""Options as files name them, and as `AdapterConfig` and `FusionConfig` do; what we do not have is refused by name."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.bottleneck import ACTIVATIONS
from xltransfer.engine.fusion import FusionConfig
from xltransfer.errors import ModelError, near_match

_OFF: dict[str, Any] = {
    "architecture": None,
    "cross_adapter": False,
    "dropout": 0.0,
    "is_parallel": False,
    "phm_layer": False,
    "stochastic_depth": 0.0,
    "use_gating": False,
}
"""Options of the reference library that we do not have, and the values that leave them off."""
_UNUSED: dict[str, Any] = {
    "factorized_phm_W": True,
    "factorized_phm_rule": False,
    "hypercomplex_nonlinearity": "glorot-uniform",
    "init_weights": "bert",
    "init_weights_seed": None,
    "learn_phm": True,
    "phm_bias": True,
    "phm_c_init": "normal",
    "phm_dim": 4,
    "phm_init_range": 0.0001,
    "phm_rank": 1,
    "shared_W_phm": False,
    "shared_phm_rule": True,
}
"""Options that change nothing once weights are there and ``phm_layer`` is off, with the library's defaults."""
_NAMES = {
    "reduction": "reduction_factor",
    "activation": "non_linearity",
    "attention": "mh_adapter",
    "output": "output_adapter",
    "invertible_reduction": "inv_adapter_reduction_factor",
}
"""Fields of `AdapterConfig` that files name otherwise."""
ALIASES = {"silu": "swish"}
"""Names of activations that the reference library takes besides ours."""
_REQUIRED = ("mh_adapter", "output_adapter", "non_linearity", "reduction_factor")
_SWITCHES = ("mh_adapter", "output_adapter", "ln_before", "ln_after", "original_ln_before", "original_ln_after",
             "adapter_residual_before_ln")  # fmt: skip
ADAPTER_DEFAULTS: dict[str, Any] = {
    **{key: value for key, value in _OFF.items() if value is not None},
    **_UNUSED,
    "adapter_residual_before_ln": False,
    "inv_adapter": None,
    "inv_adapter_reduction_factor": None,
    "leave_out": [],
    "ln_after": False,
    "ln_before": False,
    "original_ln_after": True,
    # The library's default, unlike Pfeiffer's.
    "original_ln_before": False,
    "residual_before_ln": True,
    "scaling": 1.0,
}
"""What a file means by leaving an option out; the others (`_REQUIRED`) must be there."""
FUSION_DEFAULTS: dict[str, Any] = asdict(FusionConfig())
STATIC = {"value": False, "regularization": False, "value_initialized": False}
"""What the library's fusion ``static`` changes."""
_LINEAR_HEAD = {"activation_function": "tanh", "dropout_prob": None, "label2id": None}
HEAD_DEFAULTS: dict[str, dict[str, Any]] = {
    "tagging": {**_LINEAR_HEAD, "layers": 1},
    "question_answering": {**_LINEAR_HEAD, "layers": 1, "num_labels": 2},
    "classification": {**_LINEAR_HEAD, "layers": 2, "use_pooler": False, "bias": True},
    "dependency_parsing": {"label2id": None},
    "masked_lm": {
        "activation_function": "gelu",
        "bias": True,
        "label2id": None,
        "layer_norm": True,
        "layers": 2,
        "shift_labels": False,
    },
}
"""The head types that are supported, and what a file of each means by leaving an option out."""


def adapter_config(settings: Mapping[str, Any], what: str) -> AdapterConfig:
    """Return complete options of a file as ours.

    Raises
    ------
    ModelError
        Naming every option that is missing, not supported, or has a value that cannot be meant.
    """
    problems = [f"{key} is missing" for key in _REQUIRED if key not in settings]
    problems += [
        f"{key}={settings[key]!r} is not supported, only {off!r}"
        for key, off in _OFF.items()
        if settings.get(key, off) != off
    ]
    known = {*_OFF, *ADAPTER_DEFAULTS, *_REQUIRED}
    problems += [f"{key}={value!r} is no known option" for key, value in settings.items() if value and key not in known]
    problems += _wrong_values(settings)
    if problems:
        raise ModelError(f"{what}: {'; '.join(problems)}")
    values = {name: settings[_NAMES.get(name, name)] for name in asdict(AdapterConfig())}
    values["activation"] = activation_name(values["activation"])
    values["leave_out"] = tuple(values["leave_out"] or ())
    if not settings["inv_adapter"]:
        values["invertible_reduction"] = None
    return AdapterConfig(**values)


def _wrong_values(settings: Mapping[str, Any]) -> list[str]:
    problems = [
        f"{key}={settings[key]!r}; expected true or false"
        for key in _SWITCHES
        if not isinstance(settings.get(key, True), bool)
    ]
    activation = str(settings.get("non_linearity", "relu"))
    if activation_name(activation) not in ACTIVATIONS:
        problems.append(f"non_linearity={activation!r} is not supported{near_match(activation, ACTIVATIONS)}")
    if not _is_number(settings["scaling"]):
        problems.append(f"scaling={settings['scaling']!r} is not supported, only a number")
    if settings["residual_before_ln"] not in (True, False, "post_add"):
        problems.append(f"residual_before_ln={settings['residual_before_ln']!r}; expected true, false or 'post_add'")
    reduction = settings.get("reduction_factor", 1)
    for value in reduction.values() if isinstance(reduction, Mapping) else [reduction]:
        if not _is_number(value) or value <= 0:
            problems.append(f"reduction_factor={reduction!r}; expected a number above 0, or such numbers by layer")
            break
    inverse, by = settings["inv_adapter"], settings["inv_adapter_reduction_factor"]
    if inverse not in (None, "nice"):
        problems.append(f"inv_adapter={inverse!r} is not supported, only 'nice'")
    elif inverse and (not _is_number(by) or by <= 0):
        problems.append(f"inv_adapter_reduction_factor={by!r}; expected a number above 0")
    leave_out = settings["leave_out"] or ()
    if not isinstance(leave_out, list | tuple) or not all(type(layer) is int for layer in leave_out):
        problems.append(f"leave_out={leave_out!r}; expected numbers of layers")
    return problems


def activation_name(text: str) -> str:
    """Return our name of an activation; the reference library does not tell upper from lower case."""
    return ALIASES.get(text.lower(), text.lower())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def adapter_settings(config: AdapterConfig) -> dict[str, Any]:
    """Return ours as a file's complete options."""
    named = {_NAMES.get(name, name): value for name, value in asdict(config).items()}
    reduction = config.reduction
    return {
        **ADAPTER_DEFAULTS,
        **named,
        "reduction_factor": dict(reduction) if isinstance(reduction, Mapping) else reduction,
        "leave_out": list(config.leave_out),
        # The library tells a constant from its learned scalings by the type.
        "scaling": float(config.scaling),
        "inv_adapter": None if config.invertible_reduction is None else "nice",
    }


def fusion_config(settings: Mapping[str, Any], what: str) -> FusionConfig:
    """Return complete options of a file as ours; raises `ModelError` for unknown options and wrong values."""
    unknown = [key for key, value in settings.items() if value and key not in FUSION_DEFAULTS]
    problems = [f"{key}={settings[key]!r} is no known option{near_match(key, FUSION_DEFAULTS)}" for key in unknown]
    problems += [
        f"{key}={settings[key]!r}; expected true or false"
        for key in FUSION_DEFAULTS
        if key != "dropout_prob" and not isinstance(settings[key], bool)
    ]
    if settings["dropout_prob"] is not None and not _is_number(settings["dropout_prob"]):
        problems.append(f"dropout_prob={settings['dropout_prob']!r}; expected a number or null")
    if problems:
        raise ModelError(f"{what}: {'; '.join(problems)}")
    return FusionConfig(**{key: settings[key] for key in FUSION_DEFAULTS})
