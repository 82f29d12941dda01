"""Write lesions as a DICOM Segmentation: one segment a lesion, as binary frames or a label map.

PS3.3 A.51 and C.8.20. What is written is read back before it leaves: no voxel may differ.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from cta_data.errors import DataRefused
from cta_data.formats.dicom.derived_objects import (
    MANUFACTURER,
    MODEL_NAME,
    MadeObject,
    Origin,
    colour_of,
    finished,
    program_version,
    require_day,
    require_text,
    set_context,
    uid_of,
)
from cta_data.formats.dicom.image_planes import PlacedSeries

if TYPE_CHECKING:
    import highdicom as hd

SegmentKind = Literal["binary", "labelmap"]
CATEGORY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
METASTASIS = Code("14799000", "SCT", "Neoplasm, Secondary")
"""PS3.16 CID 7159, lesion segmentation types."""
BRAIN = Code("12738006", "SCT", "Brain")
_SERIES_NUMBER = 9002
_ASKED_FOR = (
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "PatientID", "PatientBirthDate"),
    *("PatientSex", "PatientName", "ReferringPhysicianName"),
)
_UNKNOWN_DAY = "19000101"


def make_segmentation(
    series: PlacedSeries,
    labels: NDArray[np.integer],
    origin: Origin,
    name: str = "Lesion",
    kind: SegmentKind = "binary",
) -> MadeObject:
    """Return lesions as a segmentation of a series.

    Parameters
    ----------
    labels
        Lesion numbers on the grid of the series (slice, row, column); 0 elsewhere.
    name
        Before the number of each lesion.

    Raises
    ------
    DataRefused
        The segments are not read back as the lesions that they were made of, there are none, or
        the series is of several images of many frames.
    """
    require_day(origin)
    numbers = [int(one) for one in np.unique(labels) if one]
    if not numbers:
        raise DataRefused("segmentation_without_segment")
    if len(series.datasets) > 1 and any(plane.frame for plane in series.planes):
        raise DataRefused("series_of_several_multiframe", n=len(series.datasets))
    segments = np.searchsorted(np.array([0, *numbers]), labels).astype(np.uint16)
    made = _segmentation(series, segments, numbers, origin, name, kind)
    set_context(made, series.datasets[0])
    require_text(made, [name, origin.sentence, origin.note])
    _set_dates(made, origin)
    _set_dimensions(made, segments)
    content, uid = finished(made, ExplicitVRLittleEndian)
    _require_same(content, series, segments)
    return MadeObject(content, uid, len(numbers), len(numbers), int(np.count_nonzero(labels)))


def _segmentation(
    series: PlacedSeries,
    segments: NDArray[np.uint16],
    numbers: Sequence[int],
    origin: Origin,
    name: str,
    kind: SegmentKind,
) -> hd.seg.Segmentation:
    import highdicom as hd  # a third of a second that only segmentations have to pay

    descriptions = [
        _description(segment, number, series, origin, name)
        for segment, number in enumerate(numbers, start=1)
    ]
    told = f"{'Predicted lesions' if origin.is_prediction else 'Lesions'}, {origin.sentence}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom remarks on names of one part
        return hd.seg.Segmentation(
            source_images=_images(series),
            pixel_array=_by_frame(series, segments),
            segmentation_type=kind.upper(),
            segment_descriptions=descriptions,
            series_instance_uid="2.25.0",
            series_number=_SERIES_NUMBER,
            sop_instance_uid="2.25.0",
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=program_version(),
            device_serial_number="0",
            content_description=told[:64],
            content_creator_name=origin.person_name or None,
            content_label="PREDICTION" if origin.is_prediction else "LESIONS",
            omit_empty_frames=True,
            series_description=f"{told[:40]}, {program_version()}"[:64],
        )


def _description(
    segment: int, number: int, series: PlacedSeries, origin: Origin, name: str
) -> hd.seg.SegmentDescription:
    import highdicom as hd

    algorithm = None
    if origin.is_prediction:
        algorithm = hd.AlgorithmIdentificationSequence(
            name=origin.model[:64],
            family=codes.DCM.ArtificialIntelligence,
            version=(origin.model_version or "unknown")[:64],
        )
    image = series.datasets[0]
    label = f"{name} {number}"[:64]
    made = hd.seg.SegmentDescription(
        segment_number=segment,
        segment_label=label,
        segmented_property_category=CATEGORY,
        segmented_property_type=METASTASIS,
        algorithm_type="AUTOMATIC" if origin.is_prediction else "MANUAL",
        algorithm_identification=algorithm,
        tracking_id=label,
        # The same lesion of the same series keeps its UID, whatever its voxels.
        tracking_uid=uid_of("lesion", image.SeriesInstanceUID, origin.model, origin.reader, label),
        anatomic_regions=[BRAIN],
        display_color=hd.color.CIELabColor.from_rgb(*colour_of(number)),
    )
    made.SegmentDescription = f"{label}, {origin.sentence}"[:1024]
    return made


def _images(series: PlacedSeries) -> list[Dataset]:
    """Return headers of the images in the order of the planes, with all that highdicom asks of."""
    if series.planes[0].frame:
        return [_completed(series.datasets[0])]
    return [_completed(series.datasets[plane.dataset]) for plane in series.planes]


def _completed(image: Dataset) -> Dataset:
    """Return a header with empty values for what may be missing: type 2, or no type at all."""
    made = copy(image)
    for keyword in _ASKED_FOR:
        if keyword not in made:
            setattr(made, keyword, "")
    if "PerFrameFunctionalGroupsSequence" in made:
        made.SharedFunctionalGroupsSequence = [_shared(made)]
    return made


def _shared(image: Dataset) -> Dataset:
    """Return what is said of all frames, with what some scanners repeat for each of them."""
    given = image.get("SharedFunctionalGroupsSequence")
    shared = copy(given[0]) if given else Dataset()
    first = image.PerFrameFunctionalGroupsSequence[0]
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if keyword not in shared and keyword in first:
            setattr(shared, keyword, first[keyword].value)
    return shared


def _by_frame(series: PlacedSeries, segments: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return the voxels in the order of the images, or of the frames of the one image."""
    if not series.planes[0].frame:
        return segments
    ordered = np.empty_like(segments)
    ordered[[plane.frame - 1 for plane in series.planes]] = segments
    return ordered


