"""NRRD files: the header is looked at before ITK reads the volume.

Format: https://teem.sourceforge.net/nrrd/format.html. ITK brings the axes of the file's `space` to
LPS; what it would read without a place, or would not read at all, is refused here.
"""

from __future__ import annotations

import bz2
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from isal import igzip, igzip_lib
from numpy.typing import NDArray

from cta_data.errors import CtaError, DataRefused, without_text
from cta_data.formats.image_grid import ImageGrid, require_plausible_lengths
from cta_data.formats.nifti_geometry import SHEAR_TOLERANCE

LONGEST_HEADER = 1 << 20
SPACES = {
    "left-posterior-superior",
    "lps",
    "right-anterior-superior",
    "ras",
    "left-anterior-superior",
    "las",
}
"""Spaces whose axes ITK brings to LPS."""
GZIP, BZIP2 = ("gzip", "gz"), ("bzip2", "bz2")
HEADER_END = re.compile(rb"\n\r?\n")
DTYPES = {
    sitk.sitkInt8: "i1",
    sitk.sitkUInt8: "u1",
    sitk.sitkInt16: "i2",
    sitk.sitkUInt16: "u2",
    sitk.sitkInt32: "i4",
    sitk.sitkUInt32: "u4",
    sitk.sitkFloat32: "f4",
    sitk.sitkFloat64: "f8",
}


def read_nrrd(path: Path) -> sitk.Image:
    """Read a NRRD file as a 3-D scalar image (LPS, mm); see `read_nrrd_voxels`."""
    voxels, grid = read_nrrd_voxels(path)
    return grid.image(voxels)


def read_nrrd_voxels(path: Path) -> tuple[NDArray[np.generic], ImageGrid]:
    """Read the voxels (z, y, x) of a NRRD file and where they lie.

    A fourth axis of length 1 is dropped.

    Raises
    ------
    CtaError
        When the file is missing, or is a link whose content has not been fetched.
    DataRefused
        When it is no NRRD, is damaged or truncated, keeps its voxels in another file, is no scalar
        volume, or does not say where its voxels lie.
    """
    fields = read_fields(path)
    _require_volume(fields, path)
    try:
        if fields.get("encoding", "").lower() in GZIP + BZIP2:
            voxels, geometry = _inflated(fields, path)
        else:
            geometry = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
            voxels = sitk.GetArrayFromImage(geometry)
    except (RuntimeError, ValueError, igzip_lib.IsalError, OSError, EOFError) as error:  # type: ignore[misc]  # isal stub
        raise DataRefused(
            "the file is truncated or damaged",
            where=str(path),
            why=without_text(error),
            next_step="Copy or fetch the file again",
        ) from error
    voxels = voxels[0] if voxels.ndim == 4 and len(voxels) == 1 else voxels
    if voxels.ndim != 3:
        raise DataRefused(
            "one three-dimensional volume with one value a voxel is needed",
            where=str(path),
            why=f"sizes {fields['sizes']}",
        )
    grid = _grid(geometry, voxels.shape)
    _require_right_angles(grid, path)
    return voxels, grid


