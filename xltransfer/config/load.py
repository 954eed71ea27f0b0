"""Reading a study file: YAML to plain data, plain data to a valid study, its names looked up.

Problems of every kind are shown together, each with file and line: if the file does not have the right shape, the parts
that are wrong are left out and the names of the rest are looked up all the same.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xltransfer.config.manifests import root
from xltransfer.config.resolve import ResolvedStudy, resolve
from xltransfer.config.study import Study
from xltransfer.config.yaml_lines import Document, Loc, by_line, read_document
from xltransfer.errors import ConfigError, near_match


def load_study(name_or_path: str | Path, data_root: str | Path | None = None) -> ResolvedStudy:
    """Read, validate and resolve a study.

    Parameters
    ----------
    name_or_path
        Path of a YAML file, or the bare name of a study that ships with the package (``demo``).
    data_root
        Folder of the data, relative to the working directory; takes the place of the study's own.

    Raises
    ------
    ConfigError
        With every problem found, each with file and line and the nearest known name.
    """
    path = study_path(name_or_path)
    document = read_document(path)
    override = None if data_root is None else Path(data_root).expanduser()
    try:
        study = Study.model_validate(document.data)
    except ValidationError as err:
        problems = document.complaints(err, Study)
        problems += _problems_with_names(document, err, path.parent, override)
        raise ConfigError(by_line(problems)) from err
    return resolve(study, path.parent, override, document.place)


def study_path(name_or_path: str | Path) -> Path:
    """Return the file of a study; raises :class:`ConfigError` with the nearest shipped name."""
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    shipped = {file.stem: file for file in (root() / "studies").glob("*.yaml")}
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    raise ConfigError(f"no study file {str(name_or_path)!r} and no shipped study of that name{_near(path, shipped)}")


def _near(path: Path, shipped: dict[str, Path]) -> str:
    return near_match(path.stem, shipped)


def _problems_with_names(document: Document, error: ValidationError, folder: Path, data_root: Path | None) -> list[str]:
    """Return the unknown names of a study that is not valid, as far as what is valid of it goes."""
    data = deepcopy(document.data)
    for item in error.errors():
        if item["type"] not in ("missing", "value_error"):
            _drop(data, item["loc"])
    try:
        study = Study.model_validate(data, context={"names_only": True})
        resolve(study, folder, data_root, document.place)
    except ValidationError:
        return []
    except ConfigError as err:
        return list(err.problems)
    return []


def _drop(data: Any, loc: Loc) -> None:
    """Remove the deepest part of ``loc`` that ``data`` has, if it is a key of a mapping."""
    parent: Any = None
    last: str | int = ""
    for part in loc:
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            parent, last = data, part
            data = parent[part]
    if isinstance(parent, dict):
        parent.pop(last, None)
