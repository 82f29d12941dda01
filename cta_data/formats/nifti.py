"""NIfTI files in and out.

In memory an image is a `SimpleITK.Image` (LPS, mm); on disk it is NIfTI (RAS, mm). The voxel
buffer of both is the same (first axis fastest), so only the header is translated.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from isal import igzip, igzip_lib, isal_zlib
from numpy.typing import NDArray

from cta_data.errors import CtaError, DataRefused
from cta_data.formats.image_grid import LPS_TO_RAS, ImageGrid
from cta_data.formats.nifti_geometry import (
    NO_CHOICE,
    FormChoice,
    describe_affine,
    placed_affine,
    require_right_angles,
)
from cta_data.formats.voxel_values import require_plausible_scale
from cta_data.imaging.grid import Placed
from cta_data.whole_files import written_whole

COMPRESSION_LEVEL = 2
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = (
    31  # zlib's way to ask for a gzip wrapper; isal writes it without name and with time 0
)

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
            "only a three-dimensional image with one value per voxel can be written",
            where=str(path),
            why=f"{image.GetDimension()} axes, {image.GetNumberOfComponentsPerPixel()} components",
        )
    write_voxels(sitk.GetArrayViewFromImage(image), ras_affine(image), path)


def write_voxels(voxels: NDArray[np.generic], affine: NDArray[np.float64], path: Path) -> None:
    """Write voxels (z, y, x) as `write_image` writes an image.

    `affine` is the 4 × 4 matrix from voxel index (x, y, z) to RAS mm.
    """
    if not path.name.endswith((".nii", ".nii.gz")):
        raise CtaError("NIfTI is written to .nii or .nii.gz", where=str(path))
    voxels = np.ascontiguousarray(voxels)
    require_right_angles(affine, where=str(path))
    payload = _header_bytes(affine, voxels)
    with written_whole(path) as unfinished, unfinished.open("wb") as stream:
        if path.name.endswith(".gz"):
            packer = isal_zlib.compressobj(level=COMPRESSION_LEVEL, wbits=GZIP_WINDOW)
            stream.write(packer.compress(payload))
            stream.write(packer.compress(voxels.data.cast("B")))
            stream.write(packer.flush())
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
    _require_content(path)
    with path.open("rb") as stream:
        start = stream.read(4096)
    if start.startswith(GZIP_MAGIC):
        try:
            start = zlib.decompressobj(wbits=GZIP_WINDOW).decompress(start, 1024)
        except zlib.error as error:
            raise _damaged(path, error) from error
    return _parse_header(start, path)


def read_grid(path: Path) -> ImageGrid:
    """Read where the voxels of a file lie, without inflating them.

    Raises
    ------
    CtaError, DataRefused
        As `read_image` does for a file that is missing, or whose header places no volume.
    """
    header = read_header(path)
    shape = _shape_3d(header, path)
    return ImageGrid.of(shape, placed_affine(header, shape, where=str(path)))


def ras_affine(image: Placed) -> NDArray[np.float64]:
    """4 × 4 matrix from voxel index (x, y, z) to RAS mm."""
    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine


def image_from_array(voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> sitk.Image:
    """Image from an array with axes z, y, x and a 4 × 4 matrix from index (x, y, z) to RAS mm."""
    z, y, x = voxels.shape
    return ImageGrid.of((x, y, z), affine).image(voxels)


def same_grid(first: Placed, second: Placed, tolerance: float = 1e-2) -> bool:
    """Whether two 3-D images have the same size and every corner within `tolerance` mm."""
    if first.GetSize() != second.GetSize():
        return False
    return _largest_corner_distance(first, second) <= tolerance


def describe_grid_difference(first: Placed, second: Placed) -> str:
    """Both grids in words, and how far apart their corners lie where the sizes agree."""
    text = f"{_describe_grid(first)} against {_describe_grid(second)}"
    if first.GetSize() == second.GetSize():
        text += f"; corners up to {_largest_corner_distance(first, second):.3g} mm apart"
    return text


def _largest_corner_distance(first: Placed, second: Placed) -> float:
    last = np.array(first.GetSize()) - 1
    corners = np.array(np.meshgrid(*[(0, end) for end in last])).reshape(3, -1)
    corners = np.vstack([corners, np.ones(corners.shape[1])])
    difference = (ras_affine(first) - ras_affine(second)) @ corners
    return float(np.linalg.norm(difference[:3], axis=0).max())


def _describe_grid(image: Placed) -> str:
    size = " × ".join(str(n) for n in image.GetSize())
    return f"{size} voxels of {describe_affine(ras_affine(image))}"


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


def _require_content(path: Path) -> None:
    if path.exists():
        return
    if path.is_symlink():
        raise CtaError(
            "the file's content is not here: it was not fetched",
            where=str(path),
            next_step=f"Run: datalad get {path}",
        )
    raise CtaError("there is no such file", where=str(path))


def header_geometry(
    content: bytes, path: Path, choice: FormChoice = NO_CHOICE
) -> tuple[nib.Nifti1Header, tuple[int, int, int], NDArray[np.float64]]:
    """Header, shape (x, y, z) and matrix from voxel index to RAS mm of a file's content.

    Raises
    ------
    DataRefused
        As `read_image` does for a file whose header is not that of one placed volume.
    """
    header = _parse_header(content, path)
    shape = _shape_3d(header, path)
    return header, shape, placed_affine(header, shape, where=str(path), choice=choice)


def voxel_layout(
    header: nib.Nifti1Header, shape: tuple[int, int, int], content: bytes, path: Path
) -> tuple[np.dtype[np.generic], int]:
    """Type of the voxels and the byte at which they begin; they are all there.

    Raises
    ------
    DataRefused
        When the voxels are in another file (`.hdr` and `.img`), are no plain numbers, begin inside
        the header, or are not all there.
    """
    if not bytes(header["magic"]).startswith(b"n+"):
        raise DataRefused(
            "the voxels are kept in another file",
            where=str(path),
            next_step="Save header and voxels as one .nii.gz file",
        )
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise DataRefused("voxels must be plain numbers", where=str(path), why=f"type {dtype}")
    begin = float(header["vox_offset"])
    if not header.sizeof_hdr + 4 <= begin < float("inf"):
        raise DataRefused(
            "the header does not say where the voxels begin",
            where=str(path),
            why=f"vox_offset is {begin:g}",
            next_step="Write the file again with another program",
        )
    offset, needed = int(begin), int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(content) < offset + needed:
        raise DataRefused(
            "the file ends before its voxels do",
            where=str(path),
            why=f"{max(len(content) - offset, 0)} of {needed} bytes are there",
            next_step="Copy or fetch the file again",
        )
    return dtype, offset


def read_content(path: Path) -> bytes:
    """Bytes of a file, inflated where it is compressed, and checked.

    Raises
    ------
    CtaError
        When the file is missing, or is a link whose content has not been fetched.
    DataRefused
        When the compressed file is truncated or damaged.
    """
    _require_content(path)
    packed = path.read_bytes()
    if not packed.startswith(GZIP_MAGIC):
        return packed
    # The gzip trailer holds the size modulo 2^32: a hint that spares the buffer from growing.
    hint = struct.unpack("<I", packed[-4:])[0] if len(packed) >= 18 else 0
    hint = min(hint, 1032 * len(packed))  # no deflate stream expands further than this
    try:
        content = igzip_lib.decompress(packed, flag=igzip_lib.DECOMP_GZIP, bufsize=max(hint, 4096))
        # More than one gzip member (bgzip, concatenation): only the general reader goes on.
        return content if len(content) == hint else igzip.decompress(packed)
    except (igzip_lib.IsalError, OSError, EOFError) as error:  # type: ignore[misc]  # isal stub
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataRefused:
    return DataRefused(
        "the compressed file is truncated or damaged",
        where=str(path),
        why=str(error),
        next_step="Copy or fetch the file again",
    )


class _Remarks(list[tuple[int, str]]):
    """Takes nibabel's remarks on a header; where it is refused, its error says all."""

    def log(self, level: int, message: str) -> None:
        self.append((level, message))


