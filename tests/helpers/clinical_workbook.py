"""Workbooks for tests, among them one in the form of the Gamma Knife collection's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import openpyxl


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    """Write rows, the header first, to sheets of an .xlsx file."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


@dataclass(frozen=True)
class GammaKnife:
    """A made-up collection: sheets of its workbook, and the masks of every course.

    Attributes
    ----------
    stems
        Stems of the masks of each (patient, course), in the order of their files.
    truth
        The mask of each row, by the row's number.
    roi_names
        The name of each row's ROI in the structure set of its course.
    extra
        Masks without a row.
    """

    sheets: dict[str, list[list[Any]]]
    stems: dict[tuple[int, int], list[str]]
    truth: dict[int, str]
    roi_names: dict[int, str]
    extra: set[str]


PLACES = (
    *("R atrium", "Lt Frontal", "8 R parietal 1", "MR Target", "Post op  Cavity", "Lpons"),
    *("2_Lt_Front_Calv", "L+R cerebellum", "_Vermis", "R frontal pole", "L thalamus", "RtOcc"),
)


def courses() -> dict[int, int]:
    """Return how many courses each of 47 patients has: 76 in all, and 8 of patient 257."""
    ids = [103, 132, 147, 152, 243, 257, 270, 467, *range(300, 339)]
    counts = {147: 2, 467: 2, 132: 2, 257: 8} | dict.fromkeys((103, 152, 243, 270, 300, 301), 3)
    counts |= dict.fromkeys(range(302, 309), 2)
    return {patient: counts.get(patient, 1) for patient in ids}


def lesions_per_course() -> dict[tuple[int, int], int]:
    """Return how many lesions each course has: 123 + 65 in the first two, 56 in later ones."""
    counts = {(p, c): 1 for p, n in courses().items() for c in range(1, n + 1)}
    counts[147, 2], counts[103, 1] = 12, 21
    for total, those in ((123, (1,)), (65, (2,)), (56, range(3, 9))):
        keys = [key for key in counts if key[1] in those]
        for key in cycle(keys):
            if sum(counts[k] for k in keys) == total:
                break
            counts[key] += key not in {(147, 2), (103, 1)}
    return counts


def gamma_knife() -> GammaKnife:
    """Return the collection with its traps.

    Thirteen rows differ from their file in case, a file carries a date, a name has a double
    blank, names begin with `L`, `_` or a digit, rows of a patient are out of order, columns
    are `Unnamed`, and a mask has no row.
    """
    lesions: list[list[Any]] = []
    stems: dict[tuple[int, int], list[str]] = {}
    truth: dict[int, str] = {}
    roi_names: dict[int, str] = {}
    number = 0
    for (patient, course), n in lesions_per_course().items():
        for i in range(n):
            number += 1
            place = PLACES[i % len(PLACES)] + (f" {i // len(PLACES)}" if i >= len(PLACES) else "")
            stem = name = _stem(patient, course, place)
            if (patient, course) == (147, 2) or (patient, course, i) == (467, 2, 0):
                name = name[:11] + name[11:].swapcase()
            if (patient, course, i) == (270, 3, 0):
                stem += "11302018"
            lesions.append(
                [number, patient, course, i + 1, "Lt Frontal ", "stable", 3.5, 1, name, None]
            )
            stems.setdefault((patient, course), []).append(stem)
            truth[number] = stem
            roi_names[number] = place
    extra = _stem(243, 3, "Left Hippocampal")
    stems[243, 3].append(extra)
    people = [
        [p, c, "Mets", "Lung CA " if p % 2 else "melanoma", 60.0, "Female" if p % 3 else "Male"]
        for p, n in courses().items()
        for c in ((3, 1, 2) if n == 3 else range(1, n + 1))
    ]
    head = ["unique_pt_id", "Course #", "Diagnosis (Only want Mets)", "Primary Diagnosis"]
    columns = ["No.", "unique_pt_id", "Treatment Course", "Lesion #", "Lesion Location", "mri_type"]
    columns += ["duration_tx_to_imag (months)", "Fractions", "Lesion Name in NRRD files", "Column1"]
    return GammaKnife(
        {
            "course_level": [
                [*head, "Age at Diagnosis", "Gender", None, "Unnamed: 7", None, None],
                *people,
            ],
            "lesion_level": [columns, *reversed(lesions)],
            "pt_level": [["unique_pt_id"], *[[p] for p in courses()]],
        },
        {key: sorted(names) for key, names in stems.items()},
        truth,
        roi_names,
        {extra},
    )


def _stem(patient: int, course: int, place: str) -> str:
    if course < 3:
        return f"GK.{patient}_{course}_L{place}"
    return f"GK.{patient}_{course}_L_" + re.sub(r"\W+", "", place)
