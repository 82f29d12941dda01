"""NIfTI files that others made, put in place without encoding what needs no change.

The compressed voxels are checked and kept as they are. What is taken away is what may tell who the
patient is: the name and time in the gzip header, free text and extensions in the NIfTI header.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from cta_data.errors import CtaError, DataRefused
from cta_data.files import written_whole
from cta_data.formats.deflation import gzipped
from cta_data.formats.nifti.content import GZIP_MAGIC, read_content, voxel_layout
from cta_data.formats.nifti.geometry import (
    NO_CHOICE,
    UNIT_BITS,
    FormChoice,
    forms_apart_mm,
    grid_of_itk,
    pixdim_apart_mm,
    unit_mm,
    usable_forms,
)
from cta_data.formats.nifti.image import (
    XYZ_MILLIMETRES,
    header_geometry,
    scaled_voxels,
    write_voxels,
)
from cta_data.formats.voxel_values import REFUSED, NotFinite, usable_values
from cta_data.imaging.geometry.grid import SAME_GRID_MM, Grid, same_grid

CANONICAL_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
HEADER_BYTES = 352
"""NIfTI-1 header and the four bytes that say whether extensions follow."""
SOFTWARE = re.compile(
    rb"(FSL|FreeSurfer|nibabel|ITK|SimpleITK|ANTs|NiftyReg|NiftySeg|AFNI|SPM|CaPTk)"
    rb"[ -]?v?(\d{1,2}(\.\d{1,2}){0,3})?"
    rb"|[56]\.0(\.\d{1,2}){0,2}(:[0-9a-f]{8})?",
    re.IGNORECASE,
)
"""What programs write into `descrip` about themselves and nothing more: a name and a version, or
the version and commit of FSL. Words or numbers beside it may be a patient's."""
FREE_TEXT = ("descrip", "aux_file", "intent_name", "db_name", "data_type")
HARMLESS = (b"", b"none")


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
        Where its voxels lie.
    """

    unchanged: bool
    notes: tuple[str, ...]
    grid: Grid


def place_nifti(
    source: Path,
    target: Path,
    choice: FormChoice = NO_CHOICE,
    not_finite: NotFinite = REFUSED,
) -> PlacedNifti:
    """Put a NIfTI file at `target` as `.nii.gz`, with its voxel order and affine as delivered.

    Of a header that other readers would take for another grid, both forms, pixdim and the unit are
    written anew from what is used (see `placed_affine`, also for `choice`); the voxels stay.
    Values that are not finite are replaced or refused, as `not_finite` says.

    Raises
    ------
    CtaError
        When the source is missing or was not fetched, or the target has another ending.
    DataRefused
        When the file is truncated or damaged, is no NIfTI, holds more than one volume, does not say
        where its voxels lie, or its values are none of an image (`usable_values`).
    """
    if not target.name.endswith(".nii.gz"):
        raise CtaError("nifti_target_not_compressed", where=target)
    content = read_content(source)
    header, shape, affine = header_geometry(content, source, choice)
    dtype, begin = voxel_layout(header, shape, content, source)
    grid = Grid.of_affine(shape, affine)
    notes = _disagreements(header, grid, affine, source)
    voxels = scaled_voxels(header, shape, content, source)
    voxels, filled = usable_values(voxels, not_finite, where=str(source))
    if filled or not _is_common(header):
        notes += (filled,) if filled else ()
        write_voxels(voxels, affine, target)
        return PlacedNifti(False, (*notes, "encoded anew as NIfTI-1, three-dimensional"), grid)
    end = begin + int(np.prod(shape)) * dtype.itemsize
    removed = _removed(header, content, end)
    differs = bool(notes) or not _itk_agrees(grid, source)
    if differs:
        header = _with_one_grid(header, affine)
    as_it_is = not removed and not differs
    stream = _deflate_stream(source.read_bytes(), content, source) if as_it_is else None
    if stream is None:
        start, rest = _cleaned(header, content, end)
        _replace(b"".join(gzipped(start, np.frombuffer(rest, np.uint8))), target)
    else:
        _replace(CANONICAL_GZIP + stream, target)
    notes += (f"{' and '.join(removed)} removed from the header",) if removed else ()
    return PlacedNifti(stream is not None, notes, grid)


def _is_common(header: nib.Nifti1Header) -> bool:
    """Whether a file is of the form that every tool reads: NIfTI-1, little-endian, three axes."""
    first = type(header) is nib.Nifti1Header and header.endianness == "<"
    return first and len(header.get_data_shape()) == 3


def _disagreements(
    header: nib.Nifti1Header, grid: Grid, affine: NDArray[np.float64], source: Path
) -> tuple[str, ...]:
    """Say what in a header speaks of another grid than the one that is used."""
    where, shape = str(source), grid.size
    forms, notes = usable_forms(header, where=where), []
    unit = unit_mm(header, where=where)
    if unit != 1:
        notes.append(f"the header's unit is {unit:g} mm; written in mm")
    used = min(forms, key=lambda name: float(np.abs(forms[name] - affine).max()))
    other = "sform" if used == "qform" else "qform"
    apart = forms_apart_mm(forms, shape)
    if other not in forms and int(header[f"{other}_code"]) > 0:
        notes.append(f"the {other} places no volume; the {used} is used")
    elif apart > SAME_GRID_MM:
        notes.append(
            f"qform and sform place corners up to {apart:.3g} mm apart; the {used} is used"
        )
    if len(forms) == 1 and pixdim_apart_mm(header, affine, shape, where=where) > SAME_GRID_MM:
        notes.append(f"pixdim says another spacing; that of the {used} is used")
    return tuple(notes)


def _itk_agrees(grid: Grid, source: Path) -> bool:
    try:
        return same_grid(grid, grid_of_itk(source))
    except DataRefused:  # ITK takes no form that is rounded as far as we allow
        return False


def _with_one_grid(header: nib.Nifti1Header, affine: NDArray[np.float64]) -> nib.Nifti1Header:
    """A header whose forms, pixdim and unit (mm) all say where the voxels lie."""
    kept = header.copy()
    code = int(header["sform_code"]) or int(header["qform_code"])
    kept.set_qform(affine, code)
    kept.set_sform(affine, code)
    kept["xyzt_units"] = (int(header["xyzt_units"]) & ~UNIT_BITS) | XYZ_MILLIMETRES
    return kept


def _texts_to_remove(header: nib.Nifti1Header) -> list[str]:
    """Names of the fields whose text is not plainly a program's own name."""
    found = []
    for name in FREE_TEXT:
        text = bytes(header[name]).rstrip(b"\0 ")
        if text not in HARMLESS and not (name == "descrip" and SOFTWARE.fullmatch(text)):
            found.append(name)
    return found


