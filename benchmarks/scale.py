"""How commands grow with the number of sessions: time and memory at 1,000, 3,000 and 10,000.

Run ``python benchmarks/scale.py [--sessions 1000 3000 10000] [--folder FOLDER]``. A study of a few
tiny sessions goes through every step for real; its rows, links and files are then repeated under
other labels, as if all of them had. No content lies behind the repeated links, as in a clone.
Every command runs in a process of its own; what is printed is its wall time (of it processor
time) and its peak memory.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from cta_data.cli.application import use_environment_tools
from cta_data.configuration import initial_toml
from cta_data.creation import create_study
from cta_data.engine import RunOptions, plan_steps
from cta_data.engine.units import Unit
from cta_data.steps.build import build_step
from cta_data.steps.pipeline import SUBJECT_STEPS
from cta_data.study import Study

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
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "query": ("query", "select count(*) from lesions"),
    "build --dry-run": ("build", "--setting", "B", "--dry-run"),
    "build (nothing to do)": ("build", "--setting", "B"),
}


def main() -> None:
    """Make the studies, run every command in each, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--folder", type=Path, help="keep the studies here")
    chosen = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "Benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="cta-scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    measured = []
    for sessions in chosen.sessions:
        root = folder / f"study_{sessions}"
        if not root.exists():
            make_study(folder, root, sessions)
        measured += [measure(root, sessions, name) for name in COMMANDS]
    table = pd.DataFrame(measured)
    print(table.to_string(index=False))
    if not chosen.folder:
        shutil.rmtree(folder)


def measure(root: Path, sessions: int, name: str) -> dict[str, Any]:
    """Run one command in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    words = [sys.executable, "-m", "cta_data", *COMMANDS[name], "--study", str(root)]
    script = "import os, subprocess, sys; r = subprocess.run(sys.argv[1:], stdout=-3, stderr=-3)"
    script += "; import resource; u = resource.getrusage(resource.RUSAGE_CHILDREN)"
    script += "; print(r.returncode, u.ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, peak_kib = (int(word) for word in done.stdout.split())
    row = {
        "sessions": sessions,
        "command": name,
        "exit": code,
        "wall_s": round(seconds, 1),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mib": peak_kib // 1024,
    }
    print(row, flush=True)
    return row


def make_study(folder: Path, root: Path, sessions: int) -> None:
    """Make a study whose sessions have all been through every step, but for their content."""
    raw = folder / "raw"
    if not raw.exists():
        write_raw(raw)
    (folder / "tiny.toml").write_text(CARD, "utf-8")
    create_study(root, "scale", ())
    text = initial_toml("scale").replace("equalise_groups = true", "equalise_groups = false")
    (root / "study.toml").write_text(text, "utf-8")
    for words in (
        ("add", "tiny", str(raw), "--card", str(folder / "tiny.toml")),
        ("build", "--setting", "B"),
    ):
        subprocess.run(
            [sys.executable, "-m", "cta_data", *words, "--study", str(root)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
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


def write_raw(raw: Path) -> None:
    """Write a few patients: two images and a mask of three lesions each."""
    random = np.random.default_rng(0)
    for number in range(REAL):
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
    hashed = r"\b[0-9a-f]{32}(?:[0-9a-f]{32})?\b"
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
    for table in ("subjects", "images", "annotations", "transforms", "variants"):
        repeat_rows(study, table, labels)
    for table in ("transfer_checks", "lesions", "units"):
        repeat_rows(study, table, labels)
    study.tables.flush()
    for _ in range(6):  # a step's plan needs the step before it
        study = Study(root)
        rows = []
        steps = (*SUBJECT_STEPS, build_step(study, "B"))
        for decision in plan_steps(study, steps, RunOptions()):
            unit = decision.unit
            old = study.tables.by_key("units").get(unit.id.key)
            if isinstance(unit, Unit) and old and old["key"] != unit.key:
                rows.append(old | {"key": unit.key, "parameters": unit.parameters_digest})
        if not rows:
            return
        study.tables.upsert("units", rows)
        study.tables.flush()


def repeat_rows(study: Study, table: str, labels: list[str]) -> None:
    """Repeat the rows of the first subject in one table."""
    own = [row for row in study.tables.rows(table) if row.get("subject") == "001"]
    study.tables.upsert(table, [relabelled(row, label) for label in labels for row in own])


def relabelled(row: dict[str, Any], label: str) -> dict[str, Any]:
    """Return a row under another label, in its paths, too."""

    def change(value: Any) -> Any:
        if isinstance(value, str):
            return of_another(value, label)
        return [change(entry) for entry in value] if isinstance(value, list) else value

    return {name: change(value) for name, value in row.items()} | {"subject": label}


def git(folder: Path, *words: str, given: str = "", check: bool = True) -> str:
    """Run git in a dataset."""
    done = subprocess.run(
        ["git", *words], cwd=folder, input=given, capture_output=True, text=True, check=check
    )
    return done.stdout


if __name__ == "__main__":
    main()
