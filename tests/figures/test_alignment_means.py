"""Means over pairs, changes by nudge and the scatter of the prediction: what is drawn is the frame's, and readable."""

import itertools

import numpy as np
import pandas as pd
import pytest

from xltransfer.figures.alignment_means import alignment_means, state_text
from xltransfer.figures.alignment_nudges import alignment_nudges
from xltransfer.figures.alignment_scatter import alignment_scatter

METRICS = [f"{readout}_{measure}" for readout in ("cls", "mean") for measure in ("cosine", "cka", "retrieval")]


def means(metrics=METRICS, settings=(("baseline", None, ""), ("task_adapters", None, "pos"), ("nudge", 10, ""))):
    rng = np.random.default_rng(0)
    rows = []
    for (setting, steps, adapter), metric, layer, permuted in itertools.product(
        settings, metrics, range(5), (False, True)
    ):
        value = rng.uniform(0.2, 0.9)
        rows.append(
            {"base": "mini", "setting": setting, "steps": steps, "adapter_seed": 0 if adapter else None,
             "task_adapter": adapter, "task": "pud", "layer": layer, "middle": layer == 2, "metric": metric,
             "permuted": permuted, "estimate": value, "low": value - 0.1, "high": value + 0.1, "level": 0.95,
             "n_pairs": 91}
        )  # fmt: skip
    return pd.DataFrame(rows).astype({"steps": "Int64", "adapter_seed": "Int64"})


def curves(axes):
    return [line for line in axes.lines if len(line.get_xdata()) == 5]


def test_a_panel_per_measure_with_the_means_of_every_state(assert_readable) -> None:
    own = means()
    figure = alignment_means(own.sample(frac=1, random_state=0))
    assert [axes.get_title() for axes in figure.axes] == [
        "cosine of [CLS]", "debiased CKA of [CLS]", "retrieval by [CLS] (%)",
        "cosine of mean tokens", "debiased CKA of mean tokens", "retrieval by mean tokens (%)",
    ]  # fmt: skip
    for axes, metric in zip(figure.axes, METRICS, strict=True):
        part = own[own.metric == metric]
        drawn = [tuple(line.get_ydata()) for line in curves(axes)]
        expected = [
            tuple(part[(part.setting == setting) & (part.permuted == permuted)].estimate)
            for setting in ("baseline", "task_adapters", "nudge")
            for permuted in (False, True)
        ]
        assert np.array(drawn) == pytest.approx(np.array(expected))
        lowest = min(path.vertices[:, 1].min() for band in axes.collections for path in band.get_paths())
        assert lowest == pytest.approx(part.low.min())
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [
        "untouched", "task adapter pos", "nudged on one of the two languages (k = 10)", "permuted pairs"
    ]  # fmt: skip
    assert any("91 pairs" in text.get_text() for text in figure.texts)
    assert_readable(figure)


def test_changes_mark_zero_and_are_in_points(assert_readable) -> None:
    own = means(settings=(("nudge", 1, ""), ("nudge", 10, "")))
    figure = alignment_means(own, change=True)
    assert figure.axes[2].get_title() == "retrieval by [CLS] (points)"
    assert any(np.array_equal(line.get_ydata(), [0.0, 0.0]) for line in figure.axes[0].lines)
    assert any("one for each language nudged on" in text.get_text().replace("\n", " ") for text in figure.texts)
    assert_readable(figure)


def test_unmatched_texts_have_two_panels(assert_readable) -> None:
    own = means(["cls_all_pairs", "mean_all_pairs"], (("baseline", None, ""),))
    figure = alignment_means(own[~own.permuted])
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["untouched"]
    assert_readable(figure)


def test_too_many_states_and_missing_numbers_are_refused() -> None:
    many = means(METRICS[:1], [("nudge", k, "") for k in range(19)])
    with pytest.raises(ValueError, match="holds 19 states, a figure tells 18 apart"):
        alignment_means(many)
    with pytest.raises(ValueError, match="no defined estimate"):
        alignment_means(means().assign(estimate=np.nan))
    with pytest.raises(ValueError, match="several values of task"):
        alignment_means(pd.concat([means(), means().assign(task="xnli")]))


def test_states_in_words() -> None:
    assert state_text(("task_adapters", None, 1, "ner"), True) == "task adapter ner seed 1"
    assert state_text(("zero_steps", 0, None, "")) == "zero steps"


