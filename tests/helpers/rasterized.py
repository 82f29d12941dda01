"""One region on the grid of an image."""

from __future__ import annotations

import SimpleITK as sitk

from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.rasterization.contour_planes import planes_of_rois
from cta_data.imaging.rasterization.contours import Roi
from cta_data.imaging.rasterization.rasterize import (
    RasterizedRoi,
    rasterize_planes,
    spacing_along_axes,
)


def rasterize_roi(roi: Roi, image: sitk.Image) -> RasterizedRoi:
    """Rasterise one ROI on the grid of `image`; its references are not looked at."""
    (drawn,) = planes_of_rois([roi], spacing_along_axes(Grid.of(image)))
    return rasterize_planes(roi, drawn, image)
