"""Small heads with lesions and probability maps, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cta_data.formats.nifti.image import write_voxels
from cta_data.scoring.mask_files import MaskVoxels

SHAPE = (18, 20, 22)
Case = tuple[str, NDArray[np.uint8], NDArray[np.float32]]


def numbers(seed: int) -> Iterator[int]:
    """Yield numbers from 0 to 32767 by the rule of C's `rand`, which changes with no version."""
    state = seed
    while True:
        state = (state * 1103515245 + 12345) % 2**31
        yield state >> 16


def made_up_cases(count: int = 12, *, skill: int = 0, sessions: int = 1) -> list[Case]:
    """Return cases of 2 to 8 cubes of 3 × 3 × 3 voxels: lesions that are found, or are not, and
    false positives; each cube has one probability, a multiple of 1/128.

    Parameters
    ----------
    skill
        The higher, the more lesions are found, the same references being kept.
    sessions
        Cases of one patient.
    """
    return [
        (f"sub-{n // sessions:02}_ses-{n % sessions + 1}", *_head(n, skill)) for n in range(count)
    ]


def _head(n: int, skill: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    draw, scores = numbers(n + 1), numbers(1000 * (skill + 1) + n)
    reference = np.zeros(SHAPE, np.uint8)
    probability = np.zeros(SHAPE, np.float32)
    places = [(z, y, x) for z in (2, 9, 15) for y in (2, 9, 16) for x in (2, 9, 18)]
    for _ in range(2 + next(draw) % 7):
        z, y, x = places.pop(next(draw) % len(places))
        cube = (slice(z - 1, z + 2), slice(y - 1, y + 2), slice(x - 1, x + 2))
        is_lesion = next(draw) % 10 < 7
        is_found = next(scores) % 10 < 7 + skill
        if is_lesion:
            reference[cube] = 1
        if is_found or not is_lesion:
            low, high = (70, 126) if is_lesion else (20, 110)
            probability[cube] = (low + next(scores) % (high - low)) / 128
    return reference, probability


def voxels_of(values: NDArray[np.generic], least: float = 0.0) -> MaskVoxels:
    """Return the voxels above a value, of 1 mm at the origin."""
    flat = values.ravel()
    index = np.flatnonzero(flat > least)
    z, y, x = values.shape
    return MaskVoxels(index, flat[index], (z, y, x), np.eye(4))


def write_cases(cases: list[Case], folder: Path, references: str = "", maps: str = "") -> None:
    """Write references and maps as NIfTI into folders of these names; one without a name is not."""
    for name, reference, probability in cases:
        for place, voxels in ((references, reference), (maps, probability)):
            if place:
                (folder / place).mkdir(parents=True, exist_ok=True)
                write_voxels(voxels, np.eye(4), folder / place / f"{name}.nii.gz")
