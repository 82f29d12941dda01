"""How long does planning take when there is nothing to do?

Makes studies of 250, 500 and 1,000 subject-sessions in which everything was done (links into an
annex that holds nothing, and the tables that go with them), and plans every step up to build B in
each. Prints seconds of work and seconds per session, which must not grow with their number.

    python benchmarks/planning.py [--sessions 250 500 1000]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cta_data.cohorts.readers import UNKNOWN_READER
from cta_data.engine import RunOptions, Unit, plan_steps
from cta_data.engine.units import Step
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS
from cta_data.study.creation import create_study
from cta_data.study.sourcedata import SeriesRow, SubjectRow, write_series, write_subjects
from cta_data.study.study import Study
from cta_data.study.tables import (
    AnnotationRow,
    ImageRow,
    SessionRow,
    TransformRow,
    UnitRow,
    VariantRow,
)
from cta_data.versioning.tools import use_environment_tools

KINDS = ("MR", "MR", "MR", "MR", "CT", "RTSTRUCT")
GOAL_SECONDS = 2.0


def main() -> int:
    """Print the table; exit with 1 where 1,000 sessions take more than the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, nargs="+", default=[250, 500, 1000])
    sizes = parser.parse_args().sessions
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    print(f"{'sessions':>8}  {'units':>6}  {'to do':>5}  {'CPU s':>6}  {'ms a session':>12}")
    slowest = 0.0
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            seconds, units, to_do = measure(Path(folder) / "study", size)
        slowest = max(slowest, seconds * 1000 / size)
        print(f"{size:8d}  {units:6d}  {to_do:5d}  {seconds:6.2f}  {1000 * seconds / size:12.2f}")
        assert to_do == 0, "the study was meant to have nothing to do"
    print(f"goal: 1,000 sessions under {GOAL_SECONDS:.0f} s of work")
    return 0 if slowest < GOAL_SECONDS else 1


def measure(path: Path, sessions: int) -> tuple[float, int, int]:
    """Make a finished study and return CPU seconds of planning, units, and units to do."""
    create_study(path, "planning", ("internal",))
    study = Study(path)
    _write_sourcedata(study, sessions)
    for step in SUBJECT_STEPS:
        _pretend_done(study, step)
    study.tables.flush()
    build = build_step(study, "B")
    _pretend_done(study, build)
    study.tables.flush()
    started = time.process_time()
    decisions = list(plan_steps(Study(path), [*SUBJECT_STEPS, build], RunOptions()))
    seconds = time.process_time() - started
    return seconds, len(decisions), sum(d.action != "notneeded" for d in decisions)


def _write_sourcedata(study: Study, sessions: int) -> None:
    source = study.root / study.sourcedata_path("internal")
    subjects, series = [], []
    for number in range(1, sessions + 1):
        subject = f"{number:04d}"
        subjects.append(SubjectRow(subject, f"P{number}", "accepted"))
        for index, kind in enumerate(KINDS):
            name = f"sub-{subject}/ses-1/sub-{subject}_ses-1_series-{index:08x}_{kind}.tar"
            _link(source / name)
            header = {"Modality": kind, "SeriesDescription": "x" * 60, "ImageType": "y" * 40}
            row = SeriesRow(
                subject, "1", f"{index:08x}", name, kind, kind, "1.2", 200, "1.3", f"1.4.{index}",
                "1.5", "20200101", "20200101120000", "0" * 64, header,
            )  # fmt: skip
            series.append(row)
    write_subjects(source, subjects)
    write_series(source, series)


Made = tuple[list[list[Any]], list[str]]
"""Rows, table by table, and paths of outputs."""


def _link(path: Path) -> None:
    """Make a file as git-annex keeps one whose content was dropped."""
    key = f"MD5E-s1000--{hashlib.md5(str(path).encode()).hexdigest()}{''.join(path.suffixes)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(f".git/annex/objects/00/00/{key}/{key}")


