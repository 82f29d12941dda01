"""Made-up predictions for the documentation: truth with lesions removed, shifted and added.

Run ``python docs/make_example_evaluation.py FOLDER``: writes FOLDER/references and
FOLDER/predictions, which `cta-data evaluate` takes. Model A misses small lesions most, C least.
Nothing in it says anything about real models.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cta_data.formats.nifti.image import write_voxels
from cta_data.phantom.head.lesions import draw_volumes

SHAPE = (72, 96, 96)
SETS = {
    "internal-NAQ": 15,
    "internal-HAQ": 15,
    "susm": 24,
    "ynhh": 24,
    "ummc": 12,
    "ukhd": 24,
}
MODELS = {"A": 0.075, "B": 0.03, "C": 0.015}
"""Volume (cm³) at which half of the lesions are found."""


def add_ball(mask: np.ndarray, centre: np.ndarray, volume_mm3: float) -> None:
    """Set the voxels of a ball; one voxel at least."""
    radius = (3 * volume_mm3 / (4 * np.pi)) ** (1 / 3)
    z, y, x = np.ogrid[tuple(slice(0, n) for n in mask.shape)]
    distance = (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
    mask[distance <= radius**2] = 1
    mask[tuple(np.round(centre).astype(int))] = 1


def apart(rng: np.random.Generator, volumes: np.ndarray) -> list[np.ndarray]:
    """Centres whose balls stay apart."""
    placed: list[tuple[np.ndarray, float]] = []
    for volume in volumes:
        radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
        while True:
            centre = np.array([rng.uniform(16, n - 16) for n in SHAPE])
            if all(np.linalg.norm(centre - other) > radius + r + 9 for other, r in placed):
                placed.append((centre, radius))
                break
    return [centre for centre, _ in placed]


def predicted(
    rng: np.random.Generator, centres: list[np.ndarray], volumes: np.ndarray, half_cm3: float
) -> np.ndarray:
    """What a model makes of a case: some lesions missed, all of them a little off, some added."""
    mask = np.zeros(SHAPE, np.uint8)
    for centre, volume in zip(centres, volumes, strict=True):
        chance = 1 / (1 + (half_cm3 * 1000 / volume) ** 2)
        if rng.random() < chance:
            add_ball(mask, centre + rng.normal(0, 0.5, 3), volume * rng.uniform(0.6, 1.3))
    for _ in range(int(rng.poisson(0.25))):
        add_ball(mask, np.array([rng.uniform(4, n - 4) for n in SHAPE]), float(rng.uniform(4, 60)))
    return mask


def main() -> None:
    """Write the masks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rng = np.random.default_rng(2025)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    for test_set, cases in SETS.items():
        for number in range(1, cases + 1):
            volumes = np.clip(draw_volumes(rng, int(rng.integers(1, 7))), 4, 6000)
            centres = apart(rng, volumes)
            truth = np.zeros(SHAPE, np.uint8)
            for centre, volume in zip(centres, volumes, strict=True):
                add_ball(truth, centre, volume)
            masks = {f"references/{test_set}": truth}
            for model, half in MODELS.items():
                masks[f"predictions/{model}/{test_set}"] = predicted(rng, centres, volumes, half)
            for where, mask in masks.items():
                path = folder / where / f"case{number:02}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_voxels(mask, affine, path)


if __name__ == "__main__":
    main()
