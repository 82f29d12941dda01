"""A study of any number of sessions, for measurements of growth.

A few tiny sessions go through every step for real; their rows, links and files are then repeated
under other labels, as if all of them had. No content lies behind the repeated links, as in a clone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from cta_data.engine import RunOptions, plan_steps
from cta_data.engine.units import Unit
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS
from cta_data.study.configuration import initial_toml
from cta_data.study.creation import create_study
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ROW_TYPES, TableRow, UnitRow
from cta_data.study.tables.table_row import SESSION, fields_of

REAL = 8
CARD = """
[cohort]
name = "tiny"
title = "Tiny images"
licence = "none"
access = "restricted"
how_to_get = "Made by this benchmark."

[geometry]
skull_stripped = true
coregistered = true
shows_head = false

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/mprage\\.nii\\.gz$'
role = "image"
technique = "MPRAGE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/space\\.nii\\.gz$'
role = "image"
technique = "SPACE"
phase = "post"

[[files]]
path = '(?:^|/)(?P<subject>[^/]+)/seg\\.nii\\.gz$'
role = "mask"

[masks]
drawn_on = "SPACE"
lesion_values = [1]

[groups.HAQ]
drawn_on = "SPACE"
"""


def make_study(folder: Path, root: Path, sessions: int) -> None:
    """Make a study whose sessions have all been through every step, but for their content."""
    raw = folder / "raw"
    if not raw.exists():
        write_raw(raw)
    (folder / "tiny.toml").write_text(CARD, "utf-8")
    create_study(root, "scale", ())
    text = initial_toml("scale").replace("equalise_groups = true", "equalise_groups = false")
    (root / "study.toml").write_text(text, "utf-8")
    card = ("--card", str(folder / "tiny.toml"))
    run("add", "tiny", str(raw), *card, "--study", str(root))
    run("build", "--setting", "B", "--study", str(root))
    labels = [f"{number:05d}" for number in range(1, sessions - REAL + 1)]
    cohort = root / "datasets" / "tiny"
    repeat_files(cohort / "sourcedata", labels)
    repeat_files(cohort / "derivatives" / "cta", labels)
    repeat_files(cohort, labels)
    repeat_text_tables(cohort / "sourcedata", labels)
    repeat_tables(root, labels)
    for dataset in (cohort / "sourcedata", cohort / "derivatives" / "cta", cohort, root):
        git(dataset, "add", "--update")
        git(dataset, "commit", "--quiet", "--no-verify", "--message", "repeated", check=False)
    run("build", "--setting", "B", "--study", str(root))  # commits what follows from the rows


def run(*words: str) -> None:
    """Run a command of this package."""
    command = [sys.executable, "-m", "cta_data", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")


def write_raw(raw: Path, patients: int = REAL) -> None:
    """Write patients with two images and a mask of three lesions each."""
    random = np.random.default_rng(0)
    for number in range(patients):
        folder = raw / f"P{number}"
        folder.mkdir(parents=True)
        mask = np.zeros((16, 16, 16), np.uint8)
        for start in (4, 7, 10):
            mask[start : start + 2, start : start + 2, start : start + 2] = 1
        for name in ("mprage", "space"):
            voxels = np.pad(random.integers(50, 900, (12, 12, 12), np.int16), 2)
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / "seg.nii.gz")


def repeat_files(dataset: Path, labels: Iterable[str]) -> None:
    """Repeat what git has of the first subject under other labels; links lead to other keys."""
    listed = git(dataset, "ls-files", "--stage", "--", "sub-001").splitlines()
    plain: list[str] = []
    links: list[str] = []
    for label in labels:
        for line in listed:
            about, path = line.split("\t")
            mode, blob, _ = about.split()
            copy = path.replace("sub-001", f"sub-{label}")
            target = dataset / copy
            target.parent.mkdir(parents=True, exist_ok=True)
            if mode == "120000":
                os.symlink(of_another(os.readlink(dataset / path), label), target)
                links.append(copy)
            else:
                shutil.copy2(dataset / path, target)
                plain.append(f"{mode} {blob}\t{copy}")
    git(dataset, "update-index", "--index-info", given="\n".join(plain) + "\n")
    git(dataset, "update-index", "--add", "--stdin", given="\n".join(links) + "\n")


def of_another(text: str, label: str) -> str:
    """Return a text under another label, with other hashes: no two patients have one image."""
    hashed = r"\b(?:[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{64})\b"
    other = re.sub(hashed, lambda found: renewed(found.group(), label), text)
    return other.replace("sub-001", f"sub-{label}")


def renewed(digest: str, label: str) -> str:
    """Return a digest of the same length that depends on the label."""
    return hashlib.sha256(f"{label}{digest}".encode()).hexdigest()[: len(digest)]


def repeat_text_tables(source: Path, labels: Iterable[str]) -> None:
    """Repeat the rows of the first subject in the tables of sourcedata."""
    for name in ("subjects.tsv", "series.tsv"):
        lines = (source / name).read_text("utf-8").splitlines()
        own = [line for line in lines if line.startswith("001\t")]
        number = own[0].split("\t")[1] if name == "subjects.tsv" else ""
        for label in labels:
            for line in own:
                copy = of_another(line, label).replace("001\t", f"{label}\t", 1)
                lines.append(copy.replace(f"\t{number}\t", f"\tQ{label}\t", 1) if number else copy)
        lines[1:] = sorted(lines[1:])
        (source / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def repeat_tables(root: Path, labels: list[str]) -> None:
    """Repeat the rows of the first subject in every table, with keys as the plan has them."""
    study = Study(root)
    for of in ROW_TYPES:
        if SESSION in fields_of(of):
            repeat_rows(study, of, labels)
    study.tables.flush()
    for _ in range(6):  # a step's plan needs the step before it
        study = Study(root)
        rows = []
        steps = (*SUBJECT_STEPS, build_step(study, "B"))
        for decision in plan_steps(study, steps, RunOptions()):
            unit = decision.unit
            old = study.tables.by_key(UnitRow).get(unit.id.key)
            if isinstance(unit, Unit) and old and old.key != unit.key:
                rows.append(replace(old, key=unit.key, parameters=unit.parameters_digest))
        if not rows:
            return
        study.tables.upsert(rows)
        study.tables.flush()


def repeat_rows(study: Study, of: type[TableRow], labels: list[str]) -> None:
    """Repeat the rows of the first subject in one table."""
    own = [row for row in study.tables.rows(of) if row.column("subject") == "001"]
    study.tables.upsert([relabelled(row, label) for label in labels for row in own])


def relabelled(row: TableRow, label: str) -> TableRow:
    """Return a row under another label, in its paths, too."""

    def change(value: Any) -> Any:
        if isinstance(value, SessionId):
            return value._replace(subject=label)
        if isinstance(value, str):
            return of_another(value, label)
        return tuple(map(change, value)) if isinstance(value, tuple) else value

    return replace(row, **{name: change(getattr(row, name)) for name in fields_of(type(row))})


def git(folder: Path, *words: str, given: str = "", check: bool = True) -> str:
    """Run git in a dataset."""
    done = subprocess.run(
        ["git", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *words],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=check,
    )
    return done.stdout
