"""What a results folder remembers of an alignment study."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from xltransfer.config.alignment import Compared
from xltransfer.config.resolve import EntryRef, ResolvedStudy
from xltransfer.protocols.alignment.context import adapter_folders
from xltransfer.protocols.alignment.pairs import sides_of
from xltransfer.protocols.alignment.states import states
from xltransfer.protocols.transfer.context import corpus_blocks
from xltransfer.protocols.transfer.header import header_with
from xltransfer.runs.folder import Header, sha256_file


def header_of(resolved: ResolvedStudy, tokenizer: Any, device: str) -> Header:
    """Return the header of a run of ``resolved`` on a kind of device; reads every file of the study once.

    Raises
    ------
    ConfigError
        A language without its adapter; see also `states.states` and `corpus_blocks`.
    DataError
        As `pairs.sides_of`.
    """
    study = resolved.study
    # What cannot be compared is refused here: a folder would remember the files that are still to be mended.
    tuple(states(resolved))
    for spec in _sets(resolved):
        sides_of(resolved, spec)
    settings = {"nudge": study.nudge.model_dump(mode="json"), "max_length": study.alignment.max_length}
    header = header_with(resolved, device, settings, corpus_blocks(resolved, tokenizer))
    sets = {
        spec.name: {"kind": spec.kind, "split": spec.split, "max_items": spec.max_items} for spec in _sets(resolved)
    }
    files = {name: sha256_file(path) for name, path in _files(resolved)}
    return replace(header, parts={**header.parts, "compared": sets}, files={**header.files, **files})


def _sets(resolved: ResolvedStudy) -> tuple[Compared, ...]:
    return resolved.study.alignment.compared


def _files(resolved: ResolvedStudy) -> Iterator[tuple[str, Path]]:
    """Yield every file of compared texts, of their ids and of language adapters, under its name in the header."""
    for spec in _sets(resolved):
        for ref in resolved.compared[spec.name]:
            yield from _of_entry(ref, spec.split)
    for language, folder in adapter_folders(resolved).items():
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            yield f"adapters/{language}/{path.name}", path


def _of_entry(ref: EntryRef, split: str) -> Iterator[tuple[str, Path]]:
    listed = getattr(ref.reader, "ids", {})
    for name, file in ((f"{ref.name}/{split}", ref.files.get(split)), (f"{ref.name}/{split}/ids", listed.get(split))):
        if file is not None and (ref.root / file).is_file():
            yield name, ref.root / file
