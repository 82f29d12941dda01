"""Where the voxels of a NIfTI file lie: its two forms, its pixdim and its unit, held against
each other.

A header says it up to three times. Programs differ in which they believe: nibabel and FSL take the
sform, ITK (and so nnU-Net's reader) takes the spacing from pixdim and the rest from either. Where
they contradict each other beyond rounding, no program can know which is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.errors import DataRefused
from cta_data.formats.lengths import require_plausible_lengths
from cta_data.imaging.geometry.grid import Grid, describe_affine

Form = Literal["", "sform", "qform"]
Shape = tuple[int, int, int]

# Directions whose cosines differ by more than this from a rotation are sheared, not merely rounded:
# at 250 mm from the origin it is a quarter of a millimetre.
SHEAR_TOLERANCE = 1e-3
SINGULAR_VALUE_FLOOR = 1e-6
FORMS_DIFFER_MM = 0.1
"""Corners farther apart than this, and than a quaternion's rounding, are two places."""
QUATERNION_ERROR = 3 * 2.0**-23
"""Of 1 - b² - c² - d² in single precision, from which the fourth number is made: nibabel takes less
for 0."""
UNIT_BITS = 7
UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Length of the header's unit by its code: unspecified (which everyone takes for mm), m, mm, µm."""


@dataclass(frozen=True)
class FormChoice:
    """What a user says of headers whose forms contradict each other.

    Attributes
    ----------
    form
        The one that is right; empty where nobody has said.
    setting
        What the user can do to say it, for the message; empty where there is nothing.
    """

    form: Form = ""
    setting: str = ""


NO_CHOICE = FormChoice()


def placed_affine(
    header: nib.Nifti1Header, shape: Shape, *, where: str, choice: FormChoice = NO_CHOICE
) -> NDArray[np.float64]:
    """4 × 4 matrix from voxel index (x, y, z) to RAS mm, its axes at right angles.

    The sform counts where it is usable, else the qform. Cosines that are rounded are set to the
    nearest rotation. Metres and micrometres become mm.

    Raises
    ------
    DataRefused
        The forms, or sform and pixdim, differ beyond rounding, and `choice` does not say which is
        right; no form is usable, the unit is unknown, the grid is sheared by more than
        `SHEAR_TOLERANCE`, or its lengths cannot be those of an image.
    """
    forms = usable_forms(header, where=where)
    if not forms:
        raise DataRefused(
            "nifti_orientation_missing",
            where=where,
            sform_code=header["sform_code"],
            qform_code=header["qform_code"],
        )
    difference = _contradiction(header, forms, shape)
    if difference and choice.form not in forms:
        chosen = f"the {choice.form}, which is to count, places no volume; " if choice.form else ""
        setting = f", or {choice.setting}" if choice.setting else ""
        raise DataRefused(
            "nifti_forms_contradict",
            where=where,
            chosen=chosen,
            difference=difference,
            setting=setting,
        )
    used = forms[choice.form] if difference else _first(forms)
    affine = require_right_angles(used, where=where)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    unit = unit_mm(header, where=where)
    told = "" if unit == 1 else f"the header's unit is {unit:g} mm"
    require_plausible_lengths(spacing.tolist(), affine[:3, 3].tolist(), where=where, told=told)
    return affine


def usable_forms(header: nib.Nifti1Header, *, where: str) -> dict[str, NDArray[np.float64]]:
    """Forms of a header that place its voxels (index to RAS mm), the one that counts first.

    Keys are `sform` and `qform`; absent is one without a code, singular, or damaged.

    Raises
    ------
    DataRefused
        The header's unit of length is none that NIfTI has.
    """
    to_mm = np.diag([*[unit_mm(header, where=where)] * 3, 1.0])
    found = {}
    for name, stored in (("sform", header.get_sform), ("qform", header.get_qform)):
        if header[f"{name}_code"] <= 0:
            continue
        try:
            affine = np.asarray(stored(), dtype=np.float64)
        except (ValueError, nib.spatialimages.HeaderDataError):
            continue  # a quaternion that is no rotation
        if not np.isfinite(affine).all():
            continue
        if np.linalg.svd(affine[:3, :3], compute_uv=False)[-1] > SINGULAR_VALUE_FLOOR:
            found[name] = to_mm @ affine
    return found


