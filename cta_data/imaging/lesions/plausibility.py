"""What no annotation of brain metastases can be: all limits of it, each with its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk

from cta_data.imaging.rasterization.contour_planes import DrawnPlanes
from cta_data.reasons import Reason

MOST_OUTSIDE = 0.5
"""Share of a lesion outside the brain from which on it is shown. It is no refusal: metastases of
the skull and of the dura are annotated too, and brain masks cut."""
MOST_OF_BRAIN = 0.15
"""Share of the brain that one lesion can have: the largest metastases have some 100 cm³, the brains
of adults 1,000 to 1,700 cm³, and twice the ratio of the two is allowed."""
LEAST_BRAIN_CM3, MOST_BRAIN_CM3 = 400.0, 2200.0
"""As for brains that are extracted here (`brain_extraction.plausibility`)."""
LEAST_EXTENT_MM = 10.0
"""The brain of a mouse is longer: an image of a smaller one has its lengths in another unit."""
FINEST_PLANES, COARSEST_PLANES = 0.25, 5.0
"""Distance of contour planes over that of the delineated slices. Nobody delineates four
planes within a slice; planes farther apart than five slices are filled between, and shown."""


def lesions_too_large(volumes_cm3: Mapping[int, float], brain_cm3: float) -> list[Reason]:
    """Return the lesions (by id) that have a larger share of the brain than a metastasis can."""
    return [
        Reason(
            "lesion_too_large",
            lesion=number,
            volume_cm3=volume,
            share=volume / brain_cm3,
            most=MOST_OF_BRAIN,
        )
        for number, volume in volumes_cm3.items()
        if volume > MOST_OF_BRAIN * brain_cm3
    ]


def brain_size(mask: sitk.Image) -> tuple[Reason | None, Reason | None]:
    """Return what is impossible about the size of a brain, and what should be looked at.

    Parameters
    ----------
    mask
        0 outside of the brain; spacing in mm.
    """
    inside = sitk.GetArrayViewFromImage(mask) != 0
    spacing = np.array(mask.GetSpacing())[::-1]
    volume = float(inside.sum() * np.prod(spacing)) / 1000
    spans = [np.flatnonzero(inside.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    extents = [
        float((span[-1] - span[0] + 1) * step) for span, step in zip(spans, spacing, strict=True)
    ]
    if max(extents) < LEAST_EXTENT_MM:
        return Reason("brain_length_implausible", length_mm=max(extents)), None
    if not LEAST_BRAIN_CM3 <= volume <= MOST_BRAIN_CM3:
        limits = {"least_cm3": LEAST_BRAIN_CM3, "most_cm3": MOST_BRAIN_CM3}
        return None, Reason("brain_volume_implausible", volume_cm3=volume, **limits)
    return None, None


def planes_apart(
    name: str, drawn: DrawnPlanes, slice_mm: float
) -> tuple[Reason | None, Reason | None]:
    """Return what is impossible about the distance of a region's planes, and what is to look at.

    Parameters
    ----------
    slice_mm
        Distance of the slices that it was delineated on.
    """
    if len(drawn.planes) < 2:
        return None, None
    found = {"planes_mm": drawn.spacing_mm, "slices_mm": slice_mm}
    if drawn.spacing_mm < FINEST_PLANES * slice_mm:
        return Reason("contour_planes_too_close", where=name, **found), None
    if drawn.spacing_mm > COARSEST_PLANES * slice_mm:
        return None, Reason("contour_planes_far_apart", where=name, **found)
    return None, None


def share_without_image(label: sitk.Image, image: sitk.Image) -> float:
    """Share of a label's voxels where the image is 0, as outside of a brain that was extracted."""
    inside = sitk.GetArrayViewFromImage(label) != 0
    values = sitk.GetArrayViewFromImage(image)[inside]
    return float((values == 0).mean()) if len(values) else 0.0


def alike_labels(cases: Sequence[tuple[str, str, str, str]]) -> list[str]:
    """Return which patients have the same label, byte by byte, though their images differ.

    Parameters
    ----------
    cases
        Name, patient, content key of the image and of the label of each.
    """
    holders: dict[str, list[tuple[str, str, str]]] = {}
    for name, patient, image, label in cases:
        holders.setdefault(label, []).append((name, patient, image))
    found = []
    for alike in holders.values():
        if len({patient for _, patient, _ in alike}) > 1 and len({i for _, _, i in alike}) > 1:
            names = " and ".join(sorted(name for name, _, _ in alike)[:3])
            more = f" and {len(alike) - 3} more" if len(alike) > 3 else ""
            found.append(f"{names}{more} have the same label, though their images differ")
    return found
