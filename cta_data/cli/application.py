"""The application: its commands, and how errors reach the terminal."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any

import typer
from typer import Option
from typer.main import get_command

from cta_data.cli.accept import accept
from cta_data.cli.add import add
from cta_data.cli.agreement import agreement
from cta_data.cli.audit import audit
from cta_data.cli.build import build
from cta_data.cli.bundles import with_bundles
from cta_data.cli.calibrate import calibrate
from cta_data.cli.compare import compare
from cta_data.cli.consensus import consensus
from cta_data.cli.correct import correct
from cta_data.cli.demo import demo
from cta_data.cli.distribution import distribution
from cta_data.cli.doctor import doctor
from cta_data.cli.edit import in_, out
from cta_data.cli.evaluate import evaluate
from cta_data.cli.experiment import experiment
from cta_data.cli.export import rtstruct, seg
from cta_data.cli.follow_up import follow_up
from cta_data.cli.froc import froc
from cta_data.cli.groups import GroupedCommands
from cta_data.cli.init import init
from cta_data.cli.model import export, import_, list_models
from cta_data.cli.pictures import pictures
from cta_data.cli.predict import predict
from cta_data.cli.query import query
from cta_data.cli.rasterize import rasterize
from cta_data.cli.report import report
from cta_data.cli.review import review
from cta_data.cli.samplesize import samplesize
from cta_data.cli.score import score
from cta_data.cli.status import status
from cta_data.cli.steps import STEP_COMMANDS
from cta_data.cli.trace import trace
from cta_data.cli.train import train
from cta_data.cli.transfer_mask import transfer_mask
from cta_data.cli.withdraw import withdraw
from cta_data.engine.records import EXIT_FAILED, EXIT_USAGE
from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.reasons import Reason
from cta_data.terminal.output import print_error, print_errors, print_json
from cta_data.versioning.tools import use_environment_tools

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer carries its own click; this is the class of all its usage errors."""
COMMANDS: list[Callable[..., int]] = [init, status, doctor, add, *STEP_COMMANDS, build, query]
COMMANDS += [report, pictures, review, accept, correct, agreement, consensus, follow_up]
COMMANDS += [distribution, compare, froc, rasterize, transfer_mask, score, evaluate, audit, trace]
COMMANDS += [train, calibrate, predict, experiment, withdraw, demo, samplesize]
MODEL_COMMANDS: dict[str, Callable[..., int]] = {
    "list": list_models,
    "export": export,
    "import": import_,
}
EXPORT_COMMANDS: dict[str, Callable[..., int]] = {"rtstruct": rtstruct, "seg": seg}
EDIT_COMMANDS: dict[str, Callable[..., int]] = {"out": out, "in": in_}


def _group(name: str, help_text: str, **settings: Any) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=help_text,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        **settings,
    )


app = _group(
    "cta-data",
    "Data management and curation for cross-technique annotation of brain metastases.",
    cls=GroupedCommands,
    add_completion=True,
)
for _command_function in COMMANDS:
    app.command()(with_bundles(_command_function))
_models = _group(
    "model", "List, export and import models.", cls=GroupedCommands, add_completion=False
)
for _name, _command_function in MODEL_COMMANDS.items():
    _models.command(_name)(with_bundles(_command_function))
app.add_typer(_models)
_edits = _group(
    "edit",
    "Give annotations out to ITK-SNAP or 3D Slicer, and take what was edited.",
    cls=GroupedCommands,
    add_completion=False,
)
for _name, _command_function in EDIT_COMMANDS.items():
    _edits.command(_name)(with_bundles(_command_function))
app.add_typer(_edits)
_exports = _group(
    "export",
    "Write lesions as DICOM objects for planning systems and archives.",
    cls=GroupedCommands,
    add_completion=False,
)
for _name, _command_function in EXPORT_COMMANDS.items():
    _exports.command(_name)(with_bundles(_command_function))
app.add_typer(_exports)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(metadata.version("cta_data"))
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Version.")
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
    # Plans of large studies are many objects that stay: looking for circles in them is in vain.
    gc.set_threshold(100_000, 50, 50)
    if not sys.warnoptions:
        # What libraries remark is for developers: `python -W default -m cta_data` shows it.
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"  # in workers, too
    try:
        _require_values(sys.argv[1:])
        code = _command()(standalone_mode=False)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except UsageError as error:
        problem = " ".join(error.format_message().split()).removesuffix(".")  # type: ignore[attr-defined]
        _print_reason(Reason("usage_invalid", problem=problem))
        error.show()  # type: ignore[attr-defined]
        sys.exit(EXIT_USAGE)
    except (CtaError, OSError) as error:
        reason = error.reason if isinstance(error, CtaError) else _reason_of(error)
        _print_reason(reason)
        print_error(str(reason))
        sys.exit(EXIT_FAILED if isinstance(error, DataRefused) else EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


def _print_reason(reason: Reason) -> None:
    """Print why a command failed, where JSON is wanted."""
    if "--json" not in sys.argv:
        return
    try:
        print_json({"error": reason.as_dict() | {"reason": str(reason)}})
    except OSError:  # nobody reads, or there is no room: standard error tells it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _reason_of(error: OSError) -> Reason:
    return Reason("file_not_usable", where=error.filename or "", why=error.strerror or str(error))


def _require_values(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: it would be taken as none, and all be done where one was meant.

    Raises
    ------
    ConfigurationError
        The argument, or the value of an option, is empty.
    """
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if not argument.strip():
            before = arguments[number - 1] if number else "the command"
            raise ConfigurationError("argument_empty", argument=f"it follows {before}")
        if name.startswith("--") and equals and not value.strip():
            raise ConfigurationError("argument_empty", argument=f"it follows {name}")


class _Messages(logging.Handler):
    """Shows what the package logs as a user reads messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        print_errors(record.getMessage())


def _show_log() -> None:
    logger = logging.getLogger("cta_data")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _Messages) for handler in logger.handlers):
        logger.addHandler(_Messages())