def unit_mm(header: nib.Nifti1Header, *, where: str) -> float:
    """Length of the unit that a header is written in, mm.

    Raises
    ------
    DataRefused
        NIfTI has no such unit.
    """
    code = int(header["xyzt_units"]) & UNIT_BITS
    if code not in UNIT_MM:
        raise DataRefused("nifti_unit_unknown", where=where, xyzt_units=int(header["xyzt_units"]))
    return UNIT_MM[code]


def forms_apart_mm(forms: dict[str, NDArray[np.float64]], shape: Shape) -> float:
    """Largest distance between the places that two forms give a corner, mm; 0 of one alone."""
    if len(forms) < 2:
        return 0.0
    last = np.array(shape) - 1
    corners = np.array(np.meshgrid(*[(0, end) for end in last])).reshape(3, -1)
    difference = (forms["sform"] - forms["qform"]) @ np.vstack([corners, np.ones(8)])
    return float(np.linalg.norm(difference[:3], axis=0).max())


def pixdim_apart_mm(
    header: nib.Nifti1Header, affine: NDArray[np.float64], shape: Shape, *, where: str
) -> float:
    """Largest difference between the image's lengths by pixdim and by a form, mm."""
    lengths = np.abs(np.asarray(header["pixdim"][1:4], np.float64)) * unit_mm(header, where=where)
    apart = np.abs(lengths - np.linalg.norm(affine[:3, :3], axis=0))
    return float((apart * np.maximum(np.array(shape) - 1, 1)).max())


def grid_of_itk(path: Path) -> Grid:
    """Where SimpleITK, and so nnU-Net's reader, puts the voxels of a NIfTI file of three axes.

    Raises
    ------
    DataRefused
        When it cannot read the header.
    """
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NiftiImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise DataRefused(
            "nifti_unreadable_by_simpleitk", where=path, error=str(error).strip().splitlines()[-1]
        ) from error
    return Grid.of(reader)


def require_right_angles(affine: NDArray[np.float64], *, where: str) -> NDArray[np.float64]:
    """Return the matrix with rounded cosines replaced by the nearest rotation or reflection.

    Raises
    ------
    DataRefused
        The grid is sheared by more than `SHEAR_TOLERANCE`.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = affine[:3, :3] / spacing
    shear = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if shear > SHEAR_TOLERANCE:
        raise DataRefused(
            "image_axes_not_orthogonal", where=where, shear=shear, shear_tolerance=SHEAR_TOLERANCE
        )
    left, _, right = np.linalg.svd(cosines)
    result = affine.copy()
    result[:3, :3] = (left @ right) * spacing
    return result


def _first(forms: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return next(iter(forms.values()))


def _contradiction(
    header: nib.Nifti1Header, forms: dict[str, NDArray[np.float64]], shape: Shape
) -> str:
    """Both places in words where a header gives two; empty where they agree but for rounding."""
    if len(forms) == 2:
        apart = forms_apart_mm(forms, shape)
        allowed = FORMS_DIFFER_MM + _quaternion_rounding(header) * _diagonal_mm(forms, shape)
        what = f"corners up to {apart:.3g} mm apart" if apart > allowed else ""
    elif pixdim_apart_mm(header, _first(forms), shape, where="") > FORMS_DIFFER_MM:
        unit = unit_mm(header, where="")
        lengths = " × ".join(f"{abs(float(v)) * unit:.5g}" for v in header["pixdim"][1:4])
        what = f"pixdim: {lengths} mm"
    else:
        what = ""
    told = [f"{name}: {describe_affine(affine)}" for name, affine in forms.items() if what]
    return "; ".join([*told, what])


def _quaternion_rounding(header: nib.Nifti1Header) -> float:
    """Angle (radians) by which rounding may turn a qform: most where it turns by about 180°."""
    vector = [float(header[f"quatern_{name}"]) for name in "bcd"]
    first = max(0.0, 1.0 - sum(value * value for value in vector)) ** 0.5
    return 2 * QUATERNION_ERROR / max(first, QUATERNION_ERROR**0.5)


def _diagonal_mm(forms: dict[str, NDArray[np.float64]], shape: Shape) -> float:
    lengths = np.linalg.norm(_first(forms)[:3, :3], axis=0) * np.array(shape)
    return float(np.linalg.norm(lengths))
