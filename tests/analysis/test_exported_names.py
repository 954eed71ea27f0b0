"""The public surface of the room: sorted, complete, quick to import, and free of torch."""

import subprocess
import sys
import types

import xltransfer.analysis as analysis


def test_names_are_sorted_and_are_functions_or_classes():
    assert analysis.__all__ == sorted(analysis.__all__)
    for name in analysis.__all__:
        member = getattr(analysis, name)
        assert callable(member) and not isinstance(member, types.ModuleType), name
        assert member.__doc__, name
        assert member.__module__.startswith("xltransfer.analysis."), name


def test_names_of_the_first_study():
    promised = {"transfer_scores", "rank_transfer_languages", "at_floor", "noise_floor", "controls", "mantel"}
    assert promised <= set(analysis.__all__)


def test_import_without_torch_and_without_scipy_stats():
    code = (
        "import sys; sys.modules['torch'] = None; import xltransfer.analysis; assert 'scipy.stats' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