def _parse_header(content: bytes, path: Path) -> nib.Nifti1Header:
    start = bytes(content[:540])
    kind = nib.Nifti2Header if start[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nib.Nifti1Header
    remarks = _Remarks()
    try:
        header = kind(start[: kind.sizeof_hdr], check=False)
        bits = int(header["bitpix"])
        header.check_fix(logger=remarks)
    except (nib.spatialimages.HeaderDataError, nib.wrapstruct.WrapStructError) as error:
        raise DataRefused("this is no NIfTI file", where=str(path), why=str(error)) from error
    dtype = header.get_data_dtype()
    if bits != 8 * dtype.itemsize:  # nibabel would believe the type
        raise DataRefused(
            "the header contradicts itself about the type of its voxels",
            where=str(path),
            why=f"datatype {int(header['datatype'])} ({dtype}) has {8 * dtype.itemsize} bits a "
            f"voxel, bitpix says {bits}",
            next_step="Write the file again with another program",
        )
    for level, message in remarks:
        nib.imageglobals.logger.log(level, message)
    return header


def _shape_3d(header: nib.Nifti1Header, path: Path) -> tuple[int, int, int]:
    shape = [int(n) for n in header.get_data_shape()]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) != 3 or min(shape) < 1:
        raise DataRefused(
            "one three-dimensional volume is needed",
            where=str(path),
            why=f"the file's shape is {' × '.join(map(str, header.get_data_shape()))}",
        )
    return shape[0], shape[1], shape[2]
