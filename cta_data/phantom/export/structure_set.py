"""The structure set of the treatment plan: targets and organs as contours on the planning CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import contourpy
import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydicom.uid import RTStructureSetStorage

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.export.dicom import Elements, WrittenSeries, references, save
from cta_data.phantom.export.hospital import object_elements
from cta_data.phantom.export.identity import PatientIdentity, dicom_time
from cta_data.phantom.geometry import Rigid, index_of
from cta_data.phantom.head.anatomy import anatomical_point
from cta_data.phantom.head.lesions import StarShape
from cta_data.phantom.patient import DigitalPatient
from cta_data.phantom.readers import Drawn
from cta_data.phantom.readers_plan import reader_description
from cta_data.phantom.tables import table

Array = npt.NDArray[np.float64]
Contours = list[tuple[int, Array]]
"""Pairs of a CT slice index and the points (n, 3) of a closed contour in its plane (LPS mm)."""

_COLOURS = {"GTV": (255, 0, 0), "CTV": (255, 165, 0), "PTV": (0, 0, 255)}


@dataclass(frozen=True)
class PlannedRoi:
    """A named structure; `interpreted` is its RT ROI Interpreted Type, often blank."""

    name: str
    interpreted: str
    contours: Contours
    colour: Sequence[int]


def shape_contours(shape: StarShape, grid: Grid, pose: Rigid) -> Contours:
    """Where a shape's surface cuts the planes of an axial grid, to which `pose` takes the anatomy.

    A shape that lies between two planes is moved onto the nearer one: a person who draws a target
    draws it on at least one slice.
    """
    contours = _cut(shape, grid, pose)
    if contours:
        return contours
    centre = pose.apply(shape.centre)
    index = index_of(grid, centre)
    onto = centre + grid.direction[:, 2] * (np.round(index[2]) - index[2]) * grid.spacing[2]
    return _cut(replace(shape, centre=pose.inverse().apply(onto)), grid, pose)


def _cut(shape: StarShape, grid: Grid, pose: Rigid) -> Contours:
    """Zero lines of the shape's distance on a fine lattice in each plane of an axial grid."""
    to_anatomy = pose.inverse()
    centre, reach = pose.apply(shape.centre), shape.reach_mm()
    step = float(np.clip(reach / 16.0, 0.12, 0.6))
    lattice = np.arange(-reach - 2 * step, reach + 2 * step, step)
    x, y = centre[0] + lattice, centre[1] + lattice
    height = (centre[2] - grid.origin[2]) / grid.spacing[2]
    span = reach / grid.spacing[2]
    contours: Contours = []
    first = max(int(np.ceil(height - span)), 0)
    last = min(int(np.floor(height + span)), grid.size[2] - 1)
    for k in range(first, last + 1):
        z = grid.origin[2] + k * grid.spacing[2]
        plane = np.stack(np.broadcast_arrays(x[None, :], y[:, None], np.float64(z)), axis=-1)
        distance = shape.distance(to_anatomy.apply(plane))
        for line in contourpy.contour_generator(x, y, distance).lines(0.0):
            if len(line) > 3:
                ring = np.asarray(line)[:-1]
                contours.append((k, np.column_stack([ring, np.full(len(ring), z)])))
    return contours


def head_outline(
    inside: npt.NDArray[np.floating], level: float, grid: Grid, outside: float
) -> Contours:
    """The outline of the head, coarsely drawn on every other slice of an axial grid (LPS mm).

    `inside` (z, y, x) passes `level` at the skin; `outside` is its value in air.
    """
    x = grid.origin[0] + grid.spacing[0] * np.arange(0, grid.size[0], 2)
    y = grid.origin[1] + grid.spacing[1] * np.arange(0, grid.size[1], 2)
    contours: Contours = []
    for k in range(0, grid.size[2], 2):
        plane = inside[k, ::2, ::2].astype(np.float32)
        # A frame of air closes the outline where the head leaves the image.
        plane[[0, -1], :] = plane[:, [0, -1]] = outside
        lines = [np.asarray(v) for v in contourpy.contour_generator(x, y, plane).lines(level)]
        ring = max(lines, key=len, default=np.empty((0, 2)))[:-1:3]
        if len(ring) >= 12:
            z = grid.origin[2] + k * grid.spacing[2]
            contours.append((k, np.column_stack([ring, np.full(len(ring), z)])))
    return contours


def _organ(
    patient: DigitalPatient, place: tuple[float, float, float], radii: Sequence[float]
) -> Contours:
    """Contours of an ellipsoid of the atlas around its place in this patient."""
    centre = anatomical_point(patient.anatomy, place)
    x, y, z = np.log(np.array(radii) / np.prod(radii) ** (1.0 / 3.0))
    harmonics = np.zeros(12)
    # Degree 2 alone stretches a sphere along the axes.
    harmonics[3], harmonics[4] = (x - y) / 2.0, (2.0 * z - x - y) / 3.0
    scale = float(np.prod(radii) ** (1.0 / 3.0))
    shape = StarShape(centre, scale, harmonics)
    return shape_contours(shape, patient.grids["CT"], patient.poses["CT"])


