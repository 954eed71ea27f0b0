"""Rates measured in several processes at the same time, and their mean: how fast a machine is when it is at work."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from statistics import fmean
from typing import Any, TypeVar

from xltransfer.config.resolve import ResolvedStudy

RatesT = TypeVar("RatesT")


def measured_together(
    measure: Callable[[ResolvedStudy, float], RatesT], resolved: ResolvedStudy, workers: int, seconds: float
) -> RatesT:
    """Return the mean of what ``measure`` finds in ``workers`` processes in about ``seconds``.

    The processes measure together because they share caches and memory as the workers of the run will. What is measured
    is a dataclass of numbers and of mappings to numbers.
    """
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(measure, [resolved] * workers, [seconds] * workers))

    def mean(name: str) -> Any:
        values = [getattr(rates, name) for rates in found]
        by_key = isinstance(values[0], Mapping)
        return {key: fmean(each[key] for each in values) for key in values[0]} if by_key else fmean(values)

    # The names of the fields are the arguments of the class.
    return type(found[0])(**{field.name: mean(field.name) for field in fields(found[0])})  # type: ignore[arg-type]
