"""The golden arrays: files of the reference library are read, and give the reference library's numbers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from xltransfer.engine import Backbone, parse_composition
from xltransfer.engine.backbone import MASKED_LM, Output
from xltransfer.engine.checkpoint import load_adapter

MODELS = ("bert", "xlmr")
TAGGING = ("b1_task_tagging", "c1_stack_tagging", "c2_stack_leave_out_both", "c3_stack_leave_out_lang")
MASKED = ("a0_no_adapter_mlm", "a1_lang_relu_mlm", "a2_lang_gelu_mlm")
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "word_starts")


class Case:
    """One golden case: its description, its arrays, and our model with what the case names."""

    def __init__(self, goldens: Path, model: str, name: str, folder: str = "folder") -> None:
        place = goldens / model / "cases" / name
        self.about: dict[str, Any] = json.loads((place / "case.json").read_text())
        self.arrays = load_file(place / self.about["arrays_file"])
        self.model = Backbone.load(goldens / self.about["base_model"], rules="adapterhub")
        for adapter, where in self.about["adapters"].items():
            self.model.load_adapter(goldens / where[folder], name=adapter)
        for head, where in (self.about["heads"] or {}).items():
            self.model.load_head(goldens / where[folder], name=head)

    def run(self, **more: Any) -> Output:
        """Run the case's inputs under its composition and its head."""
        text = self.about["composition_text"]
        given = {key: self.arrays[key] for key in INPUTS if key in self.arrays}
        composition = parse_composition(text) if self.about["composition"] else None
        return self.model(**{**given, "composition": composition, "head": self.about["active_head"], **more})


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def hidden_states_are_close(case: Case, out: Output) -> None:
    expected = [case.arrays[f"hidden_states.{i}"] for i in range(case.model.depth + 1)]
    assert out.hidden_states is not None
    for got, wanted in zip(out.hidden_states, expected, strict=True):
        close(got, wanted)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TAGGING + MASKED)
def test_scores_hidden_states_and_loss(shared: Path, model: str, name: str) -> None:
    case = Case(shared / "goldens", model, name)
    with torch.no_grad():
        out = case.run(output_hidden_states=True)
    close(out.logits, case.arrays["logits"])
    hidden_states_are_close(case, out)
    labels = case.arrays["labels"]
    if name in TAGGING:
        labels = labels.masked_fill(case.arrays["attention_mask"] == 0, -100)
    close(functional.cross_entropy(out.logits.flatten(0, 1), labels.flatten()), case.arrays["loss"])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["b1_task_tagging", "a1_lang_relu_mlm"])
def test_bin_files_hold_the_same_model(shared: Path, model: str, name: str) -> None:
    case = Case(shared / "goldens", model, name, folder="folder_bin")
    with torch.no_grad():
        close(case.run().logits, case.arrays["logits"])


@pytest.mark.parametrize("model", MODELS)
def test_gelu_of_a_file_without_version_is_the_tanh_approximation(shared: Path, model: str) -> None:
    case = Case(shared / "goldens", model, "i5_legacy_lang_v2_gelu")
    with torch.no_grad():
        close(case.run().logits, case.arrays["logits"])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["a1_lang_relu_mlm", "b1_task_tagging", "c1_stack_tagging"])
def test_positions_pick_rows_of_the_full_scores(shared: Path, model: str, name: str) -> None:
    case = Case(shared / "goldens", model, name)
    chosen = torch.tensor([3, 7, 20])
    with torch.no_grad():
        got = case.run(positions=chosen).logits
    close(got, case.arrays["logits"].flatten(0, 1)[chosen])


@pytest.mark.parametrize("model", MODELS)
def test_own_masked_lm_head_with_the_invertible_adapter_undone(shared: Path, model: str) -> None:
    case = Case(shared / "goldens", model, "a3_plain_mlm_checkpoint")
    with torch.no_grad():
        logits, bare = case.run(head=MASKED_LM).logits, case.run(head=MASKED_LM, composition=None).logits
    close(logits, case.arrays["logits"])
    close(bare, case.arrays["logits_without_adapter"])
    loss = functional.cross_entropy(logits.flatten(0, 1), case.arrays["labels"].flatten())
    close(loss, case.arrays["loss"])


@pytest.mark.parametrize("model", MODELS)
def test_invertible_adapter_alone(shared: Path, model: str) -> None:
    goldens = shared / "goldens"
    place = goldens / model / "cases" / "a4_nice_unit"
    about, arrays = json.loads((place / "case.json").read_text()), load_file(place / "arrays.safetensors")
    base = Backbone.load(goldens / about["base_model"])
    for name, where in about["adapters"].items():
        invertible = load_adapter(goldens / where["folder"], base.hidden, base.depth, base.site.prefix).invertible
        assert invertible is not None
        with torch.no_grad():
            close(invertible(arrays["x"]), arrays[f"{name}/forward"])
            close(invertible.inverse(arrays["x"]), arrays[f"{name}/inverse_of_x"])
            close(invertible.inverse(invertible(arrays["x"])), arrays["x"])


