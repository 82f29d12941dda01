"""Whether a transform brings two images of one head together: measured."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from cta_data.imaging.geometry.resampling import isotropic, resample
from cta_data.imaging.registration.limits import RegistrationQuality
from cta_data.imaging.registration.volume import RegistrationVolume, prepare_volume

ASSESSMENT_SPACING_MM = 3.0
_BINS = 32
_NUDGE_MM = 3.0
_NUDGE_DEGREES = 3.0
_OUTSIDE = -1e9
_SHUFFLE_SEED = 20250401
_FEWEST_VOXELS = 1000


def assess_transform(
    fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform
) -> RegistrationQuality:
    """Measure any transform: computed, identity, or from a DICOM registration object.

    ``transform`` maps points of ``fixed`` to points of ``moving`` (LPS mm).

    Raises
    ------
    DataRefused
        One of the images is not a volume or holds no head.
    """
    return assess_volumes(
        prepare_volume(fixed, ASSESSMENT_SPACING_MM, "fixed"),
        prepare_volume(moving, ASSESSMENT_SPACING_MM, "moving"),
        transform,
    )


def assess_volumes(
    fixed: RegistrationVolume, moving: RegistrationVolume, transform: sitk.Transform
) -> RegistrationQuality:
    """Measure a transform between volumes that are already prepared."""
    pair = _Pair(fixed, moving)
    values, head_share = pair.mapped(transform), pair.head_overlap(transform)
    covered = values > _OUTSIDE / 2
    linear = linear_part(transform, fixed.head.centre_mm, fixed.head.radius_mm)
    rotation, scales, shear, mirrored = _geometry(linear)
    nmi, shuffled = pair.information(values), pair.information(values, shuffle=True)
    signal = max(nmi - shuffled, 1e-9)
    nudged = [
        pair.information(pair.mapped(sitk.CompositeTransform([transform, nudge])))
        for nudge in _nudges(fixed.head.centre_mm)
    ]
    peak = (nmi - max(nudged)) / signal if nmi - shuffled > 1e-4 else 0.0
    centre_shift = math.dist(transform.TransformPoint(fixed.head.centre_mm), moving.head.centre_mm)
    return RegistrationQuality(
        nmi=nmi,
        nmi_shuffled=shuffled,
        peak=peak,
        head_overlap=head_share,
        coverage=float(covered.mean()),
        centre_shift_mm=centre_shift,
        rotation_degrees=rotation,
        scale_min=min(scales),
        scale_max=max(scales),
        shear=shear,
        mirrored=mirrored,
    )


def linear_part(
    transform: sitk.Transform, centre_mm: tuple[float, float, float], radius_mm: float
) -> npt.NDArray[np.float64]:
    """Return the 3 × 3 matrix of the affine map that fits ``transform`` best over a head (LPS)."""
    steps = np.array(
        [[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)], dtype=float
    )
    offsets = steps * radius_mm / math.sqrt(3)
    points = [transform.TransformPoint(point) for point in (offsets + centre_mm).tolist()]
    mapped = np.asarray(points) - np.mean(points, axis=0)
    # The design is orthogonal, so least squares needs no solver: a projection on each axis.
    return np.asarray((mapped.T @ offsets) / (offsets**2).sum(axis=0))


class _Pair:
    """Both images on the fixed head's voxels, the moving one wherever a transform takes it."""

    def __init__(self, fixed: RegistrationVolume, moving: RegistrationVolume) -> None:
        self.grid = _coarse(fixed.image)
        self.moving = _coarse(moving.image)
        self.moving_head = moving.head.mask
        head = resample(fixed.head.mask, self.grid, interpolation="nearest")
        self.head = sitk.GetArrayFromImage(head) > 0
        self.fixed_bins = _ranks(sitk.GetArrayViewFromImage(self.grid)[self.head])
        self.order = np.random.default_rng(_SHUFFLE_SEED).permutation(len(self.fixed_bins))

    def mapped(self, transform: sitk.Transform) -> npt.NDArray[np.float64]:
        """Moving values at the fixed head's voxels."""
        return self._everywhere(transform)[self.head].astype(np.float64)

    def head_overlap(self, transform: sitk.Transform) -> float:
        """Dice of the head masks inside the field of view that both images share."""
        shared = self._everywhere(transform) > _OUTSIDE / 2
        other = resample(self.moving_head, self.grid, transform, interpolation="nearest")
        mask = (sitk.GetArrayViewFromImage(other) > 0) & shared
        head = self.head & shared
        both = int(mask.sum()) + int(head.sum())
        return 2 * int((mask & head).sum()) / both if both else 0.0

    def _everywhere(self, transform: sitk.Transform) -> npt.NDArray[np.floating]:
        return sitk.GetArrayFromImage(resample(self.moving, self.grid, transform, default=_OUTSIDE))

    def information(self, values: npt.NDArray[np.float64], shuffle: bool = False) -> float:
        """Normalised mutual information over the voxels that the moving image covers."""
        inside = values > _OUTSIDE / 2
        if int(inside.sum()) < _FEWEST_VOXELS:
            return 1.0
        moving_bins = _ranks(values[inside])
        if shuffle:
            moving_bins = moving_bins[np.argsort(self.order[inside], kind="stable")]
        return _normalised_mutual_information(self.fixed_bins[inside], moving_bins)


def _coarse(image: sitk.Image) -> sitk.Image:
    if image.GetSpacing()[0] >= ASSESSMENT_SPACING_MM - 1e-6:
        return image
    return isotropic(image, ASSESSMENT_SPACING_MM)


def _ranks(values: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    # Bins that hold equally many voxels: the measure depends on neither window nor gamma.
    edges = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.searchsorted(edges, values, side="right")


def _normalised_mutual_information(
    first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> float:
    joint = np.bincount(first * _BINS + second, minlength=_BINS * _BINS).reshape(_BINS, _BINS)
    together = _entropy(joint.ravel())
    if together <= 0:
        return 1.0
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / together


def _entropy(counts: npt.NDArray[np.int64]) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _nudges(centre_mm: tuple[float, float, float]) -> list[sitk.Transform]:
    nudges: list[sitk.Transform] = []
    for axis in range(3):
        for sign in (-1, 1):
            shift = [0.0, 0.0, 0.0]
            shift[axis] = sign * _NUDGE_MM
            nudges.append(sitk.TranslationTransform(3, shift))
            turn = sitk.Euler3DTransform()
            turn.SetCenter(centre_mm)
            angles = [0.0, 0.0, 0.0]
            angles[axis] = sign * math.radians(_NUDGE_DEGREES)
            turn.SetRotation(*angles)
            nudges.append(turn)
    return nudges


def _geometry(matrix: npt.NDArray[np.float64]) -> tuple[float, list[float], float, bool]:
    """Angle of rotation (degrees), singular values, shear, and whether it mirrors."""
    left, scales, right = np.linalg.svd(matrix)
    rotation = left @ right
    mirrored = bool(np.linalg.det(rotation) < 0)
    if mirrored:
        rotation = -rotation
    cosine = (float(np.trace(rotation)) - 1) / 2
    columns = matrix / np.linalg.norm(matrix, axis=0)
    angles = np.abs(columns.T @ columns - np.eye(3))
    angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
    return angle, [float(scale) for scale in scales], float(angles.max()), mirrored
