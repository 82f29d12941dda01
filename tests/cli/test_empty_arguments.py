"""An empty argument is what a variable of a script leaves that was not set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.command_line import run_cta


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--setting", "A", "--subject", "", "--dry-run"),
        ("build", "--setting", "A", "--technique", " ", "--dry-run"),
        ("build", "--setting", "A", "--slurm=", "--dry-run"),
        ("train", "--setting", "A", "--planner", "", "--dry-run"),
        ("accept", "--step", "", "--reason", "seen"),
        ("trace", ""),
        ("",),
    ],
)
def test_an_empty_argument_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    """It is never taken as none, for then a command would do all where one was meant."""
    refused = run_cta(*words, "--json")
    assert refused.code == 1
    assert json.loads(refused.out)["error"]["code"] == "argument_empty"
