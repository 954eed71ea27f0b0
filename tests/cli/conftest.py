"""Calls the command line in this process; the study that the tests read is in ``tests/mini_study.py``."""

from typing import Any

import pytest
from typer.testing import CliRunner, Result


@pytest.fixture
def xltransfer() -> Any:
    """Call the command line in this process: ``xltransfer("scores", folder)`` returns typer's `Result`."""
    from xltransfer.cli.main import app

    def call(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return call
