"""A picture of one predicted case: its largest lesions, outlined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cta_data.drawing.outlines import outline_segments
from cta_data.drawing.planes import (
    anatomical_axes,
    grey_window,
    lesion_centre,
    middle,
    orthogonal_planes,
    show,
)
from cta_data.drawing.png import png_bytes
from cta_data.imaging.geometry.resampling import resample

MOST_LESIONS = 8
_COLUMNS = 4
_PIXELS = 320
_OUTLINE = "#E69F00"


def draw_preview(
    case: str, image: sitk.Image, instances: sitk.Image, rows: Sequence[dict[str, Any]]
) -> bytes:
    """Return a PNG: an axial slice through each of the largest lesions, or one without a lesion.

    Radiological view: the patient's right is on the left.
    """
    shown = list(rows)[:MOST_LESIONS]
    panels_of: list[dict[str, Any] | None] = [*shown] or [None]
    panels = len(panels_of)
    columns = min(panels, _COLUMNS)
    height = -(-panels // columns)
    figure = Figure(figsize=(3.0 * columns, 3.25 * height + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    told = f"{case}: {len(rows)} predicted lesion" + ("" if len(rows) == 1 else "s")
    more = f", the {len(shown)} largest shown" if len(shown) < len(rows) else ""
    figure.suptitle(told + more, fontsize=10)
    window = grey_window(image, None)
    extents = np.array(image.GetSize()) * np.array(image.GetSpacing())
    width = float(extents.max())
    centre = middle(sitk.Cast(image > 0, sitk.sitkUInt8))
    axes = np.atleast_1d(figure.subplots(height, columns)).ravel()
    for one in axes:
        one.set_axis_off()
        one.set(xticks=[], yticks=[])  # unseen ticks are laid out all the same
    for one, row in zip(axes, panels_of, strict=False):
        found = lesion_centre(instances, row["lesion_id"]) if row else None
        where = centre
        if found:
            # The whole slice around the brain's middle, at the height of the lesion.
            superior = anatomical_axes(image)[2]
            where = centre + superior * float(np.dot(found[0] - centre, superior))
        plane = orthogonal_planes(image, where, width, width / _PIXELS)["axial"]
        one.imshow(show(image, plane, window), cmap="gray", vmin=0, vmax=1)
        if row:
            flat = resample(instances, plane.grid(), None, interpolation="nearest")
            cut = sitk.GetArrayFromImage(flat)[0]
            for number in np.unique(cut[cut > 0]):
                segments = outline_segments(cut == number)
                lines = LineCollection(list(segments), colors=_OUTLINE, linewidths=0.9)
                one.add_collection(lines, autolim=False)
            one.set_title(f"{row['lesion_id']}: {row['volume_cm3']:.3f} cm³", fontsize=8, y=1.0)
    return png_bytes(figure)
