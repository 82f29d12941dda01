"""Pairs of images for the benchmarks of registration: good, hard and wrong ones, with the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cta_data.phantom.geometry import Rigid, random_rigid
from cta_data.phantom.patient import DigitalPatient, VoxelSizes, generate_patient

PAIRS = (("MPRAGE", "SPACE"), ("CT", "MPRAGE"), ("CT", "SPACE"))
POINTS = 2000


@dataclass(frozen=True, eq=False)
class Case:
    """Two images and where points of the fixed brain are in the moving image.

    Attributes
    ----------
    kind
        What is hard or wrong about it.
    points, truth
        Brain points of the fixed image and the same of the moving one, (n, 3), LPS mm. There is no
        truth where the heads are not of one patient.
    """

    kind: str
    pair: str
    fixed: sitk.Image
    moving: sitk.Image
    points: np.ndarray
    truth: np.ndarray | None

    def errors_mm(self, transform: sitk.Transform) -> np.ndarray:
        """Target registration error at every point, mm."""
        assert self.truth is not None
        found = np.array([transform.TransformPoint(p) for p in self.points.tolist()])
        return np.asarray(np.linalg.norm(self.truth - found, axis=1))


def patient_of(seed: int, voxel_mm: float) -> DigitalPatient:
    """A digital patient with all techniques on voxels of one size."""
    return generate_patient(seed, voxel_sizes=VoxelSizes(*([voxel_mm] * 4)), phases=("late",))


def image_of(patient: DigitalPatient, technique: str) -> sitk.Image:
    """The image of a technique; MPRAGE is the late phase."""
    return patient.images["MPRAGE-late" if technique == "MPRAGE" else technique]


def plain_case(patient: DigitalPatient, fixed: str, moving: str, kind: str = "plain") -> Case:
    """A pair as it was acquired."""
    points = brain_points(patient, fixed)
    truth = patient.between(fixed, moving).apply(points)
    images = image_of(patient, fixed), image_of(patient, moving)
    return Case(kind, f"{fixed}-{moving}", *images, points, np.asarray(truth))


def brain_points(patient: DigitalPatient, technique: str) -> np.ndarray:
    """Some 2,000 voxel centres of the brain, (n, 3), LPS mm."""
    mask = patient.brain_masks[technique]
    voxels = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
    voxels = voxels[:: max(1, len(voxels) // POINTS)]
    return np.array([mask.TransformIndexToPhysicalPoint(v) for v in voxels.tolist()])


def moved(case: Case, pose: Rigid, kind: str) -> Case:
    """The moving image brought elsewhere by its header alone, so that nothing is resampled."""
    image = sitk.Image(case.moving)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    image.SetDirection((pose.rotation @ direction).ravel().tolist())
    image.SetOrigin(pose.apply(np.array([image.GetOrigin()]))[0].tolist())
    truth = None if case.truth is None else np.asarray(pose.apply(case.truth))
    return Case(kind, case.pair, case.fixed, image, case.points, truth)


def random_pose(rng: np.random.Generator, case: Case, degrees: float, mm: float) -> Rigid:
    """Up to so many degrees about the middle of the moving image, and so many mm away."""
    middle = [(n - 1) / 2 for n in case.moving.GetSize()]
    centre = np.array(case.moving.TransformContinuousIndexToPhysicalPoint(middle))
    return random_rigid(rng, degrees=degrees, millimetres=mm, about=centre)


def cropped(case: Case, axis: int, low_mm: float, high_mm: float, kind: str) -> Case:
    """The moving image without so many mm at the low and the high end of one axis."""
    step, size = case.moving.GetSpacing()[axis], list(case.moving.GetSize())
    start = [0, 0, 0]
    start[axis] = round(low_mm / step)
    size[axis] -= round(low_mm / step) + round(high_mm / step)
    image = sitk.RegionOfInterest(case.moving, size, start)
    return Case(kind, case.pair, case.fixed, image, case.points, case.truth)


def thick(case: Case, axis: int, slice_mm: float) -> Case:
    """The moving image with thick slices along one axis: averages of thin ones."""
    factor = [1, 1, 1]
    factor[axis] = max(1, round(slice_mm / case.moving.GetSpacing()[axis]))
    image = sitk.BinShrink(sitk.Cast(case.moving, sitk.sitkFloat32), factor)
    return Case(f"slices of {slice_mm:g} mm", case.pair, case.fixed, image, case.points, case.truth)


def biased(case: Case, rng: np.random.Generator, strength: float) -> Case:
    """The moving image under a bias field from 1 / strength to strength across the head."""
    z, y, x = np.meshgrid(
        *[np.linspace(-1, 1, n) for n in case.moving.GetSize()[::-1]], indexing="ij"
    )
    a = rng.normal(size=6)
    field = a[0] * x + a[1] * y + a[2] * z + 0.5 * (a[3] * x * y + a[4] * y * z + a[5] * x * z)
    field = strength ** (field / np.abs(field).max())
    array = sitk.GetArrayFromImage(case.moving).astype(np.float32) * field.astype(np.float32)
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(case.moving)
    return Case(f"bias of {strength:g}", case.pair, case.fixed, image, case.points, case.truth)


def with_hole(
    case: Case, rng: np.random.Generator, radius_mm: float, value: float, kind: str
) -> Case:
    """The moving image with a ball of one value in the brain: a cavity, or a large lesion.

    `value` is a multiple of the brain's median.
    """
    assert case.truth is not None
    centre = case.truth[rng.integers(len(case.truth))]
    array = sitk.GetArrayFromImage(case.moving).astype(np.float32)
    index = [case.moving.TransformPhysicalPointToIndex(p) for p in case.truth[::5].tolist()]
    inside = [
        array[i[::-1]]
        for i in index
        if all(0 <= a < n for a, n in zip(i, case.moving.GetSize(), strict=True))
    ]
    grid = sitk.PhysicalPointSource(
        sitk.sitkVectorFloat32,
        *[
            getattr(case.moving, f"Get{name}")()
            for name in ("Size", "Origin", "Spacing", "Direction")
        ],
    )
    distance = np.linalg.norm(sitk.GetArrayViewFromImage(grid) - centre, axis=-1)
    array[distance < radius_mm] = value * float(np.median(inside))
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(case.moving)
    return Case(kind, case.pair, case.fixed, image, case.points, case.truth)


def mirrored(case: Case) -> Case:
    """The moving image with its voxels from left to right and its header as it was."""
    direction = np.array(case.moving.GetDirection()).reshape(3, 3)
    axis = int(np.argmax(np.abs(direction[0])))
    array = np.flip(sitk.GetArrayViewFromImage(case.moving), 2 - axis)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.CopyInformation(case.moving)
    return Case("mirrored", case.pair, case.fixed, image, case.points, None)


def swapped(case: Case, other: DigitalPatient) -> Case:
    """The moving image of somebody else."""
    moving = image_of(other, case.pair.split("-")[1])
    return Case("other patient", case.pair, case.fixed, moving, case.points, None)


def hard_cases(patient: DigitalPatient, rng: np.random.Generator) -> Iterator[Case]:
    """Everything that clinics deliver, of one patient; all of it has to succeed or be told."""
    for fixed, moving in PAIRS:
        case = plain_case(patient, fixed, moving)
        yield case
        for axis in range(3):
            yield cropped(case, axis, 20.0, 0.0, "2 cm cut off")
            yield cropped(case, axis, 0.0, 20.0, "2 cm cut off")
        yield thick(case, 0, 5.0)
        yield thick(case, 2, 3.0)
        if moving != "CT":
            yield biased(case, rng, 1.6)
            yield with_hole(case, rng, 22.0, 0.35, "cavity of 44 mm")
            yield with_hole(case, rng, 20.0, 2.2, "lesion of 40 mm")
