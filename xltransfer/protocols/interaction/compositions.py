"""What an interaction study scores: language adapters alone, fused in pairs and triples, and fused with a second self.

    [A] = Stack(A, T)        [AB] = Stack(Fuse(A, B), T)        [ABC] = Stack(Fuse(A, B, C), T)        faisal2024, §2
    [AA'] = Stack(Fuse(A, A'), T), A' from another seed on the same data: the capacity control

Members always stand in the order of the study, so a pair has one fusion.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from xltransfer.config.interaction import Interaction, TripleSample
from xltransfer.config.resolve import ResolvedStudy
from xltransfer.engine import Fuse, Stack
from xltransfer.randomness import stream

SECOND = "'"
"""Ends the code of a language's second adapter in results."""
TRAINED = "trained"


def language_of(member: str) -> str:
    """Return the language of a member, a second adapter's too."""
    return member.removesuffix(SECOND)


def adapter_name(member: str) -> str:
    """Return the name of a member's adapter in a composition, where ``'`` cannot stand."""
    return f"{language_of(member)}+2" if member.endswith(SECOND) else member


@dataclass(frozen=True)
class Mix:
    """Members, and how they are fused.

    Attributes
    ----------
    members
        Language codes; ``wol'`` is the second adapter of ``wol``.
    fusion
        ``trained``, ``untrained`` or ``uniform``; empty for a single member.
    """

    members: tuple[str, ...]
    fusion: str = ""

    @property
    def label(self) -> str:
        """Members joined by ``+``."""
        return "+".join(self.members)

    @property
    def text(self) -> str:
        """How keys of units name it; `mix_of` reads it."""
        return f"{self.label};{self.fusion}" if self.fusion else self.label

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the members' adapters."""
        return tuple(adapter_name(member) for member in self.members)

    @property
    def fusion_name(self) -> str:
        """Name of the fusion: the members' where it is trained; others end in what they are, as no adapter does."""
        names = self.adapters if self.fusion == TRAINED else (*self.adapters, f"@{self.fusion}")
        return ",".join(names)

    def has(self, language: str) -> bool:
        """Tell whether a language is among the members."""
        return language in self.members

    def below(self, task_adapter: str | None) -> Stack:
        """Return the composition with a task adapter on top, or without."""
        lower = Fuse(*self.adapters, fusion=self.fusion_name) if self.fusion else self.adapters[0]
        return Stack(lower) if task_adapter is None else Stack(lower, task_adapter)


def mix_of(text: str) -> Mix:
    """Return what `Mix.text` names."""
    label, _, fusion = text.partition(";")
    return Mix(tuple(label.split("+")), fusion)


def languages(resolved: ResolvedStudy) -> tuple[str, ...]:
    """Return the study's languages in its order: those of the corpora."""
    return tuple(dict.fromkeys(ref.language for ref in resolved.corpora))


def mixes(resolved: ResolvedStudy) -> list[Mix]:
    """Return everything that the study scores, whatever it is scored on: singles, controls, pairs, triples."""
    codes, spec = languages(resolved), resolved.study.interaction
    fused: list[tuple[str, ...]] = [(code, code + SECOND) for code in codes if spec.capacity_control]
    fused += [*pairs(spec, codes), *triples(spec, codes)]
    return [Mix((code,)) for code in codes] + [Mix(members, kind) for kind in spec.fusion for members in fused]


def pairs(spec: Interaction, codes: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the pairs in the study's order."""
    place = {code: number for number, code in enumerate(codes)}
    listed = {tuple(sorted(pair, key=place.__getitem__)) for pair in spec.listed}
    return [pair for pair in combinations(codes, 2) if not listed or pair in listed]


def triples(spec: Interaction, codes: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the triples in the study's order; a sample is drawn without replacement, from a stream of its own seed."""
    if spec.triples == "none":
        return []
    every: list[tuple[str, ...]] = list(combinations(codes, 3))
    if not isinstance(spec.triples, TripleSample):
        return every
    chosen = stream(spec.triples.seed, "triples").choice(len(every), spec.triples.sample, replace=False)
    return [every[number] for number in sorted(chosen)]


def scored_on(spec: Interaction, found: Collection[Mix], language: str) -> Iterator[Mix]:
    """Yield what is scored on the test data of a language."""
    for mix in found:
        if spec.targets == "all" or mix.has(language):
            yield mix
