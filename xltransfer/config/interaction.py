"""Settings of an interaction study: which languages are fused with which, how adapters and fusions are trained.

Defaults are those of Faisal and Anastasopoulos (2024, section 2) unless a field says otherwise. The languages are those
of the study's transfer corpora.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, model_validator

from xltransfer.config.base import Frozen
from xltransfer.config.task import refuse, repeated
from xltransfer.errors import near_match

FusionKind = Literal["trained", "untrained", "uniform"]


class LanguageAdapterTraining(Frozen):
    """How the adapter of each language is trained, by masked-LM on its corpus with the base model frozen."""

    reduction: float = Field(default=16, gt=0, allow_inf_nan=False)
    """Hidden size divided by bottleneck width."""
    invertible: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Reduction inside an invertible adapter at the embeddings (2 in MAD-X); None: no such adapter."""
    batch_size: int = Field(default=8, ge=1)
    """Blocks per optimizer step."""
    epochs: float = Field(default=3, gt=0, allow_inf_nan=False)
    """Passes over the corpus."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps in place of ``epochs``; None: what the epochs take."""
    learning_rate: float = Field(default=5e-4, gt=0, allow_inf_nan=False)
    """Rate of the first step; the published scripts have 5e-5."""
    schedule: Literal["linear", "constant"] = "linear"
    """Learning rate over steps: linear to 0, or constant."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of positions chosen for prediction (80 % masked, 10 % random, 10 % kept)."""
    initial: Literal["zero", "bert"] = "zero"
    """``zero``: a fresh adapter changes nothing; ``bert``: N(0, 0.02), as the reference library begins."""
    base_dropout: Literal["off", "on"] = "off"
    """Whether the frozen base model drops, as in the published scripts."""
    at_once: int | None = Field(default=None, ge=1)
    """Adapters trained in one pass and stored together; None: 1 on a CPU, 8 on a GPU. Decides the last digits."""

    @property
    def gives_steps_and_epochs(self) -> bool:
        """Whether both were said; a record that is read back names every field, and is taken at its values."""
        fields = type(self).model_fields
        said = "epochs" in self.model_fields_set and self.model_fields_set != set(fields)
        return self.steps is not None and (said or self.epochs != fields["epochs"].default)


class FusionTraining(Frozen):
    """How a trained fusion is trained: by masked-LM on text of its members in equal parts, all else frozen."""

    steps: int = Field(default=500, ge=1)
    """Optimizer steps."""
    batch_size: int = Field(default=8, ge=1)
    """Blocks per optimizer step, of the members in turn."""
    learning_rate: float = Field(default=5e-5, gt=0, allow_inf_nan=False)
    """Rate of the first step (Pfeiffer et al. 2021)."""
    schedule: Literal["linear", "constant"] = "linear"
    """Learning rate over steps: linear to 0, or constant."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of positions chosen for prediction."""
    base_dropout: Literal["off", "on"] = "off"
    """Whether the frozen base model drops."""
    at_once: int | None = Field(default=None, ge=1)
    """Fusions trained in one pass and stored together; None: 1 on a CPU, 8 on a GPU. Decides the last digits."""


class TripleSample(Frozen):
    """A random sample of all triples, without replacement."""

    sample: int = Field(ge=1)
    """How many."""
    seed: int = Field(ge=0)
    """Which ones."""


def _pairs(value: Any) -> Any:
    """Refuse what is neither ``all`` nor a list of pairs of names, in one sentence."""
    said = "expected all, or a list of pairs such as [[wol, yor], [wol, fra]]"
    if isinstance(value, str):
        if value != "all":
            raise ValueError(f"pairs is {value!r}{near_match(value, ['all'])} ({said})")
    elif not isinstance(value, Sequence) or not value:
        raise ValueError(f"pairs is {value!r}; {said}")
    else:
        wrong = [pair for pair in value if not _is_pair(pair)]
        if wrong:
            raise ValueError(f"pairs has {wrong[0]!r}, which is no pair; {said}")
    return value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(name, str) for name in value)


def _triples(value: Any) -> Any:
    """Refuse what is neither a known word nor a mapping, in one sentence."""
    said = "expected none, all, or {sample: N, seed: S} such as {sample: 50, seed: 1}"
    if isinstance(value, str):
        if value not in ("none", "all"):
            raise ValueError(f"triples is {value!r}{near_match(value, ['none', 'all'])} ({said})")
    elif not isinstance(value, Mapping | TripleSample):
        raise ValueError(f"triples is {value!r}; {said}")
    return value


def _triples_kind(value: Any) -> str:
    """Tell a word from a sample, so that what is wrong with a sample is said of it alone."""
    return "word" if isinstance(value, str) else "TripleSample"


Triples = Annotated[
    Annotated[Literal["none", "all"], Tag("word")] | Annotated[TripleSample, Tag("TripleSample")],
    Discriminator(_triples_kind),
    BeforeValidator(_triples),
]


def _kinds(value: Any) -> Any:
    """Take a single kind for a list of one, and refuse unknown ones with the nearest known."""
    kinds = [value] if isinstance(value, str) else value
    known = get_args(FusionKind)
    if isinstance(kinds, list | tuple):
        unknown = [f"fusion {kind!r} is not known{near_match(str(kind), known)}" for kind in kinds if kind not in known]
        if unknown:
            raise ValueError("; ".join(unknown))
    return kinds


class Interaction(Frozen):
    """What an interaction study fuses, trains and scores."""

    pairs: Annotated[Literal["all"] | tuple[tuple[str, str], ...], BeforeValidator(_pairs)] = "all"
    """All pairs of the study's languages, or a list of pairs of codes. A pair has no order of its own."""
    triples: Triples = "none"
    """``none``, ``all``, or a random sample of all triples."""
    fusion: Annotated[tuple[FusionKind, ...], BeforeValidator(_kinds)] = Field(default=("trained",), min_length=1)
    """``trained``; ``untrained`` (fresh weights, as the published code has them); ``uniform`` (their limit: the plain
    mean of the members). One of them, or a list."""
    capacity_control: bool = True
    """Whether a language is also fused with a second adapter of its own, from another seed on the same data: [AA']."""
    targets: Literal["members", "all"] = "members"
    """What a composition is scored on: the test data of its members, or all of them (as the published code)."""
    block: int = Field(default=256, ge=8, le=512)
    """Subword positions per block of text, for adapters and fusions (512 in the published scripts)."""
    adapters: LanguageAdapterTraining = LanguageAdapterTraining()
    """Training of the language adapters."""
    fusions: FusionTraining = FusionTraining()
    """Training of the trained fusions."""

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> Self:
        problems = []
        if twice := repeated(self.fusion):
            problems.append(f"fusion lists twice: {twice}")
        if "trained" not in self.fusion and self.fusions != FusionTraining():
            problems.append(
                f"fusions says how fusions are trained, but fusion is {', '.join(self.fusion)}; add trained to fusion, "
                "or leave fusions out"
            )
        if self.adapters.gives_steps_and_epochs:
            problems.append("adapters.steps and adapters.epochs are both given; keep one")
        refuse(problems, info)
        return self

    @property
    def listed(self) -> tuple[tuple[str, str], ...]:
        """The listed pairs, none where all are meant."""
        return () if isinstance(self.pairs, str) else self.pairs


def canonical_pairs(pairs: Any, code: Mapping[str, str]) -> Any:
    """Return listed pairs with every alias replaced by its code; other values as they are."""
    if isinstance(pairs, str):
        return pairs
    return tuple(tuple(code.get(name, name) for name in pair) for pair in pairs)
