"""The bytes of a NIfTI file and what its header says of them, before a voxel is looked at.

The header is read first: what it announces is held against what the file can hold and against the
limit for one image, and no more than that is ever inflated.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

from cta_data.errors import CtaError, DataRefused
from cta_data.formats.inflation import (
    DAMAGED,
    DEFLATE_RATIO,
    Overfull,
    inflate_gzip,
    inflate_start,
)
from cta_data.size_limit import require_allowed, require_file_allowed

GZIP_MAGIC = b"\x1f\x8b"
BYTES_BEHIND = 1 << 20
"""Programs leave some behind the voxels; what has more is no image."""


def read_content(path: Path) -> bytes:
    """Bytes of a file of one volume, inflated where it is compressed, and checked.

    No more is read than its header announces, and a little behind.

    Raises
    ------
    CtaError
        When the file is missing, or is a link whose content has not been fetched.
    DataRefused
        When the compressed file is truncated or damaged, its header is that of no volume, or there
        is much more in it than its voxels.
    TooLarge
        When it is larger than the limit (`size_limit`).
    """
    _require_content(path)
    on_disk = require_file_allowed(path)
    with path.open("rb") as stream:
        compressed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    end = _announced_end(path, DEFLATE_RATIO * on_disk if compressed else on_disk)
    if not compressed and on_disk > end + BYTES_BEHIND:
        raise _overfull(path)
    content = path.read_bytes()
    if not compressed:
        return content
    try:
        return inflate_gzip(content, end + BYTES_BEHIND)
    except Overfull as error:
        raise _overfull(path) from error
    except DAMAGED as error:  # type: ignore[misc]  # isal stub
        raise _damaged(path, error) from error


def _announced_end(path: Path, most: int) -> int:
    """Byte at which the voxels end by the header; `most` is what the file can hold at all."""
    start = header_start(path)
    if len(start) < nib.Nifti1Header.sizeof_hdr:  # cut off or damaged, as inflating it will tell
        return 0
    header, _ = _checked_header(start, path)
    shape = shape_3d(header, path)
    _, begin, needed = _voxel_place(header, shape, path)
    if begin + needed > most:
        raise _cut_off(path, most - begin, needed)
    require_allowed(begin + needed, where=str(path))
    return begin + needed


def _overfull(path: Path) -> DataRefused:
    return DataRefused(
        "the file holds much more than its voxels",
        where=str(path),
        why=f"more than {BYTES_BEHIND} bytes lie behind them",
        next_step="Write the file again with another program",
    )


def _damaged(path: Path, error: Exception) -> DataRefused:
    return DataRefused(
        "the compressed file is truncated or damaged",
        where=str(path),
        why=str(error),
        next_step="Copy or fetch the file again",
    )


def header_start(path: Path) -> bytes:
    """Beginning of a file with its header; of a compressed one inflated.

    Raises
    ------
    CtaError
        When the file is missing, or is a link whose content has not been fetched.
    DataRefused
        When the compressed file is damaged there.
    """
    _require_content(path)
    with path.open("rb") as stream:
        start = stream.read(4096)
    if not start.startswith(GZIP_MAGIC):
        return start
    try:
        return inflate_start(start, 1024)
    except zlib.error as error:
        raise _damaged(path, error) from error


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
    dtype, offset, needed = _voxel_place(header, shape, path)
    if len(content) < offset + needed:
        raise _cut_off(path, len(content) - offset, needed)
    return dtype, offset


def _voxel_place(
    header: nib.Nifti1Header, shape: tuple[int, int, int], path: Path
) -> tuple[np.dtype[np.generic], int, int]:
    """Type of the voxels, the byte at which they begin, and how many bytes they take."""
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
    return dtype, int(begin), math.prod(shape) * dtype.itemsize


def _cut_off(path: Path, present: int, needed: int) -> DataRefused:
    return DataRefused(
        "the file ends before its voxels do",
        where=str(path),
        why=f"{max(present, 0)} of {needed} bytes are there",
        next_step="Copy or fetch the file again",
    )


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


class _Remarks(list[tuple[int, str]]):
    """Takes nibabel's remarks on a header; where it is refused, its error says all."""

    def log(self, level: int, message: str) -> None:
        self.append((level, message))


def parse_header(content: bytes, path: Path) -> nib.Nifti1Header:
    """Header of a file that begins with these bytes.

    Raises
    ------
    DataRefused
        They are none of NIfTI, or contradict themselves.
    """
    header, remarks = _checked_header(content, path)
    for level, message in remarks:
        nib.imageglobals.logger.log(level, message)
    return header


def _checked_header(content: bytes, path: Path) -> tuple[nib.Nifti1Header, _Remarks]:
    """Header of a file's first bytes, and nibabel's remarks on it."""
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
    return header, remarks


def shape_3d(header: nib.Nifti1Header, path: Path) -> tuple[int, int, int]:
    """Shape (x, y, z) of the one volume of a file; axes of length 1 behind them are dropped.

    Raises
    ------
    DataRefused
        It holds no volume, or several.
    """
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
