"""Languages: one table from codes and names to family, genus and script.

A key is the source's ISO 639-3 code after alias repair; macrolanguages are kept as the sources give them (que, zho,
ara, kur, swa, msa, hbs). ``individual`` is one individual code that stands for a language where a macrolanguage cannot
be used: in URIEL, and to decide whether a base model has seen it. Aliases are two-letter codes and the legacy codes of
the four papers: ``fre``, ``idn``, ``bzc``, and ``jap``, which is Jaruára and never Japanese. Family, genus and script
of the shipped table are those of Faisal and Anastasopoulos (2024, tables 24 to 28) where they state them, scripts as
ISO 15924 codes; ``data_manifests/README.md`` lists what departs from them.
"""

import csv
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from xltransfer.errors import ConfigError


@dataclass(frozen=True)
class Language:
    """One language, or a variety that a dataset treats as one.

    Attributes
    ----------
    code
        ISO 639-3 code, or a private one (``qaa`` to ``qtz``).
    name, family, genus
        English names; ``family`` and ``genus`` never empty.
    script
        ISO 15924 code of the usual script of its texts, several joined by ``+``.
    aliases
        Other codes by which a source may call it.
    macrolanguage
        Code of the macrolanguage that it is part of, or None.
    individual
        One individual code that stands for it in URIEL and for seen or unseen; None where there is none.
    """

    code: str
    name: str
    family: str
    genus: str
    script: str
    aliases: tuple[str, ...] = ()
    macrolanguage: str | None = None
    individual: str | None = None


@dataclass(frozen=True)
class LanguageTable:
    """A set of languages without two of the same code or alias.

    Raises
    ------
    ConfigError
        Two languages share a code or an alias.
    """

    languages: tuple[Language, ...]
    _index: dict[str, Language] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, Language] = {}
        clashes = []
        for language in self.languages:
            for key in (language.code, *language.aliases):
                if key.lower() in index:
                    clashes.append(f"{key!r} is a code or alias of {index[key.lower()].name} and of {language.name}")
                index[key.lower()] = language
        if clashes:
            raise ConfigError(clashes)
        object.__setattr__(self, "_index", index)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a CSV file with the columns of :class:`Language`; aliases are separated by spaces."""
        with path.open(encoding="utf-8", newline="") as file:
            return cls(tuple(_language(row) for row in csv.DictReader(file)))

    def __iter__(self) -> Iterator[Language]:
        return iter(self.languages)

    def __len__(self) -> int:
        return len(self.languages)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def get(self, name: str) -> Language:
        """Return the language of a code or alias (in any case).

        Raises
        ------
        ConfigError
            It is unknown; the nearest code or name is given.
        """
        if name.lower() not in self._index:
            raise ConfigError(self.unknown(name))
        return self._index[name.lower()]

    def unknown(self, name: str) -> str:
        """Return the message for an unknown code, with the language whose code or name is nearest."""
        by_text = {language.name.lower(): language for language in self.languages}
        by_text |= self._index
        close = difflib.get_close_matches(name.lower(), by_text, n=1, cutoff=0.6)
        if close:
            near = by_text[close[0]]
            return f"unknown language {name!r}; did you mean {near.code!r} ({near.name})?"
        return f"unknown language {name!r}; none of {len(self)} is near; declare it under `languages:`"

    def with_declared(self, languages: Iterable[Language]) -> Self:
        """Return a table with ``languages`` added.

        Raises
        ------
        ConfigError
            A declared code or alias is taken.
        """
        return type(self)((*self.languages, *languages))

    def covered_by(self, codes: Iterable[str]) -> frozenset[str]:
        """Return every code of the table that a list of languages covers.

        A language is covered if it, or its individual code, is listed or is the individual code of a listed one:
        ``nor`` by a list with ``nob``, ``kmr`` by one with ``kur``. Another member of a listed macrolanguage is not:
        ``ajp`` is not covered by ``ara``.
        """
        listed = {self.get(code) for code in codes}
        individual = {language.individual for language in listed} - {None}
        return frozenset(
            language.code for language in self.languages if language in listed or language.individual in individual
        )


def _language(row: dict[str, str]) -> Language:
    """Return the language of one row of the CSV file."""
    return Language(
        code=row["code"],
        name=row["name"],
        family=row["family"],
        genus=row["genus"],
        script=row["script"],
        aliases=tuple(row["aliases"].split()),
        macrolanguage=row["macrolanguage"] or None,
        individual=row["individual"] or None,
    )
