"""Noise of precisions and speed: against the scores in the results folder, hand-made frames, and a clock that ticks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pandas.testing import assert_frame_equal
from torch.utils.flop_counter import FlopCounterMode

from xltransfer.engine.base import MASKED_LM
from xltransfer.engine.nudge import NudgeSettings
from xltransfer.errors import ConfigError, RunFolderError
from xltransfer.protocols import speed
from xltransfer.protocols.benchmark import chosen_scorers, noise_summary, precision_noise
from xltransfer.protocols.speed import nudge_steps, products_of, speeds
from xltransfer.protocols.transfer.context import Context
from xltransfer.protocols.transfer.predictions import open_context
from xltransfer.runs.open import open_run

CELL = ["task", "adapter_seed", "dataset", "target", "metric"]


@pytest.fixture(scope="module")
def context(mini_study: Any) -> Context:
    return open_context(mini_study.resolved, mini_study.folder)


@pytest.fixture(scope="module")
def noise(context: Context) -> pd.DataFrame:
    return precision_noise(context, chosen_scorers(context))


def in_the_folder(mini: Any, setting: str) -> "pd.Series[float]":
    """Return the stored scores of the untouched model by cell."""
    rows = open_run(mini.folder).measurements(labels=False)
    return rows[rows["setting"] == setting].set_index(CELL)["score"].sort_index()


def of(noise: pd.DataFrame, precision: str, column: str) -> "pd.Series[float]":
    rows = noise[noise["precision"] == precision]
    return rows.set_index(CELL)[column].sort_index()


@pytest.mark.parametrize(
    ("column", "setting"), [("score", "baseline"), ("exact", "noise_precision")], ids=["float32", "float64"]
)
def test_scores_are_the_very_ones_that_the_run_stored(
    mini_study: Any, noise: pd.DataFrame, column: str, setting: str
) -> None:
    mine, stored = of(noise, "float32", column), in_the_folder(mini_study, setting)
    assert mine.index.equals(stored.index) and len(mine) == 3 * (3 + 3 + 2 + 1)
    assert mine.to_list() == pytest.approx(stored.to_list(), rel=1e-12)


def test_bfloat16_is_off_by_more_than_float32_and_by_little(noise: pd.DataFrame) -> None:
    nll = noise[noise["metric"] == "nll"].assign(size=lambda rows: rows["ts"].abs())
    sizes = nll.groupby(["precision", "task"])["size"].median().unstack("precision")
    assert (sizes["float32"] < 1e-3).all()
    assert (sizes["bfloat16"] > 10 * sizes["float32"]).all()
    assert (sizes["bfloat16"] < 2.0).all()


def test_differences_are_stated_in_the_metric_and_as_ts(noise: pd.DataFrame) -> None:
    assert set(noise["precision"]) == {"float32", "bfloat16"}
    for row in noise.itertuples():
        assert row.difference == row.score - row.exact
        better = -1 if row.metric == "nll" else 1
        if row.exact == 0:
            assert np.isnan(row.ts)
        else:
            assert row.ts == pytest.approx(100 * better * (row.score - row.exact) / row.exact)


def test_the_model_is_left_as_it_was(context: Context) -> None:
    chosen = chosen_scorers(context, ["pos"], 1)
    before = {name: value.clone() for name, value in context.model.state_dict().items()}
    first = precision_noise(context, chosen)
    assert_frame_equal(precision_noise(context, chosen), first)
    after = context.model.state_dict()
    assert all(torch.equal(value, after[name]) and after[name].dtype == value.dtype for name, value in before.items())


def test_progress_goes_from_little_to_all(context: Context) -> None:
    told: list[tuple[str, float]] = []
    precision_noise(context, chosen_scorers(context, ["ner", "mlm"], 2), lambda name, share: told.append((name, share)))
    shares = [share for _, share in told]
    assert len(shares) == 3 * 2 * 2  # formats, tasks, targets
    assert shares == sorted(shares) and 0 < shares[0] < 0.2 and shares[-1] == pytest.approx(1.0)
    assert told[0][0] == "scoring in float64"


def test_targets_are_spread_over_the_list(context: Context) -> None:
    every = [ref.name for ref in context.resolved.targets["pos"]]
    assert chosen_scorers(context, ["pos"]) == {"pos@0": tuple(every)}
    assert chosen_scorers(context, ["pos"], 1) == {"pos@0": (every[1],)}
    assert chosen_scorers(context, ["mlm", "pos"], 9)["pos@0"] == tuple(every)
    assert list(chosen_scorers(context)) == ["pos@0", "dep@0", "ner@0", "mlm"]


def test_what_cannot_be_chosen_is_said(context: Context, mini_study: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the study has no task 'pso'; did you mean 'pos'?"):
        chosen_scorers(context, ["pos", "pso"])
    with pytest.raises(ConfigError, match="n_targets=0; expected at least 1"):
        chosen_scorers(context, None, 0)
    (tmp_path / "run.json").write_bytes((mini_study.folder / "run.json").read_bytes())
    empty = open_context(mini_study.resolved, tmp_path)
    with pytest.raises(RunFolderError, match="has no task adapter pos@0, dep@0, ner@0 of this study; run the study"):
        chosen_scorers(empty)
    assert chosen_scorers(empty, ["mlm"], 1)


def cells(values: dict[str, tuple[str, float, float]]) -> pd.DataFrame:
    rows = [(p, task, "m", d, t) for key, (p, d, t) in values.items() for task in (key.split()[0],)]
    return pd.DataFrame(rows, columns=["precision", "task", "metric", "difference", "ts"])


def test_summary_of_a_table_worked_by_hand() -> None:
    noise = cells(
        {
            "pos 1": ("bfloat16", -3.0, -6.0),
            "pos 2": ("bfloat16", 1.0, 2.0),
            "pos 3": ("bfloat16", 0.0, np.nan),
            "dep 1": ("bfloat16", 0.5, 1.0),
        }
    )
    ts = pd.DataFrame(
        [
            ("nudge", "pos", "m", 10, 50.0),
            ("nudge", "pos", "m", 1, -4.0),
            ("nudge", "pos", "m", 1, 2.0),
            ("nudge", "pos", "m", 1, np.nan),
            ("zero_steps", "pos", "m", 0, 0.0),
        ],
        columns=["setting", "task", "metric", "steps", "ts"],
    )
    found = noise_summary(noise, ts).set_index("task")
    pos, dep = found.loc["pos"], found.loc["dep"]
    assert (pos["n_cells"], pos["max_difference"], pos["median_difference"]) == (3, 3.0, 1.0)
    assert (pos["max_ts"], pos["median_ts"]) == (6.0, 4.0)
    assert (pos["run_steps"], pos["run_median_ts"]) == (1, 3.0)
    assert dep["max_ts"] == 1.0 and np.isnan(dep["run_steps"]) and np.isnan(dep["run_median_ts"])
    alone = noise_summary(noise)
    assert alone["run_median_ts"].isna().all() and list(alone.columns) == list(noise_summary(noise, ts).columns)


def test_summary_beside_the_runs_own_transfer_scores(mini_study: Any, noise: pd.DataFrame) -> None:
    from xltransfer.analysis import transfer_scores

    ts = transfer_scores(open_run(mini_study.folder).measurements(labels=False))
    found = noise_summary(noise, ts).set_index(["precision", "task", "metric"])
    assert found.loc[("bfloat16", "pos", "accuracy"), "run_steps"] == 1
    assert found.loc[("bfloat16", "dep", "las"), "run_steps"] == 2  # dep is not scored at k = 1
    ones = ts[(ts["setting"] == "nudge") & (ts["steps"] == 1) & (ts["task"] == "pos") & (ts["metric"] == "nll")]
    assert found.loc[("float32", "pos", "nll"), "run_median_ts"] == pytest.approx(ones["ts"].abs().median())


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second pass between any two looks at the clock: whatever is done takes a second."""
    seconds = iter(range(10**9))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: float(next(seconds)))


