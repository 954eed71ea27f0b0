"""Which units an interaction study wants: adapters, fusions, the task adapters alone, then many compositions a unit.

A unit of measurement is one target language with up to `AT_MOST` compositions and all tasks, so that a language's test
data are read once for all of them. What a folder already has is told cell by cell from the keys of its units, so a
study that adds languages, pairs, fusions or tasks wants only what is new. Artefacts are wanted only by units that are:
a fusion may be deleted once everything is scored with it.

Units that stand for several trainings or compositions fail as a whole. Where it is known that an artefact could not be
trained, what needs it is in units apart from the rest, and trainings that failed together are wanted one by one.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xltransfer.config.resolve import ResolvedStudy
from xltransfer.protocols.interaction.compositions import (
    TRAINED,
    Mix,
    adapter_name,
    language_of,
    languages,
    mix_of,
    mixes,
    scored_on,
)
from xltransfer.protocols.transfer.wanted import BASELINE, Model, Wanted, adapter_units, missing_models, scores_of
from xltransfer.runs.unit import Unit, canonical_json

ADAPTERS, FUSIONS, COMPOSITIONS = "language adapters", "fusions", "compositions"
"""Kinds of units."""
ADAPTER, FUSION = "language_adapter", "fusion_"
"""Settings of rows: one adapter alone, and (with the kind behind it) several of them fused."""
AT_MOST = 16
"""Compositions in a unit."""
TOGETHER = {"cpu": 1, "cuda": 8}
"""Trainings in one pass where the study does not say; on a CPU more bring nothing."""

Scorers = dict[str, tuple[str, ...]]
"""Scorer (``task@seed``, or ``task`` without adapter) to names of targets."""


def wanted(
    resolved: ResolvedStudy,
    device: str,
    present: Mapping[str, Mapping[str, Any]],
    failed: Collection[str] = (),
) -> Wanted:
    """Return the units of a study that are not covered by the ``present`` units (id to key) of its folder.

    ``failed`` are ids of units that could not be done so far; they are wanted still.
    """
    parts = Artefacts(resolved, device, present, failed)
    compositions = [unit for language in targets(resolved) for unit in _missing(resolved, device, language, parts)]
    alone = Model(BASELINE, {"0": _scorers_of(resolved, None)})
    baseline = missing_models([alone], resolved.study, device, present.values(), parts.tasks)
    needed = {each for unit in (*compositions, *baseline.units) for each in unit.needs}
    artefacts = parts.missing(needed)
    cells = baseline.cells + sum(
        len(unit.key["compositions"]) * sum(map(len, unit.key["scorers"].values())) for unit in compositions
    )
    scored = sum(key.get("kind") == COMPOSITIONS and key["device"] == device for key in present.values())
    return Wanted((*artefacts, *baseline.units, *compositions), parts.there + baseline.present + scored, cells)


def targets(resolved: ResolvedStudy) -> tuple[str, ...]:
    """Return the languages whose test data are scored, those of the study first."""
    own = languages(resolved)
    others = (ref.language for refs in resolved.targets.values() for ref in refs)
    return tuple(dict.fromkeys((*own, *(others if resolved.study.interaction.targets == "all" else ()))))


def _scorers_of(resolved: ResolvedStudy, language: str | None) -> Scorers:
    """Return every scorer with its targets of one language, or of all that are scored."""
    wanted_languages = targets(resolved) if language is None else (language,)
    of = {ref.name: ref.language for refs in resolved.targets.values() for ref in refs}
    found = {
        scorer: tuple(name for name in names if of[name] in wanted_languages)
        for scorer, names in scores_of(resolved).items()
    }
    return {scorer: names for scorer, names in found.items() if names}


@dataclass
class Artefacts:
    """Where the adapters and fusions of a study are, or will be.

    Attributes
    ----------
    resolved, device, present, failed
        See `wanted`.
    mixes
        Everything that the study scores.
    tasks
        Units of the task adapters by scorer.
    """

    resolved: ResolvedStudy
    device: str
    present: Mapping[str, Mapping[str, Any]]
    failed: Collection[str] = ()
    mixes: list[Mix] = field(init=False)
    tasks: Mapping[str, Unit] = field(init=False)

    def __post_init__(self) -> None:
        """Group what is missing, in the study's order."""
        spec = self.resolved.study.interaction
        self.mixes, self.tasks = mixes(self.resolved), adapter_units(self.resolved)
        self._units = {unit.id: unit for unit in self.tasks.values()}
        self._corpora = {ref.language: ref.name for ref in self.resolved.corpora}
        members = dict.fromkeys((member,) for mix in self.mixes for member in mix.members)
        self._adapters = self._grouped(ADAPTERS, members, spec.adapters.at_once, stage=0)
        fused = dict.fromkeys(mix.members for mix in self.mixes if mix.fusion == TRAINED)
        self._fusions = self._grouped(FUSIONS, fused, spec.fusions.at_once, stage=1)

    @property
    def there(self) -> int:
        """How many of the study's artefacts are in the folder."""
        ids = {*self._adapters.values(), *self._fusions.values(), *(unit.id for unit in self.tasks.values())}
        return len(ids & set(self.present))

    def _grouped(
        self, kind: str, named: Iterable[tuple[str, ...]], at_once: int | None, stage: int
    ) -> dict[tuple[str, ...], str]:
        """Return the id of the unit that holds each, and note the units of those that are not there."""
        digest, base = recipe(self.resolved, kind), self.resolved.study.base.name
        texts = {members: self.texts(members) for members in named}
        there = {
            (label, text): unit
            for unit, key in self.present.items()
            if key.get("kind") == kind and key.get("recipe") == digest and key.get("base") == base
            for label, text in key["members"].items()
        }
        ids = {members: there.get(("+".join(members), text), "") for members, text in texts.items()}
        missing = [members for members, unit in ids.items() if not unit]
        size = together(at_once, self.device)

        def unit_of(group: Sequence[tuple[str, ...]]) -> Unit:
            key = {
                "kind": kind,
                "protocol": self.resolved.study.protocol,
                "base": base,
                "recipe": digest,
                "members": {"+".join(members): texts[members] for members in group},
            }
            fused = [member for members in group for member in members] if kind == FUSIONS else []
            needs = sorted({self._adapters[(member,)] for member in fused})
            return Unit(key, produces="artefact", needs=tuple(needs), stage=stage)

        alone = [unit for members in missing if (unit := unit_of([members])).id in self.failed] if self.failed else []
        apart = {members for unit in alone for members in members_of(unit)}
        rest = [members for members in missing if members not in apart]
        for group in (rest[start : start + size] for start in range(0, len(rest), size)):
            unit = unit_of(group)
            alone += [unit_of([members]) for members in group] if unit.id in self.failed else [unit]
        self._units |= {unit.id: unit for unit in alone}
        return ids | {members: unit.id for unit in alone for members in members_of(unit)}

    def texts(self, members: Sequence[str]) -> str:
        """Return the names of the members' corpora, joined by ``+``."""
        return "+".join(self._corpora[language_of(member)] for member in members)

    def needs(self, found: Iterable[Mix], scorers: Iterable[str]) -> tuple[str, ...]:
        """Return the ids of all artefacts that scoring some compositions takes."""
        found = list(found)
        ids = {self._adapters[(member,)] for mix in found for member in mix.members}
        ids |= {self._fusions[mix.members] for mix in found if mix.fusion == TRAINED}
        return tuple(sorted(ids | {self.tasks[scorer].id for scorer in scorers if scorer in self.tasks}))

    def missing(self, needed: Iterable[str]) -> list[Unit]:
        """Return the units of artefacts that are needed, by others too, and are not there."""
        open_ids, wanted_ids = set(needed), set[str]()
        while open_ids:
            unit = open_ids.pop()
            if unit not in self.present and unit not in wanted_ids:
                wanted_ids.add(unit)
                open_ids |= set(self._units[unit].needs)
        return [unit for unit in self._units.values() if unit.id in wanted_ids]


