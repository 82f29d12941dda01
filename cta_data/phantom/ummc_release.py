"""Digital patients as UMMC (Brain-TR-GammaKnife) is distributed: DICOM, or processed NRRD."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cta_data.phantom.external_truth import Release, WrittenCase, write_truth
from cta_data.phantom.ummc_dicom import write_metadata, write_studies
from cta_data.phantom.ummc_names import CALVARIAL, LATER_COURSE, file_name
from cta_data.phantom.ummc_nrrd import write_courses
from cta_data.phantom.ummc_patient import Course, UmmcPatient, make_patient
from cta_data.phantom.ummc_structure_set import SKULL, STARRED
from cta_data.phantom.ummc_workbook import (
    NAME,
    CourseRow,
    LesionRow,
    diagnosis,
    shuffled_courses,
    write_clinical,
)

FORMS = ("dicom", "nrrd")
_OUTCOMES = (("stable", 7.4, 1), ("stable", 12.25, 1), ("recurrence", 3.1, 1), ("stable", 0.85, 5))


def write_patient(
    folder: Path, form: str, index: int, patients: int, seed: int, voxel_mm: float | None
) -> list[WrittenCase]:
    """Write one patient below `folder/raw` and the truth of each course below `folder/truth`."""
    patient = make_patient(index, seed, voxel_mm)
    series: list[dict[str, object]] = []
    if form == "dicom":
        images, series = write_studies(folder / "raw", patient)
    else:
        images = write_courses(folder / "raw", patient)
    cases = []
    for course, image in zip(patient.courses, images, strict=True):
        name = f"GK_{patient.number:03d}_{course.number}"
        names = {drawn.label: drawn.name.roi for drawn in course.drawn}
        labels = course.view.grid.image(course.labels)
        written = write_truth(folder / "truth", name, labels, names, _facts(patient, course))
        cases.append(
            WrittenCase(
                f"GK_{patient.number:03d}", str(course.number), len(course.drawn), True,
                patient.person, image, _label(image, form), *written,
                tuple(_traps(patient, course, form)), tuple(_rows(patient, course, series)),
            )
        )  # fmt: skip
    return cases


def finish(folder: Path, form: str, cases: Sequence[WrittenCase], seed: int) -> tuple[str, ...]:
    """Write the clinical workbook, and NBIA's table of series beside DICOM files."""
    courses: list[CourseRow] = []
    for source_id in dict.fromkeys(case.source_id for case in cases):
        of_patient = [case for case in cases if case.source_id == source_id]
        person = of_patient[0].person
        courses += [
            CourseRow(int(source_id[3:]), n, person.sex, person.age_years, person.primary)
            for n in shuffled_courses([int(case.session) for case in of_patient])
        ]
    found = [row.get("lesion") for case in reversed(cases) for row in case.rows]
    lesions = [lesion for lesion in found if isinstance(lesion, LesionRow)]
    write_clinical(folder / "raw" / NAME, courses, lesions)
    traps = ("rows of the workbook out of order", "unnamed columns", "blanks behind cells")
    if form != "dicom":
        return traps
    series = [row for case in cases for row in case.rows if "lesion" not in row]
    write_metadata(folder / "raw", series)
    return (*traps, f"regions {SKULL} and {STARRED}", "metadata.csv with backslashes")


def _facts(patient: UmmcPatient, course: Course) -> dict[str, object]:
    return {
        "cohort": "ummc",
        "source_id": f"GK_{patient.number:03d}",
        "session": str(course.number),
        "annotated": True,
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
            lesion = LesionRow(
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


def _traps(patient: UmmcPatient, course: Course, form: str) -> list[str]:
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
