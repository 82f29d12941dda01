"""A workbook of UMMC of its full size, and the names of the files that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cta_data.phantom.releases.patient import make_person
from cta_data.phantom.releases.ummc.names import file_name, free_text
from cta_data.phantom.releases.ummc.workbook import (
    WorkbookCourse,
    WorkbookLesion,
    shuffled_courses,
    write_clinical,
)

COURSES = ((257, 8), *((n, 3) for n in (147, 152, 243, 270, 318, 467)))
"""Patients with three courses or more; 10 others have two, 30 have one."""
_TWO = (108, 132, 166, 189, 201, 226, 288, 301, 352, 427)
_ONE_COUNT = 30
_MANY, _MOST = 14, 21
"""Lesions of 147's second course, most of them misspelled in the workbook, and of the largest."""
_FIRST, _SECOND, _LATER = 123, 65, 56
_RECURRENCES, _RECURRENT_PATIENTS = 23, 15
_FRACTIONS = {5: 13, 3: 1}
_OTHER_SIDE = 6
_DOUBLE_BLANK, _DATED = (132, 1), (270, 3)
_WITHOUT_ROW = ((103, 1), (243, 3), (352, 2))
_MISSPELLED = {(147, 2): 12, (467, 2): 1}


@dataclass(frozen=True)
class FullWorkbook:
    """What was written.

    Attributes
    ----------
    files
        Names of the mask files of every (patient, course), without folder, with `.nrrd`.
    joined
        Name of the file of every row of the sheet of lesions, by its `No.`.
    without_row
        Files that no row belongs to.
    """

    path: Path
    files: dict[tuple[int, int], list[str]]
    joined: dict[int, str]
    without_row: list[str]


@dataclass(frozen=True)
class _Named:
    row: WorkbookLesion
    file: str


def full_size_workbook(path: Path, seed: int = 0) -> FullWorkbook:
    """Write a workbook of 47 patients, 76 courses and 244 lesions with the real one's defects.

    13 names differ in case from the files, one file has a date behind its name, one name has a
    double blank, courses are out of order, some locations name the other side, three files have
    no row. No name is ambiguous within its course once letters and digits alone are compared.
    """
    rng = np.random.default_rng([seed, 0x0047])
    counts = _courses_of_patients()
    lesions_of = _lesion_counts(rng, counts)
    named: list[_Named] = []
    courses: list[WorkbookCourse] = []
    files: dict[tuple[int, int], list[str]] = {}
    without_row: list[str] = []
    for patient, count in counts.items():
        person = make_person(rng)
        number = 0
        order = list(range(1, count + 1))
        for course in order:
            of_course = _named_lesions(rng, patient, course, lesions_of[patient, course], number)
            number += len(of_course)
            named += of_course
            files[patient, course] = [lesion.file for lesion in of_course]
            if (patient, course) in _WITHOUT_ROW:
                extra = _file(patient, course, file_name(course, f"unlisted {patient}"))
                files[patient, course].append(extra)
                without_row.append(extra)
        courses += [
            WorkbookCourse(patient, c, person.sex, person.age_years, person.primary)
            for c in shuffled_courses(order)
        ]
    rows = _with_outcomes(rng, [lesion.row for lesion in named])
    order_of_rows = _block_order(rows)
    write_clinical(path, courses, [rows[i] for i in order_of_rows])
    joined = {no: named[i].file for no, i in enumerate(order_of_rows, start=1)}
    # Folders list their files by name, not in the order of the workbook.
    listed = {key: sorted(names) for key, names in files.items()}
    return FullWorkbook(path, listed, joined, without_row)


def _courses_of_patients() -> dict[int, int]:
    """Number of courses of every patient, by ascending number of the patient."""
    several = dict([*COURSES, *((n, 2) for n in _TWO)])
    candidates = (n for n in range(103, 493, 6) if n not in several)
    singles = [next(candidates) for _ in range(_ONE_COUNT)]
    return dict(sorted({**several, **dict.fromkeys(singles, 1)}.items()))


