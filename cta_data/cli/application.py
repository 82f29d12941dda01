"""The application: its commands, and how errors reach the terminal."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.main import get_command

from cta_data.cli import (
    acceptance_commands,
    audit_commands,
    compare_commands,
    demo,
    distribution_commands,
    evaluate_commands,
    experiment_commands,
    inspect,
    intake,
    model_commands,
    picture_commands,
    report_commands,
    score_commands,
    standalone,
    step_commands,
    study_commands,
    trace_commands,
    train_commands,
)
from cta_data.engine.records import EXIT_FAILED, EXIT_USAGE
from cta_data.errors import CtaError, DataRefused
from cta_data.terminal.output import error_console
from cta_data.versioning.tools import use_environment_tools

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
for group in (
    study_commands,
    intake,
    step_commands,
    inspect,
    report_commands,
    picture_commands,
    acceptance_commands,
    distribution_commands,
    compare_commands,
    standalone,
    score_commands,
    evaluate_commands,
    audit_commands,
    trace_commands,
    train_commands,
    model_commands,
    experiment_commands,
    demo,
):
    group.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(metadata.version("cta_data"))
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Data management and curation for cross-technique annotation of brain metastases."""


@cache
def _command() -> Callable[..., Any]:
    """Return all commands with their options: reading these off the functions takes its time."""
    return get_command(app)


def run() -> None:
    """Run the command that was given; leaves with its exit code: 0, 1, 2 or 3."""
    use_environment_tools()
    _show_log()
    if not sys.warnoptions:
        # What libraries remark is for developers: `python -W default -m cta_data` shows it.
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"  # in workers, too
    try:
        code = _command()(standalone_mode=False)
    except DataRefused as error:
        _print_error(str(error))
        sys.exit(EXIT_FAILED)
    except CtaError as error:
        _print_error(str(error))
        sys.exit(EXIT_USAGE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        why = error.strerror or str(error)
        _print_error(f"{where}{why}. Mend that and run the command again: what was done is kept")
        sys.exit(EXIT_USAGE)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except UsageError as error:
        error.show()  # type: ignore[attr-defined]
        sys.exit(EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


class _Messages(logging.Handler):
    """Shows what the package logs as a user reads messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        error_console().print(record.getMessage(), soft_wrap=True)


def _show_log() -> None:
    logger = logging.getLogger("cta_data")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _Messages) for handler in logger.handlers):
        logger.addHandler(_Messages())


def _print_error(text: str) -> None:
    error_console().print(f"[bold red]Error:[/] {escape(text)}", soft_wrap=True, markup=True)
