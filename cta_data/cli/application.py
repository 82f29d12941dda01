"""The application: its commands, and how errors reach the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from cta_data.cli import demo, inspect, intake, standalone, step_commands, study_commands
from cta_data.cli.output import error_console
from cta_data.engine.records import EXIT_USAGE
from cta_data.errors import CtaError

EXIT_INTERRUPTED = 130
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer carries its own click; this is the class of all its usage errors."""

app = typer.Typer(
    name="cta-data",
    help="Data management and curation for cross-technique annotation of brain metastases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (study_commands, intake, step_commands, inspect, standalone, demo):
    group.register(app)


def main() -> None:
    """Run the command line; the exit code is 0, 1, 2 or 3 as the reference says."""
    use_environment_tools()
    try:
        code = app(standalone_mode=False)
    except CtaError as error:
        error_console().print(f"[bold red]Error:[/] {_escape(str(error))}", soft_wrap=True)
        sys.exit(EXIT_USAGE)
    except (typer.Abort, KeyboardInterrupt):
        error_console().print("Interrupted: what was finished is kept; run the command again.")
        sys.exit(EXIT_INTERRUPTED)
    except UsageError as error:
        error.show()  # type: ignore[attr-defined]
        sys.exit(EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


def use_environment_tools() -> None:
    """Put the environment's own programs first: git-annex is installed beside this command."""
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if folder not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([folder, path])


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
