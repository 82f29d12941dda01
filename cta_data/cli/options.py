"""The three bundles of options, and single options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors, print_json, print_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from cta_data.engine import ExecutorOptions, Selection
    from cta_data.formats.nifti.geometry import Form, FormChoice
    from cta_data.study.study import Study

ConventionOption = Annotated[
    str, Option("--convention", help="article, tables or brats-mets-0.0.10.")
]
ConfidenceOption = Annotated[
    float, Option("--confidence", help="Of the intervals, between 0 and 1.")
]
SeedOption = Annotated[
    int | None, Option("--seed", min=0, help="Of the resampling; a fixed one without it.")
]
DateOption = Annotated[str, Option("--date", help="Day, YYYY-MM-DD; today without it.")]
NiftiFormOption = Annotated[
    str,
    Option(
        "--nifti-form",
        help="sform or qform: which is right in NIfTI headers whose forms contradict each other.",
    ),
]


@dataclass(frozen=True)
class StudySelection:
    """Which study, and who of it."""

    cohorts: Annotated[
        list[str] | None, Argument(metavar="[COHORT]...", help="Cohorts; all without it.")
    ] = None
    cohort: Annotated[
        list[str] | None, Option("--cohort", help="Only this cohort; may be repeated.")
    ] = None
    subject: Annotated[
        list[str] | None,
        Option("--subject", help="Only this subject (label without sub-); may be repeated."),
    ] = None
    study: Annotated[
        Path | None,
        Option("--study", "-C", help="The study; else CTA_STUDY, else the working directory."),
    ] = None

    def open(self) -> Study:
        """Open the study.

        Raises
        ------
        ConfigurationError
            There is none, or its configuration is wrong.
        """
        from cta_data.study.study import open_study

        return open_study(self.study)

    @property
    def named(self) -> list[str]:
        """Cohorts that were named, each once."""
        return list(dict.fromkeys([*(self.cohorts or []), *(self.cohort or [])]))

    @property
    def labels(self) -> list[str]:
        """Labels of the subjects that were named, without `sub-`."""
        return [label.removeprefix("sub-") for label in self.subject or []]

    def selected(self) -> Selection:
        """Return the selection as the rooms below take it."""
        from cta_data.engine import Selection

        return Selection(tuple(self.named), tuple(self.labels))


@dataclass(frozen=True)
class Execution:
    """How work is run. What comes of it does not depend on this, so that no record keeps it."""

    dry_run: Annotated[
        bool, Option("--dry-run", help="Print what would be done and change nothing.")
    ] = False
    jobs: Annotated[int, Option("-j", "--jobs", min=1, help="Units at a time.")] = 1
    scheduler: Annotated[
        str, Option("--scheduler", help="Address of a running dask cluster, as tcp://host:8786.")
    ] = ""
    slurm: Annotated[
        Path | None, Option("--slurm", help="TOML profile of a Slurm cluster for dask-jobqueue.")
    ] = None
    num_gpus: Annotated[
        int, Option("--num-gpus", min=0, help="GPUs of this machine to use, a unit each; 0: all.")
    ] = 0
    recompute: Annotated[
        bool, Option("--recompute", help="Run every unit, whether or not it is needed.")
    ] = False
    replay: Annotated[
        bool,
        Option(
            "--replay",
            hidden=True,
            help="Recompute everything and leave the commit to the caller (datalad rerun).",
        ),
    ] = False

    @property
    def executor(self) -> ExecutorOptions:
        """Where units run."""
        from cta_data.engine import ExecutorOptions

        return ExecutorOptions(self.jobs, self.scheduler, self.slurm)

    @property
    def anew(self) -> bool:
        """Whether every unit is run, needed or not."""
        return self.replay or self.recompute


@dataclass(frozen=True)
class Output:
    """Where results go, and in which form they are printed."""

    out: Annotated[Path | None, Option("--out", help="Where to write.")] = None
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace files that are there; never those that are read.")
    ] = False
    as_json: Annotated[bool, Option("--json", help="Print JSON for other programs.")] = False

    def show(self, content: Callable[[], Any], lines: Iterable[str | Text | Table]) -> None:
        """Print a result: as JSON where that is asked for, else line by line."""
        if self.as_json:
            print_json(content())
        else:
            print_lines(lines)

    def note(self, text: str) -> None:
        """Print a remark for people to standard error."""
        if not self.as_json:
            print_errors(text)


StudyChoice = Annotated[StudySelection, Takes("study")]
UnitExecution = Annotated[
    Execution, Takes("dry_run", "jobs", "scheduler", "slurm", "recompute", "replay")
]
JsonOutput = Annotated[Output, Takes("as_json")]


def day_of(text: str) -> str:
    """Return a day as YYYY-MM-DD; today where there is none.

    Raises
    ------
    ConfigurationError
        It is no day, or none that anybody on earth has yet.
    """
    today = datetime.now(UTC).date()
    if not text:
        return today.isoformat()
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError("date_option_invalid", text=text, error=str(error)) from error
    if day > today + timedelta(days=1):
        raise ConfigurationError("date_option_invalid", text=text, error="it is in the future")
    return day.isoformat()


def form_choice(text: str) -> FormChoice:
    """Return what `--nifti-form` says.

    Raises
    ------
    ConfigurationError
        It names no form.
    """
    from cta_data.formats.nifti.geometry import FormChoice

    forms: dict[str, Form] = {"": "", "sform": "sform", "qform": "qform"}
    if text not in forms:
        raise ConfigurationError("nifti_form_option_invalid", text=text)
    return FormChoice(forms[text], "say which with --nifti-form")


def require_suffix(out: Path | None, suffixes: Collection[str]) -> None:
    """Refuse a file whose name ends in none of the forms that there are.

    Raises
    ------
    ConfigurationError
        With the forms.
    """
    if out is not None and not out.name.endswith(tuple(suffixes)):
        raise ConfigurationError(
            "output_extension_unsupported", where=out, extensions=tuple(suffixes)
        )
