"""How far an interaction run is: compositions that the study asks for, and those that have scores."""

from collections.abc import Collection, Iterator, Mapping
from math import comb
from typing import Any, Final

import pandas as pd

from xltransfer.analysis.composition_scores import FUSED, SINGLE
from xltransfer.runs.folder import Header

PROGRESS: Final = ["setting", "composition", "wanted", "there", "missing"]


def progress(header: Header, scores: pd.DataFrame) -> pd.DataFrame:
    """Return how many compositions are wanted and how many have any score.

    Parameters
    ----------
    header
        Its study says what is fused; its parts name a corpus per language.
    scores
        What `analysis.composition_scores` gives, of all tasks.

    Returns
    -------
    DataFrame
        A row per setting and composition (``A+B``): wanted, there, missing. Compositions of which no member has test
        data are not wanted, unless the study scores everything on every language.
    """
    spec, number = header.study["interaction"], len(header.parts.get("blocks of corpus", {}))
    tested = set(scores.loc[scores["composition"] == "T", "target"])
    untested = 0 if spec["targets"] == "all" else max(number - len(tested), 0)
    there = scores.groupby(["fusion", "composition"])["members"].nunique()
    rows = []
    for fusion, composition, wanted in _wanted(spec, number, untested, tested):
        found = int(there.get((fusion, composition), 0))
        setting = f"{FUSED}{fusion}" if fusion else SINGLE
        rows.append((setting, composition, wanted, found, max(wanted - found, 0)))
    return pd.DataFrame(rows, columns=PROGRESS)


def _wanted(
    spec: Mapping[str, Any], number: int, untested: int, tested: Collection[str]
) -> Iterator[tuple[str, str, int]]:
    """Yield fusion, composition and how many of it the study asks for."""
    yield "", "A", number - untested
    pairs = comb(number, 2) - comb(untested, 2)
    if spec["pairs"] != "all":
        pairs = sum(spec["targets"] == "all" or bool(set(pair) & set(tested)) for pair in spec["pairs"])
    triples = 0 if spec["triples"] == "none" else comb(number, 3) - comb(untested, 3)
    if isinstance(spec["triples"], Mapping):
        triples = int(spec["triples"]["sample"])
    for fusion in spec["fusion"]:
        own = {"A+A'": number - untested if spec["capacity_control"] else 0, "A+B": pairs, "A+B+C": triples}
        yield from ((fusion, composition, wanted) for composition, wanted in own.items() if wanted)
