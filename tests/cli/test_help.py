"""Help, completion, and the line that names the next command, as a user meets them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.table_study import make_table_study

from cta_data.cli.groups import GROUPS
from cta_data.errors import ConfigurationError
from cta_data.terminal import output

PATH = "/data/" + "/".join(["a_folder_with_a_long_name"] * 6) + "/export.zip"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_commands_in_groups_and_in_80_columns(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The groups stand in the order of work; no sentence is cut off."""
    monkeypatch.setenv("COLUMNS", "80")
    outcome = run_cta(option)
    places = [outcome.out.index(f"\n{title}:") for title in GROUPS]
    assert places == sorted(places)
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "..." not in outcome.out.split("Make a study:")[1]


@pytest.mark.parametrize("command", [("status",), ("model",), ("model", "list")])
def test_h_is_help_everywhere(command: tuple[str, ...]) -> None:
    """`-h` is the same as `--help`, for groups of commands as well."""
    assert run_cta(*command, "-h").out == run_cta(*command, "--help").out
    assert run_cta(*command, "-h").code == 0


def test_the_shell_completes_commands_and_options() -> None:
    """What completion scripts ask for is answered: the commands that begin so, and options."""
    for words, number, expected in (("st", 1, {"status", "strip"}), ("status --a", 2, {"--all"})):
        environment = os.environ | {
            "COMP_WORDS": f"cta-data {words}",
            "COMP_CWORD": str(number),
            "_CTA_DATA_COMPLETE": "complete_bash",
        }
        code = "import sys; sys.argv = ['cta-data']; from cta_data.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert set(done.stdout.split()) == expected


def test_status_names_the_next_command_but_not_in_json(tmp_path: Path) -> None:
    """The line is for people: it stands in the error output, with the study as it was given."""
    study = make_table_study(tmp_path / "study", sessions=2).root
    outcome = run_cta("status", study=study)
    assert outcome.err.splitlines()[-1].startswith("Next: cta-data train --setting A --study")
    assert str(study) in outcome.err
    as_json = run_cta("status", "--json", study=study)
    assert "Next:" not in as_json.text
    assert json.loads(as_json.out)["sessions"]


@pytest.mark.parametrize("width", [80, 120])
def test_errors_are_broken_between_words_and_paths_stay_whole(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where, what, why and the next step go on below each other; a path can be copied."""
    monkeypatch.setenv("COLUMNS", str(width))
    text = str(ConfigurationError("fold_unknown", where=PATH, fold=9, last_fold=4)) + " again" * 40
    output.print_error(text)
    lines = capsys.readouterr().err.splitlines()
    assert re.sub(r"\s+", " ", " ".join(lines)) == f"Error: {text}"
    assert any(PATH in line for line in lines)
    assert all(len(line) <= width for line in lines if PATH not in line)
    assert all(line.startswith("       ") for line in lines[1:])
