"""The golden arrays: files of the reference library are read, and give the reference library's numbers.

The walk reads the index and answers every array of every case by the name of the array; a case, a key of a case's
description or an array that it does not know fails.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.golden_cases import PADDING_OPTION, Case, listed
from torch import Tensor

from xltransfer.engine import parse_composition
from xltransfer.engine.adapter import AdapterConfig
from xltransfer.engine.fusion import Fusion, FusionConfig

IN_BOTH = (
    "a0_no_adapter_mlm a1_lang_relu_mlm a2_lang_gelu_mlm a3_plain_mlm_checkpoint a4_nice_unit a5_train_steps_mlm "
    "b1_task_tagging c1_stack_tagging c2_stack_leave_out_both c3_stack_leave_out_lang d1_fuse2_fresh d2_fuse2_random "
    "d3_fuse3_fresh d4_fuse3_random d5_fuse2_mlm e1_fuse_of_stacks e2_stack_of_fused_tasks f1_classification "
    "f3_question_answering f4_dependency_parsing f5_dependency_parsing_model_pad_id g1_houlsby h1_padding "
    "i1_legacy_lang_relu i2_legacy_lang_gelu i3_legacy_lang_first_uploads i4_legacy_task i5_legacy_lang_v2_gelu"
).split()
KNOWN_CASES = {f"{model}/{name}" for model in ("bert", "xlmr") for name in IN_BOTH} | {"bert/f2_classification_pooler"}
ANSWERED_KEYS = set(
    "base_model composition composition_text active_head adapters heads fusions adapter_configs options inputs "
    "arrays_file arrays parameters_without_gradient".split()
)
SAYS_NOTHING_MORE = set("id description reproduces_a_library_quirk model_type mode libraries head_config".split())
KNOWN_OPTIONS = set(
    "optimizer lr betas eps weight_decay steps weight_decay_on lengths max_abs_diff_padded_vs_alone adapter_type "
    "invertible_adapter_active_after_loading key_names_in_file".split()
) | {PADDING_OPTION}

Answer = Callable[[Case, re.Match[str]], Tensor]


def _hidden(case: Case, found: re.Match[str]) -> Tensor:
    return case.out.hidden_states[-1 if found[1] == "last" else int(found[1])]


def _attention(case: Case, found: re.Match[str]) -> Tensor:
    return case.out.fusion_attention[found[1]][int(found[2])][found[3]]


def _alone(case: Case, found: re.Match[str]) -> Tensor:
    """Scores of one sentence without its padding, and without a mask."""
    row, length = int(found[1]), case.options["lengths"][int(found[1])]
    given = {
        key: case.arrays[key][row : row + 1, :length] for key in ("input_ids", "token_type_ids") if key in case.arrays
    }
    alone = case.model(**given, composition=parse_composition(case.about["composition_text"]), head=case.head).logits
    close(case.out.logits[row : row + 1, :length], alone)
    return alone


def _without_adapter(case: Case, found: re.Match[str]) -> Tensor:
    out = case.run(composition=None)
    return out.logits if found[1] == "logits" else case.loss_of(out)


def _under(rules: str) -> Answer:
    def answer(case: Case, found: re.Match[str]) -> Tensor:
        out = case.run(case.loaded(rules))
        return out.logits if found[1] == "logits" else case.loss_of(out)

    return answer


def _invertible(direction: str) -> Answer:
    def answer(case: Case, found: re.Match[str]) -> Tensor:
        return getattr(case.model.adapters[found[1]].invertible, direction)(case.arrays["x"])

    return answer


def _trained(case: Case, found: re.Match[str]) -> Tensor:
    assert len(case.losses) == case.options["steps"] + 1
    return case.parameter(found[1])


ANSWERS: dict[str, Answer] = {
    r"logits|start_logits|end_logits|arc_preds|rel_preds": lambda case, found: getattr(case.out, found[0]),
    r"hidden_states\.(\d+|last)": _hidden,
    r"loss": lambda case, found: case.loss,
    r"grad/(.+)": lambda case, found: case.gradients[case.parameter(found[1])],
    r"fusion_attention/([^/]+)/(\d+)/(\w+)": _attention,
    r"fusion_reg_loss": lambda case, found: case.regularisation,
    r"fusion_reg_grad/(.+)": lambda case, found: case.regularisation_gradients[case.parameter(found[1])],
    r"fusion_init/(.+)": lambda case, found: case.parameter(found[1]),
    r"alone_logits\.(\d+)": _alone,
    r"(logits|loss)_without_adapter": _without_adapter,
    r"quirk_(logits|loss)_converted_head_bias_lost": _under("adapterhub, masked_lm=bias_lost"),
    r"quirk_(logits|loss)_plain_class_no_inverse": _under("adapterhub, masked_lm=no_inverse"),
    r"losses": lambda case, found: case.losses,
    r"trained/(.+)": _trained,
    r"(\w+)/forward": _invertible("forward"),
    r"(\w+)/inverse_of_x": _invertible("inverse"),
}


def close(got: Tensor, expected: Tensor, name: str = "") -> None:
    """Compare within the goldens' own tolerance."""
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4, msg=lambda text: f"{name}: {text}")


