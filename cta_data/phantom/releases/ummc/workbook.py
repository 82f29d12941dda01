"""The clinical workbook of UMMC, with the real one's columns, blanks and order of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cta_data.phantom.releases.workbook import Cell, write_workbook
from cta_data.phantom.tables import table

NAME = "Brain-TR-GammaKnife-Clinical-Information.xlsx"
_UNNAMED = 4


@dataclass(frozen=True)
class WorkbookCourse:
    """A course of treatment; `sex` is `F` or `M`, `primary` a group of `PRIMARIES`."""

    patient: int
    course: int
    sex: str
    age_years: int
    primary: str


@dataclass(frozen=True)
class WorkbookLesion:
    """A lesion of a course; `number` runs over the patient, `name` is as the workbook has it."""

    patient: int
    course: int
    number: int
    location: str
    name: str
    outcome: str = "stable"
    months: float = 6.0
    fractions: int = 1


def diagnosis(primary: str) -> str:
    """Return how the workbook spells a group of primary tumours, trailing blank included."""
    return str(table("ummc", "diagnoses", primary))


def write_clinical(
    path: Path, courses: Sequence[WorkbookCourse], lesions: Sequence[WorkbookLesion]
) -> None:
    """Write the workbook with its three sheets; rows come in the order given, lesions numbered."""
    # Cells without header and without values: readers call the columns `Unnamed`.
    course_rows: list[list[Cell]] = [
        [*table("ummc", "workbook", "course_columns"), *([None] * _UNNAMED)]
    ]
    for row in courses:
        sex = {"F": "Female", "M": "Male "}[row.sex]
        course_rows.append(
            [row.patient, row.course, "Brain mets ", diagnosis(row.primary), row.age_years, sex,
             *([None] * (_UNNAMED - 1)), " "]
        )  # fmt: skip
    lesion_rows: list[list[Cell]] = [table("ummc", "workbook", "lesion_columns")]
    for number, lesion in enumerate(lesions, start=1):
        lesion_rows.append(
            [number, lesion.patient, lesion.course, lesion.number, lesion.location,
             lesion.outcome, lesion.months, lesion.fractions, full_name(lesion),
             lesion.location.strip().lower()]
        )  # fmt: skip
    patients = dict.fromkeys(row.patient for row in courses)
    write_workbook(
        path,
        {
            "course_level": course_rows,
            "lesion_level": lesion_rows,
            "pt_level": [["unique_pt_id"], *([number] for number in sorted(patients))],
        },
    )


def full_name(lesion: WorkbookLesion) -> str:
    """Return the name of a lesion with what stands before it in the workbook and in files."""
    return f"GK.{lesion.patient:03d}_{lesion.course}_{lesion.name}"


def shuffled_courses(numbers: Sequence[int]) -> list[int]:
    """Return the courses of a patient in the workbook's order: the last comes first."""
    return [*numbers[-1:], *numbers[:-1]]