def _removed(header: nib.Nifti1Header, content: bytes, end: int) -> tuple[str, ...]:
    """Name what has to go from a header, without saying what stands there."""
    found = [f"free text ({name})" for name in _texts_to_remove(header)]
    if content[348:HEADER_BYTES] != b"\0\0\0\0" or int(header.get_data_offset()) > HEADER_BYTES:
        found.append("extensions")
    if len(content) > end:
        found.append("bytes after the voxels")
    return tuple(found)


def _cleaned(header: nib.Nifti1Header, content: bytes, end: int) -> tuple[bytes, memoryview]:
    """Header and voxels; the voxels are not copied."""
    kept = header.copy()
    for name in _texts_to_remove(header):
        kept[name] = b""
    start = int(header.get_data_offset())
    kept["vox_offset"] = HEADER_BYTES
    return bytes(kept.binaryblock) + b"\0\0\0\0", memoryview(content)[start:end]


def _deflate_stream(packed: bytes, content: bytes, source: Path) -> bytes | None:
    """Compressed data and trailer of a file that is one gzip member, None for any other."""
    if not packed.startswith(GZIP_MAGIC) or len(packed) < 18:
        return None
    checksum, size = struct.unpack("<II", packed[-8:])
    if size != len(content) & 0xFFFFFFFF or checksum != isal_zlib.crc32(content):
        return None  # the trailer speaks for a part of the content, so there are more members
    start = _deflate_start(packed, source)
    # Empty members before the last would pass, with whatever their headers name.
    if not isal_zlib.decompressobj(wbits=-15).decompress(packed[start : start + 65536], 1):
        return None
    return packed[start:]


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
        raise DataRefused("gzip_header_damaged", where=source) from error
    return at + (2 if flags & 2 else 0)


def _replace(content: bytes, target: Path) -> None:
    with written_whole(target) as unfinished:
        unfinished.write_bytes(content)
