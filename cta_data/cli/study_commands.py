"""Commands about the study as a whole: init, status, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cta_data.cli.options import JsonOption, StudyOption
from cta_data.engine.records import EXIT_FAILED
from cta_data.study.study import open_study
from cta_data.terminal.output import console, print_json


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("init")(init)
    app.command("status")(status)
    app.command("doctor")(doctor)


def init(
    study: Annotated[Path, typer.Argument(help="Folder of the new study.")],
    cohort: Annotated[
        list[str] | None, typer.Option("--cohort", help="Cohorts to start with; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name; else that of the folder.")] = "",
    empty: Annotated[
        bool, typer.Option("--empty", help="Start without a cohort; `add` brings them in.")
    ] = False,
) -> int:
    """Make a study: a DataLad superdataset with its cohorts as subdatasets."""
    from cta_data.study.creation import create_study

    folder = study.absolute()
    made = create_study(folder, name or folder.name, () if empty else tuple(cohort or ["internal"]))
    out = console()
    out.print(f"Made the study {study} with {', '.join(made.cohorts) or 'no cohort'}.")
    first = made.cohorts[0] if made.cohorts else "COHORT"
    out.print(f"Next: cd {study}; cta-data add {first} FOLDER")
    return 0


def status(
    study: StudyOption = None,
    as_json: JsonOption = False,
    timing: Annotated[
        bool, typer.Option("--timing", help="With seconds and peak memory of each unit.")
    ] = False,
) -> int:
    """Show every subject's stage, and why it stopped where it did."""
    from cta_data.pipeline.overview import study_status
    from cta_data.terminal.status_table import print_status

    content = study_status(open_study(study), timing=timing)
    if as_json:
        print_json(content)
    else:
        print_status(content)
    return 0


def doctor(study: StudyOption = None, as_json: JsonOption = False) -> int:
    """Check the installation and, inside a study, the study."""
    from cta_data.pipeline.doctor import diagnose

    findings = diagnose(study)
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        marks = {
            "ok": "[green]ok[/]     ",
            "warning": "[yellow]warning[/]",
            "error": "[red]error[/]  ",
        }
        for finding in findings:
            told = escape(f" {finding.subject}: {finding.message}")
            console().print(f"{marks[finding.level]}{told}", soft_wrap=True, markup=True)
    return EXIT_FAILED if any(finding.level == "error" for finding in findings) else 0
