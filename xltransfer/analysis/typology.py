"""How alike two languages are in URIEL's features: cosine or angle of their vectors over what is known of both.

A feature that is unknown for one of two languages takes no part in their similarity, and how many do is reported beside
it: URIEL's observed sets leave most values open, and a similarity of 1 over two features says little. The ``knn`` sets
have no gaps because they are predictions. A language without a vector has NaN, never 0, and is listed by
`vector_coverage`; so has a vector of zeros, which has no direction.

Sources: Littell et al. 2017 (URIEL); Lee et al. 2022, section 3.2, use the cosine of phonology vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_one_of
from xltransfer.config.manifests import language_table
from xltransfer.data.uriel import FEATURE_SETS, vectors
from xltransfer.data.uriel_codes import DEFAULT_SCHEME, Scheme, UrielCode, uriel_codes
from xltransfer.languages import LanguageTable

Matrix = NDArray[np.float64]
Measure = Literal["cosine", "angular"]

MEASURES: Final = ("cosine", "angular")

REASONS: Final = ("", "no vector", "too few features known of both", "zero in every shared feature")
"""Why a similarity is undefined; the first is: it is not."""


@dataclass(frozen=True, eq=False)
class Similarities:
    """All pairs of languages in one feature set.

    Attributes
    ----------
    codes
        Which of URIEL's codes stands for each language, [language].
    values
        [language, language], 1 for the same direction; NaN where undefined.
    shared
        [language, language]: number of features known of both.
    n_features
        Features of the set.
    reason
        [language, language]: index into `REASONS`.
    """

    codes: tuple[UrielCode, ...]
    values: Matrix
    shared: NDArray[np.int64]
    n_features: int
    reason: NDArray[np.int8]


def similarity(
    languages: Sequence[str],
    features: str | Sequence[str] = FEATURE_SETS,
    measure: Measure = "cosine",
    *,
    codes: Scheme = DEFAULT_SCHEME,
    least: int = 1,
    table: LanguageTable | None = None,
) -> pd.DataFrame:
    """Return the similarity of every unordered pair of languages in each feature set.

    Parameters
    ----------
    languages
        At least two codes or aliases.
    features
        One or more of `FEATURE_SETS`; all of them by default.
    measure
        ``cosine``; ``angular``: 1 − 2θ/π with θ the angle between the vectors, which is linear in the angle and, like
        the cosine, 1 for the same direction and 0 for a right angle.
    codes
        Which of URIEL's codes stands for a language, see :data:`xltransfer.data.uriel_codes.Scheme`.
    least
        A pair that shares fewer known features is undefined.
    table
        Languages; by default the shipped ones. A study's table (``resolved.languages``) knows its declared ones too.

    Returns
    -------
    DataFrame
        ``language_a, language_b`` (each pair once, in the order of ``languages``), ``features, similarity, n_features``
        (known of both), ``coverage`` (their share of the set's features) and ``why`` (empty, or why the similarity is
        NaN, see `REASONS`).

    Raises
    ------
    ConfigError
        A language, feature set or scheme is unknown; the nearest one is given.
    ValueError
        ``measure`` is unknown, ``features`` is empty, ``least`` is below 1, there are fewer than two languages, or one
        stands twice.

    Notes
    -----
    Two languages that one code of URIEL stands for (``kur`` and ``kmr`` with ``codes="individual"``) have similarity 1.
    """
    names = _names(features)
    found = [similarities(languages, name, measure, codes=codes, least=least, table=table) for name in names]
    keys = pd.array([code.language for code in found[0].codes], dtype="str")
    first, second = np.triu_indices(len(languages), 1)
    size, at = len(first), (first, second)
    shared = np.concatenate([one.shared[at] for one in found])
    reason = np.concatenate([one.reason[at] for one in found])
    return pd.DataFrame(
        {
            "language_a": keys.take(np.tile(first, len(names))),
            "language_b": keys.take(np.tile(second, len(names))),
            "features": pd.array(names, dtype="str").take(np.repeat(np.arange(len(names)), size)),
            "similarity": np.concatenate([one.values[at] for one in found]),
            "n_features": shared,
            "coverage": shared / np.repeat([one.n_features for one in found], size),
            "why": pd.array(REASONS, dtype="str").take(reason),
        }
    )


def similarities(
    languages: Sequence[str],
    features: str,
    measure: Measure = "cosine",
    *,
    codes: Scheme = DEFAULT_SCHEME,
    least: int = 1,
    table: LanguageTable | None = None,
) -> Similarities:
    """Return the matrix of one feature set; parameters and errors as in `similarity`."""
    require_one_of(measure, MEASURES, "measure")
    if least < 1:
        raise ValueError(f"least={least}; two languages that share no feature have no similarity, so at least 1")
    found = uriel_codes(languages, vectors(features), table or language_table(), codes)
    _require_pairs([code.language for code in found])
    values = vectors(features).rows([code.code for code in found])
    cosines, shared = cosine(values)
    scaled = cosines if measure == "cosine" else 1 - 2 * np.arccos(cosines) / np.pi
    scaled[shared < least] = np.nan
    has_vector = np.array([code.n_known > 0 for code in found])
    without = ~(has_vector[:, None] & has_vector[None, :])
    reason = np.select([without, shared < least, np.isnan(scaled)], [1, 2, 3], default=0)
    return Similarities(tuple(found), scaled, shared, values.shape[1], reason.astype(np.int8))


def cosine(values: Matrix) -> tuple[Matrix, NDArray[np.int64]]:
    """Return the cosine of every pair of rows over the columns known of both, and how many these are.

    Parameters
    ----------
    values
        [language, feature], NaN where unknown.

    Returns
    -------
    cosines
        [language, language]; NaN where no column is shared or one of the two is zero in all shared ones.
    shared
        [language, language].
    """
    known = ~np.isnan(values)
    filled, mask = np.where(known, values, 0.0), known.astype(np.float64)
    shared = np.rint(mask @ mask.T).astype(np.int64)
    squares = filled**2 @ mask.T
    norms = np.sqrt(squares * squares.T)
    products = filled @ filled.T
    cosines = np.divide(products, norms, out=np.full_like(products, np.nan), where=norms > 0)
    return np.clip(cosines, -1.0, 1.0), shared


def vector_coverage(
    languages: Sequence[str],
    features: str | Sequence[str] = FEATURE_SETS,
    *,
    codes: Scheme = DEFAULT_SCHEME,
    table: LanguageTable | None = None,
) -> pd.DataFrame:
    """Return what URIEL knows of each language in each feature set.

    Parameters
    ----------
    languages, features, codes, table
        As in `similarity`; one language is enough.

    Returns
    -------
    DataFrame
        ``features, language, code`` (of URIEL; empty where there is none), ``n_features`` (known), ``coverage`` (their
        share) and ``why`` (why there is no vector; empty where there is one).

    Raises
    ------
    ConfigError
        A language, feature set or scheme is unknown.
    ValueError
        ``features`` is empty.
    """
    rows = []
    for name in _names(features):
        size = len(vectors(name).features)
        for code in uriel_codes(languages, vectors(name), table or language_table(), codes):
            rows.append((name, code.language, code.code or "", code.n_known, code.n_known / size, code.why))
    return pd.DataFrame(rows, columns=["features", "language", "code", "n_features", "coverage", "why"])


def _names(features: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of feature sets that an argument gives."""
    names = (features,) if isinstance(features, str) else tuple(features)
    if not names:
        raise ValueError(f"features is empty; give one or more of {', '.join(FEATURE_SETS)}")
    return names


def _require_pairs(keys: Sequence[str]) -> None:
    """Refuse what has no pairs of two languages."""
    if len(keys) < 2:
        raise ValueError(f"languages={list(keys)!r} holds {len(keys)} languages; a similarity needs at least two")
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"languages holds {', '.join(twice)} twice (aliases are one language); give each once")
