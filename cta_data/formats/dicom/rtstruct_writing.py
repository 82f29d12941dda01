"""Write lesions as a DICOM RT Structure Set: one ROI a lesion, contours on the edges of voxels.

PS3.3 A.19, C.8.8.5, C.8.8.6 and C.8.8.8. Contours lie in the planes of the images that they name,
and are read back before they leave: no voxel may differ.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from cta_data.errors import DataRefused
from cta_data.formats.dicom.derived_objects import (
    MadeObject,
    Origin,
    colour_of,
    finished,
    program_version,
    require_day,
    require_text,
    set_context,
)
from cta_data.formats.dicom.image_planes import ImagePlane, PlacedSeries
from cta_data.formats.dicom.rtstruct import RT_STRUCTURE_SET_STORAGE, read_structure_set
from cta_data.formats.reference_image import identity_of
from cta_data.imaging.rasterization.contours import EXCLUSIVE_TYPE
from cta_data.imaging.rasterization.lesion_outlines import OutlinedLesion, outlined_lesions
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set
from cta_data.imaging.rasterization.voxel_outlines import VoxelOutline

Holes = Literal["keyhole", "xor"]
CLOSED = "CLOSED_PLANAR"
NO_LESION = "No lesion"
"""Name of the one ROI, without contours, of a structure set that says that there is no lesion."""
_DATA = Tag("ContourData")
_DECIMALS = 6
"""Of coordinates, mm: they never exceed the 16 bytes of a decimal string."""
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management, retired: what PS3.3 asks for
_SERIES_NUMBER = 9001


@dataclass(frozen=True)
class StructureSetText:
    """How a structure set and its ROIs are called.

    Attributes
    ----------
    name
        Before the number of each lesion.
    label
        Of the structure set, 16 characters at most.
    interpreted_type
        RT ROI Interpreted Type; empty where nobody said what the ROIs are for.
    """

    name: str = "Lesion"
    label: str = ""
    interpreted_type: str = ""


def make_structure_set(
    series: PlacedSeries,
    labels: NDArray[np.integer],
    origin: Origin,
    text: StructureSetText,
    holes: Holes = "keyhole",
) -> MadeObject:
    """Return lesions as a structure set of a series.

    Parameters
    ----------
    labels
        Lesion numbers on the grid of the series (slice, row, column); 0 elsewhere.
    holes
        `keyhole`: a channel without width leads from the outline to each hole. `xor`: a hole is a
        contour of its own, and all contours of its ROI are of type CLOSEDPLANAR_XOR.

    Raises
    ------
    DataRefused
        The contours are not read back as the lesions that they were made of.
    """
    require_day(origin)
    lesions = outlined_lesions(labels)
    made = Dataset()
    set_context(made, series.datasets[0])
    _set_about(made, origin, text)
    _set_references(made, series)
    _set_rois(made, series, lesions, origin, text, holes)
    require_text(made, [text.name, text.label, origin.sentence, origin.note])
    content, uid = finished(made, ImplicitVRLittleEndian)
    _require_same(content, series, lesions, labels)
    numbers = {one.number for one in lesions}
    n_voxels = sum(one.n_voxels for one in lesions)
    return MadeObject(content, uid, len(numbers), len(lesions), n_voxels)


def _set_about(made: Dataset, origin: Origin, text: StructureSetText) -> None:
    made.SOPClassUID = RT_STRUCTURE_SET_STORAGE
    made.Modality, made.SeriesNumber, made.InstanceNumber = "RTSTRUCT", _SERIES_NUMBER, 1
    made.OperatorsName = ""
    kind = "Predicted lesions" if origin.is_prediction else "Lesions"
    made.SeriesDescription = f"{kind}, {program_version()}"[:64]
    made.StructureSetLabel = (text.label or ("PREDICTION" if origin.is_prediction else "LESIONS"))[
        :16
    ]
    made.StructureSetDescription = _description(f"{kind}, {origin.sentence}", origin)
    made.StructureSetDate, made.StructureSetTime = origin.day, ""
    made.ApprovalStatus = "UNAPPROVED"


def _description(told: str, origin: Origin) -> str:
    note = f"; {origin.note}" if origin.note else ""
    return f"{told}; written by {program_version()}{note}"[:1024]


def _set_references(made: Dataset, series: PlacedSeries) -> None:
    image = series.datasets[0]
    own = Dataset()
    own.SeriesInstanceUID = str(image.SeriesInstanceUID)
    own.ContourImageSequence = [_reference(one) for one in _images(series.planes)]
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = str(image.StudyInstanceUID)
    study.RTReferencedSeriesSequence = [own]
    frame = Dataset()
    frame.FrameOfReferenceUID = made.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    made.ReferencedFrameOfReferenceSequence = [frame]


def _images(planes: Iterable[ImagePlane]) -> Iterator[ImagePlane]:
    """Yield one plane of every image: an image of many frames is referred to once."""
    seen: set[str] = set()
    for plane in planes:
        if plane.sop_instance_uid not in seen:
            seen.add(plane.sop_instance_uid)
            yield plane


def _reference(plane: ImagePlane, *, with_frame: bool = False) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = plane.sop_class_uid
    item.ReferencedSOPInstanceUID = plane.sop_instance_uid
    if with_frame and plane.frame:
        item.ReferencedFrameNumber = plane.frame
    return item


def _set_rois(
    made: Dataset,
    series: PlacedSeries,
    lesions: Sequence[OutlinedLesion],
    origin: Origin,
    text: StructureSetText,
    holes: Holes,
) -> None:
    rois = []
    for number, lesion in _numbered(lesions):
        name = f"{text.name} {lesion.number}" + (f" part {lesion.part}" if lesion.part else "")
        roi = _new_roi(made, number, name)
        roi.about.ROIDescription = _description(f"{name}, {origin.sentence}", origin)
        roi.about.ROIGenerationAlgorithm = "AUTOMATIC" if origin.is_prediction else "MANUAL"
        roi.about.ROIGenerationDescription = origin.sentence[:64]
        roi.contours.ROIDisplayColor = list(colour_of(lesion.number))
        roi.contours.ContourSequence = list(_contours(series, lesion, holes))
        roi.observation.RTROIInterpretedType = text.interpreted_type
        roi.observation.ROIInterpreter = origin.person_name
        rois.append(roi)
    # The sequences may not be empty: one ROI without contours says that there is no lesion.
    rois = rois or [_new_roi(made, 1, NO_LESION)]
    made.StructureSetROISequence = [roi.about for roi in rois]
    made.ROIContourSequence = [roi.contours for roi in rois]
    made.RTROIObservationsSequence = [roi.observation for roi in rois]


class _Roi(NamedTuple):
    """What the three sequences of a structure set say of one ROI."""

    about: Dataset
    contours: Dataset
    observation: Dataset


def _new_roi(made: Dataset, number: int, name: str) -> _Roi:
    """Return an ROI of which nothing but number and name is said."""
    roi = _Roi(Dataset(), Dataset(), Dataset())
    roi.about.ROINumber = roi.contours.ReferencedROINumber = number
    roi.about.ReferencedFrameOfReferenceUID = made.FrameOfReferenceUID
    roi.about.ROIName = name[:64]
    roi.about.ROIGenerationAlgorithm = ""
    roi.observation.ObservationNumber = roi.observation.ReferencedROINumber = number
    roi.observation.RTROIInterpretedType = roi.observation.ROIInterpreter = ""
    return roi


def _numbered(lesions: Sequence[OutlinedLesion]) -> Iterator[tuple[int, OutlinedLesion]]:
    """Number ROIs as their lesions; further parts of lesions come after all of them."""
    further = max((one.number for one in lesions), default=0)
    for lesion in lesions:
        if lesion.part > 1:
            further += 1
        yield (further if lesion.part > 1 else lesion.number), lesion


def _contours(series: PlacedSeries, lesion: OutlinedLesion, holes: Holes) -> Iterator[Dataset]:
    # PS3.3 C.8.8.6.3: where one contour of an ROI is combined by exclusive or, all of them are.
    has_holes = any(one.holes for outlines in lesion.slices.values() for one in outlines)
    exclusive = holes == "xor" and has_holes
    for number, outlines in sorted(lesion.slices.items()):
        plane = series.planes[number]
        for outline in outlines:
            for ring in _rings(outline, exclusive=exclusive):
                item = Dataset()
                item.ContourImageSequence = [_reference(plane, with_frame=True)]
                item.ContourGeometricType = EXCLUSIVE_TYPE if exclusive else CLOSED
                item.NumberOfContourPoints = len(ring)
                item[_DATA] = _coordinates(plane.points_lps_mm(ring))
                yield item


def _rings(outline: VoxelOutline, *, exclusive: bool) -> list[list[tuple[float, float]]]:
    return outline.rings if exclusive else [outline.keyhole()]


def _coordinates(points: NDArray[np.float64]) -> RawDataElement:
    """Return Contour Data as it is written: pydicom would make an object of every number."""
    # Adding zero makes 0 of -0.
    numbers = (np.round(points, _DECIMALS) + 0.0).ravel().tolist()
    text = "\\".join(f"{number:.{_DECIMALS}f}".rstrip("0").rstrip(".") for number in numbers)
    raw = (text + " " * (len(text) % 2)).encode("ascii")
    return RawDataElement(_DATA, "DS", len(raw), raw, 0, True, True)


def _require_same(
    content: bytes,
    series: PlacedSeries,
    lesions: Sequence[OutlinedLesion],
    labels: NDArray[np.integer],
) -> None:
    """Read the file back, and hold every ROI against its lesion."""
    if not lesions:
        return
    read = read_structure_set(pydicom.dcmread(io.BytesIO(content)))
    identity = identity_of(series.datasets)
    back = rasterize_structure_set(read, series.grid, identity)
    for lesion, roi in zip(lesions, back, strict=True):
        same = roi.n_voxels == lesion.n_voxels and bool(
            (labels[roi.box][roi.region] == lesion.number).all()
        )
        if not same:
            raise DataRefused(
                "structure_set_reads_back_differently",
                where=roi.name,
                n_voxels=lesion.n_voxels,
                n_read=roi.n_voxels,
                notes="; ".join(roi.notes) or roi.status,
            )
