"""FROC of two models from files: time, memory of a worker, and where both go.

Run ``python benchmarks/froc.py [--cases 20] [--jobs 2] [--resamples 10000] [--size 256,256,180]``.
``--cases 660`` is a study of the size that the package aims at: 3 minutes, 1 GB a worker. Each
model has a few probability maps in single precision, as nnU-Net gives them: near 0 in the
background (of every value, so that they hardly compress), near 1 in lesions, some in between.
Every case is a link to one of them; each is read as often as there are cases.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from cta_data.formats.nifti.image import write_voxels
from cta_data.processes import open_workers
from cta_data.scoring import ARTICLE
from cta_data.scoring.probabilities.collection import CandidateSet, find_candidates
from cta_data.scoring.probabilities.comparison import compare_curves
from cta_data.scoring.probabilities.curve import DRAWN, froc_curve

DIFFERENT = 6
"""Heads that are different; all others are links to them."""


def head(shape: tuple[int, int, int], seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a reference with 1 to 12 lesions, and the maps of two models, (z, y, x)."""
    rng = np.random.default_rng(seed)
    reference = np.zeros(shape, np.uint8)
    maps = [np.exp(rng.normal(-16, 2, shape)).astype(np.float32) for _ in range(2)]
    inside = np.zeros(shape, bool)
    inside[tuple(slice(n // 5, n - n // 5) for n in shape)] = True
    for one in maps:
        one[~inside] = 0  # outside of the brain
    for number in range(int(rng.integers(1, 13)) + 6):
        radius = float(np.exp(rng.uniform(np.log(1.2), np.log(8))))
        centre = np.array([rng.integers(n // 4, n - n // 4) for n in shape])
        is_lesion = number >= 6
        for model, one in enumerate(maps):
            chance = 0.9 - 0.1 * model if is_lesion else 0.4
            if rng.random() < chance:
                peak = rng.uniform(2, 9) if is_lesion else rng.uniform(-2, 5)
                _add(one, centre, radius, peak)
        if is_lesion:
            box, distance = _ball(reference.shape, centre, radius)
            reference[box][distance <= 0] = 1
    return reference, maps


def _ball(
    shape: tuple[int, ...], centre: np.ndarray, radius: float, margin: int = 3
) -> tuple[tuple[slice, ...], np.ndarray]:
    low = np.maximum(np.floor(centre - radius).astype(int) - margin, 0)
    high = np.minimum(np.ceil(centre + radius).astype(int) + margin + 1, shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    at = np.indices(high - low) + (low - centre)[:, None, None, None]
    return box, np.sqrt((at**2).sum(axis=0)) - radius


def _add(one: np.ndarray, centre: np.ndarray, radius: float, peak: float) -> None:
    """Raise a map to a sigmoid around the surface of a ball, as a polarised network does."""
    box, distance = _ball(one.shape, centre, radius)
    smooth = ndimage.gaussian_filter(np.clip(-3 * distance, -12, peak), 0.5)
    one[box] = np.maximum(one[box], (1 / (1 + np.exp(-smooth))).astype(np.float32))


def write_heads(folder: Path, shape: tuple[int, int, int], cases: int) -> None:
    """Write `reference`, `A` and `B`: a few heads, and links to them for all other cases."""
    for name in ("reference", "A", "B"):
        (folder / name).mkdir()
    for number in range(min(DIFFERENT, cases)):
        reference, maps = head(shape, number)
        for name, voxels in (("reference", reference), ("A", maps[0]), ("B", maps[1])):
            write_voxels(voxels, np.eye(4), folder / name / f"case-{number:04}.nii.gz")
    for number in range(DIFFERENT, cases):
        for name in ("reference", "A", "B"):
            first = folder / name / f"case-{number % DIFFERENT:04}.nii.gz"
            (folder / name / f"case-{number:04}.nii.gz").hardlink_to(first)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--size", default="256,256,180", help="x,y,z of a head")
    given = parser.parse_args()
    x, y, z = map(int, given.size.split(","))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_heads(folder, (z, y, x), given.cases)
        mb = (folder / "A" / "case-0000.nii.gz").stat().st_size / 1e6
        print(f"{given.cases} cases x 2 models of {given.size} voxels, {mb:.0f} MB a map")
        started = time.perf_counter()
        sets = list(_sets(folder, given.jobs))
        read = time.perf_counter() - started
        drawn = replace(DRAWN, resamples=given.resamples)
        curves = [froc_curve(one, "mean", drawn=drawn) for one in sets]
        drew = time.perf_counter() - started - read
        compare_curves(sets[0], sets[1], ("mean", "mean"), drawn=drawn)
        total = time.perf_counter() - started
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"candidates {read:.1f} s, curves {drew:.1f} s, difference {total - read - drew:.1f} s")
    print(f"together {total:.1f} s; most memory of a worker {worker:.2f} GB, of this {own:.2f} GB")
    for curve in curves:
        at = ", ".join(f"{one.level:g}: {one.sensitivity.estimate:.3f}" for one in curve.levels)
        print(f"{curve.model}: {curve.lesions} lesions, {curve.candidates} candidates; {at}")


def _sets(folder: Path, jobs: int) -> list[CandidateSet]:
    references = sorted((folder / "reference").iterdir())
    with open_workers(jobs) as workers:
        return [
            find_candidates(
                {p.name: (p, folder / model / p.name) for p in references},
                ARTICLE,
                0.1,
                model=model,
                workers=workers,
            )
            for model in ("A", "B")
        ]


if __name__ == "__main__":
    main()
