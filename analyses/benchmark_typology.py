"""How long URIEL's vectors and similarities take, beside the goals, and what the default code scheme covers.

    python analyses/benchmark_typology.py

Goals: the vectors of one set of all languages in under 3 s, and all pairs of 186 languages in every set in under 1 s.
Processor time of one process; files are read from the disk's cache after the first run. Needs lang2vec's files alone.
"""

import time
from collections.abc import Callable
from typing import get_args

from xltransfer.analysis.pair_features import language_pairs
from xltransfer.analysis.typology import similarity, vector_coverage
from xltransfer.config.manifests import language_table
from xltransfer.data.uriel import FEATURE_SETS, known_codes, vectors
from xltransfer.data.uriel_codes import Scheme

LANGUAGES = 186
ONE_SET, ALL_PAIRS = 3.0, 1.0
"""Seconds."""

OBSERVED = ("syntax_average", "phonology_average", "inventory_average")


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    codes = [language.code for language in language_table()]
    first = {name: seconds(lambda name=name: vectors(name)) for name in FEATURE_SETS}
    slowest = max(first, key=lambda name: first[name])
    print(f"vectors of {len(known_codes()):,} languages, one set: {first[slowest]:.2f} s ({slowest}), "
          f"all {len(FEATURE_SETS)} sets: {sum(first.values()):.2f} s; goal: one set under {ONE_SET:g} s")  # fmt: skip
    chosen = codes[:LANGUAGES]
    took = seconds(lambda: similarity(chosen))
    print(f"all pairs of {len(chosen)} languages in {len(FEATURE_SETS)} sets: {took:.2f} s; goal: {ALL_PAIRS:g} s")
    print(f"every feature of their ordered pairs: {seconds(lambda: language_pairs(chosen, chosen)):.2f} s")
    for scheme in get_args(Scheme):
        known = vector_coverage(codes, OBSERVED, codes=scheme)
        have = (known["n_features"] > 0).groupby(known["features"]).sum()
        said = ", ".join(f"{name} {have[name]}" for name in OBSERVED)
        print(f"codes={scheme}: of {len(codes)} languages have observed features: {said}")
    if max(first.values()) > ONE_SET or took > ALL_PAIRS:
        raise SystemExit("a goal is missed")


if __name__ == "__main__":
    main()