def _pretend_done(study: Study, step: Step) -> None:
    """Write what the step's units would have left: outputs as links, and rows."""
    for unit in list(step.plan(study, RunOptions().selection)):
        assert isinstance(unit, Unit), unit
        made = _MADE[step.name](unit) if step.name in _MADE else ([], [])
        rows, outputs = made
        for path in outputs:
            if not os.path.lexists(study.root / path):
                _link(study.root / path)
        for content in rows:
            study.tables.upsert(content)
        row = UnitRow.of(
            unit.id,
            key=unit.key,
            status="ok",
            step_version=unit.version,
            parameters=unit.parameters_digest,
            outputs=tuple(outputs),
        )
        study.tables.upsert([row])


def _folder(unit: Unit, derived: bool = False) -> str:
    top = "datasets/internal/derivatives/cta" if derived else "datasets/internal"
    return f"{top}/sub-{unit.id.subject}/ses-1/anat/sub-{unit.id.subject}_ses-1"


def _converted(unit: Unit) -> Made:
    images = []
    for frame, (technique, phase) in enumerate(
        (("MPRAGE", "none"), ("MPRAGE", "early"), ("MPRAGE", "late"), ("SPACE", "late"), ("CT", ""))
    ):
        image = ImageRow(
            session=unit.session,
            technique=technique,
            contrast_phase=phase,
            description="",
            path=f"{_folder(unit)}_acq-{technique.lower()}{phase.capitalize()}_T1w.nii.gz",
            frame=frame,
            spacing_mm=(1.0, 1.0, 1.0),
            modality="MR",
        )
        images.append(image)
    quality = "HAQ" if int(unit.session.subject) % 2 else "NAQ"
    outputs = [row.path for row in images] + [f"{_folder(unit, True)}_space-CT_contours.json"]
    annotation = AnnotationRow(
        session=unit.session,
        annotation=quality,
        reader=UNKNOWN_READER,
        drawn_on="SPACE" if quality == "HAQ" else "MPRAGE",
        quality=quality,
        space="CT",
        form="contours",
        n_lesions=1,
        path=outputs[-1],
    )
    subject = SessionRow(session=unit.session, qualities=(quality,))
    return [images, [annotation], [subject]], outputs


def _registered(unit: Unit) -> Made:
    rows = []
    for moving in ("SPACE", "CT"):
        path = f"{_folder(unit, True)}_from-{moving}_to-MPRAGE_mode-image_xfm.tfm"
        about = {"kind": "rigid", "source": "computed", "accepted": True}
        rows.append(
            TransformRow(session=unit.session, fixed="MPRAGE", moving=moving, path=path, **about)
        )
    return [rows], [row.path for row in rows]


def _transferred(unit: Unit) -> Made:
    [(annotation, quality)] = unit.parameters["quality"].items()
    rows, outputs = [], []
    for grid in ("MPRAGE", "SPACE"):
        stem = f"{_folder(unit, True)}_space-{grid}_desc-{annotation}"
        variant = VariantRow(
            session=unit.session,
            annotation=annotation,
            grid=grid,
            quality=quality,
            labels_path=f"{stem}_dseg.nii.gz",
            mask_path=f"{stem}_mask.nii.gz",
            account_path=f"{stem}_transfer.json",
        )
        rows.append(variant)
        outputs += [variant.labels_path, variant.mask_path, f"{stem}_transfer.json"]
    return [rows], outputs


def _stripped(unit: Unit) -> Made:
    rows, outputs = [], []
    for technique in ("MPRAGE", "SPACE"):
        stem = f"{_folder(unit, True)}_acq-{technique.lower()}Late_desc-brain"
        image = ImageRow(
            session=unit.session,
            technique=technique,
            contrast_phase="late",
            description="brain",
            modality="MR",
            path=f"{stem}_T1w.nii.gz",
            mask_path=f"{stem}_mask.nii.gz",
        )
        rows.append(image)
        outputs += [image.path, f"{stem}_mask.nii.gz"]
    return [rows], outputs


_MADE = {
    "convert": _converted,
    "register": _registered,
    "transfer": _transferred,
    "strip": _stripped,
}


if __name__ == "__main__":
    sys.exit(main())