def test_speed_counts_real_tokens_only(context: Context, ticking: None) -> None:
    told: list[float] = []
    found = speeds(context, chosen_scorers(context), 3.0, lambda _, share: told.append(share))
    assert told == sorted(told) and told[0] == 0 and told[-1] < 1
    assert list(zip(found["work"], found["precision"], strict=True)) == [
        (work, form)
        for work in ("score pos", "score dep", "score ner", "score mlm", "nudge step")
        for form in ("float32", "bfloat16")
    ]
    tokens = found.set_index(["work", "precision"])["tokens_per_second"]
    # The target with most tokens, its subwords and two special tokens a sentence, as its file has it.
    largest = max(_tokens(context, ref.name) for ref in context.resolved.targets["pos"])
    assert tokens["score pos", "float32"] == tokens["score pos", "bfloat16"] == largest
    assert tokens["score mlm", "float32"] == 6 * 32
    assert tokens["nudge step", "bfloat16"] == 2 * 32
    assert (found["bound_tokens_per_second"] == found["tokens_per_second"]).all()
    assert (found["of_bound"] == 1.0).all()


def _tokens(context: Context, entry: str) -> int:
    ref = context.entries[entry]
    text = (ref.root / ref.files["test"]).read_text(encoding="utf-8")
    total = 0
    for sentence in text.strip().split("\n\n"):
        words = [line.split("\t")[1] for line in sentence.splitlines() if line[:1].isdigit()]
        length = len(context.tokenizer(words, is_split_into_words=True)["input_ids"])
        total += length if length <= context.specs["pos"].max_length else 0
    return total


