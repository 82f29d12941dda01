"""Every command that takes --json prints one JSON document, also where there is nothing to tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.command_line import run_cta
from typer.main import get_command

from cta_data.cli.application import app
from cta_data.study.creation import create_study

NEEDED = {
    "build": ("--setting", "B"),
    "consensus": ("--method", "union"),
    "predict": ("--setting", "B"),
    "query": ("select * from lesions",),
    "train": ("--setting", "B", "--device", "cpu"),
}
"""What a command must be told to get past its usage."""


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that takes --json."""
    command = command or get_command(app)
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, (*words, name))
    if "--json" in {option for parameter in command.params for option in parameter.opts}:
        yield words


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study without a cohort."""
    return create_study(tmp_path_factory.mktemp("studies") / "empty", "empty", ()).root


@pytest.mark.parametrize("words", sorted(commands()), ids=" ".join)
def test_a_program_always_reads_json(
    words: tuple[str, ...], empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document, in a study without a subject and where words are missing."""
    monkeypatch.chdir(empty)
    done = run_cta(*words, *NEEDED.get(words[0], ()), "--json")
    assert isinstance(json.loads(done.out), dict | list)


def test_no_session_for_a_consensus_is_an_empty_list(empty: Path) -> None:
    """Exit code 2, and the same keys as with sessions."""
    done = run_cta("consensus", "--method", "union", "--json", study=empty)
    assert (done.code, json.loads(done.out)) == (2, {"consensus": [], "records": []})
