"""YAML files as plain data in which every place still knows its file and line.

Files are composed with the ``BaseLoader``: every scalar stays the text that stands in the file, so the language ``no``
is not False and ``5e-5`` reaches pydantic, which converts it. Only a bare ``null``, ``~`` or nothing becomes None.
Duplicate keys are refused with both lines. What the data must look like is not decided here but by the pydantic
models; :meth:`Document.complaints` turns their errors into sentences with a place.
"""

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from xltransfer.errors import ConfigError, near_match

Loc = tuple[str | int, ...]
"""A path into nested data: mapping keys and sequence positions."""

PLACE = re.compile(r"(?P<file>.*?):(?P<line>\d+): ")

NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True)
class Document:
    """The content of one YAML file.

    Attributes
    ----------
    shown
        How messages name the file.
    data
        Mappings, lists, strings and None.
    lines
        The line (from 1) of every key and every list item, by its path.
    """

    shown: str
    data: Any
    lines: Mapping[Loc, int]

    def place(self, loc: Iterable[str | int] = ()) -> str:
        """Return ``file:line`` of the deepest part of ``loc`` that is in the file; unknown parts are skipped."""
        found: Loc = ()
        for part in loc:
            if (*found, part) in self.lines:
                found = (*found, part)
        return f"{self.shown}:{self.lines.get(found, 1)}"

    def complaints(self, error: ValidationError, model: type[BaseModel]) -> list[str]:
        """Return one sentence per error of validating this data as ``model``, in the order of the file's lines."""
        found = [(self.place(item["loc"]), _sentence(item, self._named(item["loc"]), model)) for item in error.errors()]
        return by_line(f"{place}: {text}" for place, text in found)

    def _named(self, loc: Loc) -> str:
        """Return ``tasks[0].adapter.epochs``, without the tags that pydantic puts between."""
        found: Loc = ()
        text = ""
        for i, part in enumerate(loc):
            known = (*found, part) in self.lines
            found = (*found, part) if known else found
            if known or (i == len(loc) - 1 and f"{part}".isidentifier()):
                text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text.removeprefix(".")


def by_line(problems: Iterable[str]) -> list[str]:
    """Return problems that begin with ``file:line:`` without repetitions, the files in order of appearance, by line."""
    distinct = list(dict.fromkeys(problems))
    placed = [PLACE.match(problem) for problem in distinct]
    files = list(dict.fromkeys(match["file"] if match else "" for match in placed))
    keys = [(files.index(match["file"] if match else ""), int(match["line"]) if match else 0) for match in placed]
    return [distinct[i] for i in sorted(range(len(distinct)), key=keys.__getitem__)]


def read_document(path: Path, shown: str | None = None) -> Document:
    """Read a YAML file.

    Raises
    ------
    ConfigError
        The file is absent, is no YAML, repeats a key, or is not a mapping.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    return parse_document(path.read_text(encoding="utf-8"), shown or str(path))


def parse_document(text: str, shown: str) -> Document:
    """Return the document of ``text``; ``shown`` names it in messages. Raises like :func:`read_document`."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 1
        raise ConfigError(f"{shown}:{line}: not YAML: {err.problem or err.context}") from err
    lines: dict[Loc, int] = {}
    problems: list[str] = []
    try:
        data = _walk(node, (), shown, lines, problems) if node is not None else None
    except RecursionError as err:
        raise ConfigError(f"{shown}:1: an alias (*name) stands inside what it names") from err
    if not isinstance(data, dict):
        problems.append(f"{shown}:1: expected a mapping of keys to values")
    if problems:
        raise ConfigError(problems)
    return Document(shown, data, lines)


def _walk(node: yaml.Node, loc: Loc, shown: str, lines: dict[Loc, int], problems: list[str]) -> Any:
    """Return the plain data of ``node`` and note its lines."""
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _walk_mapping(node, loc, shown, lines, problems)
    if isinstance(node, yaml.SequenceNode):
        return [_walk(item, (*loc, i), shown, lines, problems) for i, item in enumerate(node.value)]
    text: str = node.value
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return None if plain and text in NULLS else text


def _walk_mapping(
    node: yaml.MappingNode, loc: Loc, shown: str, lines: dict[Loc, int], problems: list[str]
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(f"{shown}:{line}: a key must be plain text")
            continue
        key: str = key_node.value
        if key in data:
            problems.append(f"{shown}:{line}: key {key!r} stands here and at line {lines[(*loc, key)]}; keep one")
            continue
        lines[(*loc, key)] = line
        data[key] = _walk(value_node, (*loc, key), shown, lines, problems)
    return data


def _sentence(item: Any, name: str, model: type[BaseModel]) -> str:
    """Return what is wrong, naming the field, the value and, for an unknown key, the nearest known one."""
    loc: Loc = item["loc"]
    kind, message = item["type"], item["msg"]
    if kind == "extra_forbidden":
        return f"unknown key {loc[-1]!r}{near_match(str(loc[-1]), _keys_beside(model, loc))}"
    if kind == "missing":
        return f"the key {name!r} is missing"
    message = message.removeprefix("Value error, ")
    if kind == "value_error":
        return f"{name}: {message}" if name else message
    value = item["input"]
    got = f", got {value!r}" if isinstance(value, str | int | float | None) else ""
    return f"{name}: {message[:1].lower()}{message[1:]}{got}"


def _keys_beside(model: type[BaseModel], loc: Loc) -> set[str]:
    """Return the field names that are known where the last part of ``loc`` stands."""
    models = [model]
    for part in loc[:-1]:
        deeper = [
            found
            for parent in models
            if part in parent.model_fields
            for found in _models_in(parent.model_fields[str(part)].annotation)
        ]
        tagged = [found for found in models if _kind(found) == part]
        models = deeper or tagged or models
    return {name for found in models for name in found.model_fields}


def _kind(model: type[BaseModel]) -> object:
    """Return the literal ``kind`` of a member of a discriminated union, else None."""
    field = model.model_fields.get("kind")
    return None if field is None else field.default


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the pydantic models inside a type annotation."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if get_origin(annotation) in (Union, types.UnionType) or get_args(annotation):
        return [found for part in get_args(annotation) for found in _models_in(part)]
    return []
