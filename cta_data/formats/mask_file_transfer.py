"""A mask's file from one technique's image to another's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from cta_data.destinations import require_file_place
from cta_data.errors import ConfigurationError
from cta_data.formats.nifti.geometry import FormChoice
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.formats.reference_image import read_reference_image
from cta_data.formats.transforms import read_transform
from cta_data.formats.voxel_values import usable_values
from cta_data.given_paths import require_given, require_given_file
from cta_data.imaging.lesions.mask_transfer import TransferredLesion, transfer_mask
from cta_data.imaging.registration.register import RegistrationSettings, register_images
from cta_data.reasons import Reason

KINDS = ("rigid", "affine")


@dataclass(frozen=True)
class MaskFileTransfer:
    """What became of each lesion, and whether the registration is accepted, else why not."""

    lesions: Sequence[TransferredLesion]
    accepted: bool
    reasons: tuple[Reason, ...]


def transfer_mask_file(
    mask: Path,
    moving_image: Path,
    fixed_image: Path,
    out: Path,
    *,
    transform: Path | None,
    kind: str,
    choice: FormChoice,
    overwrite: bool,
    note: Callable[[str], None],
) -> MaskFileTransfer:
    """Carry a mask, or labels, to the grid of the fixed image, and write it.

    Parameters
    ----------
    transform
        ITK transform, points of the fixed image to points of the moving one (LPS, mm); without it
        the images are registered.
    kind
        `rigid` or `affine`, where they are registered.

    Raises
    ------
    ConfigurationError
        A file is not there, the output may not be written, or there is no such kind.
    DataRefused
        An image, the mask or the transform cannot be used.
    """
    require_given_file(mask, "the mask")
    require_given(moving_image, fixed_image)
    if transform is not None:
        require_given_file(transform, "the transform")
    require_file_place(out, (mask, moving_image, fixed_image, transform), overwrite=overwrite)
    moving, _ = read_reference_image(moving_image, choice=choice)
    fixed, _ = read_reference_image(fixed_image, choice=choice)
    labels = _in_voxel_order_of(moving, read_image(mask, choice))
    used, accepted, reasons = _transform(transform, fixed, moving, kind, note)
    result = transfer_mask(labels, moving, fixed, used)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_image(result.mask, out)
    return MaskFileTransfer(result.per_lesion, accepted, reasons)


def _in_voxel_order_of(image: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """Permute and flip a mask's axes into the order of its image: no voxel moves in space."""
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return sitk.DICOMOrient(mask, code)


def _transform(
    path: Path | None,
    fixed: sitk.Image,
    moving: sitk.Image,
    kind: str,
    note: Callable[[str], None],
) -> tuple[sitk.Transform, bool, tuple[Reason, ...]]:
    """Return the transform that was given or found, whether it is accepted, and why not."""
    if path is not None:
        return read_transform(path), True, ()
    if kind not in KINDS:
        raise ConfigurationError("registration_kind_unknown", kind=kind, kinds=tuple(KINDS))
    for image, name in ((fixed, "the fixed image"), (moving, "the moving image")):
        usable_values(sitk.GetArrayViewFromImage(image), where=name)
    # All but the kind as in a study: the same pair gives the same voxels.
    result = register_images(fixed, moving, RegistrationSettings(kind=kind), note)
    return result.transform, result.accepted, result.reasons
