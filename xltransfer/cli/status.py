"""``xltransfer status``: what a results folder was made with, what it holds, and what it still lacks."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xltransfer.runs.folder import Header
    from xltransfer.runs.unit import Unit

SHOWN_FAILURES = 20
_WHICH = ("corpus", "replicate", "members", "target", "compositions")
"""Parts of a key that tell units of one kind apart."""


def status(
    folder: Annotated[Path, typer.Argument(help="Results folder.")],
    study: Annotated[
        str | None, typer.Option(help="Study file or name: count what it wants and the folder lacks.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the data, in place of the study's own.")] = None,
) -> None:
    """Say what the results folder FOLDER holds, what failed and why, and, with --study, what is missing.

    Exit status 1 means that failures are open; the next 'xltransfer run' tries them again.
    """
    from xltransfer.report.provenance import describe
    from xltransfer.runs.status import status as status_of

    now = status_of(folder)
    _print_header(now.header)
    print(f"{now.measured} measured units, {now.artefacts} artefacts, {now.size / 1e6:,.1f} MB")
    if study is not None:
        _print_missing(folder, study, data_root, now.header)
    print(f"{len(now.failed)} failures")
    for failure in now.failed[:SHOWN_FAILURES]:
        print(f"  unit {failure.unit} ({describe(failure.key)}): {failure}")
    if len(now.failed) > SHOWN_FAILURES:
        print(f"  ... and {len(now.failed) - SHOWN_FAILURES} more in {folder / 'failures'}")
    if now.failed:
        raise typer.Exit(1)


def _print_header(header: "Header") -> None:
    """Print study, device, threads and versions."""
    there = dict(header.environment)
    print(f"study {header.study.get('name', '?')}, base {header.settings.get('base', '?')}")
    versions = ", ".join(f"{name} {there[name]}" for name in ("torch", "transformers", "tokenizers") if name in there)
    print(f"made on {there.get('device', '?')} with {there.get('threads', '?')} thread(s) per worker, {versions}")
    print(f"{len(header.files)} files of model and data known by their SHA-256")


def _print_missing(folder: Path, name: str, data_root: Path | None, header: "Header") -> None:
    """Print how many units of a study are there, and of what kind the others are."""
    from xltransfer.config.load import load_study
    from xltransfer.protocols.by_name import protocol_of
    from xltransfer.runs.store import Store

    resolved = load_study(name, data_root)
    if resolved.study.name != header.study.get("name"):
        print(f"note: the folder was made by study {header.study.get('name')!r}, not by {resolved.study.name!r}")
    todo = protocol_of(resolved).wanted(resolved, str(header.environment["device"]), Store(folder).present())
    total = todo.present + len(todo.units)
    print(f"{todo.present} of {total} units of study {resolved.study.name} are there, {len(todo.units)} missing")
    for kind, number in _kinds(todo.units).items():
        print(f"  missing: {number} x {kind}")


def _kinds(units: Iterable["Unit"]) -> dict[str, int]:
    """Count units by what they are, whatever their corpus, replicate, members or target."""
    from xltransfer.report.provenance import describe

    found: dict[str, int] = {}
    for unit in units:
        kind = describe({key: value for key, value in unit.key.items() if key not in _WHICH})
        found[kind] = found.get(kind, 0) + 1
    return found