def walks() -> list[tuple[str, str]]:
    """Return each case with each kind of its folders: safetensors, and torch files where there are both."""
    kinds = {"i": ("folder",)}
    return [(entry["id"], kind) for entry in listed() for kind in kinds.get(entry["id"][5], ("folder", "folder_bin"))]


def test_the_index_lists_the_cases_that_are_known_here(shared: Path) -> None:
    assert {entry["id"] for entry in listed()} == KNOWN_CASES


@pytest.mark.parametrize(("name", "kind"), walks())
def test_every_array_of_the_case(name: str, kind: str) -> None:
    case = Case(name, kind)
    assert set(case.about) <= ANSWERED_KEYS | SAYS_NOTHING_MORE
    assert set(case.options) <= KNOWN_OPTIONS
    assert set(case.arrays) == set(case.about["arrays"])
    for array, expected in case.arrays.items():
        if array in case.about["inputs"]:
            continue
        found = [(answer, match) for pattern, answer in ANSWERS.items() if (match := re.fullmatch(pattern, array))]
        assert len(found) == 1, f"{name} holds the array {array}, which the walk does not know"
        answer, match = found[0]
        close(answer(case, match), expected, array)
    for key in case.about.get("parameters_without_gradient") or ():
        assert case.gradients[case.parameter(key)] is None, key


def _expected(resolved: dict[str, Any]) -> AdapterConfig:
    """Read the library's resolved configuration; options of other kinds of adapters are off in all of them."""
    assert not any(resolved[off] for off in ("is_parallel", "use_gating", "phm_layer", "dropout", "stochastic_depth"))
    same = (
        "scaling ln_before ln_after original_ln_before original_ln_after residual_before_ln adapter_residual_before_ln"
    )
    return AdapterConfig(
        reduction=resolved["reduction_factor"],
        activation=resolved["non_linearity"],
        leave_out=tuple(resolved["leave_out"]),
        invertible_reduction=resolved["inv_adapter_reduction_factor"] if resolved["inv_adapter"] else None,
        attention=resolved["mh_adapter"],
        output=resolved["output_adapter"],
        **{name: resolved[name] for name in same.split()},
    )


@pytest.mark.parametrize("name", [entry["id"] for entry in listed()])
def test_configurations_are_read_as_the_library_resolves_them(name: str) -> None:
    case = Case(name)
    for adapter, resolved in case.about["adapter_configs"].items():
        assert case.model.adapters[adapter].config == _expected(resolved)
        if "invertible_adapter_active_after_loading" in case.options:
            active = case.options["invertible_adapter_active_after_loading"]
            assert (case.model.adapters[adapter].invertible is not None) == active
    for fusion, where in (case.about.get("fusions") or {}).items():
        assert case.model.fusions[fusion].config == FusionConfig(**where["config"])


@pytest.mark.parametrize("name", [f"{model}/{case}" for model in ("bert", "xlmr") for case in ("d1_fuse2_fresh",)])
def test_fresh_fusion_is_drawn_as_the_librarys(shared: Path, name: str) -> None:
    case = Case(name)
    torch.manual_seed(0)
    ((members, where),) = case.about["fusions"].items()
    ours = Fusion(members.split(","), FusionConfig(**where["config"]), case.model.hidden, 1).at(0)
    for array, theirs in case.arrays.items():
        if not array.startswith("fusion_init/"):
            continue
        which, leaf = array.split(".")[-2:]
        fresh = getattr(getattr(ours, which), leaf)
        if leaf == "bias" or which == "value":
            assert torch.equal(fresh, theirs), array
        else:
            # Standard errors of a thousand draws or more: 0.0006 for the mean, 2 % for the spread.
            assert fresh.mean().item() == pytest.approx(theirs.mean().item(), abs=0.003)
            assert fresh.std().item() == pytest.approx(theirs.std().item(), rel=0.1)
