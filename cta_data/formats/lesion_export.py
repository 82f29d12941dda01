"""Lesions of a mask as a DICOM object of the series that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.destinations import require_file_place
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.files import write_bytes
from cta_data.formats.dicom.derived_objects import MadeObject, Origin
from cta_data.formats.dicom.image_planes import PlacedSeries, place_series
from cta_data.formats.dicom.rtstruct_writing import Holes, StructureSetText, make_structure_set
from cta_data.formats.dicom.segmentation_writing import SegmentKind, make_segmentation
from cta_data.formats.nifti.geometry import NO_CHOICE, FormChoice
from cta_data.formats.nifti.image import read_image
from cta_data.formats.reference_image import grid_of, read_series_headers
from cta_data.given_paths import require_given, require_given_file
from cta_data.imaging.geometry.grid import Grid, describe_grid_difference, same_grid
from cta_data.imaging.lesions.label_transfer import TransferResult, transfer_lesions
from cta_data.imaging.lesions.mask_transfer import lesions_from_labels
from cta_data.imaging.rasterization.lesion_outlines import INSTANCES, lesion_numbers

ObjectKind = Literal["rtstruct", "seg"]
DICOM = ".dcm"
"""Ending of exported files."""


@dataclass(frozen=True)
class ExportOptions:
    """How lesions are exported.

    Attributes
    ----------
    kind
        `rtstruct` (structure set) or `seg` (segmentation).
    holes
        Of structure sets: `keyhole` or `xor`; see `make_structure_set`.
    segments
        Of segmentations: `binary` or `labelmap`.
    instances
        What a lesion of the mask is; see `lesion_numbers`.
    resample
        Whether lesions are transferred to the grid of the series where the mask has another.
    allow_empty
        Whether a structure set without a lesion is written.
    """

    kind: ObjectKind = "rtstruct"
    origin: Origin = field(default_factory=Origin)
    text: StructureSetText = field(default_factory=StructureSetText)
    holes: Holes = "keyhole"
    segments: SegmentKind = "binary"
    instances: str = "auto"
    resample: bool = False
    allow_empty: bool = False


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written; `written` is False where it was there already, byte by byte."""

    path: Path
    written: bool
    sop_instance_uid: str
    n_lesions: int
    n_regions: int
    n_voxels: int
    n_lost: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LesionsOnSeries:
    """Lesion numbers on the grid of a series (slice, row, column).

    `n_lost` lesions of the mask have no voxel on it; `notes` tell what became of lesions.
    """

    labels: NDArray[np.integer]
    n_lost: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: TransferResult) -> LesionsOnSeries:
        """Return lesions that were transferred to the grid of a series."""
        lost = [one for one in result.per_lesion if one.lost_reason]
        partly = [
            one
            for one in result.per_lesion
            if not one.lost_reason and "partly_outside" in one.flags
        ]
        notes = [f"lesion {one.id} is lost on the series: {one.lost_reason}" for one in lost]
        notes += [
            f"lesion {one.id} lies partly outside the series ({one.fraction_inside:.0%} inside)"
            for one in partly
        ]
        return cls(sitk.GetArrayFromImage(result.labels), len(lost), tuple(notes))


