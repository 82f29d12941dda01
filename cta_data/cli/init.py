"""The command `init`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from cta_data.engine.records import EXIT_OK
from cta_data.terminal.output import print_lines


def init(
    study: Annotated[Path, Argument(help="Folder of the new study.")],
    cohort: Annotated[
        list[str] | None, Option("--cohort", help="Cohorts to start with; repeatable.")
    ] = None,
    name: Annotated[str, Option("--name", help="Name; else that of the folder.")] = "",
    empty: Annotated[
        bool, Option("--empty", help="Start without a cohort; `add` brings them in.")
    ] = False,
) -> int:
    """Make a study: a DataLad superdataset with its cohorts."""
    from cta_data.study.creation import create_study
    from cta_data.terminal.next_commands import after_init, standing_of

    folder = study.absolute()
    made = create_study(folder, name or folder.name, () if empty else tuple(cohort or ["internal"]))
    print_lines(
        [
            f"Made the study {study} with {', '.join(made.cohorts) or 'no cohort'}.",
            f"Next: cd {shlex.quote(str(study))}; {after_init(standing_of(made))}",
        ]
    )
    return EXIT_OK
