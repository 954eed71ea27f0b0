"""xltransfer: which language helps or hurts which other language, in which model, on which task, and how sure are we?

Names are imported when they are first used, so that ``import xltransfer`` is quick and reading results needs no torch.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_study", "open_run"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name == "open_run":
        from xltransfer.runs.open import open_run

        return open_run
    if name == "load_study":
        from xltransfer.config.load import load_study

        return load_study
    raise AttributeError(f"module 'xltransfer' has no attribute {name!r}")
