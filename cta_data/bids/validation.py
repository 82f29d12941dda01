"""Ask the official BIDS validator what it finds wrong with a dataset."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cta_data.errors import ConfigurationError, CtaError

EXECUTABLE = "bids-validator-deno"


@dataclass(frozen=True)
class BidsIssue:
    """One finding of the validator; `location` is a path within the dataset."""

    severity: Literal["error", "warning"]
    code: str
    location: str
    message: str

    def __str__(self) -> str:
        return f"{self.location}: {self.code}: {self.message}"


def validate(folder: Path, *, warnings: bool = False, read_images: bool = True) -> list[BidsIssue]:
    """List the errors (and, if asked for, warnings) of a dataset.

    Parameters
    ----------
    read_images
        Whether NIfTI headers are read. They cannot be where content has not been fetched.

    Raises
    ------
    ConfigurationError
        When the validator, which comes with the extra `dev`, is not installed.
    CtaError
        When it does not answer as expected.
    """
    command = [_executable(), str(folder), "--format", "json"]
    if not warnings:
        command.append("--ignoreWarnings")
    if not read_images:
        command.append("--ignoreNiftiHeaders")
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(finished.stdout)["issues"]
    except (ValueError, KeyError, TypeError) as error:
        raise CtaError(
            "bids_validator_failed",
            where=folder,
            output=" ".join((finished.stderr or finished.stdout).split())[:300],
        ) from error
    messages = found.get("codeMessages", {})
    issues = [_issue(entry, messages) for entry in found["issues"]]
    return [issue for issue in issues if warnings or issue.severity == "error"]


def _issue(entry: dict[str, object], messages: dict[str, str]) -> BidsIssue:
    code = str(entry.get("code", ""))
    details = [str(entry[key]) for key in ("subCode", "issueMessage") if entry.get(key)]
    affected = entry.get("affects")
    others = ", ".join(map(str, affected)) if isinstance(affected, list) else ""
    return BidsIssue(
        severity="error" if entry.get("severity") == "error" else "warning",
        code=code,
        location=str(entry.get("location") or others or "/"),
        message=" ".join([messages.get(code, ""), *details]).strip(),
    )


def _executable() -> str:
    beside = Path(sys.executable).parent / EXECUTABLE
    found = str(beside) if beside.is_file() else shutil.which(EXECUTABLE)
    if not found:
        raise ConfigurationError("bids_validator_not_installed")
    return found
