"""The world of a simulated run: languages, test sets, tasks, and what a nudge on one language does to each target.

Everything follows from a `Spec` and is drawn from named streams. See `simulate_run` for how to use it, and
`simulated_counts` for how an effect becomes counts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from simulated_counts import (
    Counts,
    Effect,
    Floats,
    Integers,
    Sentences,
    base_counts,
    gold_labels,
    nudged_counts,
)

from xltransfer.config.manifests import language_table, load_datasets, load_model
from xltransfer.config.study import Study
from xltransfer.languages import Language, LanguageTable
from xltransfer.randomness import stream

BASE = "simulated"

NUDGE, ZERO_STEPS = "nudge", "zero_steps"
EFFECT_KEPT = {NUDGE: 1.0, "shuffled_text": 0.5, "random_sign": 0.0}
"""Setting to the share of the nudge's effect that it has; what replicates and chance do is the same in all."""

KINDS = {"pos": "treebank", "dep": "treebank", "ner": "entities", "mlm": "text"}
"""Task to what its test sets are called; pos and dep score the same sentences."""

ODD_LANGUAGES = (
    Language("qaa", 'Bold <b>& "quoted"</b>', "Isolate <script>alert(1)</script>", "<i>", "Arab"),
    Language("qab", "العربية المحاكاة", "عائلة", "جنس", "Arab"),
    Language("qac", r"50%_of $x^2$ \textbf{#1} ~", "A&B {family}", "A_B", "Latn"),
)
"""Names that are hard on HTML, on LaTeX and on whoever sets text from left to right."""


@dataclass(frozen=True)
class Spec:
    """What to simulate; the defaults are the size that the analysis is timed with.

    Attributes
    ----------
    seed
        Root of every random stream.
    transfers, replicates, steps
        Transfer languages, nudged models of each, and optimizer steps k; without steps only k=0 was scored.
    targets
        Task (pos, dep, ner, mlm; the name is the shape) to its number of test sets.
    mean_items
        Sentences of a test set on average; log-normal, 10 to 2,000.
    parallel
        How many treebanks, at most a third, are translations of each other and share their ids.
    adapter_seeds
        Task adapters of each task that has some.
    devices
        Kinds of device; replicates take turns.
    schedule
        ``linear``: a unit for each k; ``constant``: a unit holds all k.
    zero_steps, shuffled_text, random_sign
        How many transfer languages have this control, the last two at the largest k only.
    common_targets
        Whether treebanks and sets of entities are of the same languages as far as they go; else of none in common.
    late_targets
        So many targets of each task were added later: nudges scored them in a second unit, and the nudges of the last
        transfer language have not scored them yet.
    failed
        How many units of a nudge failed.
    labels
        Number of gold labels whose counts are stored too; 0 stores none.
    odd_names
        Whether three languages have markup, right-to-left text or LaTeX in their names.
    """

    seed: int = 1
    transfers: int = 38
    replicates: int = 10
    steps: tuple[int, ...] = (1, 10, 100, 1000)
    targets: Mapping[str, int] = field(default_factory=lambda: {"pos": 114, "dep": 114, "ner": 125}, hash=False)
    mean_items: float = 100.0
    parallel: int = 5
    adapter_seeds: int = 1
    devices: tuple[str, ...] = ("cpu",)
    schedule: str = "linear"
    zero_steps: int = 5
    shuffled_text: int = 0
    random_sign: int = 0
    common_targets: bool = True
    late_targets: int = 0
    failed: int = 0
    labels: int = 0
    odd_names: bool = False


@dataclass(frozen=True)
class Target:
    """One test set, and the names under which the folder knows its sentences."""

    dataset: str
    language: str
    words: Integers
    cluster: Integers  # numbers from 0 within the test set
    items: tuple[str, ...]
    clusters: tuple[str, ...]
    parallel: bool


