"""The structure set of the treatment plan: targets and organs as contours on the planning CT."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import contourpy
import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RTStructureSetStorage

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom import head
from cta_data.phantom.anatomy import anatomical_point
from cta_data.phantom.geometry import Rigid, index_of
from cta_data.phantom.hospital_dicom import WrittenSeries, new_object, reference, save
from cta_data.phantom.identity import Identity, dicom_time
from cta_data.phantom.lesions import StarShape
from cta_data.phantom.patient import DigitalPatient

Array = npt.NDArray[np.float64]
Contours = list[tuple[int, Array]]
"""Pairs of a CT slice index and the points (n, 3) of a closed contour in its plane (LPS mm)."""

_COLOURS = {"GTV": (255, 0, 0), "CTV": (255, 165, 0), "PTV": (0, 0, 255)}


@dataclass(frozen=True)
class Roi:
    """A named structure; `interpreted` is its RT ROI Interpreted Type, often blank."""

    name: str
    interpreted: str
    contours: Contours
    colour: tuple[int, int, int]


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


def skin_contours(ct: sitk.Image, grid: Grid) -> Contours:
    """The outline of the head on every other slice, from the CT itself at -350 HU."""
    volume = sitk.GetArrayViewFromImage(ct)
    x = grid.origin[0] + grid.spacing[0] * np.arange(0, grid.size[0], 2)
    y = grid.origin[1] + grid.spacing[1] * np.arange(0, grid.size[1], 2)
    contours: Contours = []
    for k in range(0, grid.size[2], 2):
        plane = volume[k, ::2, ::2].astype(np.float32)
        # A frame of air closes the outline where the head leaves the image.
        plane[[0, -1], :] = plane[:, [0, -1]] = -1000.0
        lines = [np.asarray(v) for v in contourpy.contour_generator(x, y, plane).lines(-350.0)]
        if not lines:
            continue
        longest = max(lines, key=len)[:-1:3]
        if len(longest) >= 12:
            z = grid.origin[2] + k * grid.spacing[2]
            contours.append((k, np.column_stack([longest, np.full(len(longest), z)])))
    return contours


def _organ(patient: DigitalPatient, ellipsoid: tuple[head.Triple, head.Triple]) -> Contours:
    """Contours of an ellipsoid of the atlas around its place in this patient."""
    place, radii = ellipsoid
    centre = anatomical_point(patient.anatomy, place)
    x, y, z = np.log(np.array(radii) / np.prod(radii) ** (1.0 / 3.0))
    harmonics = np.zeros(12)
    # Degree 2 alone stretches a sphere along the axes.
    harmonics[3], harmonics[4] = (x - y) / 2.0, (2.0 * z - x - y) / 3.0
    scale = float(np.prod(radii) ** (1.0 / 3.0))
    shape = StarShape(centre, scale, harmonics)
    return shape_contours(shape, patient.grids["CT"], patient.poses["CT"])


def build_rois(patient: DigitalPatient) -> list[Roi]:
    """Targets of every drawn lesion, then organs, as a planner would leave them."""
    rois: list[Roi] = []
    grid, pose = patient.grids["CT"], patient.poses["CT"]
    for drawn in patient.drawn:
        gross = shape_contours(drawn.outline, grid, pose)
        wide = replace(drawn.outline, margin_mm=drawn.outline.margin_mm + drawn.margin_mm)
        planning = shape_contours(wide, grid, pose)
        typed = patient.seed % 3 != 0
        for kind, contours in (("GTV", gross), ("CTV", gross), ("PTV", planning)):
            rois.append(Roi(drawn.names[kind], kind if typed else "", contours, _COLOURS[kind]))
    rois.append(Roi("Brainstem", "ORGAN", _organ(patient, head.BRAINSTEM_RAS), (0, 200, 120)))
    rois.append(Roi("Chiasm", "", _organ(patient, head.CHIASM_RAS), (200, 200, 0)))
    for name, shape in head.EYE_RAS.items():
        rois.append(Roi(name, "", _organ(patient, shape), (120, 120, 255)))
    skin = skin_contours(patient.images["CT"], patient.grids["CT"])
    rois.append(Roi("Skin", "EXTERNAL", skin, (255, 220, 200)))
    return [roi for roi in rois if roi.contours]


def _contour_item(ct: WrittenSeries, index: int, points: Array) -> Dataset:
    item = Dataset()
    item.ContourImageSequence = Sequence([reference(ct.sop_class, ct.instance_uids[index])])
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item.ContourData = [f"{value:.3f}" for value in points.ravel()]
    return item


def _frame_reference(ct: WrittenSeries) -> Dataset:
    """The item that ties the structure set to the CT series and its frame of reference."""
    series = Dataset()
    series.SeriesInstanceUID = ct.series_uid
    series.ContourImageSequence = Sequence([reference(ct.sop_class, u) for u in ct.instance_uids])
    study = Dataset()
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = ct.study_uid
    study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = ct.frame_uid
    frame.RTReferencedStudySequence = Sequence([study])
    return frame


def write_structure_set(
    identity: Identity, patient: DigitalPatient, ct: WrittenSeries, rois: list[Roi], path: Path
) -> str:
    """Write the RT Structure Set of a patient; returns its SOP Instance UID."""
    ds = new_object(identity, RTStructureSetStorage, "RTSTRUCT")
    ds.SOPInstanceUID = identity.uid("structure set")
    ds.SeriesInstanceUID = identity.uid("series", "structure set")
    ds.SeriesNumber = 9001
    ds.SeriesDescription = "RTSTRUCT Stereotaxie"
    ds.InstanceNumber = 1
    ds.Manufacturer = "Accuray Incorporated"
    ds.ManufacturerModelName = "MultiPlan"
    ds.OperatorsName = "Physik^Brigitta"
    ds.StructureSetLabel = "SPACE T1" if patient.quality == "HAQ" else "MPRAGE"
    ds.StructureSetName = "STX Hirn"
    ds.StructureSetDate = identity.ct_date
    ds.StructureSetTime = dicom_time(identity.ct_start_s + 5400)
    ds.ApprovalStatus = "UNAPPROVED"
    ds.ReferencedFrameOfReferenceSequence = Sequence([_frame_reference(ct)])
    definitions, contours, observations = [], [], []
    for number, roi in enumerate(rois, start=1):
        definition = Dataset()
        definition.ROINumber = number
        definition.ReferencedFrameOfReferenceUID = ct.frame_uid
        definition.ROIName = roi.name
        definition.ROIGenerationAlgorithm = "MANUAL"
        definitions.append(definition)
        item = Dataset()
        item.ROIDisplayColor = list(roi.colour)
        item.ContourSequence = Sequence([_contour_item(ct, k, p) for k, p in roi.contours])
        item.ReferencedROINumber = number
        contours.append(item)
        observation = Dataset()
        observation.ObservationNumber = number
        observation.ReferencedROINumber = number
        observation.RTROIInterpretedType = roi.interpreted
        observation.ROIInterpreter = ""
        observations.append(observation)
    ds.StructureSetROISequence = Sequence(definitions)
    ds.ROIContourSequence = Sequence(contours)
    ds.RTROIObservationsSequence = Sequence(observations)
    save(ds, path)
    return str(ds.SOPInstanceUID)
