"""Read DICOM Spatial Registration and Deformable Spatial Registration objects.

PS3.3 C.20.2: a matrix brings points of an item's frame of reference to the registered frame of
reference; several matrices of one item are applied in the order of the items.
PS3.3 C.20.3: a deformation brings points x of the registered frame to points
``Post · (Pre · x + Δ(x))`` of the source frame, with Δ sampled on a grid in the registered frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.header import damage_refused, object_name
from cta_data.formats.dicom.registration_matrix import check_matrix, read_matrices
from cta_data.formats.dicom.rtstruct import read_dicom_object

SPATIAL_REGISTRATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE_SPATIAL_REGISTRATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.3"

# Two statements about one frame contradict each other when they place a head this far apart.
_AGREE_MM = 0.05
_HEAD_CORNERS_MM = 100.0 * np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1)


@dataclass(frozen=True, eq=False)
class Deformation:
    """A deformation from registered to source points: ``post @ (pre @ x + Δ(x))``.

    ``field`` holds Δ in mm (LPS), or is None where the object has matrices only. Grid points
    whose deformation is undefined are NaN.
    """

    pre: NDArray[np.float64]
    post: NDArray[np.float64]
    field: sitk.Image | None


@dataclass(frozen=True, eq=False)
class SpatialRegistration:
    """What one registration object says.

    ``matrices`` brings points of each frame to the registered frame (4 × 4, LPS, mm);
    ``deformations`` is by source frame. ``referenced_sop_uids`` lists, by frame, the images
    that an item named. ``notes`` says what was tolerated.
    """

    registered_frame_uid: str
    matrices: dict[str, NDArray[np.float64]]
    deformations: dict[str, Deformation]
    referenced_sop_uids: dict[str, frozenset[str]]
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> frozenset[str]:
        """All frames of reference that this object connects."""
        return frozenset({self.registered_frame_uid, *self.matrices, *self.deformations})

    def connects(self, fixed_frame_uid: str, moving_frame_uid: str) -> bool:
        """Whether :meth:`transform` can answer for this pair."""
        pair = {fixed_frame_uid, moving_frame_uid}
        if not pair <= self.frames:
            return False
        return fixed_frame_uid not in self.deformations or len(pair) == 1

    def transform(self, fixed_frame_uid: str, moving_frame_uid: str) -> sitk.Transform:
        """The transform from points of the fixed frame to points of the moving frame (LPS, mm).

        That is ITK's resampling direction. An affine transform, or for a deformation a
        displacement field (with its matrices, where they are not identity, as a composite).

        Raises
        ------
        DataRefused
            If a frame is not named here, or a deformation would have to be inverted.
        """
        if not {fixed_frame_uid, moving_frame_uid} <= self.frames:
            raise DataRefused("registration_frames_not_connected", n_frames=len(self.frames))
        if fixed_frame_uid == moving_frame_uid:
            return _affine(np.eye(4))
        if fixed_frame_uid in self.deformations:
            raise DataRefused("deformation_direction_reversed")
        to_registered = self.matrices.get(fixed_frame_uid, np.eye(4))
        deformation = self.deformations.get(moving_frame_uid)
        if deformation is not None:
            return _deforming(deformation, to_registered)
        back = np.linalg.inv(self.matrices.get(moving_frame_uid, np.eye(4)))
        return _affine(back @ to_registered)


def read_spatial_registration(source: Path | pydicom.Dataset) -> SpatialRegistration:
    """Read a registration object, rigid, affine or deformable.

    Raises
    ------
    DataRefused
        If it is no registration object, is cut off, contradicts itself, or holds a matrix that
        is not what it claims to be, cannot be inverted, mirrors, or scales beyond reason.
    """
    if isinstance(source, pydicom.Dataset):
        dataset, where = source, "registration object"
    else:
        dataset, where = read_dicom_object(source), str(source)
    with damage_refused("the registration object", where):
        return _registration(dataset, where)


def _registration(dataset: pydicom.Dataset, where: str) -> SpatialRegistration:
    sop_class = dataset.get("SOPClassUID")
    if sop_class not in (SPATIAL_REGISTRATION_STORAGE, DEFORMABLE_SPATIAL_REGISTRATION_STORAGE):
        raise DataRefused(
            "not_a_registration_object", where=where, object_name=object_name(dataset)
        )
    registered = str(dataset.get("FrameOfReferenceUID") or "")
    if not registered:
        raise DataRefused("registration_frame_of_reference_missing", where=where)
    if sop_class == SPATIAL_REGISTRATION_STORAGE:
        return _read_matrices(dataset, registered, where)
    return _read_deformations(dataset, registered, where)


def _read_matrices(dataset: pydicom.Dataset, registered: str, where: str) -> SpatialRegistration:
    matrices: dict[str, NDArray[np.float64]] = {}
    images: dict[str, frozenset[str]] = {}
    notes: list[str] = []
    for item in dataset.get("RegistrationSequence") or []:
        frame = str(item.get("FrameOfReferenceUID") or "")
        if not frame:
            notes.append("an item that names images but no frame of reference is left out")
            continue
        matrix = read_matrices(item.get("MatrixRegistrationSequence"), where, notes)
        previous = np.eye(4) if frame == registered else matrices.get(frame, matrix)
        apart = _apart_mm(previous, matrix)
        if apart > _AGREE_MM:
            raise DataRefused("registration_matrices_contradict", where=where, apart_mm=apart)
        if frame != registered:
            matrices.setdefault(frame, matrix)
        images[frame] = images.get(frame, frozenset()) | _images(item)
    if not images:
        raise DataRefused("registration_object_empty", where=where)
    return SpatialRegistration(registered, matrices, {}, images, tuple(dict.fromkeys(notes)))


def _read_deformations(
    dataset: pydicom.Dataset, registered: str, where: str
) -> SpatialRegistration:
    matrices: dict[str, NDArray[np.float64]] = {}
    deformations: dict[str, Deformation] = {}
    images: dict[str, frozenset[str]] = {}
    notes: list[str] = []
    for item in dataset.get("DeformableRegistrationSequence") or []:
        frame = str(item.get("SourceFrameOfReferenceUID") or "")
        if frame in images:
            raise DataRefused("deformation_repeated", where=where)
        images[frame] = _images(item)
        pre = _one_matrix(item, "PreDeformationMatrixRegistrationSequence", where)
        post = _one_matrix(item, "PostDeformationMatrixRegistrationSequence", where)
        grid = _only_item(item, "DeformableRegistrationGridSequence", where)
        if grid is not None:
            deformations[frame] = Deformation(pre, post, _field(grid, where))
        elif frame == registered and _apart_mm(np.eye(4), post @ pre) > _AGREE_MM:
            raise DataRefused("registration_sequences_contradict", where=where)
        elif frame != registered:
            matrices[frame] = np.asarray(np.linalg.inv(post @ pre), dtype=np.float64)
    if not images:
        raise DataRefused("registration_object_empty", where=where)
    return SpatialRegistration(registered, matrices, deformations, images, tuple(notes))


def _images(item: pydicom.Dataset) -> frozenset[str]:
    references = item.get("ReferencedImageSequence") or []
    return frozenset(str(image.get("ReferencedSOPInstanceUID")) for image in references)


def _one_matrix(item: pydicom.Dataset, keyword: str, where: str) -> NDArray[np.float64]:
    """The matrix of a pre- or post-deformation sequence; identity where there is none."""
    matrix = _only_item(item, keyword, where)
    return np.eye(4) if matrix is None else check_matrix(matrix, where)


def _only_item(item: pydicom.Dataset, keyword: str, where: str) -> pydicom.Dataset | None:
    """The item of a sequence that may hold one (PS3.3 C.20.3); None where there is none."""
    items = list(item.get(keyword) or [])
    if len(items) > 1:
        raise DataRefused(
            "registration_item_repeated", where=where, n_items=len(items), keyword=keyword
        )
    return items[0] if items else None


def _field(grid: pydicom.Dataset, where: str) -> sitk.Image:
    """The displacement field, mm (LPS), with the geometry of the deformation grid."""
    try:
        size = [int(n) for n in grid.GridDimensions]
        spacing = [float(n) for n in grid.GridResolution]
        origin = [float(n) for n in grid.ImagePositionPatient]
        axes = np.array(grid.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)
        vectors = np.frombuffer(grid.VectorGridData, dtype="<f4").astype(np.float64)
        vectors = vectors.reshape(size[2], size[1], size[0], 3)
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise DataRefused(
            "deformation_grid_unreadable", where=where, error_type=without_text(error)
        ) from error
    direction = np.stack([axes[0], axes[1], np.cross(axes[0], axes[1])], axis=1)
    if min(spacing) <= 0 or not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise DataRefused(
            "deformation_grid_invalid",
            where=where,
            spacing=str(spacing),
            axes=str(axes.round(4).ravel().tolist()),
        )
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction.ravel().tolist())
    return image


def _deforming(deformation: Deformation, to_registered: NDArray[np.float64]) -> sitk.Transform:
    """Fixed points to source points: to the registered frame, deform, then the two matrices.

    ``post (pre x + Δ)`` is ``(post pre)(x + pre⁻¹ Δ)`` for the linear part of ``pre``, so that
    outside of the grid, where a field is zero, the matrices still hold.
    """
    both = deformation.post @ deformation.pre
    if deformation.field is None:
        return _affine(both @ to_registered)
    shift = sitk.GetArrayFromImage(deformation.field) @ np.linalg.inv(deformation.pre[:3, :3]).T
    field = sitk.GetImageFromArray(shift, isVector=True)
    field.CopyInformation(deformation.field)
    moved = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    # A composite applies the transform that was added last first.
    steps = [_affine(both), moved, _affine(to_registered)]
    if np.array_equal(to_registered, np.eye(4)):
        steps.pop()
    if np.array_equal(both, np.eye(4)):
        steps.pop(0)
    return steps[0] if len(steps) == 1 else sitk.CompositeTransform(steps)


def _affine(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def _apart_mm(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """How far apart two maps place the corners of a head around the first one's fixed centre."""
    difference = first - second
    moved = difference[:3, :3] @ _HEAD_CORNERS_MM + difference[:3, 3:]
    return float(np.linalg.norm(moved, axis=0).max())
