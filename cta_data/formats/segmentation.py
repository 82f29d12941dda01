"""DICOM Segmentation objects: each segment as a mask on the object's own grid.

PS3.3 A.51 and C.8.20. Only frames that hold something are stored; highdicom places them, and slices
that are not there are empty.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset

from cta_data.errors import DataRefused
from cta_data.formats.dicom_header import UNREADABLE

if TYPE_CHECKING:
    import highdicom as hd

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
FRACTION = 0.5
"""A voxel of a fractional segment belongs to it from here on."""


@dataclass(frozen=True)
class Segment:
    """One segment: its number, label, and what it is by its coded property (its meanings)."""

    number: int
    label: str
    category: str
    type: str
    algorithm: str


class Segmentation:
    """A segmentation object; see `read_segmentation`.

    Attributes
    ----------
    segments
        In the order of their numbers.
    frame_of_reference_uid, referenced_series_uid
        Empty where the object does not say.
    referenced_sop_uids
        Instances that were segmented, as far as the object names them.
    """

    def __init__(self, dataset: hd.seg.Segmentation) -> None:
        self._dataset = dataset
        self.segments = tuple(sorted(_segments(dataset), key=lambda segment: segment.number))
        self.frame_of_reference_uid = str(dataset.get("FrameOfReferenceUID", ""))
        series = dataset.get("ReferencedSeriesSequence") or [Dataset()]
        self.referenced_series_uid = str(series[0].get("SeriesInstanceUID", ""))
        self.referenced_sop_uids = frozenset(
            str(item.ReferencedSOPInstanceUID)
            for one in series
            for item in one.get("ReferencedInstanceSequence") or ()
        )

    def mask(self, number: int) -> sitk.Image:
        """Return a segment as a mask.

        Returns
        -------
        SimpleITK.Image
            uint8, 0 and 1, LPS, mm; axes column, row, slice. Segments may overlap: each is its own.

        Raises
        ------
        DataRefused
            There is no such segment, or its frames make no regular volume.
        """
        if number not in {segment.number for segment in self.segments}:
            raise DataRefused(f"there is no segment {number}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                volume = self._dataset.get_volume(
                    segment_numbers=[number], combine_segments=False, rescale_fractional=True
                )
        except (RuntimeError, *UNREADABLE) as error:
            raise DataRefused(
                "the frames of the segmentation make no regular volume", why=str(error)
            ) from error
        return _image(volume)


def read_segmentation(dataset: Dataset) -> Segmentation:
    """Read a DICOM Segmentation object.

    Raises
    ------
    DataRefused
        It is none, is damaged, or is not placed in a patient's frame of reference.
    """
    if str(dataset.get("SOPClassUID", "")) != SOP_CLASS:
        raise DataRefused("this is no DICOM Segmentation", why=str(dataset.get("SOPClassUID", "")))
    import highdicom as hd  # a third of a second that only segmentations have to pay

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom remarks on tolerated deviations
            return Segmentation(hd.seg.Segmentation.from_dataset(dataset, copy=False))
    except UNREADABLE as error:
        raise DataRefused("the segmentation cannot be read", why=str(error)) from error


def _segments(dataset: hd.seg.Segmentation) -> Iterator[Segment]:
    for item in dataset.SegmentSequence:
        yield Segment(
            int(item.SegmentNumber),
            str(item.get("SegmentLabel", "")).strip(),
            _meaning(item, "SegmentedPropertyCategoryCodeSequence"),
            _meaning(item, "SegmentedPropertyTypeCodeSequence"),
            str(item.get("SegmentAlgorithmType", "")),
        )


def _meaning(item: Dataset, keyword: str) -> str:
    codes = item.get(keyword)
    return str(codes[0].get("CodeMeaning", "")) if codes else ""


def _image(volume: hd.Volume) -> sitk.Image:
    """From highdicom's volume: axes slice, row, column (and segment), matrix from index to LPS."""
    array = np.asarray(volume.array)
    array = array[..., 0] if array.ndim == 4 else array
    inside = array >= FRACTION if array.dtype.kind == "f" else array > 0
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    affine = np.asarray(volume.affine, dtype=np.float64)
    steps = affine[:3, 2::-1]  # column, row, slice
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image