def export_mask(
    mask: Path,
    series: Path,
    out: Path,
    options: ExportOptions,
    *,
    choice: FormChoice = NO_CHOICE,
    overwrite: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> ExportedFile:
    """Write the lesions of a mask as a DICOM object of a series.

    Parameters
    ----------
    mask
        NIfTI: lesion numbers, or a binary mask.
    series
        Folder of a DICOM series, or one multi-frame file.
    out
        Ends in `.dcm`. Where it is there with other content it is not replaced unless asked.

    Raises
    ------
    ConfigurationError
        A file is not there, or the output may not be written.
    DataRefused
        Mask or series cannot be read, they have different grids, or there is no lesion.
    """
    if not out.name.endswith(DICOM):
        raise ConfigurationError("output_extension_unsupported", where=out, extensions=(DICOM,))
    require_given_file(mask, "the mask")
    require_given(series)
    # What is there may be just what would be written: that is known when it is made.
    require_file_place(out, (mask, series), overwrite=True)
    placed = read_placed_series(series)
    try:
        lesions = lesions_on_series(read_image(mask, choice), placed, options)
        made = make_object(lesions, placed, options)
    except DataRefused as error:
        if error.where:
            raise
        raise DataRefused(error.reason.at(mask)) from error
    for text in lesions.notes:
        note(f"note: {text}")
    return write_object(made, lesions, out, (mask, series), overwrite=overwrite)


def read_placed_series(path: Path) -> PlacedSeries:
    """Read where the images of a DICOM series lie, and whose they are; see `place_series`."""
    headers = read_series_headers(path)
    try:
        return place_series(headers, grid_of(headers))
    except DataRefused as error:
        if error.where:
            raise
        raise DataRefused(error.reason.at(path)) from error


def lesions_on_series(
    mask: sitk.Image,
    series: PlacedSeries,
    options: ExportOptions,
    transform: sitk.Transform | None = None,
) -> LesionsOnSeries:
    """Return the lesions of a mask on the grid of a series.

    Parameters
    ----------
    transform
        Points of the series to points of the mask (LPS, mm), where they lie in different spaces.

    Raises
    ------
    DataRefused
        The grids differ and `resample` is not asked for, or the mask holds no labels.
    """
    if options.instances not in INSTANCES:
        raise ConfigurationError(
            "lesion_instances_unknown", instances=options.instances, known=INSTANCES
        )
    grid = Grid.of(mask)
    upright = grid.towards_ras()
    # Lesions are numbered from the feet upwards, whatever the order of the voxels in the file.
    numbers = lesion_numbers(upright.apply(sitk.GetArrayViewFromImage(mask)), options.instances)
    if transform is None:
        own = grid.arranged(upright)
        order = own.along(series.grid.direction)
        if same_grid(own.arranged(order), series.grid):
            return LesionsOnSeries(order.apply(numbers))
        if not options.resample:
            difference = describe_grid_difference(own.arranged(order), series.grid)
            raise DataRefused("mask_off_series_grid", difference=difference)
        transform = sitk.Transform(3, sitk.sitkIdentity)
    return _transferred(grid.arranged(upright).image(numbers), series, transform)


def _transferred(
    labels: sitk.Image, series: PlacedSeries, transform: sitk.Transform
) -> LesionsOnSeries:
    """Bring lesions to the grid of a series as the step `transfer` does it, each whole."""
    numbers = np.unique(sitk.GetArrayViewFromImage(labels))
    names = {int(one): (int(one), f"lesion {one}", 1) for one in numbers if one}
    result = transfer_lesions(lesions_from_labels(labels, names), transform, series.grid)
    return LesionsOnSeries.of(result)


def make_object(
    lesions: LesionsOnSeries, series: PlacedSeries, options: ExportOptions
) -> MadeObject:
    """Return the DICOM object of lesions on a series.

    Raises
    ------
    DataRefused
        There is no lesion and none is not allowed, no lesion lies on the series, or the object is
        not read back as it was made.
    """
    labels = lesions.labels
    if lesions.n_lost and not labels.any():
        raise DataRefused("lesions_off_series", n_lost=lesions.n_lost)
    if not labels.any() and not (options.allow_empty and options.kind == "rtstruct"):
        raise DataRefused(
            "segmentation_without_segment" if options.allow_empty else "export_without_lesion"
        )
    if options.kind == "seg":
        return make_segmentation(
            series, labels, options.origin, options.text.name, options.segments
        )
    return make_structure_set(series, labels, options.origin, options.text, options.holes)


def write_object(
    made: MadeObject,
    lesions: LesionsOnSeries,
    out: Path,
    inputs: tuple[Path | None, ...] = (),
    *,
    overwrite: bool = False,
) -> ExportedFile:
    """Write an object whole, unless just that is there already.

    Raises
    ------
    ConfigurationError
        There is another file, and replacing it was not asked for.
    """
    same = out.is_file() and out.read_bytes() == made.content
    if not same:
        require_file_place(out, inputs, overwrite=overwrite)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(made.content, out)
    counts = (made.n_lesions, made.n_regions, made.n_voxels, lesions.n_lost)
    return ExportedFile(out, not same, made.sop_instance_uid, *counts, lesions.notes)
