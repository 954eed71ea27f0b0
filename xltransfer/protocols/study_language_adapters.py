"""The language adapters of a study, one for each transfer corpus, trained by the bank and written as folders.

out/wol/            an adapter of AdapterHub's format
out/wol.json        how it was trained; written last, so that an adapter is there exactly if this file is
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.data.blocks import blocks, cut_corpora
from xltransfer.data.read import read_lines
from xltransfer.data.tokenizer import load_tokenizer
from xltransfer.engine import Backbone
from xltransfer.engine.bank import Trained
from xltransfer.errors import RunFolderError, UnitError
from xltransfer.protocols.language_adapters import LanguageAdapterSettings, OnSteps, fitting, train_language_adapters
from xltransfer.protocols.transfer.context import device_kind, vocabulary_of
from xltransfer.runs import atomic

Corpora = Mapping[str, NDArray[np.int32]]
"""Blocks [block, token] by adapter name."""
Plan = Callable[[Corpora, int], OnSteps]
"""Told the corpora that are left and how many go through one pass; returns what is told of steps."""


def adapters_for_study(
    resolved: ResolvedStudy,
    out: Path,
    settings: LanguageAdapterSettings,
    at_once: int | None = None,
    on_plan: Plan | None = None,
) -> list[Path]:
    """Train what is not in ``out`` yet and return the folders of all adapters, in the study's order.

    An adapter has its language's code for a name, or its corpus's where a language has several corpora. Corpora are cut
    to the tokens that the study says; seeds are child streams of the study's seed.

    Parameters
    ----------
    at_once
        Adapters in one pass; None: as many as the memory at hand holds.

    Raises
    ------
    RunFolderError
        ``out`` holds an adapter of that name that was trained otherwise.
    UnitError
        Trainings that failed; the others are written.
    """
    corpora = corpora_of(resolved, settings.block)
    folders = {name: out / name for name in corpora}
    about = {name: _about(resolved, settings, own) for name, own in corpora.items()}
    left = {name: own for name, own in corpora.items() if not _is_there(folders[name], about[name])}
    if left:
        torch.set_num_threads(resolved.study.engine.threads)
        model, vocabulary = _model(resolved), vocabulary_of(load_tokenizer(resolved.model))
        size = at_once or fitting(model, left, vocabulary, settings)
        on_steps = None if on_plan is None else on_plan(left, size)
        names, problems = iter(left), []
        while group := list(islice(names, size)):
            trained = train_language_adapters(
                model,
                {name: left[name] for name in group},
                vocabulary,
                settings,
                resolved.study.seed,
                at_once=size,
                on_steps=on_steps,
            ).trained
            for name, end in trained.items():
                if end.problem is None:
                    _write(model, name, folders[name], about[name], end, size)
                else:
                    problems.append(f"language adapter {name!r}: {end.problem}")
        if problems:
            raise UnitError("; ".join(problems))
    return list(folders.values())


def corpora_of(resolved: ResolvedStudy, block: int) -> dict[str, NDArray[np.int32]]:
    """Return the blocks [block, token] of every transfer corpus by adapter name, cut to comparable sizes."""
    tokenizer = load_tokenizer(resolved.model)
    languages = [ref.language for ref in resolved.corpora]
    whole = {
        ref.language if languages.count(ref.language) == 1 else ref.name: blocks(
            read_lines(ref, "train"), tokenizer, block, name=ref.name
        )
        for ref in resolved.corpora
    }
    return cut_corpora(whole, resolved.study.transfer.tokens)


def _model(resolved: ResolvedStudy) -> Backbone:
    engine, base = resolved.study.engine, resolved.study.base
    model = Backbone.load(resolved.model, engine.rules, engine.stack, base.revision)
    return model.to(device_kind(engine.device)).requires_grad_(False)


def _about(resolved: ResolvedStudy, settings: LanguageAdapterSettings, own: NDArray[np.int32]) -> dict[str, Any]:
    """Return what decides an adapter, as JSON gives it back; the text as the SHA-256 of its blocks."""
    about = {
        "base": resolved.study.base.name,
        "seed": resolved.study.seed,
        "blocks": list(own.shape),
        "text": hashlib.sha256(np.ascontiguousarray(own).tobytes()).hexdigest(),
        **{f"settings.{key}": value for key, value in asdict(settings).items()},
    }
    returned: dict[str, Any] = json.loads(json.dumps(about))
    return returned


def _is_there(folder: Path, about: dict[str, Any]) -> bool:
    record = _record(folder)
    if not record.is_file():
        return False
    found = json.loads(record.read_text(encoding="utf-8"))
    differing = [key for key, value in about.items() if found.get(key) != value]
    if differing:
        raise RunFolderError(
            f"adapter {folder.name!r} in {folder.parent} was trained otherwise ({', '.join(differing)} differ); "
            "give another --out, or the same settings"
        )
    return True


def _record(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _write(model: Backbone, name: str, folder: Path, about: dict[str, Any], end: Trained, at_once: int) -> None:
    model.save_adapter(name, folder, overwrite=True)
    del model.adapters[name]
    losses = {"first": end.losses[0], "last": end.losses[-1]}
    record = about | {"at_once": at_once, "steps": len(end.losses), "loss_in_nats": losses}
    text = json.dumps(record, indent=2, sort_keys=True)
    atomic.place_bytes(_record(folder), f"{text}\n".encode())