@dataclass(frozen=True)
class Task:
    """All test sets of a task; true scores of the untouched model (level) and of the trivial one, as shares."""

    name: str
    targets: tuple[Target, ...]
    languages: Integers  # numbers of the targets' languages in the table
    sentences: Sentences
    level: Floats
    trivial: Floats
    odd: Mapping[str, NDArray[np.bool_]]

    @cached_property
    def starts(self) -> list[int]:
        """Where each target begins among all sentences, closed by their number."""
        return [0, *np.cumsum([len(target.words) for target in self.targets]).tolist()]

    @property
    def seeds(self) -> bool:
        """Whether the task has adapters."""
        return self.name != "mlm"


class World:
    """What all units have in common; follows from the spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        odd = ODD_LANGUAGES if spec.odd_names else ()
        self.table: LanguageTable = language_table().with_declared(odd)
        self.corpora = _transfer_languages(spec)
        self.seen = frozenset(load_model("mbert-cased").seen)
        self.covered = self.table.covered_by(self.seen)
        self.number = {language.code: number for number, language in enumerate(self.table)}
        self.place = _places(self.table, spec.seed)
        self.sets = _test_sets(spec, self.corpora)
        self.tasks = {name: self._task(name, count) for name, count in spec.targets.items()}
        self.base = cache(self._base)
        self.gold = cache(self._gold)

    def _task(self, name: str, count: int) -> Task:
        targets = tuple(self.sets[KINDS[name]][:count])
        cluster, number = [], 0
        for target in targets:
            cluster.append(target.cluster + number)
            number += int(target.cluster.max()) + 1
        words = np.concatenate([target.words for target in targets])
        units = stream(self.spec.seed, "gold", name).binomial(words, 0.9 if name == "pos" else 0.12)
        where = np.repeat(np.arange(count), [len(target.words) for target in targets])
        sentences = Sentences(where, np.concatenate(cluster), words, units)
        order = np.arange(count)
        late = order >= count - self.spec.late_targets
        first = name == next(iter(self.spec.targets))
        odd = {"floor": order % 17 == 7, "zero": (order == 8) & (name == "ner"), "unreadable": (order == 9) & first}
        trivial = np.array([stream(self.spec.seed, "trivial", name, t.language).uniform(0.15, 0.3) for t in targets])
        level = np.array([self._level(name, target.language) for target in targets])
        level = np.where(odd["floor"], 0.01 if name == "ner" else 0.95 * trivial, np.where(odd["zero"], 0.0, level))
        languages = np.array([self.number[target.language] for target in targets])
        return Task(name, targets, languages, sentences, level, trivial, odd | {"late": late})

    def _level(self, name: str, language: str) -> float:
        rng = stream(self.spec.seed, "level", name, language)
        low, high = (0.6, 0.9) if language in self.covered else (0.35, 0.7)
        return float(rng.uniform(low, high)) * (0.8 if name in ("dep", "ner") else 1.0)

    def text_latent(self, kind: str, *names: str | int) -> Floats:
        """Return a standard normal value for every sentence of the test sets of a kind, alike for parallel ones."""
        rng = stream(self.spec.seed, "text", kind, *names)
        common = rng.standard_normal(max(len(target.words) for target in self.sets[kind]))
        parts = []
        for target in self.sets[kind]:
            size = len(target.words)
            own = np.sqrt(0.3) * rng.standard_normal(int(target.cluster.max()) + 1)[target.cluster]
            own = own + np.sqrt(0.7) * rng.standard_normal(size)
            parts.append(np.sqrt(0.7) * common[:size] + np.sqrt(0.3) * own if target.parallel else own)
        return np.concatenate(parts)

    def _base(self, name: str, adapter_seed: int | None, device: str) -> Counts:
        """Return the counts of the untouched model; another device than the first moves a few words."""
        task, seed = self.tasks[name], -1 if adapter_seed is None else adapter_seed
        difficulty = self.text_latent(KINDS[name], "difficulty")[: len(task.sentences.words)]
        rng = stream(self.spec.seed, "baseline", name, seed)
        counts = base_counts(name, task.sentences, task.level, difficulty, rng)
        return counts if device == self.spec.devices[0] else self.rescored(name, counts, 0.002, device, seed)

    def rescored(self, name: str, counts: Counts, moved: float, *names: str | int) -> Counts:
        """Return counts of which a share of the words ``moved`` without going anywhere."""
        task = self.tasks[name]
        still, even = np.zeros(len(task.targets)), np.ones(len(task.sentences.words))
        effect = Effect(still, still + moved)
        return nudged_counts(
            name,
            counts,
            task.sentences,
            task.level,
            effect,
            (even, even),
            stream(self.spec.seed, "again", name, *names),
        )

    def _gold(self, name: str) -> Integers:
        rng = stream(self.spec.seed, "labels", name)
        return gold_labels(name, self.tasks[name].sentences, self.spec.labels, rng)

    def adapter_seeds(self, task: Task) -> Sequence[int | None]:
        """Return the task adapters of a task."""
        return range(self.spec.adapter_seeds) if task.seeds else (None,)


@cache
def world_of(spec: Spec) -> World:
    """Return the world of a spec, made once in each process."""
    return World(spec)


def _transfer_languages(spec: Spec) -> list[str]:
    """Return the codes of the transfer languages: those of the full study, evenly thinned, then others."""
    known = [entry.language for entry in load_datasets()["faisal-text"].entries]
    codes = _spread(known, spec.transfers) if spec.transfers <= len(known) else _filled(known, spec.transfers)
    return [*codes[:-1], ODD_LANGUAGES[0].code] if spec.odd_names else codes


def _target_languages(spec: Spec, kind: str, count: int, corpora: Sequence[str], taken: set[str]) -> list[str]:
    """Return the codes of the test sets of a kind: transfer languages among them, then the others evenly thinned."""
    dataset = {"treebank": "ud-2.11", "entities": "wikiann", "text": "faisal-text"}[kind]
    known = list(dict.fromkeys(entry.language for entry in load_datasets()[dataset].entries))
    known = [code for code in known if code not in taken]
    own = [code for code in corpora if code in known][: -(-count // 2)]
    rest = [code for code in known if code not in own]
    codes = [*own, *_spread(rest, count - len(own))] if count <= len(known) else _filled(known, count, taken)
    if spec.odd_names:
        odd = [language.code for language in ODD_LANGUAGES[: max(1, count - 2)]]
        codes = [*codes[: count - len(odd)], *odd]
    return sorted(codes)


def _spread(codes: Sequence[str], count: int) -> list[str]:
    return [codes[number * len(codes) // count] for number in range(count)]


def _filled(codes: Sequence[str], count: int, taken: Collection[str] = ()) -> list[str]:
    others = [language.code for language in language_table() if language.code not in {*codes, *taken}]
    return [*codes, *others][:count]


def _places(table: LanguageTable, seed: int) -> Floats:
    """Return a point [language, 4] for every language, those of one family near each other."""
    return np.stack(
        [
            stream(seed, "family", language.family).standard_normal(4)
            + 0.5 * stream(seed, "genus", language.family, language.genus).standard_normal(4)
            + 0.2 * stream(seed, "language", language.code).standard_normal(4)
            for language in table
        ]
    )


def _test_sets(spec: Spec, corpora: Sequence[str]) -> dict[str, list[Target]]:
    """Return the test sets of every kind, as many as the largest of its tasks has."""
    counts: dict[str, int] = {}
    for name, count in spec.targets.items():
        counts[KINDS[name]] = max(count, counts.get(KINDS[name], 0))
    sets: dict[str, list[Target]] = {}
    taken: set[str] = set()
    for kind, count in counts.items():
        codes = _target_languages(spec, kind, count, corpora, taken)
        sizes = _sizes(spec, kind, count)
        parallel = min(spec.parallel, count // 3) if kind == "treebank" else 0
        sizes[:parallel] = sizes[:1] if parallel else sizes[:0]
        sets[kind] = [
            _test_set(spec, kind, code, number, int(sizes[number]), number < parallel)
            for number, code in enumerate(codes)
        ]
        taken |= set() if spec.common_targets else set(codes)
    return sets


def _sizes(spec: Spec, kind: str, count: int) -> Integers:
    """Return log-normal numbers of sentences with the wanted mean, as far as the range allows."""
    drawn = np.exp(stream(spec.seed, "sizes", kind).standard_normal(count))
    factor = spec.mean_items / drawn.mean()
    for _ in range(20):  # cutting moves the mean; put it back
        factor *= spec.mean_items / np.clip(factor * drawn, 10, 2000).mean()
    return np.rint(np.clip(factor * drawn, 10, 2000)).astype(np.int64)


def _test_set(spec: Spec, kind: str, code: str, number: int, size: int, parallel: bool) -> Target:
    """Return one test set of ``size`` sentences, the ``number``-th of its kind."""
    rng = stream(spec.seed, "sentences", kind, code)
    dataset, alone = f"{kind}-{code}", np.arange(size)
    if kind == "text":
        names = tuple(f"{dataset}:{place}" for place in alone)
        return Target(dataset, code, np.full(size, 19), alone, names, names, False)
    lengths = 0.5 * rng.standard_normal(size)
    if parallel:
        lengths = 0.45 * stream(spec.seed, "parallel").standard_normal(size) + 0.3 * lengths
    words = np.maximum(1, np.rint(12.0 * np.exp(lengths))).astype(np.int64)
    words[1:][rng.random(size - 1) < 0.005] = 0  # too long for the model
    # As the sources name their sentences: some names tell the source, some are numbers, some open documents.
    style = "parallel" if parallel else ("counted", "documents", "own documents", "own")[number % 4]
    if kind == "treebank" and "documents" in style:
        cluster = np.cumsum(rng.random(size) < 0.25)
        cluster = cluster - cluster[0]
        prefix = "" if style == "documents" else f"{dataset}-"
        items, clusters = (tuple(f"{prefix}{what}-{n}" for n in of) for what, of in (("s", alone), ("doc", cluster)))
        return Target(dataset, code, words, cluster, items, clusters, False)
    names = {
        "parallel": tuple(f"n01{place:06d}" for place in alone),
        "counted": tuple(f"test-s{place + 1}" for place in alone),
    }.get(style if kind == "treebank" else "own", tuple(f"{kind}/{code}/test-{place + 1}" for place in alone))
    return Target(dataset, code, words, alone, names, names, parallel)


def mean_effect(world: World, task: Task, entry: int, steps: int, setting: str) -> Effect:
    """Return the effect that replicates vary around."""
    seed, giver = world.spec.seed, world.corpora[entry]
    near = world.place[task.languages] @ world.place[world.number[giver]]
    of_target = stream(seed, "receives").standard_normal(len(world.table))[task.languages]
    of_giver = stream(seed, "gives", giver).standard_normal()
    strength = 0.6 * of_giver + 0.4 * of_target + 0.25 * steps / (steps + 20.0) * near
    moved = np.full(len(task.targets), 0.5 * steps**0.6 / (steps**0.6 + 15.0))
    return Effect(EFFECT_KEPT[setting] * 0.2 * moved * np.clip(strength, -3.0, 3.0), moved)


def of_replicate(world: World, task: Task, mean: Effect, *names: str | int) -> Effect:
    """Return the effect in one replicate: shifted for all targets, for a language, and for one target."""
    rng = stream(world.spec.seed, "replicate", *names)
    everywhere = rng.uniform(-1.0, 1.0)
    of_language = rng.uniform(-1.0, 1.0, len(world.table))[task.languages]
    here = stream(world.spec.seed, "replicate", *names, "task", task.name).uniform(-1.0, 1.0, len(task.targets))
    # Each of the three has standard deviation 1 / sqrt(3); their weights keep |shift| below the words moved.
    shift = 0.13 * (1.1 * everywhere + 0.95 * of_language + 0.95 * here)
    return Effect(mean.shift + shift * mean.moved, mean.moved)


def scales_of(world: World, task: Task, entry: int) -> tuple[Floats, Floats]:
    """Return how easily each sentence loses and wins words after a nudge on this entry: factors of mean 1."""
    kind, size, code = KINDS[task.name], len(task.sentences.words), world.corpora[entry]

    def scale(which: str) -> Floats:
        always = world.text_latent(kind, which)[:size]
        after = world.text_latent(kind, which, code)[:size]
        here = task.sentences.latent(stream(world.spec.seed, "scale", which, task.name, code))
        return 0.2 + 1.6 * ndtr(np.sqrt(0.4) * always + np.sqrt(0.3) * after + np.sqrt(0.3) * here)

    return scale("lose"), scale("win")


def study_of(world: World) -> Study:
    """Return the study that would have made such a folder."""
    spec = world.spec
    entries = {kind: {target.dataset: target.language for target in sets} for kind, sets in world.sets.items()}
    entries.setdefault("text", {}).update({f"text-{code}": code for code in world.corpora})
    return Study.model_validate(
        {
            "name": "simulated",
            "seed": spec.seed,
            "base": {"name": BASE, "model": "simulated", "seen": sorted(world.seen)},
            "languages": [_declared(language) for language in (ODD_LANGUAGES if spec.odd_names else ())],
            "datasets": [_dataset(kind, of) for kind, of in entries.items()],
            "tasks": [_of_study(task, spec) for task in world.tasks.values()],
            "transfer": {
                "corpora": [{"dataset": "simulated-text", "entries": [f"text-{code}" for code in world.corpora]}],
                "replicates": spec.replicates,
            },
            "nudge": {"schedule": spec.schedule},
            "cells": [{"steps": steps} for steps in spec.steps or (1,)],
            "controls": _controls(world),
        }
    )


def _declared(language: Language) -> dict[str, str]:
    return {name: getattr(language, name) for name in ("code", "name", "family", "genus", "script")}


def _dataset(kind: str, entries: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest of all test sets of a kind; transfer corpora are texts, whose test part is held out."""
    readers = {"treebank": {"kind": "conllu"}, "entities": {"kind": "bio"}, "text": {"kind": "text", "held_out": 0.05}}
    splits = ("train",) if kind == "text" else ("train", "test")
    listed = [
        {"name": name, "language": code, "files": {split: f"{name}.{split}" for split in splits}}
        for name, code in entries.items()
    ]
    said = dict.fromkeys(("title", "source", "licence", "citation"), "simulated")
    return {"name": f"simulated-{kind}", **said, "reader": readers[kind], "entries": listed}


def _of_study(task: Task, spec: Spec) -> dict[str, Any]:
    """Return what the study says of a task."""
    names = [target.dataset for target in task.targets]
    chosen = [{"dataset": f"simulated-{KINDS[task.name]}", "entries": names}]
    trained = {"train": chosen, "adapter": {"seeds": spec.adapter_seeds}} if task.seeds else {}
    return {"name": task.name, "targets": chosen, **trained}


def _controls(world: World) -> dict[str, Any]:
    """Return what the study says of the controls."""
    spec, largest = world.spec, [max(world.spec.steps, default=1)]
    controls: dict[str, Any] = {"zero_steps": {"languages": world.corpora[: spec.zero_steps] or None}}
    for name, count in (("shuffled_text", spec.shuffled_text), ("random_sign", spec.random_sign)):
        controls[name] = {"steps": largest, "languages": world.corpora[:count]} if count else None
    return controls
