"""The study's own rules: defaults, and contradictions that are refused with both fields."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from xltransfer.config.study import Study
from xltransfer.metrics import SHAPES, Metric

Change = Callable[[dict[str, Any]], object]


def test_defaults_come_from_shape_and_name(plain: dict[str, Any]) -> None:
    study = Study.model_validate(plain)
    pos, mlm = study.tasks
    assert (pos.shape, len(pos.labels), pos.adapter is not None) == ("pos", 17, True)
    assert (mlm.shape, mlm.labels, mlm.adapter) == ("mlm", (), None)
    assert study.controls.zero_steps.languages is None
    for control in (study.controls.shuffled_text, study.controls.random_sign):
        assert control is not None and (control.steps, control.languages) == ((10, 1), None)


def test_defaults_are_those_of_appendix_e(plain: dict[str, Any]) -> None:
    study = Study.model_validate(plain)
    adapter = study.tasks[0].adapter
    assert adapter is not None
    assert (adapter.batch_size, adapter.epochs, adapter.learning_rate, adapter.reduction) == (36, 5, 5e-4, 16)
    assert (study.nudge.batch_size, study.nudge.learning_rate, study.nudge.block) == (8, 5e-5, 512)
    assert study.tasks[0].max_length == 256


def test_shapes_have_labels_and_metrics(plain: dict[str, Any]) -> None:
    for shape, size in (("pos", 17), ("dep", 37), ("ner", 3), ("nli", 3), ("classification", 5), ("qa", 0)):
        plain["tasks"][0] = {**plain["tasks"][0], "name": "own", "shape": shape}
        labels = Study.model_validate(plain | {"cells": [{"steps": 1}]}).tasks[0].labels
        assert len(set(labels)) == size
    assert set(SHAPES) == {"pos", "dep", "ner", "mlm", "nli", "qa", "classification"}


def test_questions_are_read_by_squads_lengths(plain: dict[str, Any]) -> None:
    plain["tasks"][0] = {**plain["tasks"][0], "name": "qa"}
    own = Study.model_validate(plain | {"cells": [{"steps": 1}]}).tasks[0]
    assert (own.max_length, own.stride, own.max_answer, own.normalisation) == (384, 128, 30, "multilingual")
    again = type(own).model_validate(own.model_dump(mode="json") | {"max_length": 200})
    assert again.max_length == 200


def test_one_name_of_a_metric_means_one_thing() -> None:
    seen: dict[str, Metric] = {}
    for metric in (each for metrics in SHAPES.values() for each in metrics):
        assert seen.setdefault(metric.name, metric) == metric


def test_every_field_of_every_model_is_described() -> None:
    def models(schema: dict[str, Any]) -> list[dict[str, Any]]:
        return [schema, *schema.get("$defs", {}).values()]

    for model in models(Study.model_json_schema()):
        for name, field in model.get("properties", {}).items():
            if name != "kind":
                assert field.get("description"), f"{model['title']}.{name}"


def test_study_is_frozen_and_survives_json(plain: dict[str, Any]) -> None:
    study = Study.model_validate(plain)
    assert Study.model_validate(study.model_dump(mode="json")) == study
    with pytest.raises(ValidationError, match="frozen"):
        study.name = "other"


def test_text_numbers_are_converted(plain: dict[str, Any]) -> None:
    plain["nudge"] = {"learning_rate": "5e-5", "batch_size": "8", "dropout": "false"}
    plain["transfer"]["tokens"] = "40000"
    study = Study.model_validate(plain)
    assert (study.nudge.learning_rate, study.nudge.batch_size, study.nudge.dropout) == (5e-5, 8, False)
    assert study.transfer.tokens == 40000


def task(**fields: Any) -> Change:
    return lambda data: data["tasks"][0].update(fields)


def mlm(**fields: Any) -> Change:
    return lambda data: data["tasks"][1].update(fields)


def top(**fields: Any) -> Change:
    return lambda data: data.update(fields)


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "mlm with adapter": (mlm(adapter={"epochs": 1}), "adapter and shape mlm contradict each other"),
    "mlm with train": (mlm(train=[{"dataset": "texts"}]), "train and shape mlm contradict each other"),
    "mlm with labels": (mlm(labels=["A"]), "labels and shape mlm contradict each other"),
    "mlm with sentences": (mlm(max_sentences=3), "max_sentences and shape mlm contradict each other; say max_blocks"),
    "pos with block": (task(block=64), "block and shape pos contradict each other"),
    "pos with mask": (task(mask_share=0.3), "mask_share and shape pos contradict each other"),
    "pos without train": (task(train=[]), "train is missing"),
    "labels twice": (task(labels=["A", "B", "A"]), "labels lists twice: A"),
    "no labels": (task(labels=[]), "labels is an empty list"),
    "ner labels with B-": (task(name="ner", labels=["B-PER", "ORG"]), "labels are entity types without B- and I-"),
    "unknown shape": (task(name="poss"), "task 'poss' needs a key 'shape': pos, dep, .*; did you mean 'pos'"),
    "pos with stride": (task(stride=3), "stride and shape pos contradict each other; only a task of shape qa has"),
    "pos with reads": (task(reads="pooler"), "reads and shape pos .* only a task of shape nli or classification has"),
    "qa with labels": (task(shape="qa", labels=["A"]), "labels and shape qa contradict each other; its answers are"),
    "qa that stands": (task(shape="qa", stride=384), "stride is 384 and max_length 384; windows would not move on"),
    "nli without labels": (task(shape="nli", labels=[]), "labels is an empty list"),
    "no targets": (task(targets=[]), "at least 1 item"),
    "empty selection": (task(targets=[{"dataset": "trees", "entries": []}]), "entries is an empty list"),
    "double selection": (
        task(targets=[{"dataset": "trees", "entries": ["T-eng"], "languages": ["eng"]}]),
        "entries and languages are both given",
    ),
    "entries and exclude": (
        task(targets=[{"dataset": "trees", "entries": ["T-eng"], "exclude": ["T-wol"]}]),
        "entries and exclude are both given",
    ),
    "excluded twice": (task(targets=[{"dataset": "trees", "exclude": ["a", "a"]}]), "exclude lists twice: a"),
    "tasks of one name": (lambda data: data["tasks"].append(data["tasks"][0]), "tasks share a name: pos"),
    "datasets of one name": (lambda data: data["datasets"].append(data["datasets"][0]), "datasets share a name: trees"),
    "base twice": (top(base={"manifest": "mbert-cased", "seen": ["eng"]}), "manifest and seen are both given"),
    "base of nothing": (top(base={"name": "b"}), "base needs either manifest, or both model and seen"),
    "seen twice": (top(base={"name": "b", "model": "m", "seen": ["eng", "eng"]}), "seen lists twice: eng"),
    "no replicates": (lambda data: data["transfer"].update(replicates=0), "greater than or equal to 1"),
    "long block": (top(nudge={"block": 1024}), "less than or equal to 512"),
    "infinite rate": (top(nudge={"learning_rate": "inf"}), "finite number"),
    "corpus below a block": (
        lambda data: data["transfer"].update(tokens=100),
        "transfer.tokens is 100 and nudge.block 512",
    ),
    "small budget": (top(engine={"token_budget": 100}), "max_length 256, engine.token_budget is only 100"),
    "same cell": (top(cells=[{"steps": 1}, {"steps": 1, "tasks": ["pos"]}]), "cells 0 and 1 .* both score k = 1"),
    "no cells": (top(cells=[]), "at least 1 item"),
    "steps below one": (top(cells=[{"steps": 0}]), "greater than or equal to 1"),
    "cell without tasks": (top(cells=[{"steps": 1, "tasks": []}]), "tasks is an empty list"),
    "control without cell": (
        top(controls={"random_sign": {"steps": [7]}}),
        r"controls.random_sign.steps has 7, cells has no such k \(1, 10\)",
    ),
    "control of no task": (top(controls={"zero_steps": {"tasks": []}}), "tasks is an empty list"),
    "control twice": (top(controls={"shuffled_text": {"steps": [10, 10]}}), "steps lists twice: 10"),
    "token is tag": (
        lambda data: data["datasets"][0].update(reader={"kind": "bio", "tag_column": 0}),
        "token_column and tag_column are both 0",
    ),
    "entry twice": (
        lambda data: data["datasets"][1]["entries"].append(data["datasets"][1]["entries"][0]),
        "entries of 'texts' share a name: x-eng",
    ),
    "path outside": (
        lambda data: data["datasets"][1]["entries"][0].update(files={"train": "../x"}),
        "expected a path inside the dataset's root",
    ),
    "no files": (lambda data: data["datasets"][1]["entries"][0].update(files={}), "at least one split"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_refused_naming_the_fields(plain: dict[str, Any], name: str) -> None:
    change, message = CONTRADICTIONS[name]
    Study.model_validate(deepcopy(plain))
    change(plain)
    with pytest.raises(ValidationError, match=message):
        Study.model_validate(plain)


def test_cells_of_one_k_may_share_it_for_different_languages(plain: dict[str, Any]) -> None:
    plain["cells"] = [{"steps": 10, "languages": ["eng"]}, {"steps": 10, "languages": ["wol"], "tasks": ["pos"]}]
    assert len(Study.model_validate(plain).cells) == 2


def test_a_control_is_off_only_if_the_study_says_so(plain: dict[str, Any]) -> None:
    controls = Study.model_validate(plain | {"controls": {"random_sign": None}}).controls
    assert controls.random_sign is None
    assert controls.shuffled_text is not None
