"""What is shown of a lesion of one subject-session: crops on every technique, and a locator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cta_data.drawing.crops import Crop, Outline
from cta_data.drawing.planes import Vector, ViewPlane, anatomical_axes, middle
from cta_data.drawing.views import LesionViews, Locator, Slices
from cta_data.pipeline.session_images import SessionImages

LOCATOR_MM, LOCATOR_PIXEL_MM = 220.0, 1.0
OutlinesIn = Callable[[ViewPlane], tuple[Outline, ...]]


def lesion_views(
    images: SessionImages,
    plane: ViewPlane,
    *,
    frame: str,
    techniques: Sequence[str],
    outlines: OutlinesIn,
) -> LesionViews:
    """Return a lesion on every technique: its slice, the one below and the one above.

    Parameters
    ----------
    plane
        Axial, through the lesion, in the space of the image `frame`, whose slices are the steps.
    outlines
        Returns what masks hold in a plane.
    """
    upward = -np.cross(plane.right, plane.down)
    superior = anatomical_axes(images.images[frame])[2]
    upward = upward if upward @ superior > 0 else -upward
    step = _slice_mm(images, frame, superior)
    planes = [replace(plane, centre=plane.centre + n * step * upward) for n in (-1, 0, 1)]
    cuts = [outlines(one) for one in planes]
    shown = []
    for technique in techniques:
        inside = [one.inside for one in cuts[1]]
        window = images.crop_window(technique, plane, inside, frame=frame)
        crops = [
            Crop(
                technique,
                images.shown(technique, one, frame=frame, window=window),
                one.pixel_mm,
                cut,
            )
            for one, cut in zip(planes, cuts, strict=True)
        ]
        below, at, above = crops
        shown.append(Slices(below, at, above, step))
    return LesionViews(locator(images, plane, frame), tuple(shown))


def locator(images: SessionImages, plane: ViewPlane, frame: str) -> Locator:
    """Return the whole slice of a crop's plane, and where the crop is in it."""
    centre = middle(images.head(frame))
    normal = np.cross(plane.right, plane.down)
    centre = centre + ((plane.centre - centre) @ normal) * normal
    whole = ViewPlane(centre, plane.right, plane.down, LOCATOR_MM, LOCATOR_PIXEL_MM)
    offset = plane.centre - centre
    x, y = (_pixel(offset, axis, plane.width_mm) for axis in (plane.right, plane.down))
    box = (x, y, plane.width_mm / LOCATOR_PIXEL_MM)
    return Locator(images.shown(frame, whole, frame=frame), box)


def _pixel(offset: Vector, axis: Vector, width_mm: float) -> float:
    """Return where the crop begins along an axis of the locator, in its pixels."""
    return float((offset @ axis - width_mm / 2 + LOCATOR_MM / 2) / LOCATOR_PIXEL_MM - 0.5)


def _slice_mm(images: SessionImages, frame: str, superior: Vector) -> float:
    """Return the distance of the axial slices of an image."""
    image = images.images[frame]
    columns = np.array(image.GetDirection()).reshape(3, 3).T
    return float(image.GetSpacing()[int(np.argmax(np.abs(columns @ superior)))])