def _set_dates(made: Dataset, origin: Origin) -> None:
    """Put days that follow from the input where highdicom put the clock.

    PS3.3 C.7.6.16 wants a day of the content: that of the delineation, else of the study.
    """
    day = origin.day or str(made.get("StudyDate") or "") or _UNKNOWN_DAY
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime"):
        if keyword in made:
            del made[keyword]
    made.ContentDate, made.ContentTime = day, "000000"
    for item in made.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in item:
            del item.ContributionDateTime


def _set_dimensions(made: Dataset, segments: NDArray[np.uint16]) -> None:
    """Give the dimensions a UID that follows from the content, where highdicom chose one."""
    uid = uid_of("dimensions", made.FrameOfReferenceUID, made.SegmentationType, segments.tobytes())
    for name in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in made.get(name) or ():
            item.DimensionOrganizationUID = uid


def _require_same(content: bytes, series: PlacedSeries, segments: NDArray[np.uint16]) -> None:
    """Read the file back, and hold every voxel against what it was made of."""
    import highdicom as hd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = hd.seg.Segmentation.from_dataset(pydicom.dcmread(io.BytesIO(content)), copy=False)
        volume = read.get_volume(combine_segments=True, skip_overlap_checks=True)
    voxels = np.asarray(volume.array)
    # Slices without a lesion are not stored; those at the ends are not read back.
    first = np.array(volume.affine) @ [0.0, 0.0, 0.0, 1.0]
    last = np.array(volume.affine) @ [len(voxels) - 1.0, 0.0, 0.0, 1.0]
    start, end = np.round(series.grid.to_index(np.array([first[:3], last[:3]]))[:, 2]).astype(int)
    if start > end:
        voxels, start = voxels[::-1], end
    back = np.zeros_like(segments)
    back[start : start + len(voxels)] = voxels
    differ = int(np.count_nonzero(back != segments))
    if differ:
        raise DataRefused("segmentation_reads_back_differently", n_voxels=differ)
