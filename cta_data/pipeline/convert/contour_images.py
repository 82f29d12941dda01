"""Which of a session's images contours lie on, and what that tells of their technique.

Slices that contours name decide, then the series that the structure set names, then the frame of
reference. Slices and series tell the technique as well. A frame of reference tells where contours
lie, and nothing of the image that somebody looked at: the technique has to be stated elsewhere.
Where several images answer, and nothing stated tells them apart, the contours are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cta_data.errors import DataRefused
from cta_data.formats.dicom.segmentation import Segmentation
from cta_data.imaging.rasterization.contour_reference import match_reference
from cta_data.imaging.rasterization.contours import ImageIdentity, Roi, StructureSet
from cta_data.pipeline.convert.image_rows import PlacedImage
from cta_data.reasons import Reason

FRAME = "frame_of_reference"


@dataclass(frozen=True)
class ContourImage:
    """The image that contours lie on.

    Attributes
    ----------
    image
        None where there is none, or where several would do.
    technique
        What the references tell of the technique; None where they tell nothing.
    notes, problem
        What was assumed, and what keeps the contours from being used; empty without.
    """

    image: PlacedImage | None = None
    technique: str | None = None
    notes: tuple[str, ...] = ()
    problem: Reason | None = None


def image_of_contours(
    structure_set: StructureSet,
    rois: Sequence[Roi],
    images: Sequence[PlacedImage],
    stated: str | None,
) -> ContourImage:
    """Find the image of a session that contours lie on.

    Parameters
    ----------
    stated
        The technique that the structure set's header or the card gives, where one does. It
        chooses among images that answer equally well.
    """
    slices = {c.referenced_sop_uid for roi in rois for c in roi.closed_contours} - {None}
    named = [image for image in images if slices & image.sop_uids]
    if len(named) > 1:
        return _several("its contours lie on slices of", named)
    kind, answering, problem = _matches(structure_set, rois, named or images)
    if problem:
        return ContourImage(problem=problem)
    frames = {roi.frame_of_reference_uid for roi in rois} - {None}
    if kind == FRAME:
        return placed_by_frame(answering, stated)
    return _of_references("it names the series of", answering, images, frames, stated)


def image_of_segmentation(
    segmentation: Segmentation, images: Sequence[PlacedImage], stated: str | None
) -> ContourImage:
    """Find the image that was segmented: by its instances, its series, then by its frame.

    Parameters
    ----------
    stated
        As for `image_of_contours`.
    """
    slices, frames = segmentation.referenced_sop_uids, {segmentation.frame_of_reference_uid}
    series = [i for i in images if i.series_uid == segmentation.referenced_series_uid]
    named = [image for image in images if slices & image.sop_uids]
    # Sources of a segmentation may be many; the series it names is the one that was segmented.
    answering = [image for image in named if image in series] or named or series
    if answering:
        return _of_references("the segmentation names", answering, images, frames, stated)
    sharing = [image for image in images if image.frame_uid in frames]
    if sharing:
        return placed_by_frame(sharing, stated)
    return ContourImage(problem=Reason("segmented_image_missing"))


def placed_by_frame(images: Sequence[PlacedImage], stated: str | None) -> ContourImage:
    """Choose among images of the frame of reference that an annotation names.

    All of them give the same positions; the stated technique's own comes first, of its phases the
    one that is worked on.
    """
    if stated is None:
        return ContourImage(problem=Reason("annotation_technique_not_stated", names=_names(images)))
    image = min(images, key=lambda i: (i.technique != stated, i.space != i.technique, i.name))
    note = (
        f"placed by the frame of reference alone, on {image.name}; the image drawn on is not here"
    )
    return ContourImage(image, None, (note,))


def _of_references(
    beginning: str,
    answering: Sequence[PlacedImage],
    images: Sequence[PlacedImage],
    frames: AbstractSet[str | None],
    stated: str | None,
) -> ContourImage:
    """Return the one image that slices or series name; frame and technique tell several apart."""
    if len(answering) > 1:
        answering = [i for i in answering if i.frame_uid in frames] or answering
    if len(answering) > 1:
        answering = [i for i in answering if i.technique == stated] or answering
    if len(answering) > 1:
        return _several(beginning, answering)
    [image] = answering
    others = [i for i in images if i.frame_uid in frames - {image.frame_uid}]
    if others:
        return ContourImage(
            problem=Reason("references_contradict", image=image.name, names=_names(others))
        )
    # What lies on the planning CT was drawn on an image that was shown with it.
    return ContourImage(image, None if image.technique == "CT" else image.technique)


def _matches(
    structure_set: StructureSet, rois: Sequence[Roi], images: Iterable[PlacedImage]
) -> tuple[str, list[PlacedImage], Reason | None]:
    """Return the strongest kind of match, the images that answer by it, or why there is none."""
    found: dict[str, list[PlacedImage]] = {}
    problem = Reason("session_without_image")
    for image in images:
        identity = ImageIdentity(image.series_uid, image.frame_uid, image.sop_uids)
        try:
            match = match_reference(structure_set, rois, identity)
        except DataRefused as error:
            problem = Reason("contoured_image_not_in_session", cause=error.reason)
            continue
        found.setdefault(match.kind, []).append(image)
    for kind in ("sop_instance", "series", FRAME):
        if kind in found:
            return kind, found[kind], None
    return "", [], problem


def _several(beginning: str, images: Sequence[PlacedImage]) -> ContourImage:
    return ContourImage(
        problem=Reason("annotated_image_ambiguous", beginning=beginning, names=_names(images))
    )


def _names(images: Iterable[PlacedImage]) -> str:
    return " and ".join(sorted({image.name for image in images}))
