"""Options beside the published ones: the paper's own study, and studies that leave it."""

from typing import Any

import yaml

from xltransfer.config.manifests import root
from xltransfer.config.study import Study
from xltransfer.report.published_options import compared_options


def study(name: str) -> dict[str, Any]:
    data = yaml.safe_load((root() / "studies" / f"{name}.yaml").read_text("utf-8"))
    return Study.model_validate(data).model_dump(mode="json")


def test_the_shipped_study_of_the_paper_differs_where_its_file_says_so() -> None:
    table = compared_options(study("faisal2024")).set_index("option")
    assert set(table.index[table["differs"]]) == {
        "base.name", "nudge.pooler", "transfer.tokens", "engine.rules", "adapter.initial (pos)",
        "adapter.initial (dep)", "adapter.initial (ner)",
    }  # fmt: skip
    assert table.loc["adapter.batch_size (dep)", ["here", "paper", "code"]].tolist() == ["36", "36", "12"]
    assert table.loc["steps k", "here"] == "1, 10, 100, 1000"


def test_changed_values_differ_and_absent_tasks_have_no_rows() -> None:
    changed = study("faisal2024")
    changed["nudge"] |= {"learning_rate": 1e-4, "pooler": "reinitialise"}
    changed["tasks"] = [task for task in changed["tasks"] if task["name"] in ("pos", "mlm")]
    changed["tasks"][0]["max_sentences"] = 40
    table = compared_options(changed).set_index("option")
    assert table.loc["nudge.learning_rate", ["here", "paper", "differs"]].tolist() == ["0.0001", "5e-05", True]
    assert not table.loc["nudge.pooler", "differs"]
    assert table.loc["max_sentences (pos)", ["here", "paper", "differs"]].tolist() == ["40", "no limit", True]
    assert not any("(dep)" in option or "(mlm)" in option for option in table.index)


def test_a_silent_paper_is_empty_and_the_code_decides() -> None:
    table = compared_options(study("faisal2024")).set_index("option")
    assert table.loc["nudge.schedule", ["paper", "code", "differs"]].tolist() == ["", "linear", False]


def test_a_study_with_missing_parts_is_still_compared() -> None:
    table = compared_options({"tasks": []}).set_index("option")
    assert table.loc["nudge.batch_size", ["here", "differs"]].tolist() == ["", True]
