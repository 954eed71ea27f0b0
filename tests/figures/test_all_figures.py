"""What holds for every figure: labels can be read, nothing leaks, files are the same twice."""

import io
import subprocess
import sys
import types

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import xltransfer.figures as figures

TASKS = (("dep", "las"), ("ner", "f1"), ("pos", "accuracy"), ("a_task with $a$ <b>long</b> name", "span_f1"))


@pytest.fixture
def make_figure(
    make_cells,
    make_ts,
    make_recipients,
    make_progression,
    make_aggregates,
    make_rank_sets,
    make_correlations,
    make_blocks,
    make_top_ranks,
):
    """Return a function from a figure's name and a study to the figure at its default size."""

    def make(name, study):
        tasks = TASKS[: 2 if len(study.transfers) == 3 else 4]
        aggregates = make_aggregates(study)
        return {
            "heatmap": lambda: figures.transfer_heatmap(make_cells(study), study.languages),
            "pair heatmap": lambda: figures.pair_heatmap(_pairs(study), study.languages),
            "heatmap by code": lambda: figures.transfer_heatmap(make_cells(study), study.languages, show="code"),
            "violins": lambda: figures.transfer_violins(make_ts(study), study.languages),
            "recipients": lambda: figures.recipient_map(make_recipients(study), study.languages),
            "progression": lambda: figures.progression(make_progression(study), study.languages),
            "progression by task": lambda: figures.progression(
                make_progression(study), study.languages, lines="transfer"
            ),
            "forest": lambda: figures.forest(aggregates, make_rank_sets(aggregates), study.languages),
            "forest without ranks": lambda: figures.forest(aggregates, None, study.languages),
            "common top": lambda: figures.common_top_ranks(
                make_top_ranks(study, *(t for t, _ in tasks)), study.languages
            ),
            "correlation": lambda: figures.task_correlation_matrix(make_correlations(*tasks)),
            "seen and unseen": lambda: figures.seen_unseen_blocks(make_blocks(tasks, (1, 10, 100, 1000)[: len(tasks)])),
        }[name]()

    return make


NAMES = ["heatmap", "pair heatmap", "heatmap by code", "violins", "recipients", "progression", "progression by task",
         "forest", "forest without ranks", "common top", "correlation", "seen and unseen"]  # fmt: skip


def _pairs(study):
    """A feature of pairs, one of them undefined."""
    pairs = pd.MultiIndex.from_product([study.transfers, study.targets], names=["transfer", "target"]).to_frame(False)
    values = np.random.default_rng(5).random(len(pairs))
    values[1] = np.nan
    pairs = pairs.assign(
        feature="a_set with $a$", kind="similarity", value=values, why=np.where(values > 0, "", "none")
    )
    return pairs.assign(self_transfer=pairs["transfer"] == pairs["target"])


@pytest.mark.parametrize("study", ["small", "hard", "large"])
@pytest.mark.parametrize("name", NAMES)
def test_labels_can_be_read_at_the_default_size(name, study, make_figure, assert_readable, request):
    figure = make_figure(name, request.getfixturevalue(study))
    assert_readable(figure)
    if study == "hard":
        figure.set_dpi(200)  # another resolution rounds letters differently
        assert_readable(figure)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaks_and_the_callers_settings_do_not_matter(name, make_figure, small):
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "font.family": "serif", "image.cmap": "jet"}):
        before = dict(mpl.rcParams)
        figure = make_figure(name, small)
        assert dict(mpl.rcParams) == before
        odd = _pixels(figure)
    assert isinstance(figure, Figure)
    assert np.array_equal(odd, _pixels(make_figure(name, small)))
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def _pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).copy()


@pytest.mark.parametrize("name", NAMES)
def test_svg_is_the_same_twice(name, make_figure, small):
    files = []
    for _ in range(2):
        file = io.BytesIO()
        make_figure(name, small).savefig(file, format="svg", metadata={"Date": None})
        files.append(file.getvalue())
    assert files[0] == files[1] and b"<svg" in files[0]


def test_frames_are_left_alone(small, make_cells, make_ts, make_progression):
    for frame, draw in (
        (make_cells(small), figures.transfer_heatmap),
        (make_ts(small), figures.transfer_violins),
        (make_progression(small), figures.progression),
    ):
        before, languages = frame.copy(), small.languages.copy()
        draw(frame, small.languages)
        assert frame.equals(before) and small.languages.equals(languages)


def test_a_size_that_is_none_is_refused(small, make_ts):
    with pytest.raises(ValueError, match=r"size=\(0, 4\) is not a width and height in inches"):
        figures.transfer_violins(make_ts(small), small.languages, size=(0, 4))


def test_public_names():
    assert figures.__all__ == sorted(figures.__all__)
    for name in figures.__all__:
        member = getattr(figures, name)
        assert callable(member) and not isinstance(member, types.ModuleType) and member.__doc__, name
        assert member.__module__.startswith("xltransfer.figures."), name


def test_import_where_torch_cannot_be_imported():
    code = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, NoTorch())
import xltransfer.figures
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
