"""The report of a real miniature interaction run: its numbers counted again from the scores, its files, its page."""

import itertools
import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mini_study import MiniStudy

from xltransfer.analysis import out_of_aggregates
from xltransfer.errors import ConfigError
from xltransfer.report.findings import Options as TransferOptions
from xltransfer.report.interaction.contents import tables
from xltransfer.report.interaction.findings import Findings, findings
from xltransfer.report.interaction.page import Composer
from xltransfer.report.interaction.subject import Subject
from xltransfer.report.options import InteractionOptions, options_of
from xltransfer.report.write import Written, write_report
from xltransfer.runs.cluster_counts import ClusterCounts
from xltransfer.runs.open import Run, open_run

CODES = ("qaa", "qab", "qba")
Found = Callable[..., Findings]


class Part(Run):
    """The rows and counts of a run that a test wants, as a study that asked for less would have left them."""

    def __init__(self, run: Run, kept: Callable[[str, str], bool]) -> None:
        super().__init__(run.folder, run.header)
        vars(self)["kept"] = kept

    def measurements(self, labels: bool = True) -> pd.DataFrame:
        rows = super().measurements(labels)
        cells = zip(rows["setting"], rows["transfer"], strict=True)
        return rows[[vars(self)["kept"](*cell) for cell in cells]].reset_index(drop=True)

    def cluster_counts(self, *how: Any, **more: Any) -> Iterator[ClusterCounts]:
        return iter([e for e in super().cluster_counts(*how, **more) if vars(self)["kept"](e.setting, e.transfer)])


def one_fusion(setting: str, members: str) -> bool:
    """Keep one kind of fusion: fewer figures to draw."""
    return setting not in ("fusion_untrained", "fusion_uniform")


class WithoutSecond(Part):
    """No capacity control, and one failure."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, lambda setting, members: "'" not in members)

    def failures(self) -> pd.DataFrame:
        key = '{"kind": "fusions", "members": {"qaa+qab": "x"}}'
        return pd.DataFrame([("u1", "UnitError", "no memory", key)], columns=["unit", "error", "message", "key"])


@pytest.fixture(scope="module")
def run(interaction_study: MiniStudy) -> Run:
    """Three artificial languages, pairs and one three, three kinds of fusion, two tasks and masked-LM."""
    return open_run(interaction_study.folder)


@pytest.fixture(scope="module")
def found(run: Run) -> Found:
    """Return the findings under some options; computed once."""
    return cache(lambda **options: findings(run, InteractionOptions(**options)))


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report on one task and kind of fusion, drawn in this process."""
    return write_report(
        Part(run, one_fusion),
        tmp_path_factory.mktemp("interaction") / "report",
        InteractionOptions(task="pos"),
    )


def scored(run: Run, task: str, metric: str) -> dict[tuple[str, str, str], float]:
    """Kind of fusion, members and target -> score, straight from the measurements."""
    rows = run.measurements(labels=False)
    rows = rows[(rows["task"] == task) & (rows["metric"] == metric) & rows["setting"].str.match("fusion_|language_")]
    return {(row.setting.removeprefix("fusion_"), row.transfer, row.target): row.score for row in rows.itertuples()}


@pytest.mark.parametrize(("task", "metric", "sign"), [("pos", "accuracy", 1), ("pos", "nll", -1)])
def test_differences_and_balance_are_those_of_a_plain_loop(
    run: Run, found: Found, task: str, metric: str, sign: int
) -> None:
    known, frames = scored(run, task, metric), found(task=task, metric=metric)
    left_out = set(frames["targets"].loc[frames["targets"][["small", "at_floor", "unreadable"]].any(axis=1), "target"])
    for kind in ("trained", "untrained", "uniform"):
        for control in ("same", "second_adapter"):
            gains: list[float] = []
            for members in itertools.combinations(CODES, 2):
                for code in members:
                    label = "+".join(members)
                    single, double = known["language_adapter", code, code], known[kind, f"{code}+{code}'", code]
                    change = sign * (known[kind, label, code] - (single if control == "same" else double))
                    rows = frames["compositions"]
                    row = rows[(rows["fusion"] == kind) & (rows["members"] == label) & (rows["language"] == code)]
                    if code not in left_out:
                        gains.append(change)
                        assert row[f"difference_{control}"].item() == pytest.approx(change, abs=1e-9)
                        assert row[f"standard_error_{control}"].item() >= 0
                    else:
                        assert row[f"why_{control}"].item() == "left out of aggregates"
            balance = frames["balance"]
            (own,) = balance[
                (balance["fusion"] == kind) & (balance["control"] == control) & (balance["size"] == 2)
            ].to_dict("records")
            counts = [sum(g > 0 for g in gains), sum(g < 0 for g in gains), sum(g == 0 for g in gains)]
            assert [own["n_gain"], own["n_loss"], own["n_tie"]] == counts
            assert own["n_missing"] == 6 - len(gains)


