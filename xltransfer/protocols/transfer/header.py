"""What a results folder remembers of a study: settings that must stay, parts that may be added, files that were read.

Left out of the settings is what a later study may add to: corpora, steps, replicates, targets, seeds, controls.
"""

from collections.abc import Mapping, Sized
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xltransfer.config.readers import LabelledReader, PairReader
from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.engine.loading import local_folder
from xltransfer.protocols.transfer.context import corpus_blocks
from xltransfer.protocols.transfer.wanted import task_settings
from xltransfer.runs.folder import Header, sha256_file

_MODEL_FILES = ("*.safetensors", "*.bin", "config.json", "tokenizer*", "vocab*", "sentencepiece*", "*.model")


def header_of(resolved: ResolvedStudy, tokenizer: Any, device: str) -> Header:
    """Return the header of a run of ``resolved`` on a kind of device; reads every file of the study once."""
    study = resolved.study
    settings = {
        "nudge": study.nudge.model_dump(mode="json"),
        "noise_floor": study.controls.noise_floor.model_dump(mode="json"),
    }
    return header_with(resolved, device, settings, corpus_blocks(resolved, tokenizer))


def header_with(
    resolved: ResolvedStudy, device: str, settings: Mapping[str, Any], corpora: Mapping[str, Sized]
) -> Header:
    """Return the header with a protocol's own ``settings``, and the number of blocks of every corpus."""
    study = resolved.study
    return Header(
        study=study.model_dump(mode="json"),
        settings={
            "protocol": study.protocol,
            "seed": study.seed,
            "base": study.base.name,
            "engine": study.engine.model_dump(mode="json", exclude={"device", "threads"}),
            **settings,
        },
        parts={
            "task": {
                task.name: task_settings(task) | {"train": [ref.name for ref in resolved.train[task.name]]}
                for task in study.tasks
            },
            # Adding a small corpus under `tokens: equal` would shrink the others: that is another study.
            "blocks of corpus": {name: len(blocks) for name, blocks in corpora.items()},
        },
        environment={
            "device": device,
            "threads": study.engine.threads,
            "torch": version("torch"),
            "transformers": version("transformers"),
            "tokenizers": version("tokenizers"),
        },
        files=_hashes(resolved),
    )


def _hashes(resolved: ResolvedStudy) -> dict[str, str]:
    folder = local_folder(resolved.model, resolved.study.base.revision)
    hashes = {
        f"base/{path.name}": sha256_file(path) for pattern in _MODEL_FILES for path in sorted(folder.glob(pattern))
    }
    used: dict[str, tuple[EntryRef, tuple[str, ...]]] = {}
    for refs in (resolved.corpora, *resolved.train.values()):
        for ref in refs:
            used.setdefault(f"{ref.name}/train", (ref, ("train",)))
    for refs in resolved.targets.values():
        for ref in refs:
            used.setdefault(f"{ref.name}/test", (ref, ("test", "train")))
    for name, (ref, splits) in used.items():
        path = next((path for split in splits if (path := _file(ref, split)) is not None), None)
        if path is not None:
            hashes[name] = sha256_file(path)
            hashes |= {f"{name}/ids": sha256_file(ids) for ids in _ids(ref, splits)}
    return hashes


def _ids(ref: EntryRef, splits: tuple[str, ...]) -> list[Path]:
    """Return the file of its own that names a split's rows, if there is one."""
    listed = ref.reader.ids if isinstance(ref.reader, PairReader | LabelledReader) else {}
    return [ref.root / listed[split] for split in splits[:1] if split in listed]


def _file(ref: EntryRef, split: str) -> Path | None:
    """Return the local file of a split; None where there is none, or where it comes from the hub at a revision."""
    if split not in ref.files or not (ref.root / ref.files[split]).is_file():
        return None
    return ref.root / ref.files[split]
