"""Which units a study wants: task adapters first, then every nudged and untouched model with what it scores.

A unit of measurement is one model (base, setting, corpus, replicate, steps) with all tasks, adapter seeds and targets
that the study asks of it. What a folder already has is told by the keys of its units, cell by cell, so a study that
adds steps, languages, replicates, targets or tasks wants only what is new. With ``schedule: linear`` every number of
steps is a path of its own and a unit of its own; with ``constant`` one path passes through all of them and is one unit.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.config.study import Study
from xltransfer.config.task import ONLY, TaskSpec
from xltransfer.runs.unit import Unit, canonical_json

BASELINE, NUDGE, ZERO_STEPS = "baseline", "nudge", "zero_steps"
SHUFFLED_TEXT, RANDOM_SIGN = "shuffled_text", "random_sign"
NOISE, NOISE_BATCHING, NOISE_PRECISION, TRIVIAL = "noise", "noise_batching", "noise_precision", "trivial"

Scores = dict[str, dict[str, tuple[str, ...]]]
"""What a model scores: steps (as text) -> scorer (``task@seed``, or ``task`` without adapter) -> names of targets."""


@dataclass(frozen=True)
class Model:
    """One model to be made, and what it is to score.

    Attributes
    ----------
    setting
        ``baseline``, ``noise``, ``nudge``, or a control.
    scores
        See `Scores`; the untouched model's steps are ``"0"``.
    corpus
        The transfer corpus, or None for the untouched model.
    replicate
        Number of the replicate, from 0; None for the untouched model.
    """

    setting: str
    scores: Scores
    corpus: EntryRef | None = None
    replicate: int | None = None

    def identity(self, study: Study, device: str) -> dict[str, Any]:
        """Return the part of the unit's key that says which model it is."""
        identity: dict[str, Any] = {"kind": "model", "protocol": study.protocol, "base": study.base.name}
        identity |= {"setting": self.setting}
        if self.corpus is None:
            # Scores of the untouched model are compared within one kind of device only.
            return identity | {"device": device}
        identity |= {"transfer": self.corpus.language, "corpus": self.corpus.name, "replicate": self.replicate}
        return identity if study.nudge.schedule == "constant" else identity | {"steps": next(iter(self.scores))}


@dataclass(frozen=True)
class Wanted:
    """All that a study wants of a folder.

    Attributes
    ----------
    units
        Units that are not present: adapters in stage 0, models in stage 1.
    present
        How many of the study's units are there already.
    cells
        Scores (steps x scorer x target) of the models still to be made.
    """

    units: tuple[Unit, ...]
    present: int
    cells: int


def wanted(resolved: ResolvedStudy, device: str, present: Mapping[str, Mapping[str, Any]]) -> Wanted:
    """Return the units of a study that are not covered by the ``present`` units (id to key) of its folder."""
    adapters = adapter_units(resolved)
    trained = [unit for unit in adapters.values() if unit.id not in present]
    scored = missing_models(models(resolved), resolved.study, device, present.values(), adapters)
    return Wanted((*trained, *scored.units), len(adapters) - len(trained) + scored.present, scored.cells)


def missing_models(
    asked: Iterable[Model],
    study: Study,
    device: str,
    present: Iterable[Mapping[str, Any]],
    adapters: Mapping[str, Unit],
) -> Wanted:
    """Return the units of the models that are not covered by the units with the keys ``present``."""
    missing: list[Unit] = []
    done, cells = 0, 0
    covered = _covered(present)
    for model in asked:
        identity = model.identity(study, device)
        scores = _minus(model.scores, covered.get(canonical_json(identity), {}))
        if not scores:
            done += 1
            continue
        scorers = sorted({scorer for by_scorer in scores.values() for scorer in by_scorer})
        needs = tuple(adapters[scorer].id for scorer in scorers if scorer in adapters)
        missing.append(Unit(key=identity | {"scores": scores}, needs=needs, stage=1))
        cells += sum(len(targets) for by_scorer in scores.values() for targets in by_scorer.values())
    return Wanted(tuple(missing), done, cells)


def adapter_units(resolved: ResolvedStudy) -> dict[str, Unit]:
    """Return the unit that trains each task adapter, by scorer name (``task@seed``)."""
    return {
        scorer_name(task, seed): Unit(
            key={
                "kind": "task_adapter",
                "protocol": resolved.study.protocol,
                "base": resolved.study.base.name,
                "task": task.name,
                "adapter_seed": seed,
                "recipe": recipe(resolved, task),
            },
            produces="artefact",
        )
        for task in resolved.study.tasks
        if task.adapter is not None
        for seed in range(task.adapter.seeds)
    }


def scorer_name(task: TaskSpec, seed: int | None) -> str:
    """Return the name under which a task adapter and its head are loaded, or the task's own if it has none."""
    return task.name if seed is None else f"{task.name}@{seed}"


def split_scorer(scorer: str) -> tuple[str, int | None]:
    """Return task name and adapter seed of a scorer."""
    task, _, seed = scorer.partition("@")
    return task, int(seed) if seed else None


