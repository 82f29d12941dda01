"""Staging: workers write here, the driver moves what is whole into place."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cta_data.files import json_text
from cta_data.study.unit_id import UnitKey
from cta_data.versioning.keys import digest

STAGING = Path(".cta") / "staging"


@dataclass(frozen=True)
class Workspace:
    """What a worker may touch: the study to read from, and its own staging folder to write to."""

    root: Path
    staging: Path

    def read(self, path: str) -> Path:
        """Return where an input is."""
        return self.root / path

    def write(self, path: str) -> Path:
        """Return where to write an output, given its path from the top of the study."""
        target = self.staging / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def write_json(
        self, path: str, content: Any, *, indent: int = 1, sorted_keys: bool = True
    ) -> None:
        """Write an output as JSON of plain ASCII; see `json_text`."""
        text = json_text(content, indent=indent, sorted_keys=sorted_keys, escaped=True)
        self.write(path).write_text(text, encoding="ascii")

    def outputs(self) -> list[str]:
        """Return the paths of everything written so far, from the top of the study."""
        files = (f for f in self.staging.rglob("*") if f.is_file())
        return sorted(f.relative_to(self.staging).as_posix() for f in files)


def staging_folder(root: Path, identifier: UnitKey, key: str) -> Path:
    """Return the staging folder of one unit, its own even where two units read the same.

    `identifier` and `key` are those of the unit's row in the table `units`.
    """
    return root / STAGING / digest([identifier, key])


def clear_staging(root: Path) -> None:
    """Remove what an interrupted command left behind."""
    folder = root / STAGING
    if folder.exists():
        shutil.rmtree(folder)


def place(root: Path, staging: Path, outputs: list[str], stale: list[str]) -> None:
    """Move staged outputs into place and remove stale ones.

    A file is replaced by renaming, never written through: an annexed file is a link, and writing
    through it would corrupt the annex.
    """
    for path in outputs:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / path, target)
    remove(root, [path for path in stale if path not in set(outputs)])
    shutil.rmtree(staging, ignore_errors=True)


def remove(root: Path, paths: list[str]) -> None:
    """Remove outputs and the folders that they leave empty."""
    for path in paths:
        target = root / path
        target.unlink(missing_ok=True)
        for parent in target.parents:
            if parent == root or (parent / ".git").exists() or not _remove_if_empty(parent):
                break


def _remove_if_empty(folder: Path) -> bool:
    if not folder.is_dir() or any(folder.iterdir()):
        return False
    folder.rmdir()
    return True
