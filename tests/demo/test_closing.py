"""How the demonstration ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from cta_data.cli.application import COMMANDS
from cta_data.demo.closing import COMMANDS as SHOWN
from cta_data.demo.closing import OF_MODELS, OF_TRAINING, PAGES, closing_lines

MOST_LINES = 12


@pytest.mark.parametrize("trained", [True, False])
def test_it_names_the_pages_that_are_there_and_the_next_commands(
    tmp_path: Path, trained: bool
) -> None:
    """Some ten lines: a page that was not made is not named."""
    made = list(PAGES)[1:] if trained else []
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lines = list(closing_lines(tmp_path, Path("demo/study"), trained=trained))
    assert len(lines) <= MOST_LINES
    named = {line.split()[0] for line in lines if ".html" in line}
    assert named == {f"demo/study/{name}" for name in made}
    assert "  cd demo/study" in lines
    assert any(line.startswith("  cta-data status") for line in lines)


def test_the_folder_is_named_as_a_shell_reads_it(tmp_path: Path) -> None:
    """A newcomer copies the line, whatever the folder is called."""
    lines = closing_lines(tmp_path, Path("my demo/study"), trained=False)
    assert "  cd 'my demo/study'" in lines


def test_every_command_of_the_end_exists() -> None:
    """A newcomer copies these lines."""
    names = {command.__name__ for command in COMMANDS}
    for command in {**SHOWN, **OF_MODELS, **OF_TRAINING}:
        first, second, *_ = command.split()
        assert first == "git" or second in names
