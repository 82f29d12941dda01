"""The command line as a user meets it, and small changes to DICOM files, for tests."""

from __future__ import annotations

import io
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from cta_data.cli.application import run

CARD = """
[cohort]
name = "{name}"
title = "A cohort of a user's own"
licence = "CC0-1.0"
access = "public"
how_to_get = "It is on this disk."
partition = "external"
"""


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that a user saw, with every run of white space as one blank."""
        return " ".join((self.out + " " + self.err).split())


Cta = Callable[..., Outcome]


def run_cta(*words: object, study: Path | None = None) -> Outcome:
    """Run `cta-data` in this process; a traceback would reach the test as its exception."""
    arguments = [str(word) for word in words]
    arguments += ["--study", str(study)] if study else []
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(sys, "argv", ["cta-data", *arguments])
        patch.setenv("PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS", "default"))
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            run()
    code = ended.value.code
    return Outcome(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def copy_patients(patients: list[Path], folder: Path) -> list[Path]:
    """Copy exports into a folder; return the copies."""
    return [Path(shutil.copytree(patient, folder / patient.name)) for patient in patients]


def files_of(patient: Path, description: str) -> list[Path]:
    """Files whose SeriesDescription holds a text, in the order of their instance numbers."""
    found = []
    for path in sorted(p for p in patient.rglob("*") if p.is_file()):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if description in str(header.get("SeriesDescription", "")):
            found.append((int(header.get("InstanceNumber") or 0), path))
    return [path for _, path in sorted(found)]


def edit(path: Path, change: Callable[[pydicom.Dataset], None]) -> None:
    """Change a DICOM file."""
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
