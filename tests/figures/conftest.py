"""Frames as analysis gives them, small and large, and what a drawn figure says about its texts."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"

# The 38 transfer languages of faisal2024 (Table 24), eleven of them unseen by mBERT, and names that are hard to draw.
UNSEEN = {"hau", "kmr", "bam", "kin", "ewe", "ibo", "mos", "wol", "gub", "pcm", "pms"}
HARD_NAMES = {
    "mos": r"Moo$re$ \$x$",
    "wol": "<b>Wolof</b> & Co_{x}^2",
    "ara": "العربية",
    "heb": "עברית",
    "zho": "中文",
    "eng": "English with a name that goes on and on and on\nover two lines",
    "kin": "_Kinyarwanda",
    "yor": "Yorùbá Ẹ̀kọ́",
}


@dataclass(frozen=True)
class Study:
    """Codes of a study and its languages frame."""

    transfers: list[str]
    targets: list[str]
    languages: pd.DataFrame


def _languages() -> pd.DataFrame:
    frame = pd.read_csv(MANIFESTS / "languages.csv", keep_default_na=False)
    frame["seen"] = pd.array([code not in UNSEEN for code in frame["code"]], dtype="boolean")
    return frame[["code", "name", "family", "genus", "script", "seen"]]


@pytest.fixture(scope="session")
def large() -> Study:
    """38 transfer languages and 125 targets of the paper, with their real names and families."""
    published = MANIFESTS / "published" / "faisal2024"
    transfers = pd.read_csv(published / "table24_transfer_languages.csv")["iso639_3"].tolist()
    evaluated = pd.read_csv(published / "table29_evaluation_languages.csv")
    languages = _languages()
    named = evaluated.loc[evaluated["iso639_3"].isin(set(languages["code"])), "iso639_3"].drop_duplicates()
    targets = list(dict.fromkeys([*transfers, *named]))[:125]
    assert (len(transfers), len(targets)) == (38, 125)
    return Study(transfers, targets, languages)


@pytest.fixture(scope="session")
def small() -> Study:
    """Three languages, of two families, one unseen."""
    return Study(["fin", "hun", "wol"], ["fin", "hun", "wol"], _languages())


@pytest.fixture(scope="session")
def hard() -> Study:
    """Eight languages whose names hold markup, right-to-left or missing letters, or are long."""
    languages = _languages()
    languages["name"] = [
        HARD_NAMES.get(code, name) for code, name in zip(languages["code"], languages["name"], strict=True)
    ]
    return Study(list(HARD_NAMES), [*HARD_NAMES, "fin"], languages)


INTERVAL = ["estimate", "se", "df", "low", "high", "p", "scale", "estimand", "level", "why"]


def with_intervals(rows: pd.DataFrame, estimate: Any, se: Any, estimand: str, scale: str = "ts") -> pd.DataFrame:
    """Attach the INTERVAL columns."""
    se = np.broadcast_to(se, len(rows))
    return rows.assign(
        estimate=estimate, se=se, df=20.0, low=estimate - 2.1 * se, high=estimate + 2.1 * se,
        p=np.exp(-np.abs(estimate / np.where(se > 0, se, 1.0))), scale=scale, estimand=estimand, level=0.95, why="",
    )  # fmt: skip


def _pairs(study: Study) -> pd.DataFrame:
    rows = pd.MultiIndex.from_product([study.transfers, study.targets], names=["transfer", "target"]).to_frame(False)
    rows = rows.assign(base="mbert", setting="nudge", corpus="wiki", steps=10, adapter_seed=0, task="pos", dataset="ud",
                       metric="accuracy")  # fmt: skip
    rows["self_transfer"] = rows["transfer"] == rows["target"]
    return rows.astype({"steps": "Int64", "adapter_seed": "Int64"})


def _effects(study: Study, seed: int = 7) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Heavy-tailed effects that depend on the transfer language, the target and the pair."""
    rng = np.random.default_rng(seed)
    shape = (len(study.transfers), len(study.targets))
    spread = rng.gamma(2.0, 0.6, (shape[0], 1)) * rng.gamma(2.0, 0.6, (1, shape[1]))
    return (rng.normal(-0.2, 0.4, (1, shape[1])) + spread * rng.standard_t(3, shape)).ravel()


