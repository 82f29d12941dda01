"""The structure set of a UMMC course: lesions under free-text names, and what is no lesion."""

from __future__ import annotations

import contourpy
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import MRImageStorage, RTStructureSetStorage

from cta_data.phantom import scanner
from cta_data.phantom.anatomy import Anatomy, anatomical_point
from cta_data.phantom.external_patient import View
from cta_data.phantom.hospital_dicom import reference
from cta_data.phantom.lesions import StarShape
from cta_data.phantom.structure_set import Contours, Roi, shape_contours
from cta_data.phantom.ummc_patient import stored
from cta_data.phantom.ummc_study import Study

SKULL, STARRED = "Skull", "*Rt thalamus"
"""Regions that are no lesions."""


def build_rois(study: Study) -> list[Roi]:
    """Return the regions of a course: the skull first, then lesions, then the starred one."""
    anatomy, view = study.patient.anatomy, study.course.view
    starred = StarShape(anatomical_point(anatomy, (12.0, -18.0, 8.0)), 5.5, np.zeros(12))
    lesions = [Roi(d.name.roi, "", d.contours, (255, 0, 0)) for d in study.course.drawn]
    return [
        Roi(SKULL, "EXTERNAL", skull_contours(anatomy, view), (220, 220, 220)),
        *lesions,
        Roi(STARRED, "", shape_contours(starred, view.grid, view.pose), (0, 0, 255)),
    ]


def skull_contours(anatomy: Anatomy, view: View) -> Contours:
    """Return the outline of the head on every other slice, coarsely drawn (LPS mm)."""
    grid = view.grid
    inside = -scanner.sample(anatomy, anatomy.skin - np.float32(100.0), grid, view.pose)
    x = grid.origin[0] + grid.spacing[0] * np.arange(0, grid.size[0], 2)
    y = grid.origin[1] + grid.spacing[1] * np.arange(0, grid.size[1], 2)
    contours: Contours = []
    for k in range(0, grid.size[2], 2):
        plane = inside[k, ::2, ::2]
        # A frame of air closes the outline where the head leaves the image.
        plane[[0, -1], :] = plane[:, [0, -1]] = 0.0
        lines = [np.asarray(v) for v in contourpy.contour_generator(x, y, plane).lines(100.0)]
        ring = max(lines, key=len, default=np.empty((0, 2)))[:-1:3]
        if len(ring) >= 12:
            z = grid.origin[2] + k * grid.spacing[2]
            contours.append((k, np.column_stack([ring, np.full(len(ring), z)])))
    return contours


def structure_set(study: Study, series_uid: str, instance_uids: list[str]) -> Dataset:
    """Return the RT Structure Set, drawn on the MR series with these instances in slice order."""
    ds = study.new_object(RTStructureSetStorage, "RTSTRUCT", "structure set", 28640)
    ds.SOPInstanceUID = study.uid("structure set")
    ds.InstanceNumber = 1
    ds.Manufacturer = "Elekta"
    ds.ManufacturerModelName = "Leksell GammaPlan"
    ds.StructureSetLabel = "GammaPlan"
    ds.StructureSetDate, ds.StructureSetTime = ds.StudyDate, "101500"
    ds.ApprovalStatus = "UNAPPROVED"
    ds.ReferencedFrameOfReferenceSequence = Sequence([_frame(study, series_uid, instance_uids)])
    definitions, drawings, observations = [], [], []
    for number, roi in enumerate(build_rois(study), start=1):
        definition = Dataset()
        definition.ROINumber = number
        definition.ReferencedFrameOfReferenceUID = study.frame_uid
        definition.ROIName = roi.name
        definition.ROIGenerationAlgorithm = "MANUAL"
        definitions.append(definition)
        drawing = Dataset()
        drawing.ROIDisplayColor = list(roi.colour)
        drawing.ContourSequence = Sequence(_contour_items(roi.contours, instance_uids))
        drawing.ReferencedROINumber = number
        drawings.append(drawing)
        observation = Dataset()
        observation.ObservationNumber = observation.ReferencedROINumber = number
        observation.RTROIInterpretedType = roi.interpreted
        observation.ROIInterpreter = ""
        observations.append(observation)
    ds.StructureSetROISequence = Sequence(definitions)
    ds.ROIContourSequence = Sequence(drawings)
    ds.RTROIObservationsSequence = Sequence(observations)
    return ds


def _contour_items(contours: Contours, instance_uids: list[str]) -> list[Dataset]:
    items = []
    for k, points in contours:
        item = Dataset()
        item.ContourImageSequence = Sequence([reference(MRImageStorage, instance_uids[k])])
        item.ContourGeometricType = "CLOSED_PLANAR"
        item.NumberOfContourPoints = len(points)
        item.ContourData = [f"{value + 0.0:.3f}" for value in stored(points).ravel()]
        items.append(item)
    return items


def _frame(study: Study, series_uid: str, instance_uids: list[str]) -> Dataset:
    """Return the item that ties the structure set to the MR and its frame of reference."""
    series = Dataset()
    series.SeriesInstanceUID = series_uid
    series.ContourImageSequence = Sequence([reference(MRImageStorage, u) for u in instance_uids])
    of_study = Dataset()
    of_study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    of_study.ReferencedSOPInstanceUID = study.study_uid
    of_study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = study.frame_uid
    frame.RTReferencedStudySequence = Sequence([of_study])
    return frame