def test_nearness_that_is_not_known_is_not_guessed(found: Found) -> None:
    # Artificial languages have no vectors: every three whose members all gain or lose is unordered, and no pair is.
    near = found(task="mlm", order="near_far")
    signs = near["signs"]
    signed = [name for name in signs if name.startswith(("+", "-"))]
    threes = signs[signs["size"] == 3]
    assert not (threes[signed] > 0).any(axis=None) and threes["unordered"].sum() > 0
    whole = near["differences"].query("size == 3").groupby(["fusion", "control"])["sign"]
    assert threes["unordered"].sum() == 3 * whole.agg(lambda own: (own.abs() == 1).all()).sum()
    assert (signs[signs["size"] == 2]["unordered"] == 0).all()


def test_both_orders_and_a_dead_zone_that_makes_ties(found: Found) -> None:
    wide, plain = found(task="mlm", order="both", dead_zone=2.0), found(task="mlm", order="near_far")
    points = wide["projections"]
    points = points[points["size"] == 3]
    np.testing.assert_array_equal(points["y"], points["z"])
    assert wide["balance"]["n_tie"].sum() > plain["balance"]["n_tie"].sum()
    cells = wide["compositions"]
    for control in ("same", "second_adapter"):
        ties = cells[f"sign_{control}"] == 0
        assert ((cells[f"in_se_{control}"].abs() <= 2.0) == ties).all()


def test_every_composition_is_there(found: Found) -> None:
    progress = found(task="mlm", order="near_far")["progress"]
    assert progress["missing"].tolist() == [0] * len(progress)
    assert progress.set_index(["setting", "composition"]).loc[("fusion_trained", "A+B"), "wanted"] == 3


def test_fusions_are_compared_on_the_same_compositions(run: Run, found: Found) -> None:
    known = scored(run, "mlm", "nll")
    table = found(task="mlm", order="near_far")["fusions"].set_index(["size", "fusion", "other"])
    changes = [
        known["untrained", label, code] - known["trained", label, code]
        for label in ("qaa+qab", "qaa+qba", "qab+qba")
        for code in label.split("+")
    ]
    assert table.loc[(2, "trained", "untrained"), "estimate"] == pytest.approx(np.mean(changes))
    assert set(table.index.get_level_values("other")) == {"untrained", "uniform"}


def test_a_run_without_control_and_with_a_failure_says_so(run: Run) -> None:
    subject = Subject(findings(WithoutSecond(run), InteractionOptions(task="pos")))
    page = Composer(subject, tables(subject), [], {}).page("1 MB")
    assert subject.controls == ["same"]
    assert any(notice.startswith("The study has no capacity control") for notice in page.notices)
    assert any(notice.startswith("one unit failed and is missing below") for notice in page.notices)
    # The study asks for the control; its compositions are missing.
    assert any(re.search(r"not finished: 9 of \d+ compositions", notice) for notice in page.notices)
    keys = [section.key for section in page.sections]
    assert "capacity" not in keys and {"summary", "places", "signs", "compositions", "run"} <= set(keys)


def test_options_beside_the_paper_are_those_of_interaction(found: Found) -> None:
    table = found(task="mlm", order="near_far")["options"].set_index("option")
    assert table.loc["interaction.fusion", ["here", "code", "differs"]].tolist() == [
        "trained, untrained, uniform", "untrained", True
    ]  # fmt: skip
    assert table.loc["interaction.adapters.invertible", ["here", "paper"]].tolist() == ["2", "none"]
    assert not any(option.startswith(("nudge", "steps k")) for option in table.index)


