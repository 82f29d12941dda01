"""Images from one grid to another; every function gives the same bits with any number of threads.

A transform maps physical points (LPS, mm) of the reference grid to points of the image, which is
the direction that ITK resamples in.
"""

from __future__ import annotations

import math

import SimpleITK as sitk

INTERPOLATORS: dict[str, int] = {
    "nearest": sitk.sitkNearestNeighbor,
    "linear": sitk.sitkLinear,
    "bspline": sitk.sitkBSpline,
}
# Standard deviation, in units of the coarse voxel, of the Gaussian that a voxel's average is
# replaced by before an image is made coarser: a box of width w has the deviation w / sqrt(12).
_SMOOTHING_PER_VOXEL = 1 / math.sqrt(12)


def resample(
    image: sitk.Image,
    reference: sitk.Image,
    transform: sitk.Transform | None = None,
    interpolation: str = "linear",
    default: float = 0.0,
    *,
    floating: bool = False,
) -> sitk.Image:
    """Return ``image`` on the grid of ``reference``.

    Parameters
    ----------
    image
        Scalar volume; its pixel type is kept (``bspline`` may overshoot the range of values).
    floating
        Return float32 instead: nothing is rounded between two values, and the volume is not copied.
    reference
        Gives size, spacing (mm), origin and direction (LPS); its values do not matter.
    transform
        Maps points of ``reference`` to points of ``image`` (LPS mm); identity when left out.
    interpolation
        ``nearest`` (labels), ``linear`` or ``bspline`` (third order).
    default
        Value outside the image's field of view.

    Raises
    ------
    ValueError
        The interpolation has no such name.
    """
    if interpolation not in INTERPOLATORS:
        names = ", ".join(sorted(INTERPOLATORS))
        raise ValueError(f"unknown interpolation {interpolation!r}; one of {names}")
    mapping = sitk.Transform(3, sitk.sitkIdentity) if transform is None else transform
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(reference)
    resampler.SetTransform(mapping)
    resampler.SetInterpolator(INTERPOLATORS[interpolation])
    resampler.SetDefaultPixelValue(float(default))
    resampler.SetOutputPixelType(sitk.sitkFloat32 if floating else image.GetPixelID())
    resampler.SetNumberOfThreads(1)
    return resampler.Execute(image)


def isotropic(image: sitk.Image, spacing_mm: float, default: float = 0.0) -> sitk.Image:
    """Return ``image`` as float32 on an isotropic grid along the same axes.

    Axes that are finer than ``spacing_mm`` are averaged over the new voxel first (whole voxels
    together, then a Gaussian for the rest of the box's variance), so that nothing aliases; axes
    that are coarser are interpolated. The grid is centred on the field of view.
    """
    floating = averaged(image, spacing_mm)
    return resample(floating, isotropic_grid(floating, spacing_mm), default=default)


def averaged(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Return ``image`` as float32, averaged over cubes of a spacing where its voxels are finer.

    Its own grid may get coarser by whole voxels, up to the spacing; nothing is interpolated.
    """
    floating = sitk.Cast(image, sitk.sitkFloat32)
    factors = [
        max(1, min(math.floor(spacing_mm / step + 1e-3), n))
        for step, n in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    if max(factors) > 1:
        shrinker = sitk.BinShrinkImageFilter()
        shrinker.SetShrinkFactors(factors)
        shrinker.SetNumberOfThreads(1)
        floating = shrinker.Execute(floating)
    size, spacing = floating.GetSize(), floating.GetSpacing()
    for axis in range(3):
        missing = spacing_mm**2 - spacing[axis] ** 2
        if missing > 0.05 * spacing_mm**2 and size[axis] >= 4:
            floating = _smooth(floating, axis, _SMOOTHING_PER_VOXEL * math.sqrt(missing))
    return floating


def isotropic_grid(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Return an empty uint8 image with cubic voxels over the field of view of ``image``.

    The outermost voxel centres lie within the outermost voxel centres of ``image``, so that every
    voxel of the grid has a value of its own.
    """
    size, spacing = image.GetSize(), image.GetSpacing()
    extent = [(n - 1) * step for n, step in zip(size, spacing, strict=True)]
    new_size = [max(1, math.floor(length / spacing_mm + 1e-6) + 1) for length in extent]
    start = [
        (length - (n - 1) * spacing_mm) / (2 * step)
        for length, n, step in zip(extent, new_size, spacing, strict=True)
    ]
    grid = sitk.Image(new_size, sitk.sitkUInt8)
    grid.SetSpacing([spacing_mm] * 3)
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(start))
    return grid


def _smooth(image: sitk.Image, axis: int, sigma_mm: float) -> sitk.Image:
    smoother = sitk.RecursiveGaussianImageFilter()
    smoother.SetDirection(axis)
    smoother.SetSigma(sigma_mm)
    smoother.SetNumberOfThreads(1)
    return smoother.Execute(image)
