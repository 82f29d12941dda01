"""The command that a run record keeps: what was asked for, and nothing of how it was run."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from typer.main import get_command

from cta_data.cli.application import app
from cta_data.cli.runner import NOT_RECORDED, recorded
from cta_data.versioning.provenance import REPLAY

GIVEN_AND_RECORDED = [
    ("convert", "convert"),
    ("convert north south", "convert north south"),
    (
        "register --cohort north --subject sub-1 --subject 2 -j 2 --recompute --json",
        "register --cohort north --subject sub-1 --subject 2",
    ),
    (
        "build --setting A --setting B --cohort north --subject 1 --scheduler tcp://a:1 -C here",
        "build --setting A --setting B --cohort north --subject 1",
    ),
    ("build --setting A --technique SPACE", "build --setting A --technique SPACE"),
    ("train --setting A", "train --setting A --fold all --device cuda"),
    (
        "train --setting A --fold 0-1 --device cpu --epochs 3 --configuration 2d --planner P"
        " --num-gpus 2 -j 2",
        "train --setting A --fold 0-1 --device cpu --epochs 3 --configuration 2d --planner P",
    ),
    ("predict --setting A", "predict --fold all --device cuda --setting A"),
    (
        "predict --setting A --on internal-NAQ --on x --fold 0 --unequal-folds --probabilities"
        " --no-mirroring --tile-step 0.7 --device cpu --num-gpus 1",
        "predict --probabilities --fold 0 --device cpu --no-mirroring --tile-step 0.7 --setting A"
        " --on internal-NAQ --on x --unequal-folds",
    ),
    (
        "predict --setting A --mirroring",
        "predict --fold all --device cuda --mirroring --setting A",
    ),
    (
        "accept north --subject 1 --step transfer --reject --author 'A B' --reason 'as a test'"
        " --date 2026-03-01",
        "accept north --subject 1 --step transfer --reject --author 'A B' --date 2026-03-01"
        " --reason 'as a test'",
    ),
    (
        "audit c1 2 --model A --test-set T --verdict vessel --reader A --date 2026-03-01"
        " --note 'n o'",
        "audit c1 2 --model A --test-set T --verdict vessel --reader A --date 2026-03-01"
        " --note 'n o' --convention article",
    ),
    ("report table1 --cohort north", "report table1 --cohort north"),
]


def read(text: str) -> Any:
    """Return the context of a command line as it is read, without running the command."""
    program: Any = get_command(app)
    name, *words = shlex.split(text)
    return program.commands[name].make_context(name, words)


def meant(context: Any) -> dict[str, Any]:
    """Return what a command line asks for."""
    return {name: value for name, value in context.params.items() if name not in NOT_RECORDED}


@pytest.mark.parametrize(("given", "kept"), GIVEN_AND_RECORDED)
def test_a_record_keeps_what_was_asked_for(given: str, kept: str) -> None:
    """Read again, the record asks for the same; places, processes and printing are not in it."""
    context = read(given)
    words = recorded(context)
    assert shlex.join(words) == f"cta-data {kept}"
    again = read(f"{shlex.join(words[1:])} {REPLAY}")
    assert meant(again) == meant(context)
    assert again.params["replay"] is True


def test_what_a_command_finds_out_itself_is_recorded() -> None:
    """A rerun on another day, by another person, decides the same."""
    words = recorded(read("accept --subject 1 --reason r"), author="A B", on="2026-03-01")
    assert shlex.join(words[2:]) == "--subject 1 --author 'A B' --date 2026-03-01 --reason r"
