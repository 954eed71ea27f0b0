"""Layer curves: lines, bands and dashes are the frame's, and states keep apart."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from xltransfer.figures import alignment_curves

STATES = [
    {"setting": "baseline"},
    {"setting": "language_adapters"},
    {"setting": "task_adapters", "task_adapter": "nli", "adapter_seed": 0},
    {"setting": "nudge", "transfer": "wol", "corpus": "text-wol", "steps": 10},
]


def frame(states: Iterable[dict[str, object]] = STATES, targets: Iterable[str] = ("fin", "wol")) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for state in states:
        for target in targets:
            for layer in range(5):
                for permuted in (False, True):
                    value = rng.uniform(0.2, 0.4) + (0.0 if permuted else 0.3)
                    own = {
                        "transfer": "",
                        "corpus": "",
                        "steps": None,
                        "adapter_seed": None,
                        "task_adapter": "",
                    } | state
                    own |= {"base": "mini", "task": "pud", "dataset": f"eng+{target}", "source": "hun"}
                    own |= {"target": target, "layer": layer, "middle": layer == 2, "permuted": permuted}
                    own |= {"metric": "cls_cosine", "estimate": value, "low": value - 0.02, "high": value + 0.02}
                    rows.append(own | {"level": 0.95, "n_replicates": 3 if state["setting"] == "nudge" else 1})
    return pd.DataFrame(rows).astype({"steps": "Int64", "adapter_seed": "Int64"})


def test_a_panel_per_pair_with_a_line_and_a_dashed_line_per_state(small) -> None:
    own = frame()
    figure = alignment_curves(own.sample(frac=1, random_state=0), small.languages)
    assert [axes.get_title() for axes in figure.axes] == ["Hungarian – Wolof", "Hungarian – Finnish"]
    for axes, target in zip(figure.axes, ("wol", "fin"), strict=True):
        curves = [line for line in axes.lines if len(line.get_xdata()) == 5]
        assert len(curves) == 8
        for number, state in enumerate(STATES):
            part = own[(own.setting == state["setting"]) & (own.target == target)]
            for line, permuted in zip(curves[2 * number : 2 * number + 2], (False, True), strict=True):
                assert line.get_ydata() == pytest.approx(part[part.permuted == permuted].estimate.to_numpy())
                assert (line.get_linestyle() == "--") == permuted
        lowest = min(path.vertices[:, 1].min() for band in axes.collections for path in band.get_paths())
        assert lowest == pytest.approx(own[own.target == target].low.min())
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["untouched", "language adapters", "task adapter nli", "nudged on Wolof (k = 10)", "permuted pairs"]


def test_undefined_layers_are_gaps_and_unmatched_texts_have_no_dashes(small) -> None:
    own = frame(STATES[:1])
    own.loc[own.layer == 0, ["estimate", "low", "high"]] = np.nan
    figure = alignment_curves(own[~own.permuted], small.languages)
    line = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 5)
    assert np.isnan(line.get_ydata()[0])
    assert "permuted pairs" not in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("study", ["small", "hard", "large"])
def test_labels_can_be_read(study, request, assert_readable) -> None:
    languages = request.getfixturevalue(study)
    targets = [code for code in languages.targets if code != "hun"][:9]
    assert_readable(alignment_curves(frame(targets=targets), request.getfixturevalue("large").languages
                                     if study == "hard" else languages.languages))  # fmt: skip


def test_what_is_not_clear_or_too_much_is_refused(small) -> None:
    own = frame()
    with pytest.raises(ValueError, match="several values of metric .*cls_cka, cls_cosine"):
        alignment_curves(pd.concat([own, own.assign(metric="cls_cka")]), small.languages)
    many = frame([{"setting": "nudge", "transfer": "wol", "corpus": "c", "steps": k} for k in range(19)])
    with pytest.raises(ValueError, match="holds 19 states, a figure tells 18 apart"):
        alignment_curves(many, small.languages)
    with pytest.raises(ValueError, match="no defined estimate"):
        alignment_curves(own.assign(estimate=np.nan), small.languages)
    with pytest.raises(ValueError, match="lacks the columns layer"):
        alignment_curves(own.drop(columns="layer"), small.languages)