def recipe(resolved: ResolvedStudy, task: TaskSpec) -> str:
    """Return a digest of all that decides a trained adapter beside its seed: settings and training entries."""
    settings = task_settings(task) | {"train": [ref.name for ref in resolved.train[task.name]]}
    # What is scored, and how much of it, has no part in training.
    settings = {name: value for name, value in settings.items() if name not in _NOT_TRAINED}
    engine = resolved.study.engine
    settings |= {"stack": engine.stack, "rules": engine.rules, "precision": engine.precision}
    return hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:16]


_NOT_TRAINED = ("max_sentences", "max_blocks", "block", "mask_share", "max_answer", "normalisation")


def task_settings(task: TaskSpec) -> dict[str, Any]:
    """Return what of a task must stay the same within a folder; targets and the number of seeds may grow.

    Fields that only other shapes have are left out, but for those of ``mlm``, which older folders hold.
    """
    foreign = {field for field, shapes in ONLY.items() if task.shape not in shapes and "mlm" not in shapes}
    settings = task.model_dump(mode="json", exclude={"targets", "train"} | foreign)
    if settings["adapter"] is not None:
        del settings["adapter"]["seeds"]
    return settings


def models(resolved: ResolvedStudy) -> Iterator[Model]:
    """Yield every model of the study: the untouched one, its noise floor, nudges, controls."""
    study = resolved.study
    everything = {"0": scores_of(resolved)}
    yield Model(BASELINE, everything)
    yield Model(NOISE, everything)
    nudges = list(_nudges(resolved))
    zero, shuffled, signs = study.controls.zero_steps, study.controls.shuffled_text, study.controls.random_sign
    for model in nudges:
        yield model
        for setting, control in ((SHUFFLED_TEXT, shuffled), (RANDOM_SIGN, signs)):
            if control is None or not _chosen(model.corpus, control.languages):
                continue
            scores = _of_tasks({k: by for k, by in model.scores.items() if int(k) in control.steps}, control.tasks)
            if scores:
                yield replace(model, setting=setting, scores=scores)
    for corpus in resolved.corpora:
        if _chosen(corpus, zero.languages):
            yield Model(ZERO_STEPS, _of_tasks(everything, zero.tasks), corpus, 0)


def _of_tasks(scores: Scores, tasks: tuple[str, ...] | None) -> Scores:
    """Return the scores of some tasks (None: all), without a k at which nothing is left."""
    if tasks is None:
        return scores
    kept = {k: {name: by[name] for name in by if split_scorer(name)[0] in tasks} for k, by in scores.items()}
    return {k: by for k, by in kept.items() if by}


def _nudges(resolved: ResolvedStudy) -> Iterator[Model]:
    study = resolved.study
    for corpus in resolved.corpora:
        by_steps: Scores = {}
        for cell in study.cells:
            if _chosen(corpus, cell.languages):
                # Two cells of one k name different tasks, so their scorers never meet.
                by_steps.setdefault(str(cell.steps), {}).update(scores_of(resolved, cell.tasks))
        by_steps = {steps: by_steps[steps] for steps in sorted(by_steps, key=int)}
        groups = [by_steps] if study.nudge.schedule == "constant" else [{k: by_steps[k]} for k in by_steps]
        for scores in groups:
            for replicate in range(study.transfer.replicates):
                if scores:
                    yield Model(NUDGE, scores, corpus, replicate)


def _chosen(corpus: EntryRef | None, languages: tuple[str, ...] | None) -> bool:
    return corpus is not None and (languages is None or corpus.language in languages)


def scores_of(resolved: ResolvedStudy, tasks: tuple[str, ...] | None = None) -> dict[str, tuple[str, ...]]:
    """Return every scorer of the ``tasks`` (None: all) with the names of its targets."""
    scores = {}
    for task in resolved.study.tasks:
        if tasks is None or task.name in tasks:
            seeds: Iterable[int | None] = (None,) if task.adapter is None else range(task.adapter.seeds)
            for seed in seeds:
                scores[scorer_name(task, seed)] = tuple(ref.name for ref in resolved.targets[task.name])
    return scores


def _covered(keys: Iterable[Mapping[str, Any]]) -> dict[str, dict[tuple[str, str], set[str]]]:
    """Return model identity -> (steps, scorer) -> targets that are scored."""
    covered: dict[str, dict[tuple[str, str], set[str]]] = {}
    for key in keys:
        if key.get("kind") != "model":
            continue
        identity = canonical_json({name: value for name, value in key.items() if name != "scores"})
        cells = covered.setdefault(identity, {})
        for steps, by_scorer in key["scores"].items():
            for scorer, targets in by_scorer.items():
                cells.setdefault((steps, scorer), set()).update(targets)
    return covered


def _minus(scores: Scores, covered: Mapping[tuple[str, str], set[str]]) -> Scores:
    left: Scores = {}
    for steps, by_scorer in scores.items():
        for scorer, targets in by_scorer.items():
            rest = tuple(name for name in targets if name not in covered.get((steps, scorer), set()))
            if rest:
                left.setdefault(steps, {})[scorer] = rest
    return left
