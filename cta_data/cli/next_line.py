"""The line that names the next command."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cta_data.cli.options import Output, StudySelection
from cta_data.terminal.output import error_console, print_lines

if TYPE_CHECKING:
    from cta_data.study.study import Study
    from cta_data.terminal.next_commands import Suggestion


def tell_next(
    study: Study,
    chosen: StudySelection,
    output: Output,
    after: Callable[..., Suggestion],
    *about: Any,
) -> None:
    """Print the command that comes next, for people.

    Parameters
    ----------
    after
        Function of `cta_data.terminal.next_commands` of the command that ran.
    about
        What that command was about, as the function takes it.
    """
    if output.as_json:
        return
    from cta_data.terminal.next_commands import Suggestion, standing_of

    found = after(standing_of(study), *about)
    where = f" --study {shlex.quote(str(chosen.study))}" if chosen.study else ""
    # Not broken into lines: it is to be copied.
    line = f"Next: {Suggestion(found.command + where, found.purpose)}"
    print_lines([line], error_console())
