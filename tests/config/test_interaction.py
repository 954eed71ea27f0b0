"""The section ``interaction`` of a study: defaults, contradictions shown together, names with near matches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from xltransfer.config.interaction import TripleSample
from xltransfer.config.load import load_study
from xltransfer.config.study import Study
from xltransfer.errors import ConfigError

Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def fused(plain: dict[str, Any]) -> dict[str, Any]:
    """A valid interaction study of English and Wolof."""
    del plain["cells"]
    plain["transfer"].pop("replicates")
    return plain | {"protocol": "interaction", "interaction": {}}


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    return [problem.replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_defaults_are_those_of_the_paper(fused: dict[str, Any]) -> None:
    spec = Study.model_validate(fused).interaction
    assert (spec.pairs, spec.triples, spec.fusion, spec.capacity_control) == ("all", "none", ("trained",), True)
    own = spec.adapters
    assert (own.reduction, own.batch_size, own.epochs, own.learning_rate, spec.block) == (16, 8, 3, 5e-4, 256)
    assert own.invertible is None and spec.targets == "members"


def test_section_survives_json_and_alias_repair(fused: dict[str, Any], write: Write) -> None:
    fused["interaction"] = {"pairs": [["wo", "en"]], "fusion": "uniform", "capacity_control": "no"}
    study = load_study(write(fused)).study
    assert study.interaction.pairs == (("wol", "eng"),)
    assert study.interaction.fusion == ("uniform",)
    assert not study.interaction.capacity_control
    assert Study.model_validate(study.model_dump(mode="json")) == study


def test_steps_alone_are_no_contradiction_and_survive_json(fused: dict[str, Any], write: Write) -> None:
    fused["interaction"] = {"adapters": {"steps": 5, "epochs": 3}}
    (problem,) = problems(write(fused))
    assert "adapters.steps and adapters.epochs are both given; keep one" in problem
    fused["interaction"] = {"adapters": {"steps": 5}, "triples": "none"}
    study = load_study(write(fused)).study
    # A run's record names every field, the epochs that steps take the place of among them.
    assert Study.model_validate(study.model_dump(mode="json")) == study


def test_what_is_wrong_with_a_sample_is_said_of_the_sample_alone(fused: dict[str, Any], write: Write) -> None:
    fused["interaction"] = {"triples": {"sample": 0, "sed": 1}}
    found = problems(write(fused))
    assert sorted(problem.partition(": ")[2] for problem in found) == [
        "interaction.triples.sample: input should be greater than or equal to 1, got '0'",
        "the key 'interaction.triples.seed' is missing",
        "unknown key 'sed'; did you mean 'seed'?",
    ]


def test_a_sample_of_triples_has_a_size_and_a_seed(fused: dict[str, Any]) -> None:
    fused["interaction"] = {"triples": {"sample": "5", "seed": "3"}}
    assert Study.model_validate(fused).interaction.triples == TripleSample(sample=5, seed=3)
    with pytest.raises(ValidationError, match=r"triples\.TripleSample\.seed"):
        Study.model_validate(fused | {"interaction": {"triples": {"sample": 5}}})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"pairs": "al"}, "pairs is 'al'; did you mean 'all'"),
        ({"pairs": [["wol", "eng", "fra"]]}, r"pairs has \['wol', 'eng', 'fra'\], which is no pair"),
        ({"pairs": []}, r"pairs is \[\]; expected all, or a list of pairs"),
        ({"triples": "al"}, "triples is 'al'; did you mean 'all'"),
        ({"triples": 3}, r"triples is 3; expected none, all, or \{sample: N, seed: S\}"),
        ({"triples": [["wol", "eng", "fra"]]}, r"triples is \[\['wol', 'eng', 'fra'\]\]; expected none, all, or"),
        ({"triples": None}, "triples is None; expected none, all, or"),
        ({"fusion": "traind"}, "fusion 'traind' is not known; did you mean 'trained'"),
        ({"fusion": []}, "at least 1 item"),
        ({"fusion": ["uniform", "uniform"]}, "fusion lists twice: uniform"),
        ({"fusion": "uniform", "fusions": {"steps": 9}}, "fusions says how fusions are trained, but fusion is uniform"),
        ({"adapters": {"steps": 5, "epochs": 2}}, "adapters.steps and adapters.epochs are both given"),
        ({"adapters": {"steps": 5, "epochs": 3}}, "adapters.steps and adapters.epochs are both given"),
        ({"block": 1024}, "less than or equal to 512"),
        ({"adapters": {"reduction": 0}}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(fused: dict[str, Any], section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Study.model_validate(fused | {"interaction": section})


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"cells": [{"steps": 1}]}, "cells"),
        ({"nudge": {"block": 64}}, "nudge"),
        ({"controls": {"random_sign": {"steps": [1]}}}, "controls"),
    ],
)
def test_sections_of_the_other_protocol_are_refused(fused: dict[str, Any], section: dict[str, Any], key: str) -> None:
    said = f"{key} and protocol interaction contradict each other; only a study of protocol transfer or alignment has"
    with pytest.raises(ValidationError, match=said):
        Study.model_validate(fused | section)


def test_a_transfer_study_has_no_use_for_the_section(plain: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="interaction and protocol transfer contradict each other"):
        Study.model_validate(plain | {"interaction": {"block": 64}})


def test_blocks_must_fit_into_the_tokens_taken(fused: dict[str, Any]) -> None:
    fused["transfer"]["tokens"] = 100
    with pytest.raises(ValidationError, match="transfer.tokens is 100 and interaction.block 256"):
        Study.model_validate(fused)


def test_all_problems_of_names_come_together(fused: dict[str, Any], write: Write) -> None:
    fused["interaction"] = {"triples": "all", "pairs": [["wol", "wol"], ["eng", "woll"], ["wol", "fra"]]}
    found = problems(write(fused))
    expected = (
        "triples need at least three languages; the study's corpora are of 2 (eng, wol)",
        "the pair wol, wol is of one language; capacity_control fuses it with itself",
        "unknown language 'woll'; did you mean 'wol' (Wolof)?",
        "'fra' has no corpus in this study; known: eng, wol",
    )
    for sentence in expected:
        assert sum(sentence in problem for problem in found) == 1, (sentence, found)
    assert len(found) == len(expected)
    assert all(problem.startswith("study.yaml:") for problem in found)


def test_one_language_is_refused(fused: dict[str, Any], write: Write) -> None:
    fused["transfer"]["corpora"][0]["languages"] = ["wol"]
    (problem,) = problems(write(fused))
    assert "an interaction study needs at least two languages; the study's corpora are of 1 (wol)" in problem


def test_a_language_with_two_corpora_is_refused(fused: dict[str, Any], write: Write) -> None:
    fused["datasets"][1]["entries"].append({"name": "y-wol", "language": "wol", "files": {"train": "wol.txt"}})
    (problem,) = problems(write(fused))
    assert "language 'wol' has 2 corpora (x-wol, y-wol); keep one" in problem


def test_a_pair_has_no_order(fused: dict[str, Any], write: Write) -> None:
    fused["interaction"] = {"pairs": [["wol", "eng"], ["en", "wo"]]}
    (problem,) = problems(write(fused))
    assert "the pair en, wo is also pair 0 (counted from 0); a pair has no order, keep one" in problem


def test_a_sample_larger_than_all_is_refused(fused: dict[str, Any], write: Write) -> None:
    names = ["fra", "deu"]
    fused["datasets"][1]["entries"] += [
        {"name": f"x-{name}", "language": name, "files": {"train": "wol.txt"}} for name in names
    ]
    fused["interaction"] = {"triples": {"sample": 5, "seed": 1}}
    (problem,) = problems(write(fused))
    assert "a sample of 5 of the 4 triples of 4 languages; say all, or fewer" in problem


def test_languages_without_any_test_data_are_refused(fused: dict[str, Any], write: Write) -> None:
    names = ["fra", "deu"]
    fused["datasets"][1]["entries"] = [
        {"name": f"x-{name}", "language": name, "files": {"train": "wol.txt"}} for name in names
    ]
    fused["tasks"] = fused["tasks"][:1]
    (problem,) = problems(write(fused))
    assert "no task has test data of any language of the corpora (test data: eng, wol; corpora: fra, deu)" in problem


def with_corpora_of(fused: dict[str, Any], *codes: str) -> dict[str, Any]:
    """Return the study with other corpora; its trees are of English and Wolof as before."""
    fused["datasets"][1]["entries"] = [
        {"name": f"x-{code}", "language": code, "files": {"train": "wol.txt"}} for code in codes
    ]
    return fused


def test_a_listed_pair_that_nothing_would_score_is_refused(fused: dict[str, Any], write: Write) -> None:
    with_corpora_of(fused, "wol", "fra", "deu")["interaction"] = {"pairs": [["wol", "fra"], ["fra", "deu"]]}
    fused["tasks"] = fused["tasks"][:1]
    (problem,) = problems(write(fused))
    assert "the pair fra, deu would never be scored: no task has test data of either (test data: eng, wol)" in problem
    fused["interaction"]["targets"] = "all"
    assert load_study(write(fused)).study.interaction.targets == "all"


def test_many_problems_are_shown_together(fused: dict[str, Any], write: Write) -> None:
    fused["base"]["model"] = "nowhere"
    fused["tasks"][0]["targets"][0]["dataset"] = "udd"
    fused["interaction"] = {"triples": {"sample": 3, "seed": 1}, "pairs": [["wol", "wol"]]}
    found = problems(write(fused))
    for part in ("udd", "triples need at least three languages", "the pair wol, wol is of one language"):
        assert sum(part in problem for problem in found) == 1, (part, found)


def test_a_task_without_test_data_of_any_member_is_refused(fused: dict[str, Any], write: Write) -> None:
    with_corpora_of(fused, "fra", "deu")
    (problem,) = problems(write(fused))
    expected = "task 'pos' has no test data of any language of the corpora (test data: eng, wol; corpora: fra, deu)"
    assert f"{expected}; leave it out, or say targets: all" in problem
    assert load_study(write(fused | {"interaction": {"targets": "all"}})).study.tasks[0].name == "pos"
