"""The command `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from cta_data.cli.options import JsonOutput, StudyChoice
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.terminal.output import console

if TYPE_CHECKING:
    from cta_data.pipeline.doctor import Finding

MARKS = {
    "ok": "[green]ok[/]     ",
    "warning": "[yellow]warning[/]",
    "error": "[red]error[/]  ",
}


def doctor(chosen: StudyChoice, output: JsonOutput) -> int:
    """Check the installation and, inside a study, the study."""
    from cta_data.pipeline.doctor import diagnose

    findings = diagnose(chosen.study)
    output.show(lambda: [vars(finding) for finding in findings], lambda: _print(findings))
    failed = any(finding.level == "error" for finding in findings)
    return EXIT_FAILED if failed else EXIT_OK


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        told = escape(f" {finding.subject}: {finding.message}")
        console().print(f"{MARKS[finding.level]}{told}", soft_wrap=True, markup=True)
