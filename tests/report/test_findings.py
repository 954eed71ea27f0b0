"""The frames of a report: two ways to the same number, what options choose, and how progress is told."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from xltransfer.errors import ConfigError
from xltransfer.report.contents import league, receivers
from xltransfer.report.findings import STEPS, Options, findings
from xltransfer.report.subject import Subject
from xltransfer.runs.open import Run

Found = Callable[..., Subject]
CELL = ["transfer", "corpus", "steps", "adapter_seed", "task", "dataset", "target", "metric"]


def test_cells_from_items_are_the_scores_from_measurements(found: Found) -> None:
    findings_ = found("small").findings
    both = findings_["cells"].merge(findings_["ts"], on=CELL, validate="one_to_one")
    assert len(both) == len(findings_["cells"]) == len(findings_["ts"]) == 3 * 2 * 8
    np.testing.assert_allclose(both["estimate"], both["ts_y"], rtol=1e-6)
    np.testing.assert_allclose(both["delta"], both["score_x"] - both["reference_x"], atol=1e-6)


def test_aggregates_are_means_over_targets(found: Found) -> None:
    subject = found("small")
    ts, table = subject.findings["ts"], league(subject)
    assert len(table) == 3 * 2 * 2
    for row in table.itertuples():
        own = ts[
            (ts["corpus"] == row.corpus) & (ts["steps"] == row.steps) & (ts["task"] == row.task) & ts["aggregated"]
        ]
        others = own[own["target"] != row.transfer]
        assert row.estimate == pytest.approx(own["ts"].mean(), rel=1e-5)
        assert row.without_self == pytest.approx(others["ts"].mean(), rel=1e-5)
        assert row.percent_positive == pytest.approx(100 * (own["ts"] > 0).mean())
        assert row.low < row.estimate < row.high
    first = table.sort_values("estimate", ascending=False).groupby(["task", "steps"]).head(1)
    assert (first["rank"] == 1).all()


def test_receivers_are_means_over_transfer_languages(found: Found) -> None:
    subject = found("small")
    ts = subject.findings["ts"]
    means = ts[ts["aggregated"]].groupby(["task", "steps", "dataset"])["ts"].mean()
    table = receivers(subject).set_index(["task", "steps", "dataset"])
    known = table[table["estimate"].notna()]
    np.testing.assert_allclose(known["estimate"], means.reindex(known.index), rtol=1e-5)


def test_options_choose_task_metric_steps_and_scale(found: Found) -> None:
    chosen = found("small", task="pos", metric="nll", steps=10, scale="log_ratio").findings
    cells = chosen["cells"]
    assert set(cells["task"]) == {"pos"} and set(cells["metric"]) == {"nll"} and set(cells["steps"]) == {10}
    # nll: lower is better, so the log ratio has its sign turned.
    np.testing.assert_allclose(cells["estimate"], np.log(cells["reference"] / cells["score"]), atol=2e-3)
    assert set(chosen["aggregates"]["scale"]) == {"log_ratio"}
    assert set(chosen["controls"]["steps"]) <= {0, 10}


@pytest.mark.parametrize(
    ("estimand", "of_cells", "of_aggregates"),
    [
        (None, "new_sentences", "new_targets"),
        ("new_targets", "new_sentences", "new_targets"),
        ("new_sentences", "new_sentences", "new_sentences"),
        ("this_test_set", "this_test_set", "this_test_set"),
    ],
)
def test_an_estimand_is_used_where_it_is_defined(
    found: Found, estimand: str | None, of_cells: str, of_aggregates: str
) -> None:
    chosen = found("small", task="pos", steps=1, estimand=estimand).findings
    assert set(chosen["cells"]["estimand"]) == {of_cells}
    assert set(chosen["target_aggregates"]["estimand"]) == {of_cells}
    assert set(chosen["aggregates"]["estimand"]) == {of_aggregates}


def test_only_simulations_depend_on_the_seed(simulated: Callable[[str], Run]) -> None:
    options = {"task": "pos", "steps": 1, "draws": 200}
    first, again, other = (findings(simulated("small"), Options(**options, seed=seed)) for seed in (1, 1, 2))
    for name, frame in first.frames.items():
        pd.testing.assert_frame_equal(frame, again[name])
        if name not in ("rank_sets", "reliability", "task_correlation"):
            pd.testing.assert_frame_equal(frame, other[name])
    assert not first["rank_sets"]["p_top5"].isna().any()


def test_unknown_names_are_answered_with_near_ones(simulated: Callable[[str], Run]) -> None:
    expected = {
        "task": ("po", "--task po: the results have no such task; did you mean 'pos'?"),
        "metric": ("acuracy", "--metric acuracy: no task here has it; did you mean 'accuracy'?"),
        "steps": (7, r"--steps 7: no nudge of that many steps was scored; known: \[1, 10\]"),
    }
    for name, (value, message) in expected.items():
        with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
            findings(simulated("small"), Options(**{name: value}))


def test_progress_names_every_step_and_never_goes_back(simulated: Callable[[str], Run]) -> None:
    told: list[tuple[str, float]] = []
    findings(simulated("small"), Options(task="pos", steps=1, draws=200), lambda *step: told.append(step))
    shares = [share for _, share in told]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] < 1.0
    assert list(dict.fromkeys(name for name, _ in told)) == ["reading measurements", *(step.name for step in STEPS)]
    # The longest step tells of its parts.
    assert sum(name == "intervals of cells" for name, _ in told) > 2


def test_the_headline_has_most_cells_and_of_several_the_largest_k(found: Found) -> None:
    subject = found("small")
    assert [subject.headline("simulated", task).steps for task in subject.tasks] == [10, 10]
    assert subject.tasks == ["pos", "ner"]
