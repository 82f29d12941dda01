"""Read DICOM RT Structure Sets.

Tolerant where nothing is lost (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8): a missing sequence, an empty
contour, a point or an ROI without contours is kept or left out, and always noted. An ROI with a
contour that cannot be trusted is unreadable as a whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError

from cta_data.errors import DataRefused, without_text
from cta_data.formats.dicom.coded_values import codes_of
from cta_data.formats.dicom.header import UNREADABLE, damage_refused, object_name
from cta_data.formats.dicom.size import open_dicom
from cta_data.imaging.rasterization.contour_faults import fault_of
from cta_data.imaging.rasterization.contours import KNOWN_TYPES, Contour, Roi, StructureSet

__all__ = ["Contour", "Roi", "StructureSet", "read_dicom_object", "read_structure_set"]

RT_STRUCTURE_SET_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
_UNDEFINED_LENGTH = 0xFFFFFFFF


def read_structure_set(source: Path | pydicom.Dataset) -> StructureSet:
    """Read one RT Structure Set.

    Contour vertices are LPS, mm, float64. What was tolerated is in ``StructureSet.notes``.

    Raises
    ------
    DataRefused
        If the file is not DICOM, not an RT Structure Set, or cut off.
    """
    if isinstance(source, pydicom.Dataset):
        dataset, where = source, "structure set"
    else:
        dataset, where = read_dicom_object(source), str(source)
    with damage_refused("the structure set", where):
        return _structure_set(dataset, where)


def _structure_set(dataset: pydicom.Dataset, where: str) -> StructureSet:
    _require_structure_set(dataset, where)
    notes: list[str] = []
    frames, series, images = _references(dataset, notes)
    rois, orphans = _rois(dataset, where, notes)
    return StructureSet(
        rois=rois,
        orphans=orphans,
        label=_text(dataset, "StructureSetLabel"),
        name=_text(dataset, "StructureSetName"),
        description=_text(dataset, "StructureSetDescription"),
        series_description=_text(dataset, "SeriesDescription"),
        date=_text(dataset, "StructureSetDate"),
        time=_text(dataset, "StructureSetTime"),
        frame_of_reference_uids=frames,
        referenced_series_uids=series,
        referenced_sop_uids=images,
        notes=tuple(notes),
    )


def read_dicom_object(path: Path) -> pydicom.Dataset:
    """Read a whole DICOM file, and refuse one that ends too early.

    pydicom hands back what it could read of a file that was cut off; here the lengths that the
    file announces are compared with what is there.

    Raises
    ------
    DataRefused
        If the file cannot be read, is not DICOM, or is cut off.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with open_dicom(path) as stream:
                dataset = pydicom.dcmread(stream)
            missing = _missing_bytes(dataset)
    except InvalidDicomError as error:
        raise DataRefused("not_a_dicom_file", where=path) from error
    except UNREADABLE as error:
        raise DataRefused("dicom_unreadable", where=path, error_type=without_text(error)) from error
    messages = [str(warning.message) for warning in caught]
    cut = [message for message in messages if "end of file" in message.lower()]
    why = cut[0] if cut else missing
    if why:
        raise DataRefused("dicom_truncated", where=path, why=why)
    return dataset


def _missing_bytes(dataset: pydicom.Dataset) -> str:
    """What an element lacks of its announced length, as a sentence; empty if nothing."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating a Dataset would decode every element
        element = dataset.get_item(tag)
        if not isinstance(element, RawDataElement) or element.value is None:
            continue
        if element.length != _UNDEFINED_LENGTH and len(element.value) < element.length:
            return f"element {tag} has {len(element.value)} of {element.length} bytes"
    return ""


def _require_structure_set(dataset: pydicom.Dataset, where: str) -> None:
    sop_class = dataset.get("SOPClassUID")
    modality = dataset.get("Modality")
    if sop_class == RT_STRUCTURE_SET_STORAGE or (sop_class is None and modality == "RTSTRUCT"):
        return
    raise DataRefused("not_a_structure_set", where=where, object_name=object_name(dataset))


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value)


def _sequence(dataset: pydicom.Dataset, keyword: str) -> list[pydicom.Dataset]:
    value = dataset.get(keyword)
    return list(value) if value else []


def _unique(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _references(
    dataset: pydicom.Dataset, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Frames of reference, series and images that the whole structure set refers to."""
    frames = _sequence(dataset, "ReferencedFrameOfReferenceSequence")
    if not frames:
        notes.append("it refers to no frame of reference (the sequence is missing)")
    series = [
        item
        for frame in frames
        for study in _sequence(frame, "RTReferencedStudySequence")
        for item in _sequence(study, "RTReferencedSeriesSequence")
    ]
    if frames and not series:
        notes.append("it refers to no image series (the sequence is missing)")
    images = (image for item in series for image in _sequence(item, "ContourImageSequence"))
    return (
        _unique(_text(item, "FrameOfReferenceUID") for item in frames),
        _unique(_text(item, "SeriesInstanceUID") for item in series),
        _unique(_text(item, "ReferencedSOPInstanceUID") for item in images),
    )


