"""NIfTI files in and out.

In memory an image is a `SimpleITK.Image` (LPS, mm); on disk it is NIfTI (RAS, mm). The voxel
buffer of both is the same (first axis fastest), so only the header is translated.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import CtaError, DataRefused
from cta_data.files import written_whole
from cta_data.formats.deflation import gzipped
from cta_data.formats.nifti.content import (
    header_start,
    parse_header,
    read_content,
    shape_3d,
    voxel_layout,
)
from cta_data.formats.nifti.geometry import (
    NO_CHOICE,
    FormChoice,
    placed_affine,
    require_right_angles,
)
from cta_data.formats.voxel_values import require_plausible_scale
from cta_data.imaging.geometry.grid import Grid, ras_affine
from cta_data.size_limit import require_allowed

XYZ_MILLIMETRES = 2
SCANNER_CODE = 1


def write_image(image: sitk.Image, path: Path) -> None:
    """Write a 3-D scalar image as NIfTI-1, the same bytes for the same image.

    The gzip header holds no name and no time, `descrip` is empty, sform and qform carry the same
    grid with code 1 (scanner), units are mm. The file appears under its name only when it is
    complete, so a symbolic link of git-annex is replaced and never written through.

    Parameters
    ----------
    image
        SimpleITK image with three axes and one component; LPS, mm.
    path
        Ends in `.nii.gz` or `.nii`; its folder exists.

    Raises
    ------
    DataRefused
        For an image that is not 3-D or not scalar, or a grid with shear.
    CtaError
        For a path with another ending.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise DataRefused(
            "image_not_writable_as_nifti",
            where=path,
            n_dimensions=image.GetDimension(),
            n_components=image.GetNumberOfComponentsPerPixel(),
        )
    write_voxels(sitk.GetArrayViewFromImage(image), ras_affine(image), path)


def write_voxels(voxels: NDArray[np.generic], affine: NDArray[np.float64], path: Path) -> None:
    """Write voxels (z, y, x) as `write_image` writes an image.

    `affine` is the 4 × 4 matrix from voxel index (x, y, z) to RAS mm.
    """
    if not path.name.endswith((".nii", ".nii.gz")):
        raise CtaError("nifti_extension_invalid", where=path)
    voxels = np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("="))
    require_right_angles(affine, where=str(path))
    payload = _header_bytes(affine, voxels)
    with written_whole(path) as unfinished, unfinished.open("wb") as stream:
        if path.name.endswith(".gz"):
            stream.writelines(gzipped(payload, voxels))
        else:
            stream.write(payload)
            stream.write(voxels.data.cast("B"))


def read_image(path: Path, choice: FormChoice = NO_CHOICE) -> sitk.Image:
    """Read a NIfTI file as a 3-D SimpleITK image (LPS, mm).

    Where its voxels lie: see `placed_affine`; `choice` says which form is right where
    they contradict each other. A fourth axis of length 1 is dropped. A slope and intercept are
    applied (float32).

    Raises
    ------
    CtaError
        When the file is missing, or is a link whose content has not been fetched.
    DataRefused
        When the file is truncated, is no NIfTI, has more than one volume, or does not say where
        its voxels lie.
    """
    content = read_content(path)
    header, shape, affine = header_geometry(content, path, choice)
    return image_from_array(scaled_voxels(header, shape, content, path), affine)


def scaled_voxels(
    header: nib.Nifti1Header, shape: tuple[int, int, int], content: bytes, path: Path
) -> NDArray[np.generic]:
    """Values (z, y, x) of a file's content: as stored, or float32 where they are scaled.

    Raises
    ------
    DataRefused
        As `voxel_layout` and `value_scale` do.
    """
    dtype, offset = voxel_layout(header, shape, content, path)
    count = int(np.prod(shape))
    voxels = np.frombuffer(content, dtype, count, offset).reshape(shape[::-1])
    slope, intercept = value_scale(header, path)
    if (slope, intercept) != (1.0, 0.0):
        require_allowed(4 * count, where=str(path))
        voxels = voxels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)


def value_scale(header: nib.Nifti1Header, path: Path) -> tuple[float, float]:
    """Slope and intercept of the stored values; 1 and 0 where the header gives no slope.

    Raises
    ------
    DataRefused
        One of them is no number that values can be scaled by.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0  # "not given" (nifti1.h); nibabel writes NaN for it
    require_plausible_scale(slope, intercept, where=str(path))
    return slope, intercept


def read_header(path: Path) -> nib.Nifti1Header:
    """Read the NIfTI header alone, without inflating the voxels.

    Raises
    ------
    CtaError
        As `read_image` does for files that are missing or not fetched.
    DataRefused
        When the file is no NIfTI.
    """
    return parse_header(header_start(path), path)


def read_grid(path: Path) -> Grid:
    """Read where the voxels of a file lie, without inflating them.

    Raises
    ------
    CtaError, DataRefused
        As `read_image` does for a file that is missing, or whose header places no volume.
    """
    header = read_header(path)
    shape = shape_3d(header, path)
    return Grid.of_affine(shape, placed_affine(header, shape, where=str(path)))


def image_from_array(voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> sitk.Image:
    """Image from an array with axes z, y, x and a 4 × 4 matrix from index (x, y, z) to RAS mm."""
    z, y, x = voxels.shape
    return Grid.of_affine((x, y, z), affine).image(voxels)


def _header_bytes(affine: NDArray[np.float64], voxels: NDArray[np.generic]) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape[::-1])
    header.set_qform(affine, SCANNER_CODE)
    header.set_sform(affine, SCANNER_CODE)
    header.set_xyzt_units(XYZ_MILLIMETRES)
    header.set_slope_inter(1.0, 0.0)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return bytes(header.binaryblock) + b"\0\0\0\0"


def header_geometry(
    content: bytes, path: Path, choice: FormChoice = NO_CHOICE
) -> tuple[nib.Nifti1Header, tuple[int, int, int], NDArray[np.float64]]:
    """Header, shape (x, y, z) and matrix from voxel index to RAS mm of a file's content.

    Raises
    ------
    DataRefused
        As `read_image` does for a file whose header is not that of one placed volume.
    """
    header = parse_header(content, path)
    shape = shape_3d(header, path)
    return header, shape, placed_affine(header, shape, where=str(path), choice=choice)