def test_files_links_and_ids(written: Written) -> None:
    folder = written.page.parent
    assert set(written.sizes) == set(folder.iterdir())
    by_kind = {kind: {path.stem for path in folder.glob(f"*.{kind}")} for kind in ("csv", "tex", "png", "svg")}
    assert by_kind["csv"] == by_kind["tex"] and by_kind["png"] == by_kind["svg"]
    assert {"compositions", "signs_pairs", "signs_threes", "projections", "capacity", "fusions", "scores"} <= by_kind[
        "csv"
    ]
    assert "plane_pos_accuracy_trained_second_adapter" in by_kind["png"] or "No figure" in written.page.read_text(
        "utf-8"
    )
    html = written.page.read_text(encoding="utf-8")
    links = set(re.findall(r'href="([^"#]+)"', html))
    assert links and all((folder / link).is_file() for link in links)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) and set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def test_the_same_run_gives_the_same_bytes_however_it_is_drawn(written: Written, run: Run, tmp_path: Path) -> None:
    told: list[float] = []
    options = InteractionOptions(task="pos")
    part = Part(run, one_fusion)
    again = write_report(part, tmp_path / "report", options, on_step=lambda _, share: told.append(share), workers=1)
    assert told == sorted(told) and told[0] == 0.0 and 0.9 < told[-1] < 1.0
    assert {path.name for path in again.sizes} == {path.name for path in written.sizes}
    for path in written.sizes:
        assert (tmp_path / "report" / path.name).read_bytes() == path.read_bytes(), path.name


def test_options_of_another_protocol_are_refused_by_name(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--scale is an option of reports on runs of protocol transfer; this run"):
        options_of("interaction", {"scale": "ts", "task": None})
    with pytest.raises(ConfigError, match=r"--dead-zone is an option .* protocol interaction; .* protocol transfer"):
        options_of("transfer", {"dead_zone": 1.0})
    with pytest.raises(ConfigError, match=r"--seed is an option of reports on runs of protocol transfer or alignment"):
        options_of("interaction", {"seed": 10})
    with pytest.raises(ConfigError) as caught:
        options_of("interaction", {"transfer": tmp_path, "draws": 200})
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigError, match="protocol interaction takes InteractionOptions"):
        write_report(run, tmp_path, TransferOptions())
    assert options_of("interaction", {"order": "both", "seed": None}) == InteractionOptions(order="both")


@pytest.mark.parametrize("kept", [(), ("qab",)])
def test_languages_outside_the_aggregates_improve_in_no_share(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: tuple[str, ...]
) -> None:
    module = "xltransfer.report.audited.out_of_aggregates"
    monkeypatch.setattr(
        module, lambda rows, items: (flags := out_of_aggregates(rows, items)).assign(
            at_floor=False, small=~flags["target"].isin(kept), unknown_tokens=False
        )
    )  # fmt: skip
    part = Part(run, one_fusion)
    found = findings(part, InteractionOptions(task="pos"))
    adapters, shares = found["adapters"].set_index("language"), found["improvement"]
    assert set(adapters.index) == set(CODES)
    assert adapters["base_score"].dropna().index.tolist() == list(kept)
    assert shares["n_languages"].tolist() == [1] * len(shares) and set(shares["setting"]) == (
        {"a1", "a2", "a3", "any"} if kept else set()
    )
    assert write_report(part, tmp_path / "report", InteractionOptions(task="pos")).page.is_file()


def test_several_devices_or_no_pairs_are_errors(run: Run) -> None:
    class Changed(Run):
        def __init__(self, change: Callable[[pd.DataFrame], pd.DataFrame], kept: Collection[str] | None = None) -> None:
            super().__init__(run.folder, run.header)
            vars(self).update(change=change, kept=kept)

        def measurements(self, labels: bool = True) -> pd.DataFrame:
            changed: pd.DataFrame = vars(self)["change"](super().measurements(labels))
            return changed

    cuda = Changed(lambda rows: rows.assign(device=np.where(rows["setting"] == "baseline", "cpu", "cuda")))
    with pytest.raises(ConfigError, match="scores of the devices cpu, cuda"):
        findings(cuda)
    singles = Changed(lambda rows: rows[~rows["setting"].str.startswith("fusion_")].reset_index(drop=True))
    with pytest.raises(ConfigError, match="no composition of two or three languages has been scored yet"):
        findings(singles)