def _rois(
    dataset: pydicom.Dataset, where: str, notes: list[str]
) -> tuple[tuple[Roi, ...], tuple[int, ...]]:
    """The ROIs, and the ROI numbers of contours that none of them has."""
    described = _sequence(dataset, "StructureSetROISequence")
    drawn = _contours_by_roi(dataset, where)
    types = {
        _number(item, "ReferencedROINumber", where): _type(item)
        for item in _sequence(dataset, "RTROIObservationsSequence")
    }
    if not described:
        notes.append("it describes no ROI (no Structure Set ROI Sequence)")
    rois: list[Roi] = []
    for item in described:
        number = _number(item, "ROINumber", where)
        name = _text(item, "ROIName")
        if number in {roi.number for roi in rois}:
            raise DataRefused("roi_number_repeated", where=where, number=number)
        where_drawn = f"ROI {number}"
        contours, fault = _contours(drawn.pop(number, []), where_drawn, notes)
        if fault:
            notes.append(f"{where_drawn} cannot be read: {fault}")
        frame = _text(item, "ReferencedFrameOfReferenceUID") or None
        rois.append(Roi(number, name, types.get(number) or None, frame, contours, fault))
    orphans = tuple(sorted(number for number, contours in drawn.items() if contours))
    notes.extend(f"contours of ROI number {number} left out: no ROI has it" for number in orphans)
    return tuple(rois), orphans


def _type(item: pydicom.Dataset) -> str:
    """The interpreted type of a region, where it is one that the standard or a vendor defines."""
    return "".join(codes_of("RTROIInterpretedType", _text(item, "RTROIInterpretedType"))[:1])


def _number(item: pydicom.Dataset, keyword: str, where: str) -> int:
    value = item.get(keyword)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise DataRefused(
            "structure_set_item_missing" if value is None else "structure_set_item_not_a_number",
            where=where,
            keyword=keyword,
        ) from error


def _contours_by_roi(dataset: pydicom.Dataset, where: str) -> dict[int, list[pydicom.Dataset]]:
    drawn: dict[int, list[pydicom.Dataset]] = {}
    for item in _sequence(dataset, "ROIContourSequence"):
        number = _number(item, "ReferencedROINumber", where)
        drawn.setdefault(number, []).extend(_sequence(item, "ContourSequence"))
    return drawn


def _contours(
    items: list[pydicom.Dataset], roi: str, notes: list[str]
) -> tuple[tuple[Contour, ...], str]:
    """The contours of one ROI that can be read, and the first cause why others cannot."""
    if not items:
        notes.append(f"{roi} has no contours")
        return (), ""
    contours: dict[int, Contour] = {}
    damage = ""
    for position, item in enumerate(items, start=1):
        points = _points(item)
        if isinstance(points, str):
            damage = damage or f"contour {position} {points}"
            continue
        if len(points) == 0:
            notes.append(f"{roi}: contour {position} is empty and left out")
            continue
        contour = Contour(points, _text(item, "ContourGeometricType"), _referenced_image(item))
        if not contour.encloses_area:
            known = contour.geometric_type in KNOWN_TYPES
            kind = contour.geometric_type if known else "without a known type"
            notes.append(f"{roi}: contour {position} ({kind}, {len(points)} points) is not filled")
        contours[position] = contour
    return tuple(contours.values()), damage or fault_of(contours.values(), contours.keys())


def _points(item: pydicom.Dataset) -> NDArray[np.float64] | str:
    """Contour Data as (n, 3) without a repeated last vertex, or what is wrong with it."""
    values = _coordinates(item)
    if isinstance(values, str):
        return values
    if len(values) % 3:
        return f"has {len(values)} coordinates, not a multiple of three"
    if not np.isfinite(values).all():
        return "has coordinates that are not finite"
    points = values.reshape(-1, 3)
    closed = len(points) > 1 and np.array_equal(points[0], points[-1])
    vertices = points[:-1] if closed else points
    announced = item.get("NumberOfContourPoints")
    try:
        number = len(points) if announced is None else int(announced)
    except (TypeError, ValueError):
        return "announces a number of points that is none"
    agrees = number in (len(points), len(vertices))
    return vertices if agrees else f"announces {number} points and has {len(points)}"


def _coordinates(item: pydicom.Dataset) -> NDArray[np.float64] | str:
    """All numbers of Contour Data, or what is wrong with them.

    The raw bytes are parsed at once, since pydicom makes an object of every number.
    """
    raw = item.get_item("ContourData").value if "ContourData" in item else None
    try:
        if isinstance(raw, bytes):
            text = raw.decode("ascii").replace("\0", " ").strip()
            return np.array(text.split("\\"), dtype=np.float64) if text else np.empty(0)
        return np.atleast_1d(np.asarray([] if raw is None else raw, dtype=np.float64))
    except (TypeError, ValueError):
        return "has coordinates that are not numbers"


def _referenced_image(item: pydicom.Dataset) -> str | None:
    images = _sequence(item, "ContourImageSequence")
    return (_text(images[0], "ReferencedSOPInstanceUID") or None) if images else None
