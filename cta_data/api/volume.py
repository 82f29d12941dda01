"""An image in memory: its voxels, their geometry, and their frame of reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray

from cta_data.destinations import require_file_place
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.formats.nifti.geometry import (
    NO_CHOICE,
    FormChoice,
    require_right_angles,
    unit_mm,
)
from cta_data.formats.nifti.image import write_voxels
from cta_data.formats.nrrd import is_nrrd, read_nrrd_voxels
from cta_data.formats.reference_image import read_reference_image
from cta_data.given_paths import given_path, require_given
from cta_data.imaging.geometry.grid import Grid, ras_affine, same_grid

if TYPE_CHECKING:
    from cta_data.imaging.rasterization.contours import ImageIdentity

_LAST_ROW = (0.0, 0.0, 0.0, 1.0)
_STORED_AS: dict[type, type] = {
    np.bool_: np.uint8,
    np.float16: np.float32,
    np.longdouble: np.float64,
}


@dataclass(frozen=True, eq=False)
class Volume:
    """A three-dimensional image with one value per voxel.

    Attributes
    ----------
    array
        Voxels, shape (x, y, z), as in nibabel. `numpy.asarray(volume)` is the same array.
    affine
        4 × 4 matrix from voxel index (x, y, z) to RAS mm.
    frame
        UID of the DICOM frame of reference; None if the source has none.

    Raises
    ------
    DataRefused
        The array is not numeric with three axes, has no voxel, or the affine is not a grid with
        right angles.
    """

    array: NDArray[np.generic]
    affine: NDArray[np.float64]
    frame: str | None = None
    identity: ImageIdentity | None = field(default=None, repr=False)
    """UIDs by which a structure set may refer to it; of images read from DICOM alone."""

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        affine = _numbers(self.affine)
        if array.ndim == 4 and array.shape[3] == 1:
            array = array[..., 0]
        if array.ndim != 3 or array.dtype.kind not in "biuf":
            raise DataRefused("array_not_a_volume", shape=str(array.shape), dtype=array.dtype)
        if not array.size:
            raise DataRefused("array_without_voxels", shape=str(array.shape))
        if (
            affine.shape != (4, 4)
            or not np.isfinite(affine).all()
            or (affine[3] != _LAST_ROW).any()
        ):
            raise DataRefused("affine_invalid", found=_in_short(affine))
        if not affine[:3, :3].any(axis=0).all():
            raise DataRefused("affine_without_extent", affine=str(affine[:3, :3].tolist()))
        # As read from a file of the other byte order: not every library tells the two apart.
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        object.__setattr__(self, "array", native)
        object.__setattr__(self, "affine", require_right_angles(affine, where="affine"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """Return the voxels, shape (x, y, z)."""
        return np.array(self.array, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        size, spacing = (
            " × ".join(f"{value:.4g}" for value in values) for values in (self.shape, self.spacing)
        )
        return f"Volume({size} voxels of {spacing} mm, {self.orientation}, {self.array.dtype})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y, z."""
        x, y, z = self.array.shape
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of voxel centres along x, y, z, mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def orientation(self) -> str:
        """Direction of each axis, such as `RAS`."""
        return "".join(nib.aff2axcodes(self.affine))

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def same_grid(self, other: Volume) -> bool:
        """Return whether another volume has the same size and every voxel within 0.01 mm."""
        require_volume(other, "the other volume")
        return same_grid(self.grid, other.grid)

    @property
    def grid(self) -> Grid:
        """The grid of the voxels."""
        return Grid.of_affine(self.shape, self.affine)

    def with_array(self, array: ArrayLike) -> Volume:
        """Return a volume with other voxels on the same grid, such as a mask."""
        voxels = np.asarray(array)
        if voxels.shape != self.shape:
            raise DataRefused(
                "array_shape_differs", shape=str(voxels.shape), expected_shape=str(self.shape)
            )
        return Volume(voxels, self.affine, self.frame, self.identity)

    @classmethod
    def from_sitk(cls, image: sitk.Image, identity: ImageIdentity | None = None) -> Volume:
        """Return the volume of a SimpleITK image (LPS mm).

        Raises
        ------
        DataRefused
            It has two or four axes, or several values per voxel.
        """
        if image.GetDimension() != 3:
            raise DataRefused(
                "array_not_a_volume",
                shape=str(image.GetSize()),
                dtype=image.GetPixelIDTypeAsString(),
            )
        frame = identity.frame_of_reference_uid if identity else None
        return cls(sitk.GetArrayFromImage(image).T, ras_affine(image), frame, identity)

    @classmethod
    def from_nibabel(cls, image: Any) -> Volume:
        """Return the volume of a nibabel image, with its affine and scaling applied.

        Metres and micrometres of a NIfTI header become mm.
        """
        affine = _numbers(image.affine)
        if isinstance(image.header, nib.Nifti1Header) and affine.shape == (4, 4):
            affine = np.diag([*[unit_mm(image.header, where="image")] * 3, 1.0]) @ affine
        return cls(np.asanyarray(image.dataobj), affine)

    def to_sitk(self) -> sitk.Image:
        """Return a SimpleITK image (LPS mm); booleans become unsigned bytes."""
        return self.grid.image(self._by_slices())

    def to_nibabel(self) -> nib.Nifti1Image:
        """Return a NIfTI-1 image in memory, with equal sform and qform, mm."""
        voxels = self._stored()
        image = nib.Nifti1Image(voxels, self.affine, dtype=voxels.dtype)
        image.set_qform(self.affine, code="scanner")
        image.set_sform(self.affine, code="scanner")
        image.header.set_xyzt_units("mm")
        return image

    def save(self, path: Path | str) -> None:
        """Write `.nii.gz` or `.nii`, completely or not at all; equal volumes give equal bytes.

        A folder that does not exist is made.

        Raises
        ------
        ConfigurationError
            The place cannot be written.
        CtaError
            The name has another extension.
        """
        place = given_path(path)
        require_file_place(place, (), overwrite=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_voxels(self._by_slices(), self.affine, place)

    def _stored(self) -> NDArray[np.generic]:
        """Voxels of a type that NIfTI and SimpleITK hold: float16 becomes float32."""
        kept = _STORED_AS.get(self.array.dtype.type)
        return self.array if kept is None else self.array.astype(kept)

    def _by_slices(self) -> NDArray[np.generic]:
        """Voxels as (z, y, x), in one piece."""
        return np.ascontiguousarray(self._stored().T)


def read_image(
    path: Path | str, *, series: str | Sequence[str] = (), form: FormChoice = NO_CHOICE
) -> Volume:
    """Read an image: a NIfTI or NRRD file, one multi-frame DICOM file or a folder with a series.

    A DICOM series keeps its UIDs, with which `rasterize` checks that contours belong to it.

    Parameters
    ----------
    series
        Series UID to select, or several of which the folder holds one.
    form
        Which one to use if sform and qform of a NIfTI header contradict each other.

    Raises
    ------
    ConfigurationError
        The file does not exist.
    DataRefused
        The file is damaged, is not three-dimensional, has no geometry, or is not of these series.
    """
    source = given_path(path)
    require_given(source)
    wanted = (series,) if isinstance(series, str) else tuple(series)
    if is_nrrd(source):
        voxels, grid = read_nrrd_voxels(source)
        image = Volume.from_sitk(grid.image(voxels))
    else:
        image = Volume.from_sitk(*read_reference_image(source, wanted, form))
    found = image.identity.series_uid if image.identity else ""
    if wanted and found not in wanted:
        told = found or "no DICOM series"
        raise DataRefused("image_series_not_found", where=source, series=wanted, found=told)
    return image


def require_volume(given: object, what: str) -> None:
    """Refuse arrays, paths and all else where a volume is wanted; `what` is its part in the call.

    Raises
    ------
    ConfigurationError
        With how to make a volume of it.
    """
    if not isinstance(given, Volume):
        raise ConfigurationError("volume_expected", what=what, given=type(given).__name__)


def require_one_frame(frames: Mapping[str, str | None]) -> None:
    """Refuse images whose frames of reference differ: equal coordinates are different places.

    An image without a frame of reference, as of a NIfTI file, may belong to any.

    Parameters
    ----------
    frames
        UID of the frame of reference of each image, by its part in the call.

    Raises
    ------
    DataRefused
        With the frame of reference of each.
    """
    known = {what: frame for what, frame in frames.items() if frame}
    if len(set(known.values())) > 1:
        found = tuple(f"{what}: {frame}" for what, frame in known.items())
        raise DataRefused("frames_of_reference_differ", frames=found)


def _numbers(affine: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(affine, np.float64)
    except (TypeError, ValueError) as error:
        raise DataRefused("affine_invalid", found=type(affine).__name__) from error


def _in_short(affine: NDArray[np.float64]) -> str:
    if affine.shape != (4, 4):
        return f"shape {affine.shape}"
    return "; ".join(" ".join(f"{value:g}" for value in row) for row in affine)
