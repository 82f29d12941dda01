"""DICOM Segmentation objects: each segment as a mask on the object's own grid.

PS3.3 A.51 and C.8.20: binary, fractional and label map. Only frames that hold something are stored;
highdicom places them, and slices that are not there are empty.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.header import UNREADABLE, object_name
from cta_data.formats.dicom.size import require_pixels_allowed
from cta_data.size_limit import require_allowed

if TYPE_CHECKING:
    import highdicom as hd

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
SOP_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", LABEL_MAP)
BACKGROUND = 0
"""Value of a label map that is no segment, where PixelPaddingValue names none (PS3.3 C.8.20.2)."""
WHOLE = 0.01
"""Distances of frames are whole numbers of slices to within this part of a slice."""


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
        In the order of their numbers, without a label map's background.
    frame_of_reference_uid, referenced_series_uid
        Empty where the object does not say.
    referenced_sop_uids
        Instances that were segmented, as far as the object names them.
    is_fractional
        Whether voxels hold how much of them is inside, or how probable that is.
    """

    def __init__(self, dataset: hd.seg.Segmentation) -> None:
        self._dataset = dataset
        self.segments = tuple(sorted(_segments(dataset), key=lambda segment: segment.number))
        self.frame_of_reference_uid = str(dataset.get("FrameOfReferenceUID", ""))
        series = dataset.get("ReferencedSeriesSequence") or [Dataset()]
        self.referenced_series_uid = str(series[0].get("SeriesInstanceUID", ""))
        self.referenced_sop_uids = _referenced(dataset, series)
        self.is_fractional = str(dataset.get("SegmentationType", "")).upper() == "FRACTIONAL"

    def mask(self, number: int, threshold: float | None = None) -> sitk.Image:
        """Return a segment as a mask.

        Parameters
        ----------
        threshold
            Of a fractional segmentation: voxels at or above it (0 to 1) belong to the segment.

        Returns
        -------
        SimpleITK.Image
            uint8, 0 and 1, LPS, mm; axes column, row, slice. Segments may overlap: each is its own.

        Raises
        ------
        DataRefused
            There is no such segment, its pixels are damaged, the object's frames make no regular
            volume, or it is fractional and there is no threshold.
        """
        if number not in {segment.number for segment in self.segments}:
            raise DataRefused("segment_not_found", number=number)
        if self.is_fractional and threshold is None:
            raise DataRefused("segmentation_fractional")
        _require_volume_allowed(self._dataset)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                volume = self._dataset.get_volume(
                    segment_numbers=[number], combine_segments=False, rescale_fractional=True
                )
        except RuntimeError as error:
            raise DataRefused(
                "segmentation_frames_irregular", measured=_measured(self._dataset)
            ) from error
        except (sqlite3.Error, *UNREADABLE) as error:
            raise DataRefused(
                "segmentation_pixels_unreadable", error_type=without_text(error)
            ) from error
        return _image(volume, threshold)


def read_segmentation(dataset: Dataset) -> Segmentation:
    """Read a DICOM Segmentation object; the data set is taken over, not copied.

    Raises
    ------
    DataRefused
        It is none, is damaged, is not placed in a patient's frame of reference, or holds voxels of
        a segment that it does not describe.
    """
    sop_class = UID(str(dataset.get("SOPClassUID", "")))
    if sop_class not in SOP_CLASSES:
        raise DataRefused("not_a_segmentation", object_name=object_name(dataset))
    if not dataset.get("FrameOfReferenceUID"):
        raise DataRefused("segmentation_frame_of_reference_missing")
    import highdicom as hd  # a third of a second that only segmentations have to pay

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom remarks on tolerated deviations
            require_pixels_allowed([dataset], where="segmentation")
            _complete_spacing(dataset)
            segmentation = Segmentation(hd.seg.Segmentation.from_dataset(dataset, copy=False))
            used = _numbers_used(dataset)
    except (sqlite3.Error, RuntimeError, *UNREADABLE) as error:
        raise DataRefused("segmentation_unreadable", error_type=without_text(error)) from error
    unknown = used - {segment.number for segment in segmentation.segments}
    if unknown:
        raise DataRefused("segment_undescribed", unknown=sorted(unknown))
    return segmentation


def _require_volume_allowed(dataset: Dataset) -> None:
    """Refuse frames so far apart that the slices between them, which are empty, fill the memory."""
    positions, normals = _frames(dataset)
    measures = [m for g in _groups(dataset) for m in g.get("PixelMeasuresSequence") or ()]
    steps = [float(m.get("SpacingBetweenSlices") or 0) for m in measures]
    if not (positions.size and normals.size and steps) or min(steps) <= 0:
        return
    slices = np.ptp(positions @ normals[0]) / min(steps) + 1
    if np.isfinite(slices):
        require_allowed(
            int(slices) * int(dataset.Rows) * int(dataset.Columns), where="segmentation"
        )


