"""Which of URIEL's codes stands for a language.

URIEL knows macrolanguages and their members by codes of their own and does not pass values from one to the other:
Latvian's syntax lies under ``lav`` and its individual code ``lvs`` is empty, Quechua's under ``que`` and not under
``quz``, while Standard Arabic (``arb``) is another vector than ``ara``. So the choice is an option with a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xltransfer.data.uriel import Vectors, known_codes
from xltransfer.data.uriel import vectors as load
from xltransfer.errors import ConfigError, near_match
from xltransfer.languages import Language, LanguageTable

Scheme = Literal["individual", "own", "fullest"]
"""``individual``: the individual code of `languages.csv`. ``own``: the language's own code, macrolanguages as they are,
which is also what lang2vec makes of a two-letter code. ``fullest``: of the two, set by set, the one of which more was
observed, the individual one where that is equal.
"""

SCHEMES: Final[tuple[str, ...]] = get_args(Scheme)

DEFAULT_SCHEME: Final[Scheme] = "fullest"
"""Used wherever no scheme is named, because the other two throw observations away: of the 214 languages of
`languages.csv` 169 have observed syntax under it (individual: 165, own: 168) and 105 observed phonology (98, 104).
A published number that rests on single codes needs ``individual`` or ``own`` by name.
"""


@dataclass(frozen=True)
class UrielCode:
    """What stands for a language in one feature set.

    Attributes
    ----------
    language
        The language's key, after alias repair.
    code
        URIEL's code, None where there is none.
    n_known
        Known features of that code in the set; 0 without a code.
    why
        Why there is no vector; empty where there is one.
    """

    language: str
    code: str | None
    n_known: int
    why: str


def uriel_codes(
    languages: Sequence[str], vectors: Vectors, table: LanguageTable, scheme: Scheme = DEFAULT_SCHEME
) -> list[UrielCode]:
    """Return URIEL's code of each language in one feature set.

    Parameters
    ----------
    languages
        Codes or aliases in ``table``; a code that it lacks and that URIEL has is taken as it is.
    vectors
        The feature set.
    table
        The shipped table, or a study's with the languages that it declares.
    scheme
        See `Scheme`. A private code (``qaa`` to ``qtz``) never stands for itself: URIEL has some of its own. Such a
        language has a vector only through a declared individual code.

    Returns
    -------
    list of UrielCode
        In the order of ``languages``.

    Raises
    ------
    ConfigError
        With every unknown language (and the nearest known one), or an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"codes={scheme!r} is not a way to choose URIEL's codes{near_match(scheme, SCHEMES)}")
    unknown = [name for name in languages if name not in table and not (name in known_codes() or is_private(name))]
    if unknown:
        raise ConfigError([table.unknown(name) for name in unknown])
    options = [_options(table.get(name) if name in table else name, scheme) for name in languages]
    codes = [code for _, mine in options for code in mine]
    observed = dict(zip(codes, _observed(vectors, codes), strict=True))
    chosen = [max(mine, key=lambda code: observed[code]) if mine else None for _, mine in options]
    rows = vectors.rows(chosen)
    return [_named(key, code, row, vectors) for (key, _), code, row in zip(options, chosen, rows, strict=True)]


def is_private(code: str) -> bool:
    """Return whether ISO 639-3 keeps a code for private use: ``qaa`` to ``qtz``."""
    return len(code) == 3 and "qaa" <= code <= "qtz"


def _options(language: Language | str, scheme: Scheme) -> tuple[str, list[str]]:
    """Return a language's key and the codes that may stand for it, the preferred one first."""
    if isinstance(language, str):
        return language, [] if is_private(language) else [language]
    own = [] if is_private(language.code) else [language.code]
    individual = [] if language.individual is None else [language.individual]
    if scheme == "individual":
        return language.code, individual
    if scheme == "own":
        # A private code with a declared individual one has no other.
        return language.code, own or individual
    return language.code, [*individual, *own]


def _observed(vectors: Vectors, codes: Sequence[str]) -> list[int]:
    """Return how much was observed of each code: known features, of a predicted set those behind it, of ``fam`` groups.

    Predictions and memberships have a value for every code, also for one of which nothing is known.
    """
    if vectors.name == "fam":
        groups: list[int] = np.nansum(vectors.rows(codes), axis=1).astype(int).tolist()
        return groups
    behind = load(vectors.name.replace("_knn", "_average")) if vectors.name.endswith("_knn") else vectors
    known: list[int] = behind.known(codes).tolist()
    return known


def _named(key: str, code: str | None, row: NDArray[np.float64], vectors: Vectors) -> UrielCode:
    """Return a language's code, and why it has no vector with a direction where it has none."""
    n_known = int((~np.isnan(row)).sum())
    if code is None:
        why = "no code in URIEL stands for it"
    elif n_known == 0:
        why = f"{code} has no known feature" if code in vectors else f"{code} is not in the set"
    else:
        why = "" if np.nansum(np.abs(row)) > 0 else f"every known feature of {code} is 0"
    return UrielCode(key, code, n_known, why)
