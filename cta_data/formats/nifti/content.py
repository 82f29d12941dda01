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
    return DataRefused("nifti_trailing_bytes", where=path, bytes_behind=BYTES_BEHIND)


def _damaged(path: Path, error: Exception) -> DataRefused:
    return DataRefused("compressed_file_damaged", where=path, error=str(error))


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
        raise DataRefused("nifti_voxels_in_another_file", where=path)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise DataRefused("nifti_datatype_unsupported", where=path, dtype=dtype)
    begin = float(header["vox_offset"])
    if not header.sizeof_hdr + 4 <= begin < float("inf"):
        raise DataRefused("nifti_offset_missing", where=path, begin=begin)
    return dtype, int(begin), math.prod(shape) * dtype.itemsize


def _cut_off(path: Path, present: int, needed: int) -> DataRefused:
    return DataRefused("nifti_truncated", where=path, present=max(present, 0), needed=needed)


def _require_content(path: Path) -> None:
    if path.exists():
        return
    if path.is_symlink():
        raise CtaError("content_not_fetched", where=path, path=path)
    raise CtaError("file_not_found", where=path)


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
        raise DataRefused("not_a_nifti_file", where=path, error=str(error)) from error
    dtype = header.get_data_dtype()
    if bits != 8 * dtype.itemsize:  # nibabel would believe the type
        raise DataRefused(
            "nifti_datatype_inconsistent",
            where=path,
            datatype=int(header["datatype"]),
            dtype=dtype,
            bits_of_type=8 * dtype.itemsize,
            bits=bits,
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
        raise DataRefused("nifti_not_a_volume", where=path, shape=tuple(header.get_data_shape()))
    return shape[0], shape[1], shape[2]
