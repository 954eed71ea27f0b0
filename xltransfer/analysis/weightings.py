"""How targets count in an aggregate: each alike, each family alike, or each word alike.

Where new targets are drawn, a weighting also says what is drawn: macro and words draw targets, family draws families.
"""

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xltransfer.analysis.frames import require_columns
from xltransfer.errors import near_match

Weighting = Literal["macro", "family", "words"]

WEIGHTINGS: Final[tuple[Weighting, ...]] = get_args(Weighting)

Array = NDArray[np.float64]


def families(codes: Sequence[str], languages: pd.DataFrame) -> NDArray[np.intp]:
    """Return a number for the family of each language code.

    Parameters
    ----------
    codes
        Language codes; repeats are allowed.
    languages
        Columns code, family. A language without a family is a family of its own.

    Raises
    ------
    ValueError
        A column is missing, or a code has no row.
    """
    require_columns(languages, ["code", "family"], "languages")
    known = {str(code): family for code, family in zip(languages["code"], languages["family"], strict=True)}
    missing = [code for code in codes if code not in known]
    if missing:
        hint = near_match(missing[0], known)
        raise ValueError(f"languages has no row for the target {missing[0]!r}; add its code and family{hint}")
    named = [(True, known[code]) if pd.notna(known[code]) and known[code] != "" else (False, code) for code in codes]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
    return np.array([numbers[name] for name in named], dtype=np.intp)


def target_weights(weighting: Weighting, used: NDArray[np.bool_], words: Array, family: NDArray[np.intp]) -> Array:
    """Return the weight of each target, 0 where not ``used``; they sum to 1, or are NaN where nothing can be weighted.

    Parameters
    ----------
    used, words, family
        Shape [target]: whether it counts, its words, and the number of its family.
    """
    if weighting == "macro":
        raw = used.astype(np.float64)
    elif weighting == "words":
        raw = np.where(used, words, 0.0)
    else:
        members = np.bincount(family[used], minlength=int(family.max(initial=0)) + 1)
        raw = np.where(used, 1.0 / np.maximum(members, 1)[family], 0.0)
    with np.errstate(invalid="ignore"):
        weights: Array = raw / raw.sum()
    return weights