def together(at_once: int | None, device: str) -> int:
    """Return how many trainings go through one pass, and into one artefact."""
    return at_once or TOGETHER[device]


def recipe(resolved: ResolvedStudy, kind: str) -> str:
    """Return a digest of all that decides a trained adapter or fusion beside its name and its text."""
    spec, engine = resolved.study.interaction, resolved.study.engine
    settings: dict[str, Any] = {"adapters": spec.adapters.model_dump(mode="json"), "block": spec.block}
    if kind == FUSIONS:
        settings["fusions"] = spec.fusions.model_dump(mode="json")
    settings |= {"stack": engine.stack, "rules": engine.rules, "precision": engine.precision}
    return hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:16]


def _missing(resolved: ResolvedStudy, device: str, language: str, parts: Artefacts) -> list[Unit]:
    """Return the units that score compositions on a language, without what is scored already."""
    study = resolved.study
    scorers = _scorers_of(resolved, language)
    identity = {
        "kind": COMPOSITIONS,
        "protocol": study.protocol,
        "base": study.base.name,
        "target": language,
        # A difference of two compositions is taken within one kind of device only.
        "device": device,
    }
    covered = _covered(identity, parts.present.values())
    groups: dict[tuple[str, tuple[str, ...]], tuple[Scorers, list[Mix]]] = {}
    for mix in scored_on(study.interaction, parts.mixes, language):
        there = covered.get((mix.text, parts.texts(mix.members)), set())
        rest = {
            scorer: left
            for scorer, names in scorers.items()
            if (left := tuple(name for name in names if (scorer, name) not in there))
        }
        if rest:
            lost = tuple(need for need in parts.needs([mix], rest) if need in parts.failed) if parts.failed else ()
            groups.setdefault((canonical_json(rest), lost), (rest, []))[1].append(mix)
    return [
        Unit(
            identity | {"scorers": rest, "compositions": {mix.text: parts.texts(mix.members) for mix in chunk}},
            needs=parts.needs(chunk, rest),
            stage=2,
        )
        for rest, found in groups.values()
        for chunk in (found[start : start + AT_MOST] for start in range(0, len(found), AT_MOST))
    ]


def _covered(
    identity: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Return (composition, its corpora) -> (scorer, target) that are scored."""
    covered: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for key in keys:
        if all(key.get(name) == value for name, value in identity.items()):
            cells = {(scorer, name) for scorer, names in key["scorers"].items() for name in names}
            for each in key["compositions"].items():
                covered.setdefault(each, set()).update(cells)
    return covered


def members_of(unit: Unit) -> list[tuple[str, ...]]:
    """Return what an artefact's unit trains: members of one adapter or one fusion each, in order."""
    return [tuple(label.split("+")) for label in unit.key["members"]]


def adapters_of(unit: Unit) -> list[str]:
    """Return the names of the adapters that a unit trains."""
    return [adapter_name(member) for (member,) in members_of(unit)]


def mixes_of(unit: Unit) -> list[Mix]:
    """Return the compositions that a unit scores, in order."""
    return [mix_of(text) for text in unit.key["compositions"]]