def target_rois(patient: DigitalPatient, lesions: Sequence[Drawn]) -> list[PlannedRoi]:
    """Targets of every drawn lesion, as a planner would leave them."""
    rois: list[PlannedRoi] = []
    grid, pose = patient.grids["CT"], patient.poses["CT"]
    for drawn in lesions:
        gross = shape_contours(drawn.outline, grid, pose)
        wide = replace(drawn.outline, margin_mm=drawn.outline.margin_mm + drawn.margin_mm)
        planning = shape_contours(wide, grid, pose)
        typed = patient.seed % 3 != 0
        for kind, contours in (("GTV", gross), ("CTV", gross), ("PTV", planning)):
            rois.append(
                PlannedRoi(drawn.names[kind], kind if typed else "", contours, _COLOURS[kind])
            )
    return [roi for roi in rois if roi.contours]


def organ_rois(patient: DigitalPatient) -> list[PlannedRoi]:
    """Organs and the outline of the head, which every structure set of a patient has."""
    rois: list[PlannedRoi] = []
    grid = patient.grids["CT"]
    for organ in table("atlas", "organs"):
        contours = _organ(patient, organ["centre"], organ["radii"])
        rois.append(PlannedRoi(organ["name"], organ["interpreted"], contours, organ["colour"]))
    skin = head_outline(sitk.GetArrayViewFromImage(patient.images["CT"]), -350.0, grid, -1000.0)
    rois.append(PlannedRoi("Skin", "EXTERNAL", skin, (255, 220, 200)))
    return [roi for roi in rois if roi.contours]


def structure_set_elements(drawn_on: WrittenSeries, rois: Sequence[PlannedRoi]) -> Elements:
    """What a structure set holds of regions that were drawn on a series."""
    numbered = list(enumerate(rois, start=1))
    frame = drawn_on.frame_uid
    series = {
        "SeriesInstanceUID": drawn_on.series_uid,
        "ContourImageSequence": references(drawn_on),
    }
    study = {
        "ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.1",
        "ReferencedSOPInstanceUID": drawn_on.study_uid,
        "RTReferencedSeriesSequence": [series],
    }
    return {
        "ReferencedFrameOfReferenceSequence": [
            {"FrameOfReferenceUID": frame, "RTReferencedStudySequence": [study]}
        ],
        "StructureSetROISequence": [
            {"ROINumber": number, "ReferencedFrameOfReferenceUID": frame, "ROIName": roi.name,
             "ROIGenerationAlgorithm": "MANUAL"}
            for number, roi in numbered
        ],
        "ROIContourSequence": [
            {"ROIDisplayColor": list(roi.colour), "ReferencedROINumber": number,
             "ContourSequence": [_contour(drawn_on, k, points) for k, points in roi.contours]}
            for number, roi in numbered
        ],
        "RTROIObservationsSequence": [
            {"ObservationNumber": number, "ReferencedROINumber": number,
             "RTROIInterpretedType": roi.interpreted, "ROIInterpreter": ""}
            for number, roi in numbered
        ],
    }  # fmt: skip


def _contour(drawn_on: WrittenSeries, index: int, points: Array) -> Elements:
    return {
        "ContourImageSequence": references(drawn_on, [index]),
        "ContourGeometricType": "CLOSED_PLANAR",
        "NumberOfContourPoints": len(points),
        "ContourData": [f"{value:.3f}" for value in points.ravel()],
    }


def write_structure_set(
    who: PatientIdentity,
    ct: WrittenSeries,
    rois: Sequence[PlannedRoi],
    path: Path,
    *,
    quality: str,
    reader: str = "",
    number: int = 0,
) -> str:
    """Write an RT Structure Set of a patient's planning CT; return its SOP instance UID.

    Its label says on which technique it was drawn, its description by whom where `reader` is given.
    `number` counts the sets of a patient from 0, in the order in which they are made.
    """
    own: Elements = {
        "StructureSetLabel": "SPACE T1" if quality == "HAQ" else "MPRAGE",
        "StructureSetDate": who.ct_date,
        "StructureSetTime": dicom_time(who.ct_start_s + 5400 + 600 * number),
    }
    elements = object_elements(who, RTStructureSetStorage, "RTSTRUCT", "structure set")
    if reader:
        elements["StructureSetDescription"] = reader_description(reader)
    if number:
        elements["SOPInstanceUID"] = who.uid("structure set", number)
        elements["SeriesInstanceUID"] = who.uid("series", "structure set", number)
        elements["SeriesNumber"] += number
    save({**elements, **own, **structure_set_elements(ct, rois)}, path)
    return str(elements["SOPInstanceUID"])