def _is_label_map(dataset: Dataset) -> bool:
    return str(dataset.SOPClassUID) == LABEL_MAP


def _background(dataset: Dataset) -> int:
    return int(dataset.get("PixelPaddingValue", BACKGROUND))


def _numbers_used(dataset: Dataset) -> set[int]:
    """Numbers of the segments that voxels (of a label map) or frames (of the others) belong to."""
    if _is_label_map(dataset):
        return {int(value) for value in np.unique(dataset.pixel_array)} - {_background(dataset)}
    return {
        int(item.ReferencedSegmentNumber)
        for group in _groups(dataset)
        for item in group.get("SegmentIdentificationSequence") or ()
    }


def _segments(dataset: hd.seg.Segmentation) -> Iterator[Segment]:
    for item in dataset.SegmentSequence:
        if _is_label_map(dataset) and int(item.SegmentNumber) == _background(dataset):
            continue
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


def _groups(dataset: Dataset) -> list[Dataset]:
    """Return what is said of all frames, then of each."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    return [*shared, *(dataset.get("PerFrameFunctionalGroupsSequence") or ())]


def _referenced(dataset: Dataset, series: Sequence[Dataset]) -> frozenset[str]:
    """Instances that were segmented: as the object lists them, and as its frames name them."""
    listed = [item for one in series for item in one.get("ReferencedInstanceSequence") or ()]
    for group in _groups(dataset):
        for derived in group.get("DerivationImageSequence") or ():
            listed += derived.get("SourceImageSequence") or ()
    return frozenset(str(item.get("ReferencedSOPInstanceUID", "")) for item in listed) - {""}


def _complete_spacing(dataset: Dataset) -> None:
    """Take the slice thickness for a spacing that is not given, where the frames agree with it.

    Empty frames are left out of a segmentation. Without a spacing, frames of every third slice
    would be read as slices three times as thick.
    """
    measures = [m for g in _groups(dataset) for m in g.get("PixelMeasuresSequence") or ()]
    thickness = {float(m.get("SliceThickness") or 0) for m in measures}
    if len(thickness) != 1 or any("SpacingBetweenSlices" in m for m in measures):
        return
    [slice_mm] = thickness
    if slice_mm <= 0:
        return
    positions, normals = _frames(dataset)
    if not (positions.size and normals.size):
        return
    steps = np.diff(np.unique(positions @ normals[0])) / slice_mm
    steps = steps[steps > WHOLE]  # frames of several segments at one place
    if (np.abs(steps - np.round(steps)) <= WHOLE).all():
        for one in measures:
            one.SpacingBetweenSlices = slice_mm


def _frames(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (LPS, mm) and normals of the frames."""
    groups = _groups(dataset)
    positions = [
        item.ImagePositionPatient for g in groups for item in g.get("PlanePositionSequence") or ()
    ]
    cosines = [
        item.ImageOrientationPatient
        for g in groups
        for item in g.get("PlaneOrientationSequence") or ()
    ]
    axes = np.array(cosines, dtype=np.float64).reshape(-1, 2, 3)
    return np.array(positions, dtype=np.float64).reshape(-1, 3), np.cross(axes[:, 0], axes[:, 1])


def _measured(dataset: Dataset) -> str:
    """Say how the frames lie, for those who have to find out what is wrong with them."""
    positions, normals = _frames(dataset)
    if not (positions.size and normals.size):
        return "they have no positions"
    tilt = np.degrees(np.arccos(np.clip(normals @ normals[0], -1, 1)).max())
    along = positions @ normals[0]
    within = positions - np.outer(along, normals[0])
    steps = np.diff(np.unique(np.round(along, 3)))
    told = [f"{len(positions)} frames"]
    if steps.size:
        told.append(f"{steps.min():.3g} to {steps.max():.3g} mm apart")
    told.append(f"shifted by up to {np.linalg.norm(np.ptp(within, axis=0)):.3g} mm in their planes")
    told.append(f"tilted by up to {tilt:.3g} degrees")
    return ", ".join(told)


def _image(volume: hd.Volume, threshold: float | None) -> sitk.Image:
    """From highdicom's volume: axes slice, row, column (and segment), matrix from index to LPS."""
    array = np.asarray(volume.array)
    array = array[..., 0] if array.ndim == 4 else array
    is_fractional = threshold is not None and array.dtype.kind == "f"
    inside = array >= threshold if is_fractional else array > 0
    affine = np.array(volume.affine, dtype=np.float64)
    if np.linalg.det(affine[:3, 2::-1]) < 0:  # slices against the normal: turn their order
        inside = inside[::-1]
        affine[:3, 3] += affine[:3, 0] * (len(inside) - 1)
        affine[:3, 0] *= -1
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    steps = affine[:3, 2::-1]  # column, row, slice
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image
