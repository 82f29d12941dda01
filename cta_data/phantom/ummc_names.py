"""How lesions of UMMC are named: by whoever drew them, in files, and in the workbook."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

LATER_COURSE = 3
"""From this course on, names of files have lost what is no letter, digit or underscore."""

_SIDES = ("Lt", "Rt", "L", "R", "Left", "Right")
_PLACES = (
    "Frontal", "parietal", "Occipital", "temporal", "cerebellar", "atrium", "hippocampal", "pons",
    "Thalamus", "Insula", "precentral", "Vermis", "caudate", "Median Parietal", "frontal pole",
    "cingulate", "Sup Frontal", "inf temporal", "Cuneus", "occ + par",
)  # fmt: skip


@dataclass(frozen=True)
class LesionName:
    """What a lesion is called.

    Attributes
    ----------
    roi
        Name of the region in the structure set.
    row
        Name in the workbook, without the patient's and the course's prefix; None where the
        workbook has no row. It may differ from what files have.
    location
        Location in the workbook.
    """

    roi: str
    row: str | None
    location: str


@dataclass(frozen=True)
class Script:
    """What is told of a patient: courses, and names that show traps, by course."""

    patient: int
    courses: int
    least_lesions: int = 1
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    misspelled: dict[str, str] = field(default_factory=dict)
    without_row: tuple[str, ...] = ()
    other_side: tuple[str, ...] = ()


CALVARIAL = "2_Lt_Front_Calv"
_SCRIPTS = (
    Script(
        103, 1, 4,
        {1: (CALVARIAL, "R atrium", "Post op  Cavity", "Lt Frontal + vertex")},
    ),
    Script(
        147, 2, 4, {1: ("Lt Median Parietal", "8 R parietal 1"), 2: ("Lantfront", "Rfrontalpole")},
        misspelled={"LLantfront": "Llantfront"}, other_side=("Rfrontalpole",),
    ),
    Script(
        270, 3, 4, {1: ("unnamed", "MR Target"), 3: ("Rt Occipital 11/30/2018",)},
        misspelled={"L_RtOccipital11302018": "L_RtOccipital"}, without_row=("unnamed",),
    ),
)  # fmt: skip
_OTHER_PATIENTS = (132, 152, 243, 257, 301, 318, 333, 352, 370, 388, 401, 427, 451, 467, 480, 492)
_OTHER_COURSES = (1, 3, 2, 1, 1)


def script(index: int) -> Script:
    """Return what is told of a patient: the first three show the traps, the others draw names."""
    if index < len(_SCRIPTS):
        return _SCRIPTS[index]
    i = index - len(_SCRIPTS)
    number = _OTHER_PATIENTS[i] if i < len(_OTHER_PATIENTS) else 500 + i
    return Script(number, _OTHER_COURSES[i % len(_OTHER_COURSES)])


def file_name(course: int, roi: str) -> str:
    """Return what follows `GK.<patient>_<course>_` in the name of a lesion's file.

    Two rules are in use, never both in one course.
    """
    return f"L{roi}" if course < LATER_COURSE else "L_" + re.sub(r"\W+", "", roi)


def free_text(rng: np.random.Generator, taken: Collection[str]) -> str:
    """Draw a name as clinicians type them, no letters and digits of which are `taken` already."""
    keys = {key(name) for name in taken}
    while True:
        side, place = str(rng.choice(_SIDES)), str(rng.choice(_PLACES))
        number = int(rng.integers(1, 12))
        styles = (f"{side} {place}", f"{side}{place.lower()}", f"{number} {side} {place}",
                  f"{side} {place} {number}")  # fmt: skip
        name = styles[int(rng.integers(len(styles)))]
        if key(name) not in keys:
            return name


def key(name: str) -> str:
    """Return a name's letters and digits in lower case."""
    return re.sub(r"\W|_", "", name).lower()


def named(rng: np.random.Generator, told: Script, course: int, count: int) -> list[LesionName]:
    """Name the lesions of a course, those that are told first."""
    rois = list(told.names.get(course, ()))[:count]
    while len(rois) < count:
        rois.append(free_text(rng, rois))
    return [_name(told, course, roi) for roi in rois]


def _name(told: Script, course: int, roi: str) -> LesionName:
    written = file_name(course, roi)
    row = None if roi in told.without_row else told.misspelled.get(written, written)
    location = re.sub(r"[\d_]+|/", " ", roi).strip()
    if roi in told.other_side:
        location = f"Lt {location.lstrip('R')} "
    return LesionName(roi, row, location)
