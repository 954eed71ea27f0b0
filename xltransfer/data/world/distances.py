"""The true distances between the languages of a world, one square table an axis.

All five are symmetric, zero on the diagonal, and satisfy the triangle inequality (Hamming distances, their means, and
path lengths); two different languages may be at distance 0. Sound, lexical, order and script lie in [0, 1].
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from xltransfer.data.world.inheritance import Heritage
from xltransfer.data.world.phonology import PAD
from xltransfer.data.world.tree import Branch, path_length

AXES = ("sound", "lexical", "order", "script")


def sound_distance(first: Heritage, second: Heritage, lemmas: int) -> float:
    """Return the mean, over the ancestor's lemmas, of the share of segments that differ between their two reflexes.

    Both reflexes of a root have its length (changes replace segments), so the share is the normalised edit distance
    without gaps; it is taken in the common transcription and whether or not the root is still in use.
    """
    there = first.probe[:lemmas] != PAD
    differ = (first.probe[:lemmas] != second.probe[:lemmas]) & there
    return float((differ.sum(axis=1) / there.sum(axis=1)).mean())


def lexical_distance(first: Heritage, second: Heritage, lemmas: int) -> float:
    """Return the share of lemmas (each counted once, whatever its frequency) whose roots have no common origin."""
    return float((first.origins[:lemmas] != second.origins[:lemmas]).mean())


def order_distance(first: Heritage, second: Heritage) -> float:
    """Return the share of word-order parameters with different values."""
    return float(np.mean([first.order[parameter] != second.order[parameter] for parameter in first.order]))


def script_distance(first: Heritage, second: Heritage) -> float:
    """Return 0 for the same script, 1 for different ones."""
    return float(first.script != second.script)


def true_distances(
    codes: Sequence[str], tree: Mapping[str, Branch], heritage: Mapping[str, Heritage], lemmas: int
) -> dict[str, pd.DataFrame]:
    """Return the distances between languages.

    Parameters
    ----------
    codes
        Languages, in the order of rows and columns.
    tree, heritage
        Branch and heritage of every node.
    lemmas
        Number of lemmas: the first rows of the tables of forms.

    Returns
    -------
    dict
        "sound", "lexical", "order", "script" and "tree" (length of the path between two languages, in branch units)
        -> square frame with the codes as index and columns.
    """
    measures: dict[str, Callable[[str, str], float]] = {
        "sound": lambda a, b: sound_distance(heritage[a], heritage[b], lemmas),
        "lexical": lambda a, b: lexical_distance(heritage[a], heritage[b], lemmas),
        "order": lambda a, b: order_distance(heritage[a], heritage[b]),
        "script": lambda a, b: script_distance(heritage[a], heritage[b]),
        "tree": lambda a, b: path_length(dict(tree), a, b),
    }
    return {axis: _square(codes, measure) for axis, measure in measures.items()}


def _square(codes: Sequence[str], measure: Callable[[str, str], float]) -> pd.DataFrame:
    """Return the square frame of a measure of pairs."""
    values = np.zeros((len(codes), len(codes)))
    for i, first in enumerate(codes):
        for j, second in enumerate(codes[:i]):
            values[i, j] = values[j, i] = measure(first, second)
    return pd.DataFrame(values, index=list(codes), columns=list(codes))
