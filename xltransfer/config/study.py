"""The study: everything that decides a run's numbers, as one frozen record with units.

Hyper-parameter defaults are those of Faisal and Anastasopoulos (2024, appendix E) unless a field says otherwise. A
study is what the file says; ``xltransfer.config.resolve`` looks its names up and returns another object. Contradictions
between fields are refused here, at construction.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from xltransfer.config.alignment import Alignment
from xltransfer.config.base import Frozen
from xltransfer.config.interaction import Interaction
from xltransfer.config.manifests import DatasetManifest
from xltransfer.config.task import NAME, AdapterTraining, Selection, TaskSpec, list_problems, refuse, repeated
from xltransfer.errors import ConfigError
from xltransfer.rules import rules_of

__all__ = [
    "AdapterTraining",
    "Alignment",
    "Base",
    "CellSpec",
    "Controls",
    "DeclaredLanguage",
    "EngineSettings",
    "Interaction",
    "NoiseFloor",
    "Nudge",
    "RandomSign",
    "Selection",
    "ShuffledText",
    "Study",
    "TaskSpec",
    "Transfer",
    "ZeroSteps",
]

Steps = Annotated[int, Field(ge=1)]


class Base(Frozen):
    """The base model: a manifest, or a model with the languages that it has seen."""

    name: str = Field(pattern=NAME)
    """Name in results; default: the manifest's."""
    manifest: str | None = None
    """Name of a model manifest, which gives model and seen languages."""
    model: str | None = None
    """Folder (relative to the data root, or absolute) or hub id; beside ``manifest``: a local copy of its weights."""
    revision: str | None = None
    """Commit, tag or branch on the hub; None: the default branch."""
    seen: tuple[str, ...] | None = None
    """Codes of the languages that it was pretrained on (without ``manifest``)."""

    @model_validator(mode="before")
    @classmethod
    def _name_of_manifest(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("name") is None and data.get("manifest") is not None:
            return {**data, "name": data["manifest"]}
        return data

    @model_validator(mode="after")
    def _one_source(self, info: ValidationInfo) -> Self:
        problems = []
        if self.manifest is None and (self.model is None or self.seen is None):
            problems.append("base needs either manifest, or both model and seen")
        if self.manifest is not None and self.seen is not None:
            problems.append("manifest and seen are both given; the manifest lists the languages seen")
        if twice := repeated(self.seen or ()):
            problems.append(f"seen lists twice: {twice}")
        refuse(problems, info)
        return self


class DeclaredLanguage(Frozen):
    """A language that the shipped table does not have."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_-]+$")
    """ISO 639-3 code, or a private one such as ``qaa``."""
    name: str = Field(min_length=1)
    """English name."""
    family: str = Field(min_length=1)
    """Language family."""
    genus: str = Field(min_length=1)
    """Genus within the family."""
    script: str = Field(min_length=1)
    """ISO 15924 code."""
    aliases: tuple[str, ...] = ()
    """Other codes for it."""
    macrolanguage: str | None = None
    """Code of the macrolanguage that it is part of."""
    individual: str | None = None
    """Individual code for URIEL."""


class Transfer(Frozen):
    """The transfer corpora and how much of each is used."""

    corpora: tuple[Selection, ...] = Field(min_length=1)
    """Text entries; each is one transfer corpus."""
    tokens: Literal["equal", "all"] | Annotated[int, Field(ge=1)] = "equal"
    """Subword tokens taken of each corpus: as many as the smallest has, all, or a number."""
    replicates: int = Field(default=10, ge=1)
    """Nudged models per corpus and number of steps."""


class Nudge(Frozen):
    """Fine-tuning of all base weights by masked-LM for a few steps (AdamW, no warm-up)."""

    batch_size: int = Field(default=8, ge=1)
    """Blocks per optimizer step."""
    block: int = Field(default=512, ge=8, le=512)
    """Subword positions per block."""
    learning_rate: float = Field(default=5e-5, gt=0, allow_inf_nan=False)
    """Rate of the first step."""
    schedule: Literal["linear", "constant"] = "linear"
    """``linear``: step s of k uses the rate times 1 - s/k; ``constant``: prefixes of one path serve several k."""
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Decoupled weight decay per step, times the rate."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of positions chosen for prediction (80 % masked, 10 % random, 10 % kept)."""
    pooler: Literal["keep", "reinitialise", "cls"] = "keep"
    """What a head that reads the pooler gets: its output, that of a fresh random one (the published code's lost
    pooler), or the first token's last state in its place; k = 0 too. Other heads see no difference."""
    dropout: bool = True
    """Whether dropout is on during the steps."""


class CellSpec(Frozen):
    """A number of steps, and what is scored after it for which transfer languages."""

    steps: Steps
    """Optimizer steps k."""
    tasks: tuple[str, ...] | None = None
    """Names of tasks; None: all."""
    languages: tuple[str, ...] | None = None
    """Codes of transfer languages; None: all."""

    @model_validator(mode="after")
    def _not_empty_nor_double(self, info: ValidationInfo) -> Self:
        refuse(list_problems(self, ("tasks", "languages")), info)
        return self


class ZeroSteps(Frozen):
    """k = 0 through the whole nudge path; transfer scores must be 0 exactly."""

    tasks: tuple[str, ...] | None = None
    """Names of tasks; None: all."""
    languages: tuple[str, ...] | None = None
    """Codes of transfer languages; None: all."""

    @model_validator(mode="after")
    def _not_empty_nor_double(self, info: ValidationInfo) -> Self:
        refuse(list_problems(self, ("tasks", "languages")), info)
        return self


class Control(Frozen):
    """A control of nudges: at which steps, on which tasks, for which languages."""

    steps: tuple[Steps, ...] = Field(min_length=1)
    """Optimizer steps k, each the k of a cell."""
    tasks: tuple[str, ...] | None = None
    """Names of tasks, of those that the cell scores; None: all of them."""
    languages: tuple[str, ...] | None = None
    """Codes of transfer languages; None: all."""

    @model_validator(mode="after")
    def _not_empty_nor_double(self, info: ValidationInfo) -> Self:
        refuse(list_problems(self, ("steps", "tasks", "languages")), info)
        return self


class ShuffledText(Control):
    """Tokens permuted inside each block: lexicon and script without order."""


class RandomSign(Control):
    """The real change of the weights with an independent random sign per element."""


class NoiseFloor(Frozen):
    """The baseline scored again with another batch composition and at another precision."""

    precision: Literal["float32", "bfloat16", "float64"] = "bfloat16"
    """Number format of the second scoring."""


class Controls(Frozen):
    """What tells a transfer effect from a perturbation and from noise."""

    zero_steps: ZeroSteps = ZeroSteps()
    """Always run; default: for all transfer languages."""
    shuffled_text: ShuffledText | None = None
    """None: not run. Left out of a study file: every k, all languages."""
    random_sign: RandomSign | None = None
    """None: not run. Left out of a study file: every k, all languages."""
    noise_floor: NoiseFloor = NoiseFloor()
    """Always run."""


def _known_rules(text: str) -> str:
    try:
        return str(rules_of(text))
    except ConfigError as error:
        raise ValueError("; ".join(error.problems)) from error


class EngineSettings(Frozen):
    """How models are run; everything here but ``device`` belongs to the results."""

    stack: Literal["adapterhub", "madx_equation"] = "adapterhub"
    """Rule by which stacked adapters see the residual."""
    rules: Annotated[str, AfterValidator(_known_rules)] = "corrected"
    """``corrected``, ``adapterhub`` (the reference library's known faults), or changes: ``corrected, NAME=VALUE``."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Arithmetic of matrix products in training, nudges and scoring; weights stay float32. ``tf32`` needs CUDA."""
    token_budget: int = Field(default=2048, ge=8)
    """Subword positions per scoring batch, padding included."""
    threads: int = Field(default=1, ge=1)
    """CPU threads per worker; other numbers give other bytes."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto``: CUDA where there is one."""


def _dataset_kind(value: Any) -> str:
    """Tell a path from an inline manifest."""
    return "path" if isinstance(value, str) else "manifest"


DatasetSource = Annotated[
    Annotated[DatasetManifest, Tag("manifest")] | Annotated[str, Tag("path")], Discriminator(_dataset_kind)
]


class Study(Frozen):
    """A study of one protocol: few-step transfer, language interaction, or alignment."""

    name: str = Field(pattern=NAME)
    """Name in results."""
    protocol: Literal["transfer", "interaction", "alignment"] = "transfer"
    """What weights and compositions are made."""
    seed: int = Field(default=20240607, ge=0, lt=2**63)
    """Root of every random stream."""
    data_root: str = "."
    """Folder of the data, absolute or relative to the study file."""
    base: Base
    """The base model."""
    languages: tuple[DeclaredLanguage, ...] = ()
    """Languages beside those of the shipped table."""
    datasets: tuple[DatasetSource, ...] = ()
    """Datasets beside the shipped ones: manifests, or paths of them relative to the study file or the data root."""
    tasks: tuple[TaskSpec, ...] = Field(min_length=1)
    """What is scored."""
    transfer: Transfer
    """Transfer corpora; in an interaction study, the text of its languages."""
    nudge: Nudge = Nudge()
    """The few steps (protocols ``transfer`` and ``alignment``)."""
    cells: tuple[CellSpec, ...] = ()
    """Which k scores what (protocol ``transfer``, which needs at least one); of protocol ``alignment``, which k."""
    controls: Controls = Controls()
    """Controls and their extent (protocols ``transfer`` and ``alignment``)."""
    interaction: Interaction = Interaction()
    """What is fused, trained and scored (protocol ``interaction``)."""
    alignment: Alignment = Alignment()
    """Which texts are compared, in which states (protocol ``alignment``)."""
    engine: EngineSettings = EngineSettings()
    """How models are run."""

    @model_validator(mode="before")
    @classmethod
    def _every_control(cls, data: Any) -> Any:
        """Run the controls that a study file does not mention; null turns one off."""
        if not isinstance(data, Mapping) or not isinstance(data.get("cells"), Sequence):
            return data
        controls = data.get("controls") if data.get("controls") is not None else {}
        steps = list(dict.fromkeys(cell["steps"] for cell in data["cells"] if _has_steps(cell)))
        if not isinstance(controls, Mapping) or not steps:
            return data
        return {**data, "controls": {"shuffled_text": {"steps": steps}, "random_sign": {"steps": steps}, **controls}}

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> Self:
        problems = []
        if twice := repeated([task.name for task in self.tasks]):
            problems.append(f"tasks share a name: {twice}")
        if twice := repeated([source.name for source in self.datasets if isinstance(source, DatasetManifest)]):
            problems.append(f"datasets share a name: {twice}")
        problems += self._protocol_problems() + self._size_problems()
        problems += self._cell_problems() + self._control_problems()
        if self.controls.noise_floor.precision == self.engine.precision:
            problems.append(
                f"controls.noise_floor.precision and engine.precision are both {self.engine.precision!r}, so that the "
                "noise floor would compare a score with itself; give the noise floor another one"
            )
        refuse(problems, info)
        return self

    @property
    def text_block(self) -> int:
        """Subword positions per block into which the corpora are cut."""
        return self.interaction.block if self.protocol == "interaction" else self.nudge.block

    def _protocol_problems(self) -> list[str]:
        """Return sections that the study's protocol lacks, or has no use for."""
        nudged = ("transfer", "alignment")
        replicates = Transfer.model_fields["replicates"].default
        sections = {
            "interaction": (("interaction",), self.interaction != Interaction()),
            "alignment": (("alignment",), self.alignment != Alignment()),
            "nudge": (nudged, self.nudge != Nudge()),
            "cells": (nudged, self.cells != ()),
            "controls": (nudged, self.controls != Controls()),
            "transfer.replicates": (nudged, self.transfer.replicates != replicates),
        }
        problems = [
            f"{key} and protocol {self.protocol} contradict each other; only a study of protocol {' or '.join(owners)} "
            f"has {key}"
            for key, (owners, given) in sections.items()
            if given and self.protocol not in owners
        ]
        aligned = self.protocol == "alignment"
        if not self.cells and (self.protocol == "transfer" or (aligned and "nudge" in self.alignment.states)):
            problems.append(f"cells has no entries; a study of protocol {self.protocol} needs at least 1 item")
        if aligned and not self.alignment.compared:
            problems.append("alignment.compared has no entries; a study of protocol alignment needs at least 1 item")
        return problems + (self._state_problems() if aligned else [])

    def _state_problems(self) -> list[str]:
        """Return what an alignment study asks for that none of its states, or none of its tasks, would give."""
        states, problems = self.alignment.states, []
        given = {"cells": self.cells != (), "controls": self._controls_of_nudges() != Controls()}
        if "nudge" not in states and any(given.values()):
            # A cell brings the controls that a study file does not mention.
            key = next(key for key, there in given.items() if there)
            problems.append(
                f"{key} says what is nudged, but alignment.states has {', '.join(states) or 'nothing'}; add nudge to "
                f"alignment.states, or leave {key} out"
            )
        if self.alignment.needs_task_adapters and all(task.adapter is None for task in self.tasks):
            named = ", ".join(state for state in states if state.endswith("task_adapters"))
            problems.append(
                f"alignment.states has {named}, but no task has an adapter (tasks: "
                f"{', '.join(task.name for task in self.tasks)}); add a task of another shape than mlm, or leave it out"
            )
        return problems

    def _controls_of_nudges(self) -> Controls:
        """Return the controls without the noise floor, which is no control of a nudge."""
        return self.controls.model_copy(update={"noise_floor": NoiseFloor()})

    def _size_problems(self) -> list[str]:
        """Return what does not fit into what."""
        problems = []
        tokens, block = self.transfer.tokens, self.text_block
        if isinstance(tokens, int) and tokens < block:
            key = "interaction.block" if self.protocol == "interaction" else "nudge.block"
            problems.append(f"transfer.tokens is {tokens} and {key} {block}; a corpus would hold no block")
        for task in self.tasks:
            length, key = (task.block, "block") if task.shape == "mlm" else (task.max_length, "max_length")
            if length > self.engine.token_budget:
                budget = self.engine.token_budget
                problems.append(f"task {task.name!r} has {key} {length}, engine.token_budget is only {budget}")
        return problems

    def _cell_problems(self) -> list[str]:
        """Return pairs of cells that would score the same thing twice."""
        return [
            f"cells {i} and {j} (counted from 0) both score k = {a.steps} for the same tasks and languages"
            for (i, a), (j, b) in combinations(enumerate(self.cells), 2)
            if a.steps == b.steps and _meet(a.tasks, b.tasks) and _meet(a.languages, b.languages)
        ]

    def _control_problems(self) -> list[str]:
        """Return controls at a k that no cell has, so that nothing could be compared with them."""
        known = {cell.steps for cell in self.cells}
        controls = {"shuffled_text": self.controls.shuffled_text, "random_sign": self.controls.random_sign}
        return [
            f"controls.{name}.steps has {steps}, cells has no such k ({', '.join(map(str, sorted(known)))})"
            for name, control in controls.items()
            if control is not None
            for steps in control.steps
            if steps not in known
        ]


def _has_steps(cell: Any) -> bool:
    """Tell whether a cell of a study file says its k."""
    return isinstance(cell, Mapping) and isinstance(cell.get("steps"), int | str)


def _meet(a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> bool:
    """Tell whether two choices overlap, None being all."""
    return a is None or b is None or bool(set(a) & set(b))
