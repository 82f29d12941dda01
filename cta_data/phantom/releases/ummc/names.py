"""How lesions of UMMC are named: by whoever drew them, in files, and in the workbook."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from cta_data.phantom.tables import table

LATER_COURSE = 3
"""From this course on, names of files have lost what is no letter, digit or underscore."""


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
    names: dict[str, list[str]] = field(default_factory=dict)
    misspelled: dict[str, str] = field(default_factory=dict)
    without_row: Sequence[str] = ()
    other_side: Sequence[str] = ()


CALVARIAL = "2_Lt_Front_Calv"


def script(index: int) -> Script:
    """Return what is told of a patient: the first three show the traps, the others draw names."""
    scripts = table("ummc", "scripts")
    if index < len(scripts):
        return Script(**scripts[index])
    i = index - len(scripts)
    numbers = table("ummc", "names", "other_patients")
    courses = table("ummc", "names", "other_courses")
    number = numbers[i] if i < len(numbers) else 500 + i
    return Script(number, courses[i % len(courses)])


def file_name(course: int, roi: str) -> str:
    """Return what follows `GK.<patient>_<course>_` in the name of a lesion's file.

    Two rules are in use, never both in one course.
    """
    return f"L{roi}" if course < LATER_COURSE else "L_" + re.sub(r"\W+", "", roi)


def free_text(rng: np.random.Generator, taken: Collection[str]) -> str:
    """Draw a name as clinicians type them, no letters and digits of which are `taken` already."""
    sides, places = table("ummc", "names", "sides"), table("ummc", "names", "places")
    keys = {key(name) for name in taken}
    while True:
        side, place = str(rng.choice(sides)), str(rng.choice(places))
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
    rois = list(told.names.get(str(course), ()))[:count]
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
