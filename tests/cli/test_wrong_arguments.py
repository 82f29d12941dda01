"""Arguments that no command takes: empty, as of a variable that was not set, or wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--settings", "A"),
        ("build",),
        ("status", "--study"),
        ("convert", "-j", "many"),
        ("stauts",),
        ("consensus",),
    ],
)
def test_wrong_usage_is_json_too(words: tuple[str, ...]) -> None:
    """A script that asked for JSON reads what was wrong with its own call."""
    refused = run_cta(*words[:1], "--json", *words[1:])
    assert refused.code == 1
    error = json.loads(refused.out)["error"]
    assert error["code"] == "usage_invalid"
    assert "\n" not in error["reason"] and ".." not in error["reason"]
    assert refused.err


def test_an_error_that_nobody_reads_as_json_is_told_all_the_same() -> None:
    """Where standard output was closed, standard error says what was wrong, and nothing else."""
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "cta_data", "status", "--json", "--study", "/nonexistent"]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, check=False, text=True)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and len(done.stderr.splitlines()) == 1
