"""Masks of the ROIs of a structure set: which ROIs, on which image, each for itself."""

from __future__ import annotations

from collections.abc import Sequence

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.imaging.geometry.grid import Grid, Placed
from cta_data.imaging.rasterization.contour_planes import (
    DrawnPlanes,
    planes_of_rois,
    require_readable,
)
from cta_data.imaging.rasterization.contour_reference import (
    ReferenceMatch,
    match_planes,
    match_reference,
)
from cta_data.imaging.rasterization.contours import ImageIdentity, Roi, StructureSet
from cta_data.imaging.rasterization.rasterize import (
    REFUSED,
    RasterizedRoi,
    leaves_slices,
    rasterize_planes,
    spacing_along_axes,
    without_mask,
)
from cta_data.patterns import require_pattern, search

_UNCHECKED = ReferenceMatch("unchecked")


def rasterize_structure_set(
    structure_set: StructureSet,
    image: Placed,
    image_uids: ImageIdentity | None,
    roi_pattern: str = ".*",
    *,
    check_reference: bool = True,
) -> list[RasterizedRoi]:
    """Rasterise every ROI whose name contains ``roi_pattern`` on the grid of ``image``.

    An ROI that cannot be rasterised has the status ``refused`` and its reason; the others are not
    affected.

    Parameters
    ----------
    image_uids
        The image's UIDs, or None for an image without any (NIfTI): the planes are checked then.
    roi_pattern
        Regular expression, searched in the name, case-insensitive.
    check_reference
        False trusts the caller that the contours belong to this frame of reference.

    Raises
    ------
    DataRefused
        If no ROI matches, or no matching ROI belongs to this image.
    ConfigurationError
        If the pattern is not a regular expression.
    """
    rois = _matching(structure_set, roi_pattern)
    grid = Grid.of(image)
    planes = _readable_planes(structure_set.rois, grid)
    rasterized: list[RasterizedRoi] = []
    strangers: list[DataRefused] = []
    for roi in rois:
        drawn = planes[id(roi)]
        if isinstance(drawn, DataRefused):
            rasterized.append(without_mask(roi, REFUSED, _reason(drawn), _UNCHECKED))
            continue
        try:
            reference = _UNCHECKED
            if check_reference and drawn is not None:
                reference = _match(structure_set, roi, drawn, image_uids, grid)
        except DataRefused as error:
            strangers.append(error)
            rasterized.append(without_mask(roi, REFUSED, _reason(error), _UNCHECKED))
            continue
        try:
            rasterized.append(rasterize_planes(roi, drawn, image, reference))
        except DataRefused as error:
            rasterized.append(without_mask(roi, REFUSED, _reason(error), reference))
    if strangers and not any(one.status == "ok" for one in rasterized):
        raise strangers[0]
    return rasterized


def rois_of_image(
    structure_set: StructureSet,
    image: Placed,
    image_uids: ImageIdentity | None,
    roi_pattern: str = ".*",
    *,
    check_reference: bool = True,
) -> list[Roi]:
    """Return the ROIs whose name contains `roi_pattern`, where all of them belong to `image`.

    Parameters are those of `rasterize_structure_set`.

    Raises
    ------
    DataRefused
        If no ROI matches, or one that does cannot be read or does not belong to this image.
    ConfigurationError
        If the pattern is not a regular expression.
    """
    rois = _matching(structure_set, roi_pattern)
    grid = Grid.of(image)
    planes = _readable_planes(structure_set.rois, grid)
    for roi in rois:
        drawn = planes[id(roi)]
        if isinstance(drawn, DataRefused):
            raise drawn
        if check_reference and drawn is not None:
            _match(structure_set, roi, drawn, image_uids, grid)
    return rois


def _matching(structure_set: StructureSet, roi_pattern: str) -> list[Roi]:
    try:
        require_pattern(roi_pattern)
    except ValueError as error:
        raise ConfigurationError("pattern_invalid", error=str(error)) from error
    rois = [roi for roi in structure_set.rois if search(roi_pattern, roi.name, ignore_case=True)]
    if not rois:
        names = ", ".join(repr(roi.name) for roi in structure_set.rois) or "none"
        raise DataRefused(
            "roi_not_matched",
            where=structure_set.label or "structure set",
            roi_pattern=roi_pattern,
            names=names,
        )
    return rois


def _readable_planes(
    rois: Sequence[Roi], grid: Grid
) -> dict[int, DrawnPlanes | DataRefused | None]:
    """The planes of each ROI by its identity in memory, or why it has none.

    All ROIs of the structure set together tell how far apart planes are.
    """
    found: dict[int, DrawnPlanes | DataRefused | None] = {}
    readable = []
    for roi in rois:
        try:
            require_readable(roi)
            readable.append(roi)
        except DataRefused as error:
            found[id(roi)] = error
    planes = planes_of_rois(readable, spacing_along_axes(grid))
    return found | dict(zip(map(id, readable), planes, strict=True))


def _match(
    structure_set: StructureSet,
    roi: Roi,
    drawn: DrawnPlanes,
    image_uids: ImageIdentity | None,
    grid: Grid,
) -> ReferenceMatch:
    """Find out that an ROI belongs to the image, by UIDs or by its planes."""
    if image_uids is not None:
        return match_reference(structure_set, [roi], image_uids)
    tilt = leaves_slices(drawn, grid)
    if tilt:
        raise DataRefused(
            "contour_reference_unknown", where=f"ROI {roi.number} {roi.name!r}", tilt=tilt
        )
    slices = grid.arranged(grid.facing(drawn.axes[2]))
    heights = [float(slices.to_index(p.points_lps_mm)[:, 2].mean()) for p in drawn.planes]
    return match_planes(heights, slices.size[2])


def _reason(error: DataRefused) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what