def read_fields(path: Path) -> dict[str, str]:
    """Return the fields of the header, names in lower case.

    Raises
    ------
    CtaError
        When the file is missing, or is a link whose content has not been fetched.
    DataRefused
        When it is no NRRD.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(LONGEST_HEADER)
    except FileNotFoundError as error:
        link = path.is_symlink()
        raise CtaError(
            "the file's content is not here" if link else "there is no such file",
            where=str(path),
            next_step=f"Run: datalad get {path}" if link else "",
        ) from error
    if not start.startswith(b"NRRD000"):
        raise DataRefused("this is no NRRD file", where=str(path))
    fields: dict[str, str] = {}
    for line in HEADER_END.split(start, 1)[0].splitlines()[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon and not line.startswith(b"#") and not value.startswith("="):
            fields[name.strip().lower()] = value.strip()
    return fields


def _inflated(fields: dict[str, str], path: Path) -> tuple[NDArray[np.generic], Any]:
    """Read a compressed file: geometry and type are ITK's, the voxels are inflated here.

    ITK does not look at the checksum: of voxels with one flipped bit it gives others, and says
    nothing.
    """
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    kind = DTYPES.get(reader.GetPixelID())
    if kind is None or fields.get("line skip", "0") != "0" or fields.get("byte skip", "0") != "0":
        return sitk.GetArrayFromImage(reader.Execute()), reader
    order: Literal["<", ">"] = "<"
    if fields.get("endian", "").lower() == "big":
        order = ">"
    dtype = np.dtype(kind).newbyteorder(order)
    packed = path.read_bytes()
    blank = HEADER_END.search(packed)
    start = blank.end() if blank else len(packed)
    size = reader.GetSize()
    expected = int(np.prod(size)) * dtype.itemsize
    content = _unpacked(packed[start:], fields["encoding"].lower(), expected)
    if len(content) != expected:
        raise DataRefused(
            "the file is truncated or damaged",
            where=str(path),
            why=f"{len(content)} of {expected} bytes of voxels are there",
            next_step="Copy or fetch the file again",
        )
    voxels = np.frombuffer(content, dtype).reshape(size[::-1])
    return voxels.astype(kind, copy=False), reader


def _unpacked(packed: bytes, encoding: str, expected: int) -> bytes:
    if encoding in BZIP2:
        return bz2.decompress(packed)  # which ITK cannot
    content = igzip_lib.decompress(packed, flag=igzip_lib.DECOMP_GZIP, bufsize=max(expected, 4096))
    # More than one gzip member: only the general reader goes on.
    return content if len(content) == expected else igzip.decompress(packed)


def _grid(geometry: Any, shape: tuple[int, ...]) -> ImageGrid:
    """Grid of a three-dimensional image or reader, or of the first three axes of four."""
    n = len(geometry.GetSpacing())
    direction = np.reshape(geometry.GetDirection(), (n, n))[:3, :3]
    z, y, x = shape
    spacing, origin = geometry.GetSpacing()[:3], geometry.GetOrigin()[:3]
    return ImageGrid((x, y, z), spacing, origin, tuple(direction.ravel().tolist()))


def _require_volume(fields: dict[str, str], path: Path) -> None:
    if "data file" in fields or "datafile" in fields:
        raise DataRefused(
            "the voxels are kept in another file",
            where=str(path),
            next_step="Save it as one .nrrd file",
        )
    sizes = fields.get("sizes", "").split()
    if len(sizes) != 3 and not (len(sizes) == 4 and sizes[3] == "1"):
        raise DataRefused(
            "one three-dimensional volume is needed",
            where=str(path),
            why=f"the file's sizes are {' × '.join(sizes) or 'missing'}",
        )
    _require_place(fields, path)


def _require_place(fields: dict[str, str], path: Path) -> None:
    """Refuse what ITK would put at the origin, or would measure in another unit."""
    space = fields.get("space", "").lower()
    directions = fields.get("space directions", "")
    origin = fields.get("space origin", "")
    axes = re.findall(r"none|\([^)]*\)", directions.lower())
    placed = len(axes) >= 3 and "none" not in axes[:3] and "(" in origin
    if space not in SPACES or not placed or "nan" in f"{directions}{origin}".lower():
        raise DataRefused(
            "the file does not say where its voxels lie",
            where=str(path),
            why="its space, space directions or space origin is missing or places no volume",
            next_step="Export it again with its orientation",
        )
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", "")))
    if not units <= {"mm", ""}:
        raise DataRefused(
            "the file's voxels are not measured in millimetres",
            where=str(path),
            why="its space units are others",
            next_step="Export it in millimetres",
        )


def _require_right_angles(grid: ImageGrid, path: Path) -> None:
    cosines = np.reshape(grid.direction, (3, 3))
    numbers = np.array([*grid.origin, *grid.spacing, *grid.direction])
    if not np.isfinite(numbers).all() or min(grid.spacing) <= 0:
        raise DataRefused("the file does not say where its voxels lie", where=str(path))
    require_plausible_lengths(grid.spacing, grid.origin, where=str(path))
    shear = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if shear > SHEAR_TOLERANCE:
        raise DataRefused(
            "the image's axes are not at right angles",
            where=str(path),
            why=f"cosine between two axes {shear:.4f}, at most {SHEAR_TOLERANCE} is allowed",
            next_step="Resample it onto an orthogonal grid",
        )
