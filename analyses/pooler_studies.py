"""The studies of the pooler experiment: one task adapter, and nudges with the pooler kept, lost and passed over.

Each is an ordinary study of protocol ``transfer`` with a study file and a results folder of its own, which ``xltransfer
run`` and ``report`` take as well. ``keep`` trains the task adapters. A fresh pooler hangs on the study's seed and is
the same in all cells of it, as in the published code, so ten fresh poolers are ten studies with ten seeds
(``reinitialise-01`` ...), each with one nudge: pooler, text, masks and dropout are drawn together. All other studies
use the adapters that ``keep`` has trained, which do not depend on what becomes of the pooler.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from xltransfer.config.load import load_study
from xltransfer.config.manifests import root
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.config.study import Study
from xltransfer.data.world import Counts, WorldSpec, make_world, write_world
from xltransfer.data.world.write import SPEC_FILE
from xltransfer.engine.pretrain import PretrainSettings
from xltransfer.errors import ConfigError, UnitError
from xltransfer.protocols.demo import PRETRAINING
from xltransfer.protocols.pretraining import BaseRecipe, make_base
from xltransfer.protocols.transfer.run import run_study
from xltransfer.protocols.transfer.wanted import adapter_units
from xltransfer.runs.open import Run, open_run
from xltransfer.runs.store import Store

HEADS: Mapping[str, str] = {"nli": "pooler", "nli_first": "first"}
"""Task -> what its head reads; the second can lose nothing with the pooler."""


@dataclass(frozen=True)
class Setup:
    """Where the experiment is done.

    Attributes
    ----------
    name
        Of the setup, in tables and figures.
    study
        Keys that all its studies share: data_root, base, languages, datasets.
    pairs, text
        Names of the datasets of premises and of transfer text.
    trained
        Languages that the task adapters learn from.
    targets
        Languages that are scored; None: all that the pairs have.
    transfers
        Languages whose text the nudges read.
    adapter, nudge, task, transfer
        Further keys of these sections.
    heads
        Tasks, of `HEADS`.
    enough
        Percent that the untouched model must reach in the languages of training; None: the floor test decides.
    seed
        Of ``keep`` and ``cls``; the fresh poolers have the seeds behind it.
    """

    name: str
    study: Mapping[str, Any]
    pairs: str
    text: str
    trained: tuple[str, ...]
    transfers: tuple[str, ...]
    adapter: Mapping[str, Any]
    nudge: Mapping[str, Any]
    targets: tuple[str, ...] | None = None
    task: Mapping[str, Any] = field(default_factory=dict)
    transfer: Mapping[str, Any] = field(default_factory=dict)
    heads: tuple[str, ...] = tuple(HEADS)
    enough: float | None = None
    seed: int = 1


@dataclass(frozen=True)
class Variant:
    """One study of a setup: its name, what becomes of the pooler, its seed behind the setup's, and its replicates."""

    name: str
    pooler: str
    seed: int
    replicates: int


