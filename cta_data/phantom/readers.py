"""How readers draw the trial's annotations: the habits on MPRAGE, and those on SPACE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cta_data.phantom.head.lesions import Lesion, StarShape

MPRAGE_TECHNIQUE = "MPRAGE"
SPACE_TECHNIQUE = "SPACE"
SMALL_MM3 = 100.0
"""Volume below which the paper calls a lesion small."""


@dataclass(frozen=True)
class Drawn:
    """What a reader drew for one lesion: outline in the anatomy frame, names of its ROIs."""

    lesion_number: int
    outline: StarShape
    margin_mm: float
    names: dict[str, str]


@dataclass(frozen=True)
class Reader:
    """Habits of a reader: what is missed, and how loosely outlines follow the lesion (mm)."""

    technique: str
    quality: str
    missed_low_small: float
    missed_low_large: float
    missed_small: float
    missed_other: float
    shift_mm: float
    offset_mm: tuple[float, float]
    wobble: float

    def chance_to_miss(self, lesion: Lesion) -> float:
        """Chance that this reader overlooks a lesion."""
        if lesion.contrast_class == "low":
            return self.missed_low_small if lesion.volume_mm3 < 150.0 else self.missed_low_large
        return self.missed_small if lesion.volume_mm3 < 30.0 else self.missed_other


MPRAGE_READER = Reader(
    technique=MPRAGE_TECHNIQUE,
    quality="NAQ",
    missed_low_small=0.70,
    missed_low_large=0.35,
    missed_small=0.15,
    missed_other=0.02,
    shift_mm=0.35,
    offset_mm=(0.15, 0.70),
    wobble=0.10,
)
SPACE_READER = Reader(
    technique=SPACE_TECHNIQUE,
    quality="HAQ",
    missed_low_small=0.03,
    missed_low_large=0.0,
    missed_small=0.01,
    missed_other=0.0,
    shift_mm=0.10,
    offset_mm=(-0.05, 0.15),
    wobble=0.03,
)

READERS = {"NAQ": MPRAGE_READER, "HAQ": SPACE_READER}
"""The habits by the quality of what they lead to."""

_PLACES = ("front", "pariet", "occ", "temp", "cerebell", "zentral")


def draw(rng: np.random.Generator, reader: Reader, lesions: list[Lesion]) -> list[Drawn]:
    """What the reader draws, in the order of the lesions."""
    seen = see(rng, reader.chance_to_miss, lesions)
    return delineate(rng, reader, {lesion.number: lesion.shape for lesion in seen})


def see(
    rng: np.random.Generator, chance_to_miss: Callable[[Lesion], float], lesions: list[Lesion]
) -> list[Lesion]:
    """The lesions that a reader does not overlook; at least the largest is always seen.

    A patient of the trial without any target would not have been treated, hence that rule. With
    the same numbers drawn, lower chances leave more of the same lesions.
    """
    seen = [lesion for lesion in lesions if rng.random() >= chance_to_miss(lesion)]
    return seen or [max(lesions, key=lambda lesion: lesion.volume_mm3)]


def missing_small(chance: float) -> Callable[[Lesion], float]:
    """The chances to miss a lesion of a reader who overlooks some below `SMALL_MM3` alone."""
    return lambda lesion: chance if lesion.volume_mm3 < SMALL_MM3 else 0.0


def delineate(
    rng: np.random.Generator, reader: Reader, shapes: Mapping[int, StarShape]
) -> list[Drawn]:
    """What the reader draws of numbered shapes in the anatomy frame, in their order."""
    style = int(rng.integers(4))
    margin = float(rng.choice([1.0, 1.5, 2.0]))
    return [
        Drawn(number, _outline(rng, reader, shape), margin, _names(rng, style, i + 1, shape))
        for i, (number, shape) in enumerate(shapes.items())
    ]


def _outline(rng: np.random.Generator, reader: Reader, shape: StarShape) -> StarShape:
    """A lesion's outline as this reader sees it: shifted, loosened and made irregular."""
    harmonics = shape.harmonics + rng.normal(0.0, reader.wobble, shape.harmonics.shape)
    centre = shape.centre + rng.normal(0.0, reader.shift_mm, 3)
    return StarShape(centre, shape.scale_mm, harmonics, float(rng.uniform(*reader.offset_mm)))


def _names(rng: np.random.Generator, style: int, number: int, shape: StarShape) -> dict[str, str]:
    """Names of the three ROIs of a lesion, in one of the habits of the people who type them."""
    side = "li" if shape.centre[0] > 0 else "re"
    place = _PLACES[int(rng.integers(len(_PLACES)))]
    kinds = ("GTV", "CTV", "PTV")
    if style == 0:
        return {kind: f"{kind} {number}" for kind in kinds}
    if style == 1:
        return {kind: f"{kind}_{number} {place} {side}" for kind in kinds}
    if style == 2:
        return {kind: f"{kind.lower()}{number}" for kind in kinds}
    return {"GTV": f"GTV_{number}", "CTV": f"CTV {number}", "PTV": f"PTV_{number}"}