def nudges(codes, lone=()):
    rows = []
    for number, code in enumerate(codes):
        for permuted in (False, True):
            value = 0.01 * (number - 2) - (0.005 if permuted else 0)
            alone = code in lone
            rows.append(
                {"base": "mini", "setting": "nudge", "transfer": code, "corpus": f"text-{code}", "steps": 10,
                 "task": "pud", "metric": "cls_cosine", "permuted": permuted, "estimate": value,
                 "low": np.nan if alone else value - 0.01, "high": np.nan if alone else value + 0.01, "level": 0.95,
                 "n_pairs": 1 if alone else 13, "n_replicates": 3}
            )  # fmt: skip
    return pd.DataFrame(rows).astype({"steps": "Int64"})


@pytest.mark.parametrize("study", ["small", "hard", "large"])
def test_nudges_are_ordered_with_whiskers_and_permuted_pairs(study, request, assert_readable) -> None:
    own = request.getfixturevalue(study)
    frame = nudges(own.transfers, lone=own.transfers[:1])
    figure = alignment_nudges(frame.sample(frac=1, random_state=1), own.languages)
    axes = figure.axes[0]
    by_label = {each.get_label(): each for each in axes.collections}
    points, permuted = (np.asarray(by_label[name].get_offsets()) for name in ("estimate", "permuted"))
    ordered = frame[~frame.permuted].sort_values("estimate", ascending=False)
    assert points[:, 0] == pytest.approx(ordered.estimate.to_numpy())
    assert permuted[:, 0] == pytest.approx(ordered.estimate.to_numpy() - 0.005)
    spans = [segment[:, 0] for segment in by_label["interval"].get_segments() if len(segment)]
    assert len(spans) == len(ordered) - 1
    assert np.array(spans)[:, 0] == pytest.approx(ordered.low.dropna().to_numpy())
    assert "no interval" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert_readable(figure)


def test_nudges_on_two_sets_or_none_are_refused(small) -> None:
    frame = nudges(small.transfers)
    with pytest.raises(ValueError, match="several values of task"):
        alignment_nudges(pd.concat([frame, frame.assign(task="xnli")]), small.languages)
    with pytest.raises(ValueError, match="setting='nudge'"):
        alignment_nudges(frame.assign(setting="random_sign"), small.languages)


def points(tasks=(("dep", "las"), ("mlm", "nll"), ("ner", "f1"), ("pos", "accuracy"))):
    rng = np.random.default_rng(2)
    frames, fits = [], []
    for place, (task, metric) in enumerate(tasks):
        x = 0.01 * rng.normal(size=40)
        key = {
            "base": "mini",
            "task": task,
            "metric": metric,
            "steps": 10,
            "predictor": "cls_cosine",
            "permuted": False,
        }
        frames.append(pd.DataFrame({**key, "change_centred": x, "ts_centred": 30 * x + 0.1 * rng.normal(size=40)}))
        slope = np.nan if place == 1 else 30.0
        fits.append({**key, "slope": slope, "low": 12.0, "high": 48.0, "p": 0.004, "n_pairs": 40, "level": 0.95})
    return pd.concat(frames, ignore_index=True), pd.DataFrame(fits)


def test_the_scatter_is_in_hundredths_and_its_line_has_the_slope(assert_readable) -> None:
    frame, fits = points()
    figure = alignment_scatter(frame, fits, texts="pud")
    assert figure.texts[0].get_text().replace("\n", " ").endswith(", mini, pud")
    assert [axes.get_title() for axes in figure.axes] == ["dep LAS", "mlm NLL", "ner F1", "pos accuracy"]
    own = frame[frame.task == "pos"]
    axes = figure.axes[3]
    offsets = np.asarray(axes.collections[0].get_offsets())
    assert offsets[:, 0] == pytest.approx(100 * own.change_centred.to_numpy())
    assert offsets[:, 1] == pytest.approx(own.ts_centred.to_numpy())
    (line,) = [each for each in axes.lines if each.get_linewidth() > 1]
    x, y = line.get_xdata(), line.get_ydata()
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(0.30)
    assert axes.texts[0].get_text() == "slope 0.30 [0.12, 0.48]\np = 0.0040, 40 pairs"
    assert "%" in axes.get_ylabel() and "hundredths" in axes.get_xlabel()
    assert not [each for each in figure.axes[1].lines if each.get_linewidth() > 1]
    assert figure.axes[1].texts[0].get_text() == "no slope, 40 pairs"
    assert_readable(figure)


def test_a_scatter_of_nothing_is_refused() -> None:
    frame, fits = points()
    with pytest.raises(ValueError, match="points has no rows"):
        alignment_scatter(frame.iloc[:0], fits)
    with pytest.raises(ValueError, match="permuted=True"):
        alignment_scatter(frame, fits, permuted=True)
