"""The line that names the next command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cta_data.cli.next_line import tell_next
from cta_data.terminal import next_commands


def test_the_study_is_named_as_a_shell_reads_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line can be copied, whatever the folder of the study is called."""
    monkeypatch.setattr(next_commands, "standing_of", lambda study: None)
    suggestion = next_commands.Suggestion("cta-data status", "where it stands")
    chosen, output = SimpleNamespace(study=Path("my study")), SimpleNamespace(as_json=False)
    tell_next(None, chosen, output, lambda standing: suggestion)  # type: ignore[arg-type]
    assert " --study 'my study'" in capsys.readouterr().err
