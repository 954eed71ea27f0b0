"""The published tables: what four papers printed, as they printed it.

``data_manifests/published/index.yaml`` names the papers and their tables; each table is a CSV file in the folder of its
paper. Nothing is computed here. Cells stay the text that was printed, because the number of digits says how far a
number was rounded: ``0.40`` is not ``0.4``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from xltransfer.config.base import Frozen
from xltransfer.config.manifests import root, validate_document
from xltransfer.config.yaml_lines import read_document
from xltransfer.errors import ConfigError, near_match

if TYPE_CHECKING:
    import pandas as pd


class Table(Frozen):
    """One entry of the index."""

    item: str = Field(min_length=1)
    """What it transcribes, such as ``Table 4``."""
    holds: str = Field(min_length=1)
    """Its content in words."""


class Paper(Frozen):
    """A paper and the names of its files without ``.csv``."""

    title: str = Field(min_length=1)
    """Title as printed."""
    authors: str = Field(min_length=1)
    """Family names."""
    year: int
    """Year of publication."""
    tables: Mapping[str, Table] = Field(min_length=1)
    """Name to entry, in the order of the paper."""


class Index(Frozen):
    """The file ``index.yaml``."""

    papers: Mapping[str, Paper] = Field(min_length=1)
    """Name to paper."""


@dataclass(frozen=True)
class PublishedTable:
    """One transcribed table.

    Attributes
    ----------
    paper, name
        How it is asked for: ``faisal2024``, ``table21_spearman``.
    item
        What it transcribes, such as ``Table 21``.
    holds
        Its content in words.
    path
        The CSV file.
    """

    paper: str
    name: str
    item: str
    holds: str
    path: Path

    def read(self) -> "pd.DataFrame":
        """Return the table; every cell is the text that was printed, an empty one is ``""``."""
        import pandas as pd

        return pd.read_csv(self.path, dtype="str", keep_default_na=False)


def published_papers(folder: Path | None = None) -> Mapping[str, Paper]:
    """Return the papers by name.

    Parameters
    ----------
    folder
        Holds ``index.yaml`` and a folder per paper. Default: the one that ships.

    Raises
    ------
    ConfigError
        The index is absent or malformed.
    """
    path = (folder or root() / "published") / "index.yaml"
    return validate_document(read_document(path), Index).papers


def published_tables(paper: str, folder: Path | None = None) -> tuple[PublishedTable, ...]:
    """Return the tables of ``paper`` in its order.

    Raises
    ------
    ConfigError
        There is no such paper; the nearest name is given.
    """
    papers = published_papers(folder)
    if paper not in papers:
        raise ConfigError(f"unknown paper {paper!r}{near_match(paper, papers)}")
    home = (folder or root() / "published") / paper
    return tuple(
        PublishedTable(paper, name, table.item, table.holds, home / f"{name}.csv")
        for name, table in papers[paper].tables.items()
    )


def published_table(paper: str, name: str, folder: Path | None = None) -> PublishedTable:
    """Return one table by its name, or by a beginning that no other table of the paper has.

    Raises
    ------
    ConfigError
        There is no such paper or table, or several tables begin so; names that would do are given.
    """
    tables = {table.name: table for table in published_tables(paper, folder)}
    begin = [known for known in tables if known.startswith(name)]
    if name in tables or len(begin) == 1:
        return tables[name if name in tables else begin[0]]
    if begin and name:
        raise ConfigError(f"several tables of {paper} begin with {name!r}: {', '.join(begin)}")
    raise ConfigError(
        f"{paper} has no table {name!r}{near_match(name, tables)} (`xltransfer published {paper}` lists them)"
    )
