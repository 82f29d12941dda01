"""NRRD files: the header is looked at before ITK reads the volume.

Format: https://teem.sourceforge.net/nrrd/format.html. ITK brings the axes of the file's `space` to
LPS; what it would read without a place, or would not read at all, is refused here.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import CtaError, DataRefused, without_text
from cta_data.formats.inflation import (
    DAMAGED,
    DEFLATE_RATIO,
    Overfull,
    inflate_bzip2,
    inflate_gzip,
)
from cta_data.formats.lengths import require_plausible_lengths
from cta_data.formats.nifti.geometry import SHEAR_TOLERANCE
from cta_data.imaging.geometry.grid import Grid
from cta_data.size_limit import require_allowed, require_file_allowed

NRRD_ENDINGS = (".nrrd", ".nhdr")
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
TYPE_BYTES = {
    1: "signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t",
    2: "short, short int, signed short, signed short int, int16, int16_t, ushort, unsigned short, "
    "unsigned short int, uint16, uint16_t",
    4: "int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t, float",
    8: "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t, ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t, double",
}
"""Names of the types of voxels, by the bytes that one takes."""
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


def is_nrrd(path: Path) -> bool:
    """Return whether a file is NRRD by its name, in capitals or not."""
    return path.name.lower().endswith(NRRD_ENDINGS)


def read_nrrd_voxels(path: Path) -> tuple[NDArray[np.generic], Grid]:
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
    _require_possible(fields, path)
    try:
        if fields.get("encoding", "").lower() in GZIP + BZIP2:
            voxels, geometry = _inflated(fields, path)
        else:
            geometry = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
            voxels = sitk.GetArrayFromImage(geometry)
    except (RuntimeError, ValueError, *DAMAGED) as error:  # type: ignore[misc]  # isal stub
        raise _damaged(path, without_text(error)) from error
    voxels = voxels[0] if voxels.ndim == 4 and len(voxels) == 1 else voxels
    if voxels.ndim != 3:
        raise DataRefused("nrrd_sizes_invalid", where=path, sizes=str(fields["sizes"]))
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
            "nrrd_content_not_fetched" if link else "file_not_found", where=path, path=path
        ) from error
    if not start.startswith(b"NRRD000"):
        raise DataRefused("not_an_nrrd_file", where=path)
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
    inflate = inflate_bzip2 if fields["encoding"].lower() in BZIP2 else inflate_gzip
    try:
        content = inflate(packed[start:], expected)
    except Overfull as error:
        raise _damaged(path, f"more than {expected} bytes of voxels are there") from error
    if len(content) != expected:
        raise _damaged(path, f"{len(content)} of {expected} bytes of voxels are there")
    voxels = np.frombuffer(content, dtype).reshape(size[::-1])
    return voxels.astype(kind, copy=False), reader


def _require_possible(fields: dict[str, str], path: Path) -> None:
    """Hold the size of the voxels against what the file can hold, and against the limit.

    Raises
    ------
    DataRefused
        The file is too small for them, or they are no plain numbers.
    TooLarge
        They are larger than the limit, or the file is.
    """
    on_disk = require_file_allowed(path)
    kind = " ".join(fields.get("type", "").lower().split())
    each = next((size for size, names in TYPE_BYTES.items() if kind in names.split(", ")), 0)
    if not each:
        # Of a text that is no type of NRRD nothing tells what it is: it may be a name.
        told = kind if kind == "block" else "unknown"
        raise DataRefused("nrrd_type_unsupported", where=path, kind=told)
    encoding = fields.get("encoding", "").lower()
    voxels = math.prod(map(int, fields["sizes"].split()))
    smallest = voxels * each if encoding == "raw" else voxels  # as text, a digit each
    if encoding in GZIP:
        smallest = voxels * each // DEFLATE_RATIO
    elif encoding in BZIP2:
        smallest = 0
    if on_disk < smallest:
        raise _damaged(path, f"{on_disk} bytes cannot hold {voxels} voxels")
    require_allowed(voxels * each, where=str(path))


def _damaged(path: Path, why: str) -> DataRefused:
    return DataRefused("nrrd_damaged", where=path, why=why)


def _grid(geometry: Any, shape: tuple[int, ...]) -> Grid:
    """Grid of a three-dimensional image or reader, or of the first three axes of four."""
    n = len(geometry.GetSpacing())
    direction = np.reshape(geometry.GetDirection(), (n, n))[:3, :3]
    z, y, x = shape
    spacing, origin = np.array(geometry.GetSpacing()[:3]), np.array(geometry.GetOrigin()[:3])
    return Grid((x, y, z), spacing, origin, direction)


def _require_volume(fields: dict[str, str], path: Path) -> None:
    if "data file" in fields or "datafile" in fields:
        raise DataRefused("nrrd_voxels_in_another_file", where=path)
    sizes = fields.get("sizes", "").split()
    numbers = all(size.isascii() and size.isdigit() and len(size) < 10 for size in sizes)
    if not numbers or (len(sizes) != 3 and sizes[3:] != ["1"]):
        told = (" × ".join(sizes) or "missing") if numbers else "no numbers"
        raise DataRefused("nrrd_not_a_volume", where=path, sizes=told)
    _require_place(fields, path)


def _require_place(fields: dict[str, str], path: Path) -> None:
    """Refuse what ITK would put at the origin, or would measure in another unit."""
    space = fields.get("space", "").lower()
    directions = fields.get("space directions", "")
    origin = fields.get("space origin", "")
    axes = re.findall(r"none|\([^)]*\)", directions.lower())
    placed = len(axes) >= 3 and "none" not in axes[:3] and "(" in origin
    if space not in SPACES or not placed or "nan" in f"{directions}{origin}".lower():
        raise DataRefused("nrrd_orientation_missing", where=path)
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", "")))
    if not units <= {"mm", ""}:
        raise DataRefused("nrrd_unit_unknown", where=path)


def _require_right_angles(grid: Grid, path: Path) -> None:
    cosines = grid.direction
    numbers = np.array([*grid.origin, *grid.spacing, *cosines.ravel()])
    if not np.isfinite(numbers).all() or min(grid.spacing) <= 0:
        raise DataRefused("nrrd_orientation_unreadable", where=path)
    require_plausible_lengths(grid.GetSpacing(), grid.GetOrigin(), where=str(path))
    shear = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if shear > SHEAR_TOLERANCE:
        raise DataRefused(
            "image_axes_not_orthogonal", where=path, shear=shear, shear_tolerance=SHEAR_TOLERANCE
        )
