"""The command line as a whole: light to load, every option explained, errors without a traceback."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest

from xltransfer.cli.main import app

COMMANDS = (
    "demo",
    "check",
    "plan",
    "run",
    "status",
    "scores",
    "report",
    "merge",
    "predict",
    "published",
    "pretrain",
    "benchmark",
    "world",
)
GROUPS = {"adapters": ("train", "show", "convert", "average")}
"""Commands that hold commands."""
MAIN = "from xltransfer.cli.main import main\nmain()"


def call(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a process of its own."""
    arguments = [sys.executable, "-c", MAIN, *map(str, words)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, encoding="utf-8")


def options(words: str) -> dict[str, Any]:
    """Return the typer declaration of every parameter of a command."""
    module, command = words.split()[0], words.split()[-1]
    function = getattr(importlib.import_module(f"xltransfer.cli.{module}"), command)
    found = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        assert get_origin(parameter.annotation) is Annotated, f"{command} --{name} is not declared"
        found[name] = get_args(parameter.annotation)[1]
    return found


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from xltransfer.cli.main import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'pyarrow', 'scipy', 'numpy', 'pydantic'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "HEAVY []"
    assert all(command in ran.stdout for command in (*COMMANDS, *GROUPS))


def test_the_table_of_contents_is_complete() -> None:
    assert [command.callback.__name__ for command in app.registered_commands if command.callback] == list(COMMANDS)
    groups = {
        group.name: tuple(command.callback.__name__ for command in group.typer_instance.registered_commands)
        for group in app.registered_groups
    }
    assert groups == GROUPS


@pytest.mark.parametrize("command", [*COMMANDS, *(f"{group} {each}" for group in GROUPS for each in GROUPS[group])])
def test_help_of_a_command_names_everything(xltransfer: Any, command: str) -> None:
    result = xltransfer(*command.split(), "--help")
    assert result.exit_code == 0, result.output
    for name, declared in options(command).items():
        assert name.replace("_", "-") in result.output
        assert declared.help and declared.help.endswith("."), f"{command} {name}: a sentence is missing"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("plan", ["in seconds", "default: 10.0", "default: 1"]),
        ("scores", ["optimizer steps k", "Default: 10", "Default: baseline", "percent"]),
        ("predict", ["Optimizer steps k", "default: 0", "from 0"]),
        ("check", ["percent", "80 %"]),
    ],
)
def test_help_states_units_and_defaults(xltransfer: Any, command: str, words: list[str]) -> None:
    shown = " ".join(xltransfer(command, "--help").output.replace("│", " ").split())
    for word in words:
        assert word in shown


def test_an_unknown_command_has_a_near_match(xltransfer: Any) -> None:
    result = xltransfer("scors")
    assert result.exit_code == 2
    assert "No such command 'scors'. Did you mean 'scores'?" in result.output


def test_expected_errors_have_no_traceback(tmp_path: Path) -> None:
    ran = call("scores", tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("RunFolderError: ")
    assert len(ran.stderr.splitlines()) == 1


def test_version() -> None:
    from xltransfer import __version__

    assert call("--version").stdout == f"xltransfer {__version__}\n"