def variants(draws: int) -> list[Variant]:
    """Return the studies: ``draws`` fresh poolers; kept and passed over with half as many nudges, which vary less."""
    whole = [Variant(pooler, pooler, 0, max(2, draws // 2)) for pooler in ("keep", "cls")]
    return whole + [Variant(f"reinitialise-{draw:02d}", "reinitialise", draw, 1) for draw in range(1, draws + 1)]


def study_of(setup: Setup, variant: Variant) -> dict[str, Any]:
    """Return the study file: k = 0 and 1, without the controls that say nothing of the pooler."""
    chosen = {} if setup.targets is None else {"languages": list(setup.targets)}
    tasks = [
        {
            "name": name,
            "shape": "nli",
            "reads": HEADS[name],
            "train": [{"dataset": setup.pairs, "languages": list(setup.trained)}],
            "targets": [{"dataset": setup.pairs, **chosen}],
            "adapter": dict(setup.adapter),
            **setup.task,
        }
        for name in setup.heads
    ]
    corpora = [{"dataset": setup.text, "languages": list(setup.transfers)}]
    return {
        "name": f"pooler-{variant.name}",
        "protocol": "transfer",
        "seed": setup.seed + variant.seed,
        **setup.study,
        "tasks": tasks,
        "transfer": {"corpora": corpora, "replicates": variant.replicates, **setup.transfer},
        "nudge": {**setup.nudge, "pooler": variant.pooler},
        "cells": [{"steps": 1}],
        "controls": {
            "zero_steps": {"languages": list(setup.transfers[:1])},
            "shuffled_text": None,
            "random_sign": None,
            "noise_floor": {"precision": "float64"},
        },
        "engine": {"token_budget": 2048, "threads": 1, "device": "cpu"},
    }


def run_variant(setup: Setup, variant: Variant, out: Path, workers: int = 0) -> Run:
    """Write the study file, do what its results folder lacks in so many processes (0: in this one), and open it.

    Raises
    ------
    UnitError
        Units failed; the same call tries them again.
    """
    path, folder = out / f"{variant.name}.yaml", out / variant.name
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(study_of(setup, variant), sort_keys=False, allow_unicode=True), encoding="utf-8")
    resolved = load_study(path)
    if variant.name != "keep":
        lend_adapters(resolved, out / "keep", folder)
    outcome = run_study(resolved, folder, workers=workers)
    if outcome.failed:
        raise UnitError(f"{folder}: {len(outcome.failed)} units failed, first {outcome.failed[0]}")
    return open_run(folder)


def lend_adapters(resolved: ResolvedStudy, owner: Path, borrower: Path) -> None:
    """Place the trained adapters of one results folder in another whose study would train them alike but for seeds."""
    there, here = Store(owner), Store(borrower)
    for unit in adapter_units(resolved).values():
        if not here.is_present(unit):
            source = there.artefact_path(unit.id)
            here.place_artefact(unit.id, lambda path, source=source: shutil.copyfile(source, path))  # type: ignore[misc]


def world_setup(
    home: Path, seed: int, spec: WorldSpec | None = None, pretraining: PretrainSettings = PRETRAINING
) -> Setup:
    """Make the artificial world and its tiny base in ``home`` where they are not there, and return their setup.

    Base, seen languages and nudges are the demo's. The experiment stays within the first family, for what is learnt is
    mostly the word for "not", which each family has its own of (`xltransfer.data.world.pairs`): adapters learn from the
    languages that the base has seen, and the nudges read text of one of them and of its unseen sister.

    Raises
    ------
    ConfigError
        ``home`` holds another world.
    """
    world = make_world(spec or world_spec(seed))
    demo = Study.model_validate(yaml.safe_load((root() / "studies" / "demo.yaml").read_text(encoding="utf-8")))
    seen = tuple(code for code in demo.base.seen or () if code in world.codes)
    if not (home / "model" / "config.json").exists():
        write_world(world, home / "world", root="world")
        make_base(BaseRecipe(home / "world" / "text", seen, pretraining, 1000, seed), home / "model")
    elif json.loads((home / "world" / SPEC_FILE).read_text(encoding="utf-8")) != world.spec.model_dump(mode="json"):
        raise ConfigError(f"{home} holds another world; give another folder with --out, or delete this one")
    family = tuple(language.code for language in world.languages if language.family == world.languages[0].family)
    declared = [
        {name: getattr(language, name) for name in ("code", "name", "family", "genus", "script")}
        for language in world.languages
    ]
    base = {"name": "tiny", "model": "model", "seen": list(seen)}
    datasets = ["world/world-nli.yaml", "world/world-text.yaml"]
    return Setup(
        name="artificial world",
        study={"data_root": str(home.resolve()), "base": base, "languages": declared, "datasets": datasets},
        pairs="world-nli",
        text="world-text",
        trained=tuple(code for code in family if code in seen),
        targets=family,
        transfers=family[:2],
        adapter={"epochs": 24, "learning_rate": 3e-3, "reduction": 2},
        task={"max_length": 96},
        nudge=demo.nudge.model_dump(mode="json", include={"batch_size", "block", "learning_rate"}),
        enough=60.0,
        seed=seed,
    )


def world_spec(seed: int) -> WorldSpec:
    """Return the default world with more test premises, and hardly anything of what the experiment does not read."""
    unread = ("train", "dev", "test", "ner_train", "ner_test", "parallel", "qa_train", "qa_test")
    counts = dict.fromkeys((*unread, "reviews_train", "reviews_test"), 1) | {"nli_test": 60}
    return WorldSpec(seed=seed, counts=Counts(**counts))


def model_setup(model: Path, data_root: Path) -> Setup:
    """Return the setup of a local model on XNLI's samples; seen languages and nudges are those of ``real_small``."""
    study = Study.model_validate(yaml.safe_load((root() / "studies" / "real_small.yaml").read_text(encoding="utf-8")))
    base = {"name": model.name, "model": str(model.resolve()), "seen": list(study.base.seen or ())}
    return Setup(
        name=model.name,
        study={"data_root": str(data_root.resolve()), "base": base},
        pairs="xnli-small",
        text="text-small",
        trained=TRAINED,
        targets=TRAINED,
        transfers=("eng", "wol"),
        adapter={"epochs": 6, "learning_rate": 1e-3, "reduction": 4},
        task={"max_length": 96},
        transfer={"tokens": study.transfer.tokens},
        nudge=study.nudge.model_dump(mode="json", include={"batch_size", "block", "learning_rate"}),
        heads=("nli",),
    )


TRAINED = ("deu", "eng", "fra", "rus", "spa", "swa", "tur", "zho")
"""Languages of xnli-small that have a train split."""
