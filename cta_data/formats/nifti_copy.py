"""NIfTI files that others made, put in place without encoding what needs no change.

The compressed voxels are checked and kept as they are. What is taken away is what may tell who the
patient is: the name and time in the gzip header, free text and extensions in the NIfTI header.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from isal import isal_zlib

from cta_data.errors import CtaError, DataRefused
from cta_data.formats.nifti import (
    COMPRESSION_LEVEL,
    GZIP_MAGIC,
    GZIP_WINDOW,
    LPS_TO_RAS,
    header_geometry,
    read_content,
    read_image,
    write_image,
)

CANONICAL_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
HEADER_BYTES = 352
"""NIfTI-1 header and the four bytes that say whether extensions follow."""
SOFTWARE = re.compile(
    rb"(FSL|FreeSurfer|nibabel|ITK|SimpleITK|ANTs|NiftyReg|NiftySeg|AFNI|SPM|CaPTk|\d)[\w .:+-]*",
    re.IGNORECASE,
)
"""What programs write into `descrip` about themselves: a name, a version."""
FREE_TEXT = ("descrip", "aux_file", "intent_name", "db_name", "data_type")
HARMLESS = (b"", b"none")
MILLIMETRES = (0, 2)  # unspecified, which everyone takes for mm, and mm
DISAGREE_MM = 0.01


@dataclass(frozen=True, eq=False)
class PlacedNifti:
    """What became of a file.

    Attributes
    ----------
    unchanged
        Whether the compressed voxels are those that were delivered, byte by byte.
    notes
        What was taken away or looked odd.
    grid
        An image of zeros on the file's grid (LPS, mm), for its geometry.
    """

    unchanged: bool
    notes: tuple[str, ...]
    grid: sitk.Image


def place_nifti(source: Path, target: Path) -> PlacedNifti:
    """Put a NIfTI file at `target` as `.nii.gz`, with its voxel order and affine as delivered.

    Raises
    ------
    CtaError
        When the source is missing or was not fetched, or the target has another ending.
    DataRefused
        When the file is truncated or damaged, is no NIfTI, holds more than one volume, has no
        usable orientation, or is not in millimetres.
    """
    if not target.name.endswith(".nii.gz"):
        raise CtaError("NIfTI is put in place as .nii.gz", where=str(target))
    content = read_content(source)
    header, shape, affine = header_geometry(content, source)
    _require_millimetres(header, source)
    notes = _disagreement(header, shape)
    end = int(header.get_data_offset()) + int(np.prod(shape)) * header.get_data_dtype().itemsize
    if len(content) < end:
        raise DataRefused(
            "the file ends before its voxels do",
            where=str(source),
            why=f"{len(content)} of {end} bytes are there",
            next_step="Copy or fetch the file again",
        )
    grid = _grid(shape, affine)
    if not _is_common(header):
        write_image(read_image(source), target)
        return PlacedNifti(False, (*notes, "encoded anew as NIfTI-1, three-dimensional"), grid)
    removed = _removed(header, content, end)
    packed = source.read_bytes()
    if removed or not _is_one_member(packed, content):
        _compress(_cleaned(header, content, end), target)
    else:
        _replace(CANONICAL_GZIP + packed[_deflate_start(packed, source) :], target)
    notes += (f"{' and '.join(removed)} removed from the header",) if removed else ()
    return PlacedNifti(not removed and packed.startswith(GZIP_MAGIC), notes, grid)


def _is_common(header: nib.Nifti1Header) -> bool:
    """Whether a file is of the form that every tool reads: NIfTI-1, little-endian, three axes."""
    first = type(header) is nib.Nifti1Header and header.endianness == "<"
    single = bytes(header["magic"]).rstrip(b"\0") == b"n+1"
    return first and single and len(header.get_data_shape()) == 3


def _require_millimetres(header: nib.Nifti1Header, source: Path) -> None:
    if int(header["xyzt_units"]) & 7 not in MILLIMETRES:
        raise DataRefused(
            "the file's voxels are not measured in millimetres",
            where=str(source),
            why=f"xyzt_units is {int(header['xyzt_units'])}",
            next_step="Export it in millimetres",
        )


def _disagreement(header: nib.Nifti1Header, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """Note where the two orientations of a header place a corner differently."""
    if not (int(header["qform_code"]) > 0 and int(header["sform_code"]) > 0):
        return ()
    last = np.array(shape) - 1
    corners = np.array(np.meshgrid(*[(0, end) for end in last])).reshape(3, -1)
    difference = (header.get_sform() - header.get_qform()) @ np.vstack([corners, np.ones(8)])
    apart = float(np.linalg.norm(difference[:3], axis=0).max())
    if apart <= DISAGREE_MM:
        return ()
    return (f"qform and sform place corners up to {apart:.3g} mm apart; the sform is used",)


def _removed(header: nib.Nifti1Header, content: bytes, end: int) -> tuple[str, ...]:
    """Name what has to go from a header, without saying what stands there."""
    found = []
    for name in FREE_TEXT:
        text = bytes(header[name]).rstrip(b"\0 ")
        harmless = text in HARMLESS or (name == "descrip" and SOFTWARE.fullmatch(text))
        found += [] if harmless else [f"free text ({name})"]
    if content[348:349] != b"\0" or int(header.get_data_offset()) > HEADER_BYTES:
        found.append("extensions")
    if len(content) > end:
        found.append("bytes after the voxels")
    return tuple(found)


def _cleaned(header: nib.Nifti1Header, content: bytes, end: int) -> tuple[bytes, memoryview]:
    """Header and voxels; the voxels are not copied."""
    kept = header.copy()
    for name in FREE_TEXT:
        text = bytes(kept[name]).rstrip(b"\0 ")
        if not (text in HARMLESS or (name == "descrip" and SOFTWARE.fullmatch(text))):
            kept[name] = b""
    start = int(header.get_data_offset())
    kept["vox_offset"] = HEADER_BYTES
    return bytes(kept.binaryblock) + b"\0\0\0\0", memoryview(content)[start:end]


def _is_one_member(packed: bytes, content: bytes) -> bool:
    """Whether the file is one gzip member: its trailer then speaks for all of the content."""
    if not packed.startswith(GZIP_MAGIC) or len(packed) < 18:
        return False
    checksum, size = struct.unpack("<II", packed[-8:])
    return size == len(content) & 0xFFFFFFFF and checksum == isal_zlib.crc32(content)


def _deflate_start(packed: bytes, source: Path) -> int:
    """Where the compressed data begins, after the header's optional parts (RFC 1952)."""
    flags = packed[3]
    at = 10
    try:
        if flags & 4:
            at += 2 + struct.unpack("<H", packed[at : at + 2])[0]
        for part in (8, 16):  # name, comment
            if flags & part:
                at = packed.index(b"\0", at) + 1
    except (struct.error, ValueError) as error:
        raise DataRefused("the gzip header is damaged", where=str(source)) from error
    return at + (2 if flags & 2 else 0)


def _compress(parts: tuple[bytes, memoryview], target: Path) -> None:
    packer = isal_zlib.compressobj(level=COMPRESSION_LEVEL, wbits=GZIP_WINDOW)
    _replace(b"".join([*(packer.compress(part) for part in parts), packer.flush()]), target)


def _replace(content: bytes, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _grid(shape: tuple[int, int, int], affine: np.ndarray) -> sitk.Image:
    grid = sitk.Image([int(n) for n in shape], sitk.sitkUInt8)
    lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    grid.SetSpacing(spacing.tolist())
    grid.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    grid.SetOrigin(lps[:3, 3].tolist())
    return grid
