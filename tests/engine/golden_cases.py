"""The golden cases: their files, our model with everything a case names, the losses as the goldens' README words them.

The walk itself is in test_goldens.py; rules that a case shows to matter are in tests/test_rules.py.
"""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from xltransfer.engine import Backbone, parse_composition
from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.readout import Output

GOLDENS = Path(__file__).resolve().parents[3] / "shared" / "goldens"
INPUTS = ("input_ids", "attention_mask", "token_type_ids", "word_starts")
PADDING_OPTION = "padding_value_of_word_starts_and_labels"


def listed() -> list[dict[str, Any]]:
    """Return the entries of index.json; none where the goldens are absent."""
    index = GOLDENS / "index.json"
    return json.loads(index.read_text())["cases"] if index.is_file() else []


class Case:
    """One golden case: its description, its arrays, and our model with what the case names.

    ``kind`` chooses between the folders with safetensors (``folder``) and with torch files (``folder_bin``); what the
    library of 2020 wrote exists as torch files only.
    """

    def __init__(self, name: str, kind: str = "folder", rules: str = "adapterhub") -> None:
        model, case = name.split("/")
        self.place = GOLDENS / model / "cases" / case
        self.about: dict[str, Any] = json.loads((self.place / "case.json").read_text())
        self.arrays = load_file(self.place / self.about["arrays_file"])
        self.options: dict[str, Any] = self.about.get("options") or {}
        self.kind = kind
        self.model = self.loaded(rules)

    def loaded(self, rules: str) -> Backbone:
        """Return the base model with the case's adapters, fusions and heads; the base is frozen."""
        model = Backbone.load(GOLDENS / self.about["base_model"], rules=rules).requires_grad_(False)
        for what, load in (
            ("adapters", model.load_adapter),
            ("fusions", model.load_fusion),
            ("heads", model.load_head),
        ):
            for name, where in (self.about.get(what) or {}).items():
                load(GOLDENS / where.get(self.kind, where["folder"]), name=name)
        for part in (*model.adapters.values(), *model.fusions.values(), *model.heads.values()):
            part.eval().requires_grad_(True)
        return model

    @property
    def head(self) -> str:
        """Name of the head that the case asks."""
        named: str = self.about["active_head"]
        return named if named in self.about["heads"] else MASKED_LM

    def run(self, model: Backbone | None = None, **more: Any) -> Output:
        """Run the case's inputs under its composition and its head."""
        composition = parse_composition(self.about["composition_text"]) if self.about["composition"] else None
        given = {key: self.arrays[key] for key in INPUTS if key in self.arrays}
        return (model or self.model)(**{**given, "composition": composition, "head": self.head, **more})

    @cached_property
    def out(self) -> Output:
        """The case as it stands."""
        return self.run(output_hidden_states=True, output_fusion_attention=True)

    @cached_property
    def loss(self) -> Tensor:
        """The head's training loss."""
        return self.loss_of(self.out)

    def loss_of(self, out: Output) -> Tensor:
        """Return the training loss of the case's head."""
        kind = self.about["heads"].get(self.head, {"head_type": "masked_lm"})["head_type"]
        losses = {
            "tagging": self._tagging,
            "masked_lm": self._masked_lm,
            "classification": self._classification,
            "question_answering": self._question_answering,
            "dependency_parsing": self._parsing,
        }
        return losses[kind](out)

    def _tagging(self, out: Output) -> Tensor:
        labels = self.arrays["labels"].masked_fill(self.arrays["attention_mask"] == 0, -100)
        return functional.cross_entropy(out.logits.flatten(0, 1), labels.flatten())

    def _masked_lm(self, out: Output) -> Tensor:
        return functional.cross_entropy(out.logits.flatten(0, 1), self.arrays["labels"].flatten())

    def _classification(self, out: Output) -> Tensor:
        return functional.cross_entropy(out.logits, self.arrays["labels"])

    def _question_answering(self, out: Output) -> Tensor:
        size = out.start_logits.shape[1]
        pairs = ((out.start_logits, "start_positions"), (out.end_logits, "end_positions"))
        return sum(
            functional.cross_entropy(scores, self.arrays[targets].clamp(0, size), ignore_index=size)
            for scores, targets in pairs
        ) / len(pairs)

    def _parsing(self, out: Output) -> Tensor:
        heads, kinds = self.arrays["labels_arcs"], self.arrays["labels_rels"]
        padding = self.options.get(PADDING_OPTION, self.model.encoder.config.pad_token_id)
        batch, word = torch.nonzero(heads != padding, as_tuple=True)
        gold = heads[batch, word]
        arcs = functional.cross_entropy(out.arc_preds[batch, word], gold)
        return arcs + functional.cross_entropy(out.rel_preds[batch, word, gold], kinds[batch, word])

    @cached_property
    def regularisation(self) -> Tensor:
        """The penalty on the value matrices of all fusions."""
        return sum(fusion.regularisation() for fusion in self.model.fusions.values())

    @cached_property
    def gradients(self) -> dict[nn.Parameter, Tensor | None]:
        """Gradients of the loss; None for what takes no part in it."""
        return self._gradients_of(self.loss)

    @cached_property
    def regularisation_gradients(self) -> dict[nn.Parameter, Tensor | None]:
        """Gradients of the penalty."""
        return self._gradients_of(self.regularisation)

    def _gradients_of(self, what: Tensor) -> dict[nn.Parameter, Tensor | None]:
        parameters = [each for each in self.model.parameters() if each.requires_grad]
        found = torch.autograd.grad(what, parameters, retain_graph=True, allow_unused=True)
        return dict(zip(parameters, found, strict=True))

    @cached_property
    def losses(self) -> Tensor:
        """Losses before each AdamW step on the case's adapter, and after the last; the adapter is trained by it."""
        options, (name,) = self.options, self.about["adapters"]
        optimizer = torch.optim.AdamW(
            self.model.adapters[name].parameters(),
            lr=options["lr"],
            betas=tuple(options["betas"]),
            eps=options["eps"],
            weight_decay=options["weight_decay"],
        )
        losses = []
        for _ in range(options["steps"]):
            loss = self.loss_of(self.run())
            losses.append(loss.detach())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return torch.stack([*losses, self.loss_of(self.run()).detach()])

    def parameter(self, key: str) -> nn.Parameter:
        """Return our parameter for a key of the reference library's weight files."""
        for pattern, part, ours in _PARAMETERS:
            if found := re.fullmatch(pattern, key):
                named = found.groupdict()
                module = getattr(self.model, part)[named["name"]]
                return module.get_parameter(ours.format(**named) if ours else _head_path(module, named["rest"]))
        raise AssertionError(f"no parameter of ours is known for the key {key}")


