"""What the terminal shows of names and headers from outside."""

from __future__ import annotations

import pytest
from rich.table import Table

from cta_data.terminal.output import console, print_errors, print_lines

SEQUENCE = "a\x1b]0;title\x07\x1b[31mb"
ESCAPED = r"a\x1b]0;title\x07\x1b[31mb"


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """They are shown as escapes in lines and tables alike; line breaks stay."""
    table = Table("name", box=None)
    table.add_row(SEQUENCE)
    print_lines([f"{SEQUENCE}\nnext", table], console())
    print_errors(SEQUENCE)
    printed = capsys.readouterr()
    assert printed.out.split() == [ESCAPED, "next", "name", ESCAPED]
    assert printed.err.split() == [ESCAPED]
