"""Manifests: declarations of datasets and base models, and where the ones that ship with the package lie.

``data_manifests/`` holds ``languages.csv``, ``datasets/*.yaml``, ``models/*.yaml``, ``studies/*.yaml`` and
``published/``. A user's own manifests have the same shape and are named in the study file. Names are checked against
each other in ``xltransfer.config.resolve``, not here.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Self, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from xltransfer.config.base import Frozen
from xltransfer.config.readers import BioReader, ConlluReader, HubReader, Layout, Reader, TextReader
from xltransfer.config.yaml_lines import Document, read_document
from xltransfer.errors import ConfigError, near_match
from xltransfer.languages import LanguageTable

__all__ = [
    "BioReader",
    "ConlluReader",
    "DatasetManifest",
    "Entry",
    "HubReader",
    "Layout",
    "ModelManifest",
    "Reader",
    "TextReader",
    "language_table",
    "load_dataset",
    "load_datasets",
    "load_model",
    "root",
]

Model = TypeVar("Model", bound=Frozen)


@cache
def root() -> Path:
    """Return the folder ``data_manifests``: inside an installed package, else beside the package (editable install).

    Raises
    ------
    ConfigError
        Neither folder is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "data_manifests", package.parent / "data_manifests"):
        if (folder / "languages.csv").is_file():
            return folder
    raise ConfigError(f"no folder data_manifests inside {package} or beside it; the installation is incomplete")


@cache
def language_table() -> LanguageTable:
    """Return the languages of ``data_manifests/languages.csv``."""
    return LanguageTable.read(root() / "languages.csv")


class Entry(Frozen):
    """One treebank, corpus or annotated set of a dataset: the unit that studies select."""

    name: str = Field(min_length=1)
    """Unique over all datasets of a study, such as ``UD_Wolof-WTB`` or ``text-wol``."""
    language: str = Field(min_length=1)
    """ISO 639-3 code or an alias of it."""
    files: Mapping[str, str]
    """Split (``train``, ``dev``, ``test``) to path relative to the dataset's root; for the hub, to the split's name."""
    config: str | None = None
    """Configuration of a hub dataset, such as ``wo``."""

    @field_validator("files")
    @classmethod
    def _safe_paths(cls, files: Mapping[str, str]) -> Mapping[str, str]:
        if not files:
            raise ValueError("an entry needs at least one split with its file")
        for split, path in files.items():
            if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"split {split!r} has the path {path!r}; expected a path inside the dataset's root")
        return files


class DatasetManifest(Frozen):
    """A collection of entries from one source, read in one way."""

    name: str = Field(min_length=1)
    """What studies call it."""
    title: str = Field(min_length=1)
    """Its full name."""
    source: str = Field(min_length=1)
    """Where it comes from: address and version."""
    licence: str = Field(min_length=1)
    """As its source states it."""
    citation: str = Field(min_length=1)
    """Whom to cite."""
    root: str = "."
    """Folder of the files, relative to the study's data root."""
    reader: Reader
    """How the files are read."""
    entries: tuple[Entry, ...] = Field(min_length=1)
    """What there is to select."""

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        repeated = [name for name, n in Counter(entry.name for entry in self.entries).items() if n > 1]
        if repeated:
            raise ValueError(f"entries of {self.name!r} share a name: {', '.join(repeated)}")
        return self


class ModelManifest(Frozen):
    """A base model of the Hugging Face hub and the languages that it was pretrained on."""

    name: str = Field(min_length=1)
    """What studies call it."""
    title: str = Field(min_length=1)
    """Its full name."""
    hub_id: str = Field(min_length=1)
    """``owner/name`` on the hub."""
    casing: str = Field(pattern="^(cased|uncased)$")
    """Whether its tokenizer keeps upper case: ``cased`` or ``uncased``."""
    source: str = Field(min_length=1)
    """Where the list of languages is stated."""
    licence: str = Field(min_length=1)
    """Licence of the weights, as stated."""
    citation: str = Field(min_length=1)
    """Whom to cite."""
    seen: tuple[str, ...] = Field(min_length=1)
    """ISO 639-3 codes of the languages that it was pretrained on."""


def validate_document(document: Document, model: type[Model]) -> Model:
    """Return ``document`` as a ``model``; raises :class:`ConfigError` with the line of every problem."""
    try:
        return model.model_validate(document.data)
    except ValidationError as err:
        raise ConfigError(document.complaints(err, model)) from err


def load_dataset(path: Path) -> DatasetManifest:
    """Read one dataset manifest; raises :class:`ConfigError` with file and line of every problem."""
    return validate_document(read_document(path), DatasetManifest)


@cache
def load_datasets() -> Mapping[str, DatasetManifest]:
    """Return the datasets that ship with the package, by name."""
    return {manifest.name: manifest for path in _shipped("datasets") for manifest in (load_dataset(path),)}


@cache
def load_model(name: str) -> ModelManifest:
    """Return the model manifest ``name``; raises :class:`ConfigError` with the nearest name."""
    names = {path.stem: path for path in _shipped("models")}
    if name not in names:
        raise ConfigError(f"unknown model manifest {name!r}{near_match(name, names)}")
    return validate_document(read_document(names[name]), ModelManifest)


def _shipped(folder: str) -> list[Path]:
    """Return the YAML files of one folder of the shipped manifests, sorted by name."""
    return sorted((root() / folder).glob("*.yaml"))