_LEAF = r"(?P<leaf>weight|bias)"
_LAYER = r"(?:bert|roberta)\.encoder\.layer\.(?P<layer>\d+)\."
_PARAMETERS = tuple(
    (pattern, part, ours)
    for place, list_name in ((r"output\.", "layers"), (r"attention\.output\.", "attention"))
    for pattern, part, ours in (
        (
            rf"{_LAYER}{place}adapters\.(?P<name>[^.]+)\.adapter_down\.0\.{_LEAF}",
            "adapters",
            f"{list_name}.{{layer}}.down.{{leaf}}",
        ),
        (
            rf"{_LAYER}{place}adapters\.(?P<name>[^.]+)\.adapter_up\.{_LEAF}",
            "adapters",
            f"{list_name}.{{layer}}.up.{{leaf}}",
        ),
        (
            rf"{_LAYER}{place}adapter_fusion_layer\.(?P<name>[^.]+)\.(?P<which>query|key|value)\.{_LEAF}",
            "fusions",
            f"{list_name}.{{layer}}.{{which}}.{{leaf}}",
        ),
    )
) + (
    (
        rf"(?:bert|roberta)\.invertible_adapters\.(?P<name>[^.]+)\.(?P<which>[FG])\.(?P<number>[02])\.{_LEAF}",
        "adapters",
        "invertible.{which}.{number}.{leaf}",
    ),
    (r"heads\.(?P<name>[^.]+)\.(?P<rest>.+)", "heads", ""),
)
"""Pattern of the library's key, our container, and the path inside its member (empty: depends on the head)."""


def _head_path(head: nn.Module, rest: str) -> str:
    return {"biaffine_arcs.weight": "arcs", "biaffine_rels.weight": "relations"}.get(rest, f"layers.{rest}")