@pytest.fixture(scope="session")
def make_cells() -> Callable[..., pd.DataFrame]:
    """Return a function from a study to its cell intervals with adjusted p-values."""

    def make(study: Study, scale: str = "ts", seed: int = 7) -> pd.DataFrame:
        rows = with_intervals(_pairs(study), _effects(study, seed), 0.8, "new_sentences", scale)
        rows = rows.assign(aggregated=True, reference=70.0, score=70.0, n_replicates=10, n_clusters=200)
        rows["p_bh"] = np.minimum(1.0, 3 * rows["p"])
        rows["p_holm"] = np.minimum(1.0, 9 * rows["p"])
        rows["separable"] = rows["p_bh"] <= 0.05
        return rows

    return make


@dataclass(frozen=True)
class Drawn:
    """A text as it stands on a drawn figure."""

    text: str
    size: float
    box: Bbox


@pytest.fixture
def drawn_texts(monkeypatch: pytest.MonkeyPatch) -> Callable[[Figure], list[Drawn]]:
    """Return a function that draws a figure and returns every text that was really drawn, with its box in pixels."""

    def draw(figure: Figure) -> list[Drawn]:
        seen: dict[int, Text] = {}
        original = Text.draw

        def record(self: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
            if self.get_visible() and self.get_text().strip():
                seen[id(self)] = self
            original(self, renderer, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Text, "draw", record)
            figure.canvas.draw()
        # Of an annotation only the text counts, not the line that leads to it.
        return [Drawn(text.get_text(), text.get_fontsize(), Text.get_window_extent(text)) for text in seen.values()]

    return draw


@pytest.fixture
def assert_readable(drawn_texts: Callable[[Figure], list[Drawn]]) -> Callable[[Figure], list[Drawn]]:
    """Return a function that fails unless all texts are at least 5 points, on the figure, and apart from each other."""

    def check(figure: Figure) -> list[Drawn]:
        texts = drawn_texts(figure)
        assert texts
        for text in texts:
            assert text.size >= 5, f"{text.text!r} has {text.size} points"
            inside = figure.bbox.padded(1).contains(*text.box.min) and figure.bbox.padded(1).contains(*text.box.max)
            assert inside, f"{text.text!r} leaves the figure: {text.box}"
        clashes = [(a.text, b.text) for a, b in combinations(texts, 2) if overlap(a.box, b.box)]
        assert not clashes, f"{len(clashes)} pairs of labels overlap: {clashes[:5]}"
        return texts

    return check


def overlap(a: Bbox, b: Bbox) -> bool:
    """Return whether two boxes share more than a hair (0.1 pixel in both directions)."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 0.1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.1


@pytest.fixture(scope="session")
def make_aggregates() -> Callable[[Study], pd.DataFrame]:
    """Return a function from a study to its aggregates by transfer language."""

    def make(study: Study) -> pd.DataFrame:
        rows = _pairs(study).drop_duplicates("transfer", ignore_index=True)
        rows = rows[["base", "setting", "task", "metric", "steps", "transfer", "corpus"]]
        rows = rows.assign(weighting="macro", include_self=True, n_targets=len(study.targets), n_replicates=10)
        effect = _effects(study).reshape(len(study.transfers), -1)
        error = effect.std(axis=1, ddof=1) / np.sqrt(effect.shape[1])
        return with_intervals(rows, effect.mean(axis=1), error, "new_targets")

    return make


@pytest.fixture(scope="session")
def make_rank_sets() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function from aggregates to rank sets of the right form."""

    def make(aggregates: pd.DataFrame) -> pd.DataFrame:
        rows = aggregates[["base", "setting", "task", "metric", "steps", "transfer", "corpus", "estimate", "n_targets"]]
        rank = rows["estimate"].rank(ascending=False).astype("Int64")
        low, high = (rank - 4).clip(lower=1), (rank + 6).clip(upper=len(rows))
        return rows.assign(rank=rank, rank_low=low, rank_high=high, p_top5=0.1, scale="ts", level=0.95)

    return make


@pytest.fixture(scope="session")
def make_ts() -> Callable[[Study], pd.DataFrame]:
    """Return a function from a study to its transfer scores."""

    def make(study: Study) -> pd.DataFrame:
        rows = _pairs(study).assign(n_replicates=10, reference=70.0, score=70.0, ts=_effects(study), ts_sd=0.5)
        return rows.assign(at_floor=False, small=False, aggregated=True)

    return make


@pytest.fixture(scope="session")
def make_recipients(make_ts: Callable[[Study], pd.DataFrame]) -> Callable[[Study], pd.DataFrame]:
    """Return a function from a study to its recipients; the first targets are never, then universal, then 92 %."""

    def make(study: Study) -> pd.DataFrame:
        ts = make_ts(study)
        keys = ["base", "setting", "task", "metric", "steps", "dataset", "target"]
        rows = (
            (ts["ts"] > 0).groupby([ts[key] for key in keys]).mean().mul(100).rename("percent_positive").reset_index()
        )
        rows["group"], rows["n_transfers"], rows["percent_if_no_effect"] = "", len(study.transfers), 50.0
        for row, (percent, group) in enumerate([(0.0, "never"), (100.0, "universal"), (92.0, "90-99")]):
            rows.loc[row, ["percent_positive", "group"]] = [percent, group]
        return rows

    return make


@pytest.fixture(scope="session")
def make_progression() -> Callable[..., pd.DataFrame]:
    """Return a function from a study to its progression over k for three tasks; effects grow with k, none at k = 0."""

    def make(study: Study, steps: tuple[int, ...] = (0, 1, 10, 100, 1000)) -> pd.DataFrame:
        frames = []
        for index, (task, metric) in enumerate([("dep", "las"), ("ner", "f1"), ("pos", "accuracy")]):
            slope = np.random.default_rng(index).normal(-0.2, 0.5, len(study.transfers))
            for k in steps:
                rows = pd.DataFrame({"transfer": study.transfers, "corpus": "wiki", "steps": k})
                rows = rows.assign(base="mbert", setting="nudge", task=task, metric=metric)
                size = np.log10(k + 1)
                frames.append(with_intervals(rows, slope * size, 0.2 * size, "new_targets"))
        return pd.concat(frames, ignore_index=True).astype({"steps": "Int64"})

    return make


@pytest.fixture(scope="session")
def make_correlations() -> Callable[..., pd.DataFrame]:
    """Return a function from pairs of task and metric to correlations, each unordered pair once."""

    def make(*tasks: tuple[str, str]) -> pd.DataFrame:
        rows = []
        for number, (x, y) in enumerate(combinations(tasks, 2)):
            value = np.tanh(1.2 - 0.5 * number)
            rows.append(
                {"base": "mbert", "setting": "nudge", "steps": 10,
                 "task_x": x[0], "metric_x": x[1], "task_y": y[0], "metric_y": y[1], "n_transfers": 38,
                 "reliability_x": 0.1 * tasks.index(x) + 0.5, "reliability_y": 0.1 * tasks.index(y) + 0.5,
                 "estimate": value, "low": value - 0.2, "high": min(value + 0.2, 1.0), "p": 0.03 * number,
                 "scale": "ts", "estimand": "this_test_set", "level": 0.95, "why": ""}
            )  # fmt: skip
        return pd.DataFrame(rows).astype({"steps": "Int64"})

    return make


@pytest.fixture(scope="session")
def make_blocks() -> Callable[..., pd.DataFrame]:
    """Return a function from tasks and steps to the four blocks of seen and unseen languages."""

    def make(tasks: tuple[tuple[str, str], ...], steps: tuple[int, ...]) -> pd.DataFrame:
        keys = pd.MultiIndex.from_product([range(len(tasks)), steps, (True, False), (True, False)])
        rows = pd.DataFrame(keys.to_list(), columns=["which", "steps", "transfer_seen", "target_seen"])
        rows["task"], rows["metric"] = zip(*(tasks[which] for which in rows.pop("which")), strict=True)
        rows = rows.assign(base="mbert", setting="nudge", n_cells=1234)
        values = np.random.default_rng(3).normal(-0.2, 0.6, len(rows))
        return with_intervals(rows, values, 0.2, "new_targets").astype({"steps": "Int64"})

    return make


@pytest.fixture(scope="session")
def make_top_ranks() -> Callable[..., pd.DataFrame]:
    """Return a function from a study and tasks to ranks in every task, as ``top_ranks`` gives them."""

    def make(study: Study, *tasks: str) -> pd.DataFrame:
        count = len(study.transfers)
        frames = [
            pd.DataFrame({"transfer": study.transfers, "corpus": "wiki", "task": task,
                          "rank": 1.0 + np.random.default_rng(index).permutation(count)})
            for index, task in enumerate(tasks)
        ]  # fmt: skip
        rows = pd.concat(frames, ignore_index=True).assign(base="mbert", steps=10)
        rows = rows.assign(top=count // 2, in_top=rows["rank"] <= count // 2)
        return rows.assign(n_tops=rows.groupby("transfer")["in_top"].transform("sum")).astype({"steps": "Int64"})

    return make
