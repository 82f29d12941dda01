"""Read ITK transforms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import DataRefused

_FEW = 10_000
"""Parameters that are read one by one."""


def read_transform(path: Path) -> sitk.Transform:
    """Read a transform between points (LPS, mm) in three dimensions.

    Raises
    ------
    DataRefused
        If the file is no ITK transform, is damaged, has another number of dimensions, or holds
        numbers that are not finite or that do not divide space anew.
    """
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise _refused(path, str(error).strip().splitlines()[-1]) from error
    if transform.GetDimension() != 3:
        raise _refused(path, f"it has {transform.GetDimension()} dimensions")
    if not np.all(np.isfinite(_numbers(transform))):
        raise _refused(path, "it holds numbers that are not finite")
    if transform.IsLinear() and _is_flat(transform):
        raise _refused(path, "it puts space onto a plane, and cannot be inverted")
    return transform


def _numbers(transform: sitk.Transform) -> tuple[float, ...]:
    """Return its numbers; of a displacement field, which has millions, those of its grid."""
    few = transform.GetNumberOfParameters() <= _FEW
    own = transform.GetParameters() if few else ()
    return (*own, *transform.GetFixedParameters())


def _is_flat(transform: sitk.Transform) -> bool:
    """Tell whether a linear transform leaves no volume."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    axes = [np.subtract(transform.TransformPoint(axis), origin) for axis in np.eye(3).tolist()]
    return bool(abs(np.linalg.det(axes)) < np.finfo(np.float32).eps)


def _refused(path: Path, why: str) -> DataRefused:
    return DataRefused(
        "this is not an ITK transform that can be used",
        where=str(path),
        why=why,
        next_step="Restore it, or register the session again",
    )
