"""Matrices of DICOM registration objects: read, and held to what they claim (PS3.3 C.20.2.1)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pydicom
from numpy.typing import NDArray

from cta_data.errors import DataRefused

# Matrices are written as decimal strings of 16 characters at most.
_ROUNDING = 1e-3
_SCALE_LIMITS = (0.5, 2.0)
_FARTHEST_MM = 5000.0


def read_matrices(
    sequence: Iterable[pydicom.Dataset] | None, where: str, notes: list[str]
) -> NDArray[np.float64]:
    """The product of all matrices of a Matrix Registration Sequence, the first applied first.

    The standard speaks of "matrix multiplication order" and shows the equation as a picture only;
    readers in use apply the first item first, and so does this one. Where the order matters,
    a note says so.

    Raises
    ------
    DataRefused
        If there is no matrix or one is not what it claims to be.
    """
    items = [item for outer in sequence or [] for item in (outer.get("MatrixSequence") or [])]
    if not items:
        raise DataRefused("registration_matrix_missing", where=where)
    matrices = [check_matrix(item, where) for item in items]
    product, reverse = np.eye(4), np.eye(4)
    for matrix in matrices:
        product, reverse = matrix @ product, reverse @ matrix
    if not np.allclose(product, reverse, atol=_ROUNDING):
        notes.append(f"{len(matrices)} matrices whose order matters, applied first to last")
    return product


def check_matrix(item: pydicom.Dataset, where: str) -> NDArray[np.float64]:
    """One 4 × 4 matrix (LPS, mm), held to its type: RIGID, RIGID_SCALE or AFFINE.

    Raises
    ------
    DataRefused
        If it is incomplete, not of its type, mirrors, cannot be inverted, scales by less than a
        half or more than two, or moves by more than five metres.
    """
    try:
        values = np.array(
            [float(value) for value in item.get("FrameOfReferenceTransformationMatrix") or []]
        )
    except (TypeError, ValueError) as error:
        raise _refused(where, "it is not made of numbers") from error
    if len(values) != 16 or not np.isfinite(values).all():
        raise _refused(where, f"it has {len(values)} values, 16 finite ones are needed")
    matrix = values.reshape(4, 4)
    if not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise _refused(where, f"its last row is {matrix[3].tolist()}, not 0 0 0 1")
    matrix[3] = [0, 0, 0, 1]
    kind = str(item.get("FrameOfReferenceTransformationMatrixType") or "")
    _require_type(matrix[:3, :3], kind, where)
    determinant = float(np.linalg.det(matrix[:3, :3]))
    if determinant <= 0:
        raise _refused(where, f"it mirrors or flattens space (determinant {determinant:.4g})")
    scales = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    if scales[-1] < _SCALE_LIMITS[0] or scales[0] > _SCALE_LIMITS[1]:
        raise _refused(where, f"it scales by {scales[-1]:.3f} to {scales[0]:.3f}")
    if np.linalg.norm(matrix[:3, 3]) > _FARTHEST_MM:
        raise _refused(where, f"it moves by {np.linalg.norm(matrix[:3, 3]):.0f} mm")
    return matrix


def _require_type(linear: NDArray[np.float64], kind: str, where: str) -> None:
    """RIGID is orthonormal; RIGID_SCALE has orthogonal rows or columns; AFFINE is anything."""
    if kind == "RIGID":
        off = float(np.abs(linear.T @ linear - np.eye(3)).max())
        if off > _ROUNDING:
            raise _refused(where, f"it is called RIGID and differs from a rotation by {off:.4f}")
    elif kind == "RIGID_SCALE":
        products = (linear.T @ linear, linear @ linear.T)
        off = min(float(np.abs(p - np.diag(np.diag(p))).max()) for p in products)
        if off > _ROUNDING:
            raise _refused(where, f"it is called RIGID_SCALE and shears by {off:.4f}")
    elif kind != "AFFINE":
        raise _refused(where, "its type is not RIGID, RIGID_SCALE or AFFINE")


def _refused(where: str, why: str) -> DataRefused:
    return DataRefused("registration_matrix_unusable", where=where, why=why)
