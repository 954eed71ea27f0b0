"""`xltransfer report` and `scores` on a run of protocol interaction: what is printed, and which options are refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mini_study import MiniStudy

from xltransfer.cli import report as command
from xltransfer.errors import ConfigError


def refused(result: Any) -> str:
    """The message of a refused call."""
    assert isinstance(result.exception, ConfigError), result.output
    return str(result.exception)


def test_options_of_interaction_reach_the_report(
    xltransfer: Any, interaction_study: MiniStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(command, "write", lambda *given: asked.append(given))
    monkeypatch.setattr(command, "show", lambda written: None)
    words = ("--order", "near_far", "--features", "geo", "--dead-zone", "1.5", "--task", "pos")
    result = xltransfer("report", interaction_study.folder, *words)
    assert result.exit_code == 0, result.output
    ((folder, out, options, audit),) = asked
    assert (folder, out, audit) == (interaction_study.folder, interaction_study.folder / "report", None)
    assert (options.order, options.features, options.dead_zone, options.task) == ("near_far", "geo", 1.5, "pos")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steps", "10"), "--steps is an option of reports on runs of protocol transfer"),
        (("--scale", "delta"), "--scale is an option of reports on runs of protocol transfer"),
        (("--estimand", "new_targets"), "--estimand is an option of reports on runs of protocol transfer"),
        (("--seed", "2"), "--seed is an option of reports on runs of protocol transfer or alignment"),
        (("--transfer", "other"), "--transfer is an option of reports on runs of protocol alignment"),
    ],
)
def test_options_of_others_are_refused(
    xltransfer: Any, interaction_study: MiniStudy, words: tuple[str, str], said: str
) -> None:
    message = refused(xltransfer("report", interaction_study.folder, *words))
    assert message.startswith(said) and "this run is of protocol interaction" in message
    assert "--dead-zone, --features, --metric, --order, --task" in message


def test_options_of_interaction_are_refused_for_a_transfer_run(xltransfer: Any, mini_study: MiniStudy) -> None:
    message = refused(xltransfer("report", mini_study.folder, "--order", "both", "--dead-zone", "1"))
    assert message.count("is an option of reports on runs of protocol interaction") == 2
    result = xltransfer("report", mini_study.folder, "--dead-zone", "-1")
    assert result.exit_code == 2 and "Invalid value for '--dead-zone'" in result.output


def test_scores_prints_compositions_gains_and_signs(
    xltransfer: Any, interaction_study: MiniStudy, tmp_path: Path
) -> None:
    result = xltransfer("scores", interaction_study.folder, "--task", "pos", "--csv", tmp_path)
    assert result.exit_code == 0, result.output
    for part in ("[ABC]", "members of compositions that gain", "in pairs", "in threes", "+A+B-C", "second_adapter"):
        assert part in result.stdout
    assert {path.stem for path in tmp_path.iterdir()} == {"scores", "adapters", "balance", "signs", "projections"}
    rows = interaction_study_rows(interaction_study)
    table = pd.read_csv(tmp_path / "adapters.csv").set_index(["fusion", "language"])
    own = rows[(rows["setting"] == "language_adapter") & (rows["transfer"] == "qba")]
    assert table.loc[("trained", "qba"), "a1"] == pytest.approx(own["score"].item())


def interaction_study_rows(study: MiniStudy) -> pd.DataFrame:
    """The accuracies of the run's pos."""
    from xltransfer.runs.open import open_run

    rows = open_run(study.folder).measurements(labels=False)
    return rows[(rows["task"] == "pos") & (rows["metric"] == "accuracy")]


def test_scores_refuses_what_means_nothing_here(xltransfer: Any, interaction_study: MiniStudy) -> None:
    message = refused(xltransfer("scores", interaction_study.folder, "--top", "3", "--labels"))
    assert message == "--top, --labels: only for runs of protocol transfer; this run is of protocol interaction"
