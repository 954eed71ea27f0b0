"""When two clusters of one name are the same cluster, and when two treebanks merely count their sentences alike.

The sources name sentences and documents as they like, and hundreds of treebanks have a ``test-s1`` or a ``12``. So:

- Within one entry of a dataset and one language, for all tasks, equal names are the same: pos and dep read one file.
- Between two entries, equal names are the same only if the texts agree with it: over the clusters that both have, the
  correlation of the logarithms of their lengths is above `CORRELATION`, and further from 0 than chance brings it
  (Fisher's z above `BEYOND_CHANCE`, which takes at least fourteen clusters). Translations of one text correlate at 0.81
  to 0.94 (500 PUD sentences, 91 pairs of languages), the same sentences annotated twice at 1; of 39 pairs of unrelated
  treebanks that share names by accident none has a z above 2.
- Sameness passes on: if a goes with b and b with c, equal names of a and c are the same.
- Names that say by themselves that they are shared (`xltransfer.data.parallel`: a manifest declared translations) are
  the same wherever they are equal. Pairs and questions need it: each premise has three hypotheses in every language.
- Clusters of such items are named after one of them, and another file may lack that one. So clusters that share an item
  are one, whatever their names (`united`), and this too passes on.

Other clusters of unknown or constant length (one decision an item) are not taken as the same between entries. To join
what is different costs precision only; to part what is the same makes the variance of an aggregate too small, so the
rule must see every real translation, and does where there are some dozen sentences.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from xltransfer.data.parallel import is_parallel

CORRELATION: Final = 0.5
"""Least correlation of log lengths between two texts that say the same."""

BEYOND_CHANCE: Final = 4.0
"""Least Fisher's z of it; chance exceeds it once in 30,000 pairs."""


def united(items: NDArray[Any], clusters: NDArray[Any]) -> NDArray[Any]:
    """Return the cluster of every item of all test sets, one name for clusters that share a declared parallel item.

    Parameters
    ----------
    items, clusters
        Shape [item]: names, test set after test set.

    Returns
    -------
    Shape [item]
        Names of clusters; those that share no item with another one keep theirs. Two clusters of one test set get one
        name where another test set has items of both in one cluster.
    """
    number, names = pd.factorize(np.asarray(clusters, dtype=object))
    declared = np.array([is_parallel(str(each)) for each in names], dtype=bool)
    rows = pd.DataFrame({"item": items, "cluster": number})[declared[number]].drop_duplicates()
    several = rows[rows.duplicated("item", keep=False)]
    several = several[[is_parallel(str(each)) for each in several["item"]]]
    if several.empty:
        return np.asarray(clusters, dtype=object)
    first = several.groupby("item")["cluster"].transform("first")
    edges = coo_array((np.ones(len(several)), (first, several["cluster"])), shape=(len(names), len(names)))
    component = connected_components(edges, directed=False)[1]
    named_after = np.unique(component, return_index=True)[1][component]
    united_names: NDArray[Any] = np.asarray(names, dtype=object)[named_after[number]]
    return united_names


def cluster_codes(
    entries: Sequence[Hashable], names: Sequence[Sequence[str] | NDArray[Any]], lengths: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.intp]]:
    """Return a code for every cluster of every test set: equal codes are the same cluster, others are not.

    Parameters
    ----------
    entries
        For each test set, which entry and language it is; equal for two tasks that score the same sentences.
    names
        For each test set, the distinct names of its clusters.
    lengths
        For each test set, the words (or other units) of each cluster; NaN or 0 where unknown.

    Returns
    -------
    list of ndarray
        For each test set the codes of its clusters, from 0, in no order that means anything.
    """
    if not entries:
        return []
    sizes = [len(part) for part in names]
    entry = np.repeat(pd.factorize(pd.Series(list(entries), dtype=object))[0], sizes)
    name, distinct = pd.factorize(np.concatenate([np.asarray(part, dtype=object) for part in names]))
    source = _sources(entry, name, np.concatenate(lengths))
    shared = np.array([is_parallel(str(each)) for each in distinct], dtype=bool)
    origin = np.where(shared[name], len(source), source[entry]).astype(np.int64)
    codes, _ = pd.factorize(origin * (int(name.max(initial=0)) + 1) + name)
    return np.split(codes.astype(np.intp), np.cumsum(sizes)[:-1])


def _sources(entry: NDArray[np.intp], name: NDArray[np.intp], length: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each entry the first entry that it shares its names with, itself if it shares them with none."""
    entries = int(entry.max()) + 1
    whole = pd.DataFrame({"entry": entry, "name": name, "length": length})
    known = whole[whole["length"] > 0].groupby(["entry", "name"])["length"].max().reset_index()
    shared = known[known.duplicated("name", keep=False)]
    same = np.eye(entries, dtype=bool)
    if len(shared):
        column, names = pd.factorize(shared["name"])
        logarithms = np.zeros((entries, len(names)))
        there = np.zeros((entries, len(names)))
        logarithms[shared["entry"], column] = np.log(shared["length"])
        there[shared["entry"], column] = 1.0
        same |= _agree(logarithms, there)
    source = np.arange(entries)
    while True:
        # The smallest number goes from neighbour to neighbour until it is everywhere.
        nearer = np.where(same, source[None, :], entries).min(axis=1)
        if (nearer == source).all():
            return source.astype(np.intp)
        source = nearer


def _agree(values: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each pair of rows whether their values correlate over the columns that both have."""
    count = there @ there.T
    sums, squares = values @ there.T, (values**2) @ there.T
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squares - sums**2 / count
        covariance = values @ values.T - sums * sums.T / count
        # Rounding leaves a little variance where all lengths are equal.
        varies = (variance > 1e-9) & (variance.T > 1e-9)
        correlation = np.where(varies, covariance / np.sqrt(variance * variance.T), 0.0)
        z = np.arctanh(np.clip(correlation, 0.0, 1.0 - 1e-12)) * np.sqrt(np.maximum(count - 3.0, 0.0))
    agree: NDArray[np.bool_] = (correlation > CORRELATION) & (z > BEYOND_CHANCE)
    return agree
