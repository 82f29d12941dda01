"""Contours of a structure set on the grid of an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from cta_data.api.volume import Volume, require_volume
from cta_data.errors import ConfigurationError
from cta_data.formats.dicom import rtstruct
from cta_data.given_paths import given_path, require_given_file
from cta_data.imaging.lesions.drawn_lesions import lesions_from_contours
from cta_data.imaging.lesions.label_transfer import transfer_lesions
from cta_data.imaging.rasterization.contours import StructureSet
from cta_data.imaging.rasterization.rasterize import (
    REFUSED,
    RasterizedRoi,
    spacing_along_axes,
    union_of,
)
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)


@dataclass(frozen=True, eq=False)
class RasterizedStructureSet:
    """The ROIs of a structure set on the grid of an image.

    Attributes
    ----------
    rois
        One entry per selected ROI, including those that were refused or have no contour.
    image
        The volume that defines their grid.
    """

    rois: tuple[RasterizedRoi, ...]
    image: Volume
    structure_set: StructureSet

    def mask(self, name: str = "") -> Volume:
        """Return the mask (1 inside, unsigned bytes) of an ROI by its name, or of all ROIs.

        Raises
        ------
        ConfigurationError
            There is no such ROI, or none of them has a mask.
        """
        chosen = [roi for roi in self._with_mask if not name or roi.name == name]
        if not chosen:
            raise ConfigurationError(
                "roi_mask_not_found" if name else "roi_masks_missing",
                name=name,
                rois="; ".join(f"{roi.name}: {roi.status}" for roi in self.rois),
            )
        return self.image.with_array(union_of(chosen, self.image.grid).T)

    def lesions(self) -> Volume:
        """Return instance labels: separate parts of an ROI are separate lesions.

        Every lesion keeps its delineated volume, whatever the voxels; ids count from 1 in the
        order of ROI numbers, and within an ROI from its lowest part upwards.
        """
        numbers = {roi.number for roi in self._with_mask}
        rois = [roi for roi in self.structure_set.rois if roi.number in numbers]
        drawn = lesions_from_contours(rois, spacing_mm=spacing_along_axes(self.image.grid))
        labels = transfer_lesions(drawn.lesions, IDENTITY, self.image.grid).labels
        return self.image.with_array(sitk.GetArrayFromImage(labels).T)

    def table(self) -> pd.DataFrame:
        """Return one row per ROI: name, status, voxels, rasterised and delineated volume."""
        names = [
            *("number", "name", "interpreted_type", "status", "n_voxels", "volume_mm3"),
            *("volume_drawn_mm3", "fraction_inside"),
        ]
        rows = [
            {name: getattr(roi, name) for name in names} | {"notes": "; ".join(roi.notes)}
            for roi in self.rois
        ]
        return pd.DataFrame(rows, columns=[*names, "notes"])

    @cached_property
    def _with_mask(self) -> list[RasterizedRoi]:
        return [roi for roi in self.rois if roi.status != REFUSED]


def read_structure_set(path: Path | str) -> StructureSet:
    """Read a DICOM structure set: its ROIs with their contours (LPS mm), and its references.

    Raises
    ------
    ConfigurationError
        The file does not exist.
    DataRefused
        It is not a structure set, or is damaged.
    """
    source = given_path(path)
    require_given_file(source, "the structure set")
    return rtstruct.read_structure_set(source)


def rasterize(
    structure_set: StructureSet,
    image: Volume,
    *,
    roi: str = ".*",
    check_reference: bool = True,
) -> RasterizedStructureSet:
    """Convert contours to masks on the grid of an image.

    Parameters
    ----------
    image
        The delineated volume. If it was read from DICOM, its UIDs are compared with the contours;
        otherwise the positions of the contour planes are compared.
    roi
        Regular expression that matches within the ROI names.
    check_reference
        False if you know that the contours belong to this image.

    Raises
    ------
    DataRefused
        No ROI matches, or none of them belongs to this image.
    ConfigurationError
        The pattern is not a valid regular expression, or an argument is of another type.
    """
    if not isinstance(structure_set, StructureSet):
        raise ConfigurationError("structure_set_expected", given=type(structure_set).__name__)
    require_volume(image, "image")
    rois = rasterize_structure_set(
        structure_set, image.to_sitk(), image.identity, roi, check_reference=check_reference
    )
    return RasterizedStructureSet(tuple(rois), image, structure_set)