def _lesion_counts(rng: np.random.Generator, counts: dict[int, int]) -> dict[tuple[int, int], int]:
    """Hand the lesions of first, second and later courses out, at least one to each course."""
    every = [(patient, course) for patient, n in counts.items() for course in range(1, n + 1)]
    first = [key for key in every if key[1] == 1]
    second = [key for key in every if key[1] == 2]
    later = [key for key in every if key[1] > 2]
    result = dict.fromkeys(every, 1)
    result[147, 2] = _MANY
    result[later[0]] = _MOST
    for keys, total, full in ((first, _FIRST, ()), (second, _SECOND, ((147, 2),)),
                              (later, _LATER, (later[0],))):  # fmt: skip
        open_keys = [key for key in keys if key not in full]
        for _ in range(total - sum(result[key] for key in keys)):
            result[open_keys[int(rng.integers(len(open_keys)))]] += 1
    return result


def _named_lesions(
    rng: np.random.Generator, patient: int, course: int, count: int, before: int
) -> list[_Named]:
    """Name the lesions of a course; the first ones have the defects of that course."""
    rois = ["Post op  Cavity"] if (patient, course) == _DOUBLE_BLANK else []
    rois = ["Rt Occipital 11/30/2018"] if (patient, course) == _DATED else rois
    while len(rois) < count:
        rois.append(free_text(rng, rois))
    found = []
    for k, roi in enumerate(rois):
        written = file_name(course, roi)
        in_row = written.removesuffix("11302018")
        if k < _MISSPELLED.get((patient, course), 0):
            in_row = in_row[0] + in_row[1:].lower()
        # Blanks behind a name are common in the sheet.
        row = WorkbookLesion(
            patient, course, before + k + 1, f"{roi} " if k % 3 == 0 else roi, in_row
        )
        found.append(_Named(row, _file(patient, course, written)))
    return found


def _file(patient: int, course: int, name: str) -> str:
    return f"GK.{patient:03d}_{course}_{name}.nrrd"


def _with_outcomes(rng: np.random.Generator, rows: list[WorkbookLesion]) -> list[WorkbookLesion]:
    """Give rows their outcome, months and fractions in the real counts; turn some sides round."""
    patients = list(dict.fromkeys(row.patient for row in rows))
    chosen = rng.choice(patients, _RECURRENT_PATIENTS, replace=False).tolist()
    recurring = {next(i for i, row in enumerate(rows) if row.patient == p) for p in chosen}
    others = [i for i, row in enumerate(rows) if row.patient in chosen and i not in recurring]
    missing = _RECURRENCES - len(recurring)
    recurring.update(int(i) for i in rng.choice(others, missing, replace=False))
    fractions = dict.fromkeys(range(len(rows)), 1)
    picked = iter(rng.permutation(len(rows)).tolist())
    for value, count in _FRACTIONS.items():
        for _ in range(count):
            fractions[next(picked)] = value
    lefts = [i for i, row in enumerate(rows) if row.location.startswith("Lt ")][:_OTHER_SIDE]
    result = []
    for i, row in enumerate(rows):
        location = "Rt " + row.location[3:] if i in lefts else row.location
        outcome = "recurrence" if i in recurring else "stable"
        months = round(float(np.clip(rng.gamma(1.6, 7.0), 0.85, 54.1)), 2)
        result.append(
            WorkbookLesion(
                row.patient, row.course, row.number, location, row.name, outcome, months,
                fractions[i],
            )
        )  # fmt: skip
    return result


def _block_order(rows: list[WorkbookLesion]) -> list[int]:
    """Order of rows: patients as they come, but every third patient's rows backwards."""
    patients = list(dict.fromkeys(row.patient for row in rows))
    order: list[int] = []
    for k, patient in enumerate(patients):
        block = [i for i, row in enumerate(rows) if row.patient == patient]
        order += block[::-1] if k % 3 == 2 else block
    return order
