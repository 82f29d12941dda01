"""Labels from one technique to another: registration, transfer, brain, measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import pandas as pd
import SimpleITK as sitk

from cta_data.api.contours import IDENTITY
from cta_data.api.volume import Volume, require_one_frame, require_volume
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.formats.voxel_values import NotFinite, usable_values
from cta_data.imaging import brain
from cta_data.imaging.lesions.drawn_lesions import DrawnLesion, lesions_from_contours
from cta_data.imaging.lesions.label_transfer import TransferredLesion, transfer_lesions
from cta_data.imaging.lesions.mask_transfer import lesions_drawn_on, lesions_from_mask
from cta_data.imaging.lesions.measurement import LesionMeasurement, measure_lesions
from cta_data.imaging.rasterization.contours import StructureSet
from cta_data.imaging.rasterization.rasterize import spacing_along_axes
from cta_data.imaging.rasterization.structure_set_masks import rois_of_image
from cta_data.imaging.registration.limits import SEED
from cta_data.imaging.registration.register import (
    RegistrationResult,
    RegistrationSettings,
    register_images,
)

INSTEAD = "replace the values: image.with_array(numpy.nan_to_num(image))"
"""Of values that are not finite: what Python can do."""


@dataclass(frozen=True, eq=False)
class TransferredLabels:
    """Lesions on another grid.

    Attributes
    ----------
    labels
        Instance labels on the grid of the fixed image: the value is the lesion id.
    lesions
        One row per lesion, including lost lesions: volumes in mm³, flags and reasons.
    """

    labels: Volume
    lesions: pd.DataFrame


def register(
    fixed: Volume, moving: Volume, *, kind: str = "rigid", seed: int = SEED
) -> RegistrationResult:
    """Register two images of one head, and check the result.

    Parameters
    ----------
    kind
        `rigid` or `affine`.
    seed
        Seed of the sampling; the default is that of a study, so equal pairs give equal bits.

    Returns
    -------
    RegistrationResult
        `transform` maps points of the fixed image to points of the moving one (LPS mm);
        `accepted` and `reasons` are the result of the checks, `quality` the measured values.

    Raises
    ------
    DataRefused
        An image shows no head or has values that are not finite, or the two heads cannot be made to
        overlap.
    ConfigurationError
        The type of registration is unknown, the seed is no whole number, or an image is no volume.
    """
    _require_image(fixed, "fixed")
    _require_image(moving, "moving")
    try:
        settings = RegistrationSettings(kind=kind, seed=seed)
    except ValueError as error:
        raise ConfigurationError("registration_settings_invalid", error=str(error)) from error
    return register_images(fixed.to_sitk(), moving.to_sitk(), settings)


def transfer(
    annotation: Volume | StructureSet,
    moving: Volume,
    fixed: Volume,
    transform: sitk.Transform | RegistrationResult,
    *,
    roi: str = ".*",
    check_reference: bool = True,
) -> TransferredLabels:
    """Transfer lesions from the delineated image to the grid of another.

    The volume of each lesion is preserved within the field of view. Prefer contours when
    available: a mask has already lost information.

    Parameters
    ----------
    annotation
        A structure set, or a mask or labels on the grid of `moving`: every 26-connected part of
        every value is a lesion.
    transform
        Points of `fixed` to points of `moving` (LPS mm), or the result of `register`. If a result
        failed its checks, inspect it and pass its `.transform`.
    roi
        Of a structure set: regular expression that matches within the names of the ROIs that are
        lesions.
    check_reference
        Of a structure set: False if you know that its contours belong to `moving`.

    Raises
    ------
    DataRefused
        The registration failed its checks, the mask is not on the grid of `moving` or holds
        fractions, no ROI matches, the contours cannot be trusted or belong to another image, or
        the mask has another frame of reference.
    ConfigurationError
        An argument is of another type, or the pattern is not a valid regular expression.
    """
    require_volume(moving, "moving")
    require_volume(fixed, "fixed")
    if isinstance(annotation, StructureSet):
        lesions = _drawn(annotation, moving, roi, check_reference=check_reference)
    else:
        require_volume(annotation, "annotation")
        require_one_frame({"annotation": annotation.frame, "moving": moving.frame})
        lesions = list(lesions_drawn_on(annotation.to_sitk(), moving.grid))
    result = transfer_lesions(lesions, _accepted(transform), fixed.grid)
    labels = fixed.with_array(sitk.GetArrayFromImage(result.labels).T)
    return TransferredLabels(labels, _frame(result.per_lesion))


def find_lesions(mask: Volume) -> Volume:
    """Return instance labels of a mask: every 26-connected part of every value is a lesion.

    Raises
    ------
    DataRefused
        The mask holds fractions or non-finite values.
    """
    require_volume(mask, "mask")
    result = transfer_lesions(lesions_from_mask(mask.to_sitk()), IDENTITY, mask.grid)
    return mask.with_array(sitk.GetArrayFromImage(result.labels).T)


def extract_brain(
    image: Volume, backend: str = "morphology", options: Mapping[str, object] | None = None
) -> Volume:
    """Return the brain mask of a head (1 inside, unsigned bytes).

    Parameters
    ----------
    backend
        `morphology` needs no weights; `hd-bet` needs the extra `brain`.
    options
        Of `hd-bet`: `device`, `weights_folder`, `test_time_augmentation`; of `provided`: `mask`, a
        volume, a path or a SimpleITK image.

    Raises
    ------
    ConfigurationError
        The back end is unknown or not installed, or has no such option; or options are no
        dictionary.
    DataRefused
        The image has values that are not finite, the result is not a plausible brain, or the mask
        that is given has another grid or frame of reference.
    """
    _require_image(image, "image")
    given = {} if options is None else options
    if not isinstance(given, Mapping):
        raise ConfigurationError("brain_options_not_named", given=type(given).__name__)
    mask = given.get("mask")
    if isinstance(mask, Volume):
        require_one_frame({"image": image.frame, "mask": mask.frame})
        given = {**given, "mask": mask.to_sitk()}
    found = brain.extract_brain(image.to_sitk(), backend, given)
    return image.with_array(sitk.GetArrayFromImage(found.mask).T)


def measure(labels: Volume, image: Volume, brain_mask: Volume | None = None) -> pd.DataFrame:
    """Measure lesions: one row per lesion, by its id.

    Parameters
    ----------
    labels
        Instance labels from `find_lesions`, `transfer` or `rasterize(…).lesions()`: a value is a
        lesion, whatever its parts.
    image
        The image for contrast measurements, on the same grid.
    brain_mask
        Limits the surroundings of a lesion; without it they are not limited.

    Returns
    -------
    pandas.DataFrame
        Columns of `LesionMeasurement`: volumes in mm³ and cm³, the centroid in RAS mm.

    Raises
    ------
    DataRefused
        The volumes are not on one grid or in one frame of reference, or the labels are no lesion
        ids.
    """
    require_volume(labels, "labels")
    require_volume(image, "image")
    frames, mask = {"labels": labels.frame, "image": image.frame}, None
    if brain_mask is not None:
        require_volume(brain_mask, "brain_mask")
        frames["brain_mask"], mask = brain_mask.frame, brain_mask.to_sitk()
    require_one_frame(frames)
    return _rows(LesionMeasurement, measure_lesions(labels.to_sitk(), image.to_sitk(), mask))


def _require_image(image: Volume, what: str) -> None:
    require_volume(image, what)
    usable_values(image.array, NotFinite(setting=INSTEAD), where=what)


def _accepted(transform: sitk.Transform | RegistrationResult) -> sitk.Transform:
    if isinstance(transform, RegistrationResult):
        if not transform.accepted:
            raise DataRefused("registration_not_accepted", reasons=tuple(transform.reasons))
        return transform.transform
    if not isinstance(transform, sitk.Transform) or transform.GetDimension() != 3:
        raise ConfigurationError("transform_expected", given=type(transform).__name__)
    return transform


def _drawn(
    structure_set: StructureSet, moving: Volume, roi: str, *, check_reference: bool
) -> list[DrawnLesion]:
    rois = rois_of_image(
        structure_set, moving.to_sitk(), moving.identity, roi, check_reference=check_reference
    )
    spacing = spacing_along_axes(moving.grid)
    return list(lesions_from_contours(rois, spacing_mm=spacing).lesions)


def _frame(lesions: tuple[TransferredLesion, ...]) -> pd.DataFrame:
    return _rows(TransferredLesion, lesions).rename(columns={"id": "lesion_id"})


def _rows(kind: type, found: tuple) -> pd.DataFrame:
    return pd.DataFrame([asdict(one) for one in found], columns=[f.name for f in fields(kind)])
