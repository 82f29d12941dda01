"""The command `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cta_data.cli.options import JsonOutput, StudyChoice
from cta_data.engine.records import EXIT_FAILED, EXIT_OK

if TYPE_CHECKING:
    from cta_data.pipeline.doctor import Finding

STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


def doctor(chosen: StudyChoice, output: JsonOutput) -> int:
    """Check the installation and, inside a study, the study."""
    from cta_data.pipeline.doctor import diagnose

    findings = diagnose(chosen.study)
    output.show(lambda: [vars(finding) for finding in findings], map(_line, findings))
    failed = any(finding.level == "error" for finding in findings)
    return EXIT_FAILED if failed else EXIT_OK


def _line(finding: Finding) -> Text:
    level = Text(f"{finding.level:<7}", STYLES[finding.level])
    return level + Text(f" {finding.subject}: {finding.message}")