def our_name(golden: str) -> str:
    """Return our parameter's name for the reference library's."""
    if golden.startswith("heads."):
        _, head, number, leaf = golden.split(".")
        assert number == "1"
        return f"heads.{head}.linear.{leaf}"
    parts = golden.split(".")
    layer, adapter = parts[parts.index("layer") + 1], parts[parts.index("adapters") + 1]
    return f"adapters.{adapter}.layers.{layer}.{'down' if 'adapter_down' in parts else 'up'}.{parts[-1]}"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TAGGING)
def test_gradients(shared: Path, model: str, name: str) -> None:
    case = Case(shared / "goldens", model, name)
    labels = case.arrays["labels"].masked_fill(case.arrays["attention_mask"] == 0, -100)
    functional.cross_entropy(case.run().logits.flatten(0, 1), labels.flatten()).backward()
    ours = dict(case.model.named_parameters())
    wanted = {key.removeprefix("grad/"): value for key, value in case.arrays.items() if key.startswith("grad/")}
    checked = {key: value for key, value in wanted.items() if "invertible" not in key}
    assert checked
    for key, gradient in checked.items():
        close(ours[our_name(key)].grad, gradient)


@pytest.mark.parametrize("model", MODELS)
def test_padded_batch_and_each_sentence_alone(shared: Path, model: str) -> None:
    case = Case(shared / "goldens", model, "h1_padding")
    with torch.no_grad():
        padded = case.run().logits
        close(padded, case.arrays["logits"])
        for row, length in enumerate(case.about["options"]["lengths"]):
            one = slice(row, row + 1)
            kinds = case.arrays.get("token_type_ids")
            alone = case.model(
                case.arrays["input_ids"][one, :length],
                token_type_ids=None if kinds is None else kinds[one, :length],
                composition=parse_composition(case.about["composition_text"]),
                head=case.about["active_head"],
            ).logits
            close(alone, case.arrays[f"alone_logits.{row}"])
            close(padded[one, :length], case.arrays[f"alone_logits.{row}"])


def golden_parser_loss(arcs: Tensor, relations: Tensor, case: Case) -> Tensor:
    """The loss as the goldens' README words it, padded columns included."""
    heads, kinds = case.arrays["labels_arcs"], case.arrays["labels_rels"]
    batch, word = torch.nonzero(heads >= 0, as_tuple=True)
    gold = heads[batch, word]
    loss = functional.cross_entropy(arcs[batch, word], gold)
    return loss + functional.cross_entropy(relations[batch, word, gold], kinds[batch, word])


@pytest.mark.parametrize("model", MODELS)
def test_parser_scores_loss_and_gradients(shared: Path, model: str) -> None:
    case = Case(shared / "goldens", model, "f4_dependency_parsing")
    out = case.run(output_hidden_states=True)
    hidden_states_are_close(case, out)
    close(out.arc_preds, case.arrays["arc_preds"])
    close(out.rel_preds, case.arrays["rel_preds"])
    loss = golden_parser_loss(out.arc_preds, out.rel_preds, case)
    close(loss, case.arrays["loss"])
    loss.backward()
    head = case.model.head("dep")
    close(head.arcs.grad, case.arrays["grad/heads.dep.biaffine_arcs.weight"])
    close(head.relations.grad, case.arrays["grad/heads.dep.biaffine_rels.weight"])


@pytest.mark.parametrize("model", MODELS)
def test_corrected_rules_forbid_exactly_the_padded_heads(shared: Path, model: str) -> None:
    case = Case(shared / "goldens", model, "f4_dependency_parsing")
    case.model.rules = "corrected"
    with torch.no_grad():
        got = case.run().arc_preds
    expected = case.arrays["arc_preds"].clone()
    n_words = (case.arrays["word_starts"] >= 0).sum(dim=1) - 1
    for row, n in enumerate(n_words.tolist()):
        expected[row, :, n + 1 :] = float("-inf")
    close(got, expected[:, : got.shape[1], : got.shape[2]])


@pytest.mark.parametrize("model", MODELS)
def test_base_model_is_untouched_after_a_composition(shared: Path, model: str) -> None:
    case = Case(shared / "goldens", model, "c1_stack_tagging")
    ids = case.arrays["input_ids"]
    with torch.no_grad():
        before = case.model(ids).last_hidden_state
        case.run()
        assert torch.equal(case.model(ids).last_hidden_state, before)
