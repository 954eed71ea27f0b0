"""The command line's table of contents.

    xltransfer --help        what there is
    xltransfer run --help    what a command takes

Each command is a function in a module of its own that imports what it needs when it is called, so that ``--help`` is
quick. Expected failures (a wrong study, a malformed file) are shown without a traceback and end with exit status 2; a
unit that failed in an otherwise finished run with 1; Ctrl-C with 130. Anything else is a bug and keeps its traceback.
"""

import sys

import typer

from xltransfer import __version__
from xltransfer.cli.adapters import app as adapters
from xltransfer.cli.benchmark import benchmark
from xltransfer.cli.check import check
from xltransfer.cli.demo import demo
from xltransfer.cli.merge import merge
from xltransfer.cli.plan import plan
from xltransfer.cli.predict import predict
from xltransfer.cli.pretrain import pretrain
from xltransfer.cli.published import published
from xltransfer.cli.report import report
from xltransfer.cli.run import run
from xltransfer.cli.scores import scores
from xltransfer.cli.status import status
from xltransfer.cli.world import world
from xltransfer.errors import XltransferError

INTERRUPTED = 130
"""Exit status by which typer ends a command on Ctrl-C."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (demo, check, plan, run, status, scores, report, merge, predict, published, pretrain, benchmark, world):
    app.command()(_command)
app.add_typer(adapters, name="adapters")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"xltransfer {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    """Which language helps or hurts which other language, in which model, on which task, by how much, how sure are we?

    Start with [bold]xltransfer demo[/bold], or with [bold]xltransfer check STUDY[/bold] on a study file of your own.
    """


def main() -> None:
    """Run the command line."""
    try:
        app()
    except XltransferError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("Stopped. What was finished is kept; the same command goes on with the rest.", file=sys.stderr)
        raise
