"""A structure set's file and an image's into files of masks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cta_data.destinations import require_file_place, require_folder_place
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.nifti.geometry import FormChoice
from cta_data.formats.nifti.image import write_voxels
from cta_data.formats.reference_image import read_reference_grid
from cta_data.given_paths import require_given, require_given_file
from cta_data.imaging.geometry.grid import Grid, ras_affine
from cta_data.imaging.rasterization.rasterize import REFUSED, RasterizedRoi, union_of
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set


@dataclass(frozen=True)
class RoiMask:
    """A region of interest, and the file that its mask is in; none of a region that was refused."""

    roi: RasterizedRoi
    file: str | None


def write_roi_masks(
    structure_set: Path,
    image: Path,
    out: Path,
    pattern: str,
    *,
    check_reference: bool,
    choice: FormChoice,
    overwrite: bool,
    note: Callable[[str], None],
) -> list[RoiMask]:
    """Write one mask of all regions of interest, or one each into a folder.

    A region that was refused has no mask: an empty one would say that there is nothing.

    Parameters
    ----------
    image
        NIfTI file, or folder with a DICOM series.
    out
        Mask (.nii.gz), or folder.
    pattern
        Regular expression that is found in the names of the regions.

    Raises
    ------
    ConfigurationError
        A file is not there, or the output may not be written.
    DataRefused
        The structure set cannot be read, or no region of it belongs to the image.
    """
    if out.suffix and not out.is_dir() and not out.name.endswith(".nii.gz"):
        # Else a file of another name would become a folder.
        raise ConfigurationError("output_extension_unsupported", where=out, extensions=(".nii.gz",))
    require_given_file(structure_set, "the structure set")
    require_given(image)
    inputs = (structure_set, image)
    _require_place(out, inputs, (), overwrite=overwrite)
    content = read_structure_set(structure_set)
    for number in content.orphans:
        note(f"warning: contours of ROI number {number} belong to no ROI")
    grid, identity = read_reference_grid(image, content.referenced_series_uids, choice)
    try:
        rois = rasterize_structure_set(
            content, grid, identity, pattern, check_reference=check_reference
        )
    except DataRefused as error:
        # Who gave two paths is told which of them it was, not what the file calls itself.
        raise DataRefused(error.reason.at(structure_set)) from error
    made = [one for one in rois if one.status != REFUSED]
    _require_place(out, inputs, [_name(one) for one in rois], overwrite=overwrite)
    written = _write(made, grid, out) if made else {}
    for stale in set(_places(rois, out)) - set(_places(made, out)):
        stale.unlink(
            missing_ok=True
        )  # an earlier mask would stand for a region that is refused now
    return [RoiMask(one, written.get(one.number)) for one in rois]


def _is_one_mask(out: Path) -> bool:
    return out.name.endswith((".nii", ".nii.gz"))


def _name(roi: RasterizedRoi) -> str:
    label = re.sub(r"\W+", "_", roi.name).strip("_") or "roi"
    return f"{roi.number:03d}_{label}.nii.gz"


def _places(rois: Sequence[RasterizedRoi], out: Path) -> list[Path]:
    """Return the file of each region: one for all, or one each."""
    return [out if _is_one_mask(out) else out / _name(one) for one in rois]


def _require_place(
    out: Path, inputs: tuple[Path, ...], names: Sequence[str], *, overwrite: bool
) -> None:
    if _is_one_mask(out):
        require_file_place(out, inputs, overwrite=overwrite)
    else:
        require_folder_place(out, inputs, names, overwrite=overwrite)


def _write(rois: list[RasterizedRoi], grid: Grid, out: Path) -> dict[int, str]:
    """Write the masks; return the files by ROI number."""
    affine = ras_affine(grid)
    if _is_one_mask(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_voxels(union_of(rois, grid), affine, out)
        return {one.number: str(out) for one in rois}
    out.mkdir(parents=True, exist_ok=True)
    places = _places(rois, out)
    for one, place in zip(rois, places, strict=True):
        write_voxels(union_of([one], grid), affine, place)
    return {one.number: str(place) for one, place in zip(rois, places, strict=True)}
