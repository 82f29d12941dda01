"""NRRD files: the header is looked at before ITK reads the volume.

Format: https://teem.sourceforge.net/nrrd/format.html. ITK brings the axes of the file's `space` to
LPS; what it would read without a place, or would not read at all, is refused here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.errors import CtaError, DataRefused

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


def read_nrrd(path: Path) -> sitk.Image:
    """Read a NRRD file as a 3-D scalar image (LPS, mm). A fourth axis of length 1 is dropped.

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
        image = sitk.ReadImage(str(path), imageIO="NrrdImageIO")
    except RuntimeError as error:
        raise DataRefused(
            "the file is truncated or damaged",
            where=str(path),
            why=_last_words(error, path),
            next_step="Copy or fetch the file again",
        ) from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise DataRefused(
            "one three-dimensional volume with one value a voxel is needed",
            where=str(path),
            why=f"sizes {fields['sizes']}",
        )
    if not np.isfinite([*image.GetOrigin(), *image.GetSpacing(), *image.GetDirection()]).all():
        raise DataRefused("the file does not say where its voxels lie", where=str(path))
    return image


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
    for line in start.splitlines()[1:]:
        if not line.strip():
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if colon and not line.startswith(b"#") and not value.startswith("="):
            fields[name.strip().lower()] = value.strip()
    return fields


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
    directions = fields.get("space directions", "")
    space = fields.get("space", "").lower()
    if "(" not in directions or space not in SPACES:
        raise DataRefused(
            "the file does not say where its voxels lie",
            where=str(path),
            why=f"space {space or 'missing'!r}, space directions {directions or 'missing'!r}",
            next_step="Export it again with its orientation",
        )


def _last_words(error: RuntimeError, path: Path) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].replace(str(path), path.name) if lines else ""
