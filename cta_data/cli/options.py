"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.errors import ConfigurationError

if TYPE_CHECKING:
    from cta_data.formats.nifti.geometry import Form, FormChoice

StudyOption = Annotated[
    Path | None,
    typer.Option("--study", "-C", help="The study; else CTA_STUDY, else the working directory."),
]
CohortOption = Annotated[
    list[str] | None, typer.Option("--cohort", help="Only this cohort; may be repeated.")
]
SubjectOption = Annotated[
    list[str] | None,
    typer.Option("--subject", help="Only this subject (label without sub-); may be repeated."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done and change nothing.")
]
JobsOption = Annotated[int, typer.Option("-j", "--jobs", min=1, help="Units at a time.")]
SchedulerOption = Annotated[
    str, typer.Option("--scheduler", help="Address of a running dask cluster, as tcp://host:8786.")
]
SlurmOption = Annotated[
    Path | None, typer.Option("--slurm", help="TOML profile of a Slurm cluster for dask-jobqueue.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
NiftiFormOption = Annotated[
    str,
    typer.Option(
        "--nifti-form",
        help="sform or qform: which is right in NIfTI headers whose forms contradict each other.",
    ),
]
ReplayOption = Annotated[
    bool,
    typer.Option(
        "--replay",
        hidden=True,
        help="Recompute everything and leave the commit to the caller (used by datalad rerun).",
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace files that are there; never those that are read."),
]
RecomputeOption = Annotated[
    bool, typer.Option("--recompute", help="Run every unit, whether or not it is needed.")
]


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
        raise ConfigurationError(f"--nifti-form is sform or qform, not {text!r}")
    return FormChoice(forms[text], "say which with --nifti-form")
