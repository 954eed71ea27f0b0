"""Tasks of a study: what is trained, on which entries, and where it is scored.

A task has the *shape* of one of the built-in ones (``pos``, ``dep``, ``ner``, ``nli``, ``qa``, ``classification``,
``mlm``) and may have its own name and labels. Defaults of adapter training are those of Faisal and Anastasopoulos
(2024, appendix E).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from xltransfer.config.base import Frozen
from xltransfer.errors import near_match
from xltransfer.metrics import SHAPES

Shape = Literal["pos", "dep", "ner", "mlm", "nli", "qa", "classification"]

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
"""The 17 universal part-of-speech tags."""

RELATIONS = (
    "acl", "advcl", "advmod", "amod", "appos", "aux", "case", "cc", "ccomp", "clf", "compound", "conj", "cop",
    "csubj", "dep", "det", "discourse", "dislocated", "expl", "fixed", "flat", "goeswith", "iobj", "list", "mark",
    "nmod", "nsubj", "nummod", "obj", "obl", "orphan", "parataxis", "punct", "reparandum", "root", "vocative", "xcomp",
)  # fmt: skip
"""The 37 universal relations of UD v2; subtypes are cut at the colon."""

LABELS: Mapping[str, tuple[str, ...]] = {
    "pos": UPOS,
    "dep": RELATIONS,
    "ner": ("PER", "ORG", "LOC"),
    "mlm": (),
    "nli": ("entailment", "neutral", "contradiction"),
    "qa": (),
    "classification": ("1", "2", "3", "4", "5"),
}
"""Labels of each shape where a task names none: tags, relations, entity types without B- and I-, classes (stars)."""

MAX_LENGTH: Mapping[str, int] = {"qa": 384}
"""Length limit of a shape where a task names none and it is not that of `TaskSpec.max_length`."""

ONLY: Mapping[str, tuple[str, ...]] = {
    "mask_share": ("mlm",),
    "block": ("mlm",),
    "max_blocks": ("mlm",),
    "too_long": ("nli", "classification"),
    "reads": ("nli", "classification"),
    "stride": ("qa",),
    "max_answer": ("qa",),
    "normalisation": ("qa",),
    "windows_without_answer": ("qa",),
}
"""Fields of a task that mean something for some shapes only."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""Names of studies and base models become parts of file names."""
TASK_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Names of tasks are names of adapters as well, and torch allows no dot there."""


def refuse(problems: Sequence[str], info: ValidationInfo) -> None:
    """Raise ``ValueError`` with the contradictions found, unless the context says that only names are looked at."""
    if problems and not (info.context and info.context.get("names_only")):
        raise ValueError("; ".join(problems))


def repeated(values: Sequence[object]) -> str:
    """Return the values that occur more than once, joined, in order of first use."""
    return ", ".join(str(value) for value, n in Counter(values).items() if n > 1)


def list_problems(model: Frozen, keys: Sequence[str]) -> list[str]:
    """Return which of the lists named ``keys`` are empty or repeat something."""
    problems = [
        f"{key} is an empty list, which selects nothing; leave the key out for all"
        for key in keys
        if getattr(model, key) == ()
    ]
    for key in keys:
        if twice := repeated(getattr(model, key) or ()):
            problems.append(f"{key} lists twice: {twice}")
    return problems


class Selection(Frozen):
    """Entries of one dataset."""

    dataset: str = Field(min_length=1)
    """Name of the dataset manifest."""
    entries: tuple[str, ...] | None = None
    """Names of entries; None: all that have the split."""
    languages: tuple[str, ...] | None = None
    """Codes of languages whose entries are taken; None: all."""
    exclude: tuple[str, ...] = ()
    """Names of entries to leave out."""

    @model_validator(mode="after")
    def _not_empty_nor_double(self, info: ValidationInfo) -> Self:
        problems = list_problems(self, ("entries", "languages"))
        if twice := repeated(self.exclude):
            problems.append(f"exclude lists twice: {twice}")
        if self.entries is not None and (self.languages is not None or self.exclude):
            other = "languages" if self.languages is not None else "exclude"
            problems.append(f"entries and {other} are both given; a list of entries needs no second choice")
        refuse(problems, info)
        return self


class AdapterTraining(Frozen):
    """Training of the task adapters, base model frozen."""

    seeds: int = Field(default=1, ge=1)
    """Number of task adapters, each from its own seed."""
    epochs: int = Field(default=5, ge=1)
    """Passes over the training sentences."""
    batch_size: int = Field(default=36, ge=1)
    """Sentences per optimizer step."""
    learning_rate: float = Field(default=5e-4, gt=0, allow_inf_nan=False)
    """Peak rate of AdamW."""
    reduction: int = Field(default=16, ge=1)
    """Hidden size of the base divided by the width of the bottleneck."""
    activation: Literal["relu", "gelu", "swish"] = "relu"
    """Nonlinearity in the bottleneck."""
    initial: Literal["zero", "bert"] = "zero"
    """``zero``: the fresh adapter is the identity; ``bert``: normal, standard deviation 0.02 (AdapterHub)."""
    dropout: bool = True
    """Whether the base model's and the head's dropout are on during training."""
    schedule: Literal["linear", "constant"] = "linear"
    """Learning rate over steps: linear to 0, or constant."""


class TaskSpec(Frozen):
    """One task: its shape, its labels, its training entries and its targets."""

    name: str = Field(pattern=TASK_NAME)
    """Name in results."""
    shape: Shape
    """Built-in task whose encoding, head and metrics are used; default: the name, if it is one."""
    labels: tuple[str, ...]
    """Tags, relations or entity types, in the order of the head's outputs; default: those of the shape."""
    train: tuple[Selection, ...] = ()
    """Entries whose train split trains the adapter (none for ``mlm``)."""
    targets: tuple[Selection, ...] = Field(min_length=1)
    """Entries whose test split is scored."""
    max_sentences: int | None = Field(default=None, ge=1)
    """Sentences scored per target, the first ones of the file; None: all."""
    max_train_sentences: int | None = Field(default=None, ge=1)
    """Training sentences per entry; None: all."""
    max_length: int = Field(default=256, ge=8, le=512)
    """Subword positions per sentence, special tokens included."""
    adapter: AdapterTraining | None = None
    """Training of the task adapters; None only for ``mlm``, which has none."""
    mask_share: float = Field(default=0.15, gt=0, lt=1)
    """Share of positions that are masked (``mlm``)."""
    block: int = Field(default=128, ge=8, le=512)
    """Subword positions per block of held-out text (``mlm``)."""
    max_blocks: int | None = Field(default=None, ge=1)
    """Blocks scored per target (``mlm``); None: all."""
    too_long: Literal["truncate", "leave_out"] = "truncate"
    """What becomes of a text or pair over ``max_length`` (``nli``, ``classification``): cut, the longer text first, as
    the published scripts do, or an item that is not scored. The audit counts them either way."""
    reads: Literal["first", "pooler"] = "first"
    """What the head of a fresh adapter reads (``nli``, ``classification``): the first token's last state, by two
    linear maps (AdapterHub's head), or the base model's pooler, by one (Hugging Face's)."""
    stride: int = Field(default=128, ge=0)
    """Subwords that neighbouring windows share (``qa``), as in Hugging Face's script; in BERT's own it was the step."""
    max_answer: int = Field(default=30, ge=1, le=512)
    """Longest predicted answer in subwords (``qa``)."""
    normalisation: Literal["multilingual", "squad"] = "multilingual"
    """What answers are compared by (``qa``), see ``xltransfer.tasks.answer_scores``; ``squad`` is the English rule of
    v1.1, by which XTREME scores all languages."""
    windows_without_answer: Literal["cls", "skip"] = "cls"
    """What a window that does not hold the answer whole is trained on (``qa``): the first token, or nothing."""

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, data: Any) -> Any:
        """Take shape, labels and adapter from the name and the shape where they are not given."""
        if not isinstance(data, Mapping):
            return data
        filled = dict(data)
        if filled.get("shape") is None and isinstance(filled.get("name"), str):
            if filled["name"] not in SHAPES:
                near = near_match(filled["name"], SHAPES)
                raise ValueError(f"task {filled['name']!r} needs a key 'shape': {', '.join(SHAPES)}{near}")
            filled["shape"] = filled["name"]
        if filled.get("labels") is None:
            filled["labels"] = LABELS.get(str(filled.get("shape")), ())
        if filled.get("max_length") is None and filled.get("shape") in MAX_LENGTH:
            filled["max_length"] = MAX_LENGTH[str(filled["shape"])]
        if filled.get("adapter") is None and filled.get("shape") != "mlm":
            filled["adapter"] = AdapterTraining()
        return filled

    @model_validator(mode="after")
    def _fits_its_shape(self, info: ValidationInfo) -> Self:
        problems = self._mlm_problems() if self.shape == "mlm" else self._labelled_problems()
        problems += self._foreign_problems()
        refuse([f"task {self.name!r}: {problem}" for problem in problems], info)
        return self

    def _mlm_problems(self) -> list[str]:
        problems = []
        if self.adapter is not None:
            problems.append("adapter and shape mlm contradict each other; masked-LM scoring has no task adapter")
        if self.train:
            problems.append("train and shape mlm contradict each other; masked-LM scoring trains nothing")
        if self.labels:
            problems.append("labels and shape mlm contradict each other; its labels are the vocabulary")
        if self.max_sentences is not None:
            problems.append("max_sentences and shape mlm contradict each other; say max_blocks")
        return problems

    def _labelled_problems(self) -> list[str]:
        problems = []
        if not self.train:
            problems.append("train is missing; its adapter needs entries with a train split")
        if self.shape == "qa" and self.labels:
            problems.append("labels and shape qa contradict each other; its answers are spans")
        # A third is left to the question: 64 subwords of 192, BERT's longest question.
        if self.shape == "qa" and self.stride > (most := 2 * self.max_length // 3):
            problems.append(
                f"stride is {self.stride} and max_length {self.max_length}; windows would not move on beside longer "
                f"questions, which could not be asked; set stride to two thirds of max_length ({most}) at most"
            )
        if not self.labels and self.shape != "qa":
            problems.append("labels is an empty list; leave the key out for the labels of the shape")
        if twice := repeated(self.labels):
            problems.append(f"labels lists twice: {twice}")
        if self.shape == "ner" and (prefixed := [label for label in self.labels if label[:2] in ("B-", "I-")]):
            problems.append(f"labels are entity types without B- and I-, got {', '.join(prefixed)}")
        return problems

    def _foreign_problems(self) -> list[str]:
        return [
            f"{key} and shape {self.shape} contradict each other; only a task of shape {' or '.join(shapes)} has {key}"
            for key, shapes in ONLY.items()
            if self.shape not in shapes and getattr(self, key) != type(self).model_fields[key].default
        ]
