"""Coarse-to-fine maximisation of Mattes mutual information with SimpleITK, bit for bit repeatable.

Everything happens in coordinates whose unit is the head's radius and whose origin is the head's
centre, in each image its own. A radian and a unit of translation then move the head's surface
alike, so that ITK's regular-step optimiser, which measures its steps without scales, takes equal
steps in all parameters; and no translation at all is the alignment of the two centres.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from cta_data.imaging.brain.head_mask import HeadMask
from cta_data.imaging.geometry.resampling import isotropic
from cta_data.imaging.registration.volume import RegistrationVolume

LinearTransform = sitk.Euler3DTransform | sitk.AffineTransform

HISTOGRAM_BINS = 32
_RIM_MM = 12.0  # air around the skin that still counts, so that the outline itself is aligned

# ITK's default number of threads belongs to the process, so two registrations in two Python
# threads take turns: neither may put the number back while the other one runs.
_TURN = threading.RLock()
EVERY_VOXEL = 0
"""Samples of a level that draws no lots: each voxel once, at a random point inside it."""


@dataclass(frozen=True)
class Level:
    """One step of the pyramid: grid and optimiser steps in mm of movement of the head's surface.

    ``samples``: number of voxels that are drawn, or ``EVERY_VOXEL``.
    """

    spacing_mm: float
    samples: int
    first_step_mm: float
    last_step_mm: float
    iterations: int


@dataclass(frozen=True)
class StageReport:
    """What one level did: ``metric`` is the mutual information in nats, larger is better."""

    kind: str
    spacing_mm: float
    iterations: int
    metric: float


@dataclass(frozen=True)
class Coordinates:
    """Centres (LPS mm) and the unit (mm) of the coordinates that the optimiser works in."""

    fixed_centre: tuple[float, float, float]
    moving_centre: tuple[float, float, float]
    unit_mm: float

    def exchanged(self) -> Coordinates:
        """Return the coordinates of the same images in the other order."""
        return Coordinates(self.moving_centre, self.fixed_centre, self.unit_mm)


def coordinates_of(fixed: HeadMask, moving: HeadMask) -> Coordinates:
    """Return the coordinates that put the two heads' centres onto each other."""
    return Coordinates(fixed.centre_mm, moving.centre_mm, fixed.radius_mm)


class LevelImages:
    """The images of one level in head coordinates, kept so that several starts can share them."""

    def __init__(
        self,
        fixed: RegistrationVolume,
        moving: RegistrationVolume,
        coordinates: Coordinates,
        level: Level,
    ) -> None:
        fixed_image = _at(fixed.image, level.spacing_mm)
        mask = _rim(fixed.head.mask, fixed_image)
        statistics = sitk.LabelShapeStatisticsImageFilter()
        statistics.Execute(mask)
        box = statistics.GetBoundingBox(1)
        self.level = level
        self.voxels = int(statistics.GetNumberOfPixels(1))
        unit_mm = coordinates.unit_mm
        self.fixed = _in_coordinates(
            _crop(fixed_image, box), coordinates.fixed_centre, coordinates.unit_mm
        )
        self.mask = _in_coordinates(_crop(mask, box), coordinates.fixed_centre, unit_mm)
        moving_image = _at(moving.image, level.spacing_mm)
        self.moving = _in_coordinates(moving_image, coordinates.moving_centre, unit_mm)

    def with_level(self, level: Level) -> LevelImages:
        """Return the same images with other optimiser steps."""
        same = copy.copy(self)
        same.level = level
        return same

    def mirrored(self) -> LevelImages:
        """Return the same images with the fixed head's left and right exchanged."""
        mirror = copy.copy(self)
        mirror.fixed = _left_for_right(self.fixed)
        mirror.mask = _left_for_right(self.mask)
        return mirror


def optimise(
    images: LevelImages, start: LinearTransform, coordinates: Coordinates, seed: int
) -> tuple[LinearTransform, StageReport]:
    """Maximise mutual information from ``start`` (head coordinates); return a new transform.

    Raises
    ------
    RuntimeError
        ITK found no sample of the fixed head inside the moving image.
    """
    kind = "affine" if isinstance(start, sitk.AffineTransform) else "rigid"
    transform = type(start)(start)
    with _one_itk_thread():
        method = _method(images, coordinates, seed)
        method.SetInitialTransform(transform, inPlace=True)
        method.Execute(images.fixed, images.moving)
        iterations, metric = method.GetOptimizerIteration(), -method.GetMetricValue()
    return transform, StageReport(kind, images.level.spacing_mm, int(iterations), float(metric))