def test_speed_is_seconds_of_work_and_of_products(context: Context) -> None:
    found = speeds(context, chosen_scorers(context, ["pos"], 1), 0.05)
    assert (found["tokens_per_second"] > 0).all()
    # Scoring does the products and more.
    assert (found["of_bound"] < 1).all()


def test_steps_of_a_nudge_are_taken_at_the_precision_and_undone(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, seen = context.model, []
    plain = speed.masked_lm_loss

    def spying(*given: Any) -> Any:
        seen.append((model.training, torch.is_autocast_enabled("cpu")))
        return plain(*given)

    monkeypatch.setattr(speed, "masked_lm_loss", spying)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    blocks = next(iter(context.corpora.values()))
    settings = NudgeSettings(steps=0, batch_size=2, learning_rate=1e-2)
    for form in ("float32", "bfloat16"):
        with nudge_steps(model, blocks, context.vocabulary, settings, form) as go:  # type: ignore[arg-type]
            losses = [float(go()) for _ in range(12)]  # type: ignore[arg-type]
        assert losses[-1] < losses[0]
    assert seen == [(True, False)] * 12 + [(True, True)] * 12
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
    assert not model.training and not any(value.requires_grad for value in model.parameters())


def test_products_are_those_of_a_forward_pass(context: Context) -> None:
    model, ids = context.model, torch.full((4, 16), 7)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(ids, head=MASKED_LM, positions=torch.arange(0, 64, 8))
    counted = sum(n for op, n in counter.get_flop_counts()["Global"].items() if "mm" in str(op))
    pooler = 2 * 4 * model.hidden**2
    mine = sum(2 * each.rows * each.weight.numel() * each.times for each in products_of(model, 64, 8))
    assert mine == counted - pooler


def test_work_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock[0])
    done: list[int] = []

    def go() -> None:
        done.append(1)
        clock[0] += 0.5 if len(done) > 1 else 100.0

    assert speed.seconds_of(go, torch.device("cpu"), 1.6) == 0.5
    assert len(done) == 1 + 4  # the first does not count
