"""Bundles of options: a command gets each as one object, and takes those that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer
from typer import Option
from typer.testing import CliRunner

from cta_data.cli.bundles import Takes, with_bundles


@dataclass(frozen=True)
class Paint:
    """How something is painted."""

    colour: Annotated[str, Option("--colour", help="Which colour.")] = "red"
    layers: Annotated[int, Option("--layers", min=1, help="How many.")] = 1
    gloss: Annotated[bool, Option("--gloss", help="Shining.")] = False


def program(command: Callable[..., int]) -> typer.Typer:
    app = typer.Typer()
    app.command()(with_bundles(command))
    return app


def test_a_bundle_comes_as_one_object() -> None:
    """Each option is read by its own rules; those that are not given have their defaults."""
    got: list[object] = []

    def whole(what: Annotated[str, typer.Argument()], paint: Paint) -> int:
        got.append((what, paint))
        return 0

    runner, app = CliRunner(), program(whole)
    assert runner.invoke(app, ["door", "--layers", "2", "--gloss"]).exit_code == 0
    assert got == [("door", Paint("red", 2, True))]
    assert runner.invoke(app, ["door", "--layers", "0"]).exit_code == 2


def test_a_command_takes_the_options_that_it_names() -> None:
    """The others are unknown to it, and keep their defaults; a help may be the command's own."""
    got: list[Paint] = []

    def some(paint: Annotated[Paint, Takes(colour="Of the frame.")]) -> int:
        got.append(paint)
        return 0

    runner, app = CliRunner(), program(some)
    assert runner.invoke(app, ["--colour", "blue"]).exit_code == 0
    assert got == [Paint("blue")]
    assert runner.invoke(app, ["--layers", "2"]).exit_code == 2
    shown = runner.invoke(app, ["--help"]).output
    assert "Of the frame." in shown and "Which colour." not in shown