def _method(
    images: LevelImages, coordinates: Coordinates, seed: int
) -> sitk.ImageRegistrationMethod:
    level = images.level
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    method.SetMetricFixedMask(images.mask)
    if level.samples == EVERY_VOXEL:
        # Stratified: the jitter inside each voxel keeps two grids from locking onto each other.
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(1.0, seed)
    elif level.samples < images.voxels:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(level.samples / images.voxels, seed)
    method.MetricUseFixedImageGradientFilterOff()
    method.MetricUseMovingImageGradientFilterOff()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=level.first_step_mm / coordinates.unit_mm,
        minStep=level.last_step_mm / coordinates.unit_mm,
        numberOfIterations=level.iterations,
        relaxationFactor=0.5,
        gradientMagnitudeTolerance=1e-8,
    )
    return method


def rotation_start(axis: tuple[float, float, float], degrees: float) -> sitk.Euler3DTransform:
    """Return a rotation about the head's centre, in head coordinates."""
    versor = sitk.VersorTransform(axis, math.radians(degrees))
    start = sitk.Euler3DTransform()
    start.SetMatrix(versor.GetMatrix())
    return start


def as_affine(rigid: LinearTransform) -> sitk.AffineTransform:
    """Return the same mapping with twelve free parameters."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(rigid.GetMatrix())
    affine.SetTranslation(rigid.GetTranslation())
    return affine


def inverted(transform: LinearTransform) -> LinearTransform:
    """Return the inverse of a transform, of the same type."""
    inverse = type(transform)(transform)
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, shift = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    inverse.SetCenter((centre + shift).tolist())
    inverse.SetMatrix(np.linalg.inv(matrix).ravel().tolist())
    inverse.SetTranslation((-shift).tolist())
    return inverse


def mean_distance(first: LinearTransform, second: LinearTransform) -> float:
    """Return how far apart two transforms (head coordinates) map the surface, on average."""
    corners = [(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)]
    points = [tuple(c / math.sqrt(3) for c in corner) for corner in corners]
    apart = [math.dist(first.TransformPoint(p), second.TransformPoint(p)) for p in points]
    return sum(apart) / len(apart)


def in_millimetres(transform: LinearTransform, coordinates: Coordinates) -> LinearTransform:
    """Return a transform of head coordinates as one of physical points (LPS mm)."""
    result = type(transform)(transform)
    result.SetCenter(coordinates.fixed_centre)
    result.SetTranslation(
        [
            moving - fixed + coordinates.unit_mm * shift
            for moving, fixed, shift in zip(
                coordinates.moving_centre,
                coordinates.fixed_centre,
                transform.GetTranslation(),
                strict=True,
            )
        ]
    )
    return result


def _at(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    return image if image.GetSpacing()[0] >= spacing_mm - 1e-6 else isotropic(image, spacing_mm)


def _rim(mask: sitk.Image, grid: sitk.Image) -> sitk.Image:
    radius = [round(_RIM_MM / step) for step in mask.GetSpacing()]
    wider = sitk.BinaryDilate(mask, radius, sitk.sitkBall)
    return sitk.Resample(wider, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)


def _crop(image: sitk.Image, box: tuple[int, ...]) -> sitk.Image:
    return sitk.RegionOfInterest(image, box[3:], box[:3])


def _left_for_right(image: sitk.Image) -> sitk.Image:
    # The voxels stay; the first row of direction and origin (left-right in LPS) changes its sign.
    direction, origin = list(image.GetDirection()), list(image.GetOrigin())
    mirror = sitk.Image(image)
    mirror.SetDirection([-value for value in direction[:3]] + direction[3:])
    mirror.SetOrigin([-origin[0], *origin[1:]])
    return mirror


def _in_coordinates(
    image: sitk.Image, centre: tuple[float, float, float], unit_mm: float
) -> sitk.Image:
    moved = sitk.Image(image)
    moved.SetSpacing([step / unit_mm for step in image.GetSpacing()])
    moved.SetOrigin([(o - c) / unit_mm for o, c in zip(image.GetOrigin(), centre, strict=True)])
    return moved


@contextmanager
def _one_itk_thread() -> Iterator[None]:
    """Run ITK single-threaded inside the block, and leave its default as it was.

    ``ImageRegistrationMethod.SetNumberOfThreads`` does not reach the metric's own threads (seen
    with SimpleITK 2.5.7): the derivative of Mattes mutual information is then summed in the order
    in which threads finish, and its last bits differ from run to run.
    """
    with _TURN:
        before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        try:
            yield
        finally:
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
