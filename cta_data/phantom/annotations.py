"""The annotations of one patient by a plan: by the own reader, on both techniques, by others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from cta_data.phantom.head.lesions import CLEAR_MM, Lesion, StarShape, place_lookalikes
from cta_data.phantom.patient import DigitalPatient
from cta_data.phantom.readers import READERS, Drawn, delineate, missing_small, see
from cta_data.phantom.readers_plan import FurtherReader, ReadersPlan

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DrawnAnnotation:
    """What one reader drew on one technique, in one version.

    `drawn` numbers the patient's lesions, then the additions, whose numbers no other annotation of
    the patient has. `shift` (mm) is in the anatomy frame. `left_out` are lesions that the reader
    saw, and by plan did not draw.
    """

    code: str
    quality: str
    technique: str
    drawn: tuple[Drawn, ...]
    version: int = 1
    superseded: bool = False
    additions: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    shift: Array = field(default_factory=lambda: np.zeros(3))


def annotate(patient: DigitalPatient, plan: ReadersPlan | None) -> list[DrawnAnnotation]:
    """Draw the annotations of a patient; those of a reader are in the order of their versions.

    The first is that of the own reader, who has no code without a plan. `plan` is that of this
    patient alone.
    """
    own = DrawnAnnotation(
        code=plan.own if plan else "",
        quality=patient.quality,
        technique=patient.reader.technique,
        drawn=tuple(patient.drawn),
    )
    if plan is None:
        return [own]
    made = [own]
    clear = CLEAR_MM + 2.0 * max((one.shift_mm for one in plan.further), default=0.0)
    regions = [lesion.shape for lesion in patient.lesions]
    with threadpool_limits(1):
        for wanted, version in _wanted(patient, plan):
            made.append(_draw(patient, plan.seed, wanted, version, regions, clear))
    return made


def _wanted(patient: DigitalPatient, plan: ReadersPlan) -> Iterator[tuple[FurtherReader, int]]:
    """The annotations besides the first: whose, and in which version."""
    if plan.both is None:
        other = next(quality for quality in READERS if quality != patient.quality)
        yield FurtherReader(plan.own, other), 1
    for one in plan.further:
        yield from ((one, version) for version in range(1, one.versions + 1))


def _draw(
    patient: DigitalPatient,
    seed: int,
    wanted: FurtherReader,
    version: int,
    regions: list[StarShape],
    clear_mm: float,
) -> DrawnAnnotation:
    """Draw one annotation; what it adds to the lesions joins `regions`, which others keep off."""
    habits = READERS[wanted.quality]
    name = f"{wanted.code} {wanted.quality} {version}".encode()
    rng = np.random.default_rng([patient.seed, seed, *name])
    seen = _seen(rng, patient, seed, wanted)
    n_left_out = min(wanted.missed, len(seen) - 1)
    chosen = rng.choice([lesion.number for lesion in seen], n_left_out, replace=False)
    left_out = tuple(sorted(int(number) for number in chosen))
    shapes = {one.number: one.shape for one in seen if one.number not in left_out}
    added = place_lookalikes(rng, patient.anatomy, regions, wanted.added, clear_mm)
    additions = tuple(len(regions) + i for i in range(1, len(added) + 1))
    regions += added
    direction = rng.normal(size=3)
    shift = wanted.shift_mm * direction / np.linalg.norm(direction)
    drawn = delineate(rng, habits, shapes | dict(zip(additions, added, strict=True)))
    return DrawnAnnotation(
        wanted.code,
        wanted.quality,
        habits.technique,
        tuple(_shifted(one, shift) for one in drawn),
        version,
        version < wanted.versions,
        additions,
        left_out,
        shift,
    )


def _seen(
    rng: np.random.Generator, patient: DigitalPatient, seed: int, wanted: FurtherReader
) -> list[Lesion]:
    if wanted.small_missed is None:
        return see(rng, READERS[wanted.quality].chance_to_miss, patient.lesions)
    # One stream for all such readers, so that what they overlook is nested.
    shared = np.random.default_rng([patient.seed, seed, *b"small"])
    return see(shared, missing_small(wanted.small_missed), patient.lesions)


def _shifted(one: Drawn, shift: Array) -> Drawn:
    return replace(one, outline=replace(one.outline, centre=one.outline.centre + shift))
