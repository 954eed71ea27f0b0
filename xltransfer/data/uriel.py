"""URIEL's vectors of languages, read from the data files that the package lang2vec installs.

lang2vec itself is never imported: its module needs ``pkg_resources``, and a console script of the same name may shadow
it. Only its files are used, found through the metadata of the installation. A value that URIEL does not know is NaN
here (-1 in the files, ``--`` in lang2vec). The ``knn`` sets are predictions from related and neighbouring languages and
therefore never miss a value: they say what is likely, not what was observed. Codes are ISO 639-3 as URIEL has them;
which of them stands for a language is for :mod:`.uriel_codes`.

Sources: Littell et al. 2017 (URIEL); Malaviya et al. 2017 (``learned``). lang2vec 1.1.2 holds 7,970 codes, five of
which are no languages and are left out; its set ``inventory_ethnologue`` is empty and is left out too. It ships no
distances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xltransfer.errors import ConfigError, DataError, near_match

Matrix = NDArray[np.float64]


class _Place(NamedTuple):
    """Where a set lies: file, name of the source in it, and what the names of its features begin with."""

    file: str
    source: str
    prefix: str


_PHOIBLE: Final = ("aa", "gm", "ph", "ra", "saphon", "spa", "upsid")

_PLACES: Final[Mapping[str, _Place]] = {
    "syntax_average": _Place("feature_averages.npz", "avg", "S_"),
    "syntax_wals": _Place("features.npz", "WALS", "S_"),
    "syntax_sswl": _Place("features.npz", "SSWL", "S_"),
    "syntax_ethnologue": _Place("features.npz", "ETHNO", "S_"),
    "syntax_knn": _Place("feature_predictions.npz", "predicted", "S_"),
    "phonology_average": _Place("feature_averages.npz", "avg", "P_"),
    "phonology_wals": _Place("features.npz", "WALS", "P_"),
    "phonology_ethnologue": _Place("features.npz", "ETHNO", "P_"),
    "phonology_knn": _Place("feature_predictions.npz", "predicted", "P_"),
    "inventory_average": _Place("feature_averages.npz", "avg", "INV_"),
    **{f"inventory_phoible_{name}": _Place("features.npz", f"PHOIBLE_{name.upper()}", "INV_") for name in _PHOIBLE},
    "inventory_knn": _Place("feature_predictions.npz", "predicted", "INV_"),
    "geo": _Place("geocoord_features.npz", "GEOCOORDS", "GC_"),
    "fam": _Place("family_features.npz", "FAM", "F_"),
}

_LEARNED: Final = "learned"

FEATURE_SETS: Final = (*_PLACES, _LEARNED)
"""Names of the sets, as lang2vec calls them."""

_MISSING: Final = -1

_NO_LANGUAGES: Final = ("mis", "mul", "und", "zbl", "zxx")
"""Codes in the files that are not languages: uncoded, multiple, undetermined, Blissymbols, no linguistic content."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """One feature set.

    Attributes
    ----------
    name
        One of `FEATURE_SETS`.
    languages
        URIEL's codes, in the order of the file.
    features
        Names of the features.
    stored
        [language, feature], as small as the values allow.
    missing
        The stored value that stands for an unknown one; None where there is none.
    """

    name: str
    languages: tuple[str, ...]
    features: tuple[str, ...]
    stored: NDArray[Any]
    missing: int | None

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {code: row for row, code in enumerate(self.languages)}

    def __contains__(self, code: object) -> bool:
        return code in self._row_of

    def rows(self, codes: Sequence[str | None]) -> Matrix:
        """Return the vectors of ``codes`` [code, feature]; NaN where a value, the code or all of it is unknown."""
        found = [self._row_of.get(code, -1) if code is not None else -1 for code in codes]
        row = np.array(found, dtype=np.intp)
        values = self.stored[row].astype(np.float64)
        if self.missing is not None:
            values[values == self.missing] = np.nan
        values[row < 0] = np.nan
        return values

    def known(self, codes: Sequence[str | None]) -> NDArray[np.int64]:
        """Return how many features of each code are known, [code]."""
        return np.asarray((~np.isnan(self.rows(codes))).sum(axis=1), dtype=np.int64)


@cache
def vectors(name: str) -> Vectors:
    """Return one feature set of all languages; read once a process.

    Raises
    ------
    ConfigError
        There is no such set; the nearest name is given.
    DataError
        lang2vec or one of its files is absent.
    """
    if name not in FEATURE_SETS:
        raise ConfigError(f"features={name!r} is not a feature set of URIEL{near_match(name, FEATURE_SETS)}")
    if name == _LEARNED:
        return _learned()
    place = _PLACES[name]
    whole = _file(place.file)
    columns = [k for k, feature in enumerate(whole.features) if feature.startswith(place.prefix)]
    stored = whole.values[:, columns, whole.sources.index(place.source)]
    stored.flags.writeable = False
    return Vectors(name, whole.languages, tuple(whole.features[k] for k in columns), stored, _MISSING)


@cache
def known_codes() -> frozenset[str]:
    """Return every code that URIEL has, whatever is known of it."""
    return frozenset(_file("feature_predictions.npz").languages)


class _File(NamedTuple):
    """A data file: values [language, feature, source]."""

    languages: tuple[str, ...]
    features: tuple[str, ...]
    sources: tuple[str, ...]
    values: NDArray[Any]


@cache
def _file(name: str) -> _File:
    """Read a file once for all sets in it; values that are only -1, 0 and 1 are kept as one byte each."""
    with np.load(_path(name)) as arrays:
        languages, features, sources = (tuple(map(str, arrays[part])) for part in ("langs", "feats", "sources"))
        values = arrays["data"]
    small = values.astype(np.int8)
    if np.array_equal(small, values):
        values = small
    kept = [row for row, code in enumerate(languages) if code not in _NO_LANGUAGES]
    return _File(tuple(languages[row] for row in kept), features, sources, values[kept])


def _learned() -> Vectors:
    """Return the learned vectors: a pickled dict from code to vector, written by Python 2."""
    table = np.load(_path("learned.npy"), allow_pickle=True, encoding="latin1").item()
    languages = tuple(sorted(str(code) for code in table if code != "langs"))
    stored = np.stack([table[code] for code in languages])
    stored.flags.writeable = False
    return Vectors(_LEARNED, languages, tuple(f"LEARNED_{k:03d}" for k in range(stored.shape[1])), stored, None)


def _path(file: str) -> Path:
    """Return where a data file of the installed lang2vec lies."""
    try:
        path = Path(str(distribution("lang2vec").locate_file(f"lang2vec/data/{file}")))
    except PackageNotFoundError as err:
        raise DataError("lang2vec is not installed, and URIEL's vectors are its files; pip install lang2vec") from err
    if not path.is_file():
        raise DataError(f"{path} is absent; URIEL's vectors are files of lang2vec, reinstall it (1.1.2 has them all)")
    return path
