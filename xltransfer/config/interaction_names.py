"""Whether the languages of an interaction study can be fused as it asks; pure, all problems with their places."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import comb

from xltransfer.config.interaction import Interaction, TripleSample
from xltransfer.config.yaml_lines import Loc
from xltransfer.errors import near_match

Problem = tuple[str, Loc]
"""A sentence, and the path into the study file that it is about."""


def interaction_problems(
    spec: Interaction,
    corpora: Sequence[tuple[str, str]],
    tested: Mapping[str, Collection[str]],
    codes: Mapping[str, str],
) -> Iterator[Problem]:
    """Yield what cannot be fused, or not be scored.

    Parameters
    ----------
    spec
        The study's section.
    corpora
        Language code and name of each corpus.
    tested
        Name of each task to the codes of the languages that it has test data of.
    codes
        Every known name in ``spec.pairs`` to its code; unknown ones are somebody else's problem.
    """
    names: dict[str, list[str]] = {}
    for code, name in corpora:
        names.setdefault(code, []).append(name)
    for code, own in names.items():
        if len(own) > 1:
            yield f"language {code!r} has {len(own)} corpora ({', '.join(own)}); keep one", ("transfer", "corpora")
    yield from _number_problems(spec, names)
    yield from _test_problems(spec, names, tested)
    yield from _pair_problems(spec, names, codes, {code for own in tested.values() for code in own})


def _test_problems(
    spec: Interaction, languages: Collection[str], tested: Mapping[str, Collection[str]]
) -> Iterator[Problem]:
    useless = [task for task, own in tested.items() if not set(own) & set(languages)]
    if not languages:
        return
    if len(useless) == len(tested):
        every = sorted({code for own in tested.values() for code in own})
        there = f"test data: {', '.join(every) or 'none'}; corpora: {', '.join(languages)}"
        yield f"no task has test data of any language of the corpora ({there})", ("tasks",)
    elif spec.targets == "members":
        for number, task in enumerate(tested):
            # A task of no target at all is a problem of its own, told elsewhere.
            if task in useless and tested[task]:
                there = f"test data: {', '.join(sorted(tested[task]))}; corpora: {', '.join(languages)}"
                said = f"task {task!r} has no test data of any language of the corpora ({there})"
                yield f"{said}; leave it out, or say targets: all", ("tasks", number)


def _number_problems(spec: Interaction, languages: Collection[str]) -> Iterator[Problem]:
    count, place = len(languages), ("interaction", "triples")
    said = f"the study's corpora are of {count} ({', '.join(languages) or 'none'})"
    if count < 2:
        yield f"an interaction study needs at least two languages; {said}", ("transfer", "corpora")
    if spec.triples != "none" and count < 3:
        yield f"triples need at least three languages; {said}", place
    elif isinstance(spec.triples, TripleSample) and spec.triples.sample > comb(count, 3):
        asked = f"a sample of {spec.triples.sample} of the {comb(count, 3)} triples of {count} languages"
        yield f"{asked}; say all, or fewer", place


def _pair_problems(
    spec: Interaction, languages: Collection[str], codes: Mapping[str, str], tested: Collection[str]
) -> Iterator[Problem]:
    first: dict[frozenset[str], int] = {}
    for i, pair in enumerate(spec.listed):
        for j, name in enumerate(pair):
            if name in codes and codes[name] not in languages:
                near = near_match(name, languages)
                yield f"{name!r} has no corpus in this study{near}", ("interaction", "pairs", i, j)
        members = frozenset(codes.get(name, name) for name in pair)
        said = f"the pair {', '.join(pair)}"
        if len(members) == 1:
            yield f"{said} is of one language; capacity_control fuses it with itself", ("interaction", "pairs", i)
        elif members in first:
            also = f"is also pair {first[members]} (counted from 0); a pair has no order, keep one"
            yield f"{said} {also}", ("interaction", "pairs", i)
        elif members <= set(languages) and spec.targets == "members" and not members & set(tested):
            where = f"no task has test data of either (test data: {', '.join(sorted(tested)) or 'none'})"
            yield f"{said} would never be scored: {where}", ("interaction", "pairs", i)
        first.setdefault(members, i)
