"""Digital patients as UMMC (Brain-TR-GammaKnife) is distributed: DICOM, or processed NRRD."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.files import json_text
from cta_data.phantom.releases.case import Order, Release, WrittenCase, write_case
from cta_data.phantom.releases.changes import true_changes
from cta_data.phantom.releases.ummc.dicom import SKULL, STARRED, write_metadata, write_studies
from cta_data.phantom.releases.ummc.names import CALVARIAL, LATER_COURSE, file_name
from cta_data.phantom.releases.ummc.patient import Course, UmmcPatient, make_patient
from cta_data.phantom.releases.ummc.workbook import (
    NAME,
    WorkbookCourse,
    WorkbookLesion,
    diagnosis,
    shuffled_courses,
    write_clinical,
)

FORMS = ("dicom", "nrrd")
_ROOT = "Brain-TR-GammaKnife-processed"
_OUTCOMES = (("stable", 7.4, 1), ("stable", 12.25, 1), ("recurrence", 3.1, 1), ("stable", 0.85, 5))


def write_patient(order: Order) -> list[WrittenCase]:
    """Write one patient and the truth of each course."""
    patient = make_patient(order.index, order.seed, order.voxel_mm, order.changes)
    series: list[dict[str, object]] = []
    if order.form == "dicom":
        images, series = write_studies(order.raw, patient)
    else:
        images = _write_courses(order.raw, patient)
    cases = []
    for course, image in zip(patient.courses, images, strict=True):
        case = WrittenCase(
            "ummc", patient.name, str(course.number), patient.person, image,
            _label(image, order.form), traps=tuple(_traps(course, order.form)),
            rows=tuple(_rows(patient, course, series)),
        )  # fmt: skip
        names = {drawn.label: drawn.name.roi for drawn in course.drawn}
        labels = course.view.grid.image(course.labels)
        stem = f"{patient.name}_{course.number}"
        cases.append(write_case(order, stem, labels, case, _facts(patient, course), names))
    if patient.planted:
        _write_changes(order.folder / "truth" / f"{patient.name}_changes.json", patient)
    return cases


def _write_changes(path: Path, patient: UmmcPatient) -> None:
    """Write what became of the lesions from course to course, and how the head moved.

    `later_to_earlier` maps points of the later image to points of the earlier one (LPS mm).
    """
    labels = [{id(one.lesion): one.label for one in c.drawn} for c in patient.courses]
    rows = [
        {
            "earlier": earlier.number,
            "later": later.number,
            "days_between": (later.date - earlier.date).days,
            "later_to_earlier": earlier.view.pose.after(later.view.pose.inverse())
            .matrix()
            .tolist(),
            "earlier_rois": {one.label: one.name.roi for one in earlier.drawn},
            "later_rois": {one.label: one.name.roi for one in later.drawn},
            "changes": true_changes(patient.planted, labels, later.number),
        }
        for earlier, later in pairwise(patient.courses)
    ]
    path.write_text(json_text(rows, indent=1, sorted_keys=False, escaped=True), encoding="utf-8")


def finish(folder: Path, form: str, cases: Sequence[WrittenCase]) -> tuple[str, ...]:
    """Write the clinical workbook, and NBIA's table of series beside DICOM files."""
    courses: list[WorkbookCourse] = []
    for source_id in dict.fromkeys(case.source_id for case in cases):
        of_patient = [case for case in cases if case.source_id == source_id]
        person = of_patient[0].person
        courses += [
            WorkbookCourse(int(source_id[3:]), n, person.sex, person.age_years, person.primary)
            for n in shuffled_courses([int(case.session) for case in of_patient])
        ]
    found = [row.get("lesion") for case in reversed(cases) for row in case.rows]
    lesions = [lesion for lesion in found if isinstance(lesion, WorkbookLesion)]
    write_clinical(folder / "raw" / NAME, courses, lesions)
    traps = ("rows of the workbook out of order", "unnamed columns", "blanks behind cells")
    if form != "dicom":
        return traps
    series = [row for case in cases for row in case.rows if "lesion" not in row]
    write_metadata(folder / "raw", series)
    return (*traps, f"regions {SKULL} and {STARRED}", "metadata.csv with backslashes")


def _write_courses(raw: Path, patient: UmmcPatient) -> list[Path]:
    """Write all courses of a patient; return the files of their images."""
    images = []
    for course in patient.courses:
        stem = f"GK.{patient.number:03d}_{course.number}"
        folder = raw / _ROOT / stem
        folder.mkdir(parents=True)
        grid = course.view.grid
        images.append(folder / f"{stem}_MR_t1.nrrd")
        _write(grid.image(course.image.astype(np.int16)), images[-1])
        _write(course.dose, folder / f"{stem}_dose.nrrd")
        for drawn in course.drawn:
            mask = (course.labels == drawn.label).astype(np.uint8)
            name = file_name(course.number, drawn.name.roi)
            _write(grid.image(mask), folder / f"{stem}_{name}.nrrd")
    return images


def _write(image: sitk.Image, path: Path) -> None:
    sitk.WriteImage(image, str(path), True)


def _facts(patient: UmmcPatient, course: Course) -> dict[str, object]:
    return {
        "evaluated": course.number == 1,
        "sex": patient.person.sex,
        "age_years": patient.person.age_years,
        "primary": diagnosis(patient.person.primary).strip(),
        "study_date": course.date.isoformat(),
        "not_lesions": [SKULL, STARRED],
        "without_row": [d.name.roi for d in course.drawn if d.name.row is None],
        "workbook_names": {d.name.roi: d.name.row for d in course.drawn if d.name.row},
        "treated_before": sum(len(c.drawn) for c in patient.courses[: course.number - 1]),
    }


def _rows(
    patient: UmmcPatient, course: Course, series: list[dict[str, object]]
) -> list[dict[str, object]]:
    """Return what `finish` needs of a course: rows of its lesions, and of its series."""
    rows: list[dict[str, object]] = []
    for drawn in course.drawn:
        outcome, months, fractions = _OUTCOMES[drawn.number % len(_OUTCOMES)]
        if drawn.name.row is not None:
            lesion = WorkbookLesion(
                patient.number, course.number, drawn.number, drawn.name.location,
                drawn.name.row, outcome, months, fractions,
            )  # fmt: skip
            rows.append({"lesion": lesion})
    study_date = f"{course.date:%m-%d-%Y}"
    return rows + [row for row in series if row["Study Date"] == study_date]


def _label(image: Path, form: str) -> Path | None:
    """Return the structure set beside a series; in the package every lesion has its own file."""
    if form != "dicom":
        return None
    return next(path for path in image.parent.glob("28640.*/1-1.dcm"))


def _traps(course: Course, form: str) -> list[str]:
    names = [drawn.name for drawn in course.drawn]
    rois = [name.roi for name in names]
    traps = []
    if form == "dicom" and course.number == 2:
        traps.append("folders sort against the dates")
    if course.number >= LATER_COURSE:
        traps.append("names of files without blanks")
    traps += [f"double blank: {roi!r}" for roi in rois if "  " in roi]
    traps += [f"a + in {roi!r}" for roi in rois if "+" in roi]
    traps += [f"a lesion of the skull: {roi!r}" for roi in rois if roi == CALVARIAL]
    traps += [f"no row in the workbook: {name.roi!r}" for name in names if name.row is None]
    for name in names:
        written = file_name(course.number, name.roi)
        if name.row not in (None, written):
            traps.append(f"{written!r} is {name.row!r} in the workbook")
    return traps


RELEASE = Release(FORMS, write_patient, finish)
