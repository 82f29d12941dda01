"""A session in memory: images that were placed, structure sets and registrations beside them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RTStructureSetStorage, SpatialRegistrationStorage, generate_uid

from cta_data.cohorts.card import Card
from cta_data.engine import UnitId, Workspace
from cta_data.formats.contours_json import read_contours
from cta_data.formats.dicom.header import header_of
from cta_data.pipeline.convert.annotations import convert_annotations
from cta_data.pipeline.convert.image_rows import ConvertedImages, PlacedImage, RawSeries, RawSession
from cta_data.pipeline.convert.session_annotations import SessionAnnotations
from cta_data.study.session_id import SessionId

UNIT = UnitId("convert", SessionId("own", "1", "1"))
ALL_LESIONS = {"pattern": "(?i)gtv", "lesion": True}


def uid_of(name: str) -> str:
    """The UID of what is named here: `frame.1`, `series.MPRAGE.late` or `slice.MPRAGE.late.10`."""
    return generate_uid(entropy_srcs=[name])


def image(
    technique: str, phase: str = "late", *, frame: int = 1, worked_on: bool = True
) -> PlacedImage:
    """An image of 20 slices, 100 mm wide; its series and slices are named after what it is."""
    grid = sitk.Image(20, 20, 20, sitk.sitkUInt8)
    grid.SetSpacing((5.0, 5.0, 5.0))
    grid.SetOrigin((-50.0, -50.0, -50.0))
    name = f"{technique}.{phase}"
    return PlacedImage(
        technique=technique,
        frame=frame,
        frame_uid=uid_of(f"frame.{frame}"),
        series_uid=uid_of(f"series.{name}"),
        sop_uids=frozenset(uid_of(f"slice.{name}.{k}") for k in range(20)),
        grid=grid,
        slice_spacing_mm=5.0,
        phase=phase,
        space=technique if worked_on else f"{technique}{phase.capitalize()}",
    )


def structure_set(
    uid: str,
    *,
    rois: Mapping[str, Several[float]],
    series: Several[str] = (),
    slices: str = "",
    frame: int | None = 1,
    label: str = "",
    made: tuple[str, str] = ("20240101", "120000"),
) -> Dataset:
    """A structure set of squares of 10 mm: ROI name to the middle of each (LPS, mm).

    `series` and `slices` name images as `image` does: `MPRAGE.late`.
    """
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, uid_of(uid)
    ds.Modality, ds.StructureSetLabel = "RTSTRUCT", label
    ds.StructureSetDate, ds.StructureSetTime = made
    listed = [_named("SeriesInstanceUID", uid_of(f"series.{name}")) for name in series]
    study, reference = Dataset(), Dataset()
    study.RTReferencedSeriesSequence = Sequence(listed)
    reference.RTReferencedStudySequence = Sequence([study])
    reference.FrameOfReferenceUID = uid_of(f"frame.{frame}") if frame else ""
    ds.ReferencedFrameOfReferenceSequence = Sequence([reference])
    ds.StructureSetROISequence, ds.ROIContourSequence = Sequence(), Sequence()
    for number, (name, middle) in enumerate(rois.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        roi.ReferencedFrameOfReferenceUID = uid_of(f"frame.{frame}") if frame else ""
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = Sequence([_square(middle, slices)])
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(drawn)
    return ds


def _named(keyword: str, value: str) -> Dataset:
    item = Dataset()
    setattr(item, keyword, value)
    return item


def _square(middle: Several[float], slices: str) -> Dataset:
    item = Dataset()
    corners = np.array([[-5, -5, 0], [5, -5, 0], [5, 5, 0], [-5, 5, 0]]) + np.array(middle)
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = 4
    item.ContourData = [f"{value:.3f}" for value in corners.ravel()]
    if slices:
        named = _named("ReferencedSOPInstanceUID", uid_of(f"slice.{slices}.10"))
        item.ContourImageSequence = Sequence([named])
    return item


def registration(
    uid: str,
    registered: int,
    shifts: Mapping[int, Several[float]],
    made: tuple[str, str] = ("20240101", "120000"),
) -> Dataset:
    """A registration object: of each frame the shift (mm) onto the registered one."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = SpatialRegistrationStorage, uid_of(uid)
    ds.Modality, ds.FrameOfReferenceUID = "REG", uid_of(f"frame.{registered}")
    ds.ContentDate, ds.ContentTime = made
    ds.RegistrationSequence = Sequence()
    for frame, shift in shifts.items():
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        inner, outer, item = Dataset(), Dataset(), Dataset()
        inner.FrameOfReferenceTransformationMatrix = [str(v) for v in matrix.ravel()]
        inner.FrameOfReferenceTransformationMatrixType = "RIGID"
        outer.MatrixSequence = Sequence([inner])
        item.FrameOfReferenceUID = uid_of(f"frame.{frame}")
        item.MatrixRegistrationSequence = Sequence([outer])
        ds.RegistrationSequence.append(item)
    return ds


def card(**annotations: object) -> Card:
    """A card of two techniques whose ROIs called GTV are lesions."""
    about = {"title": "", "licence": "x", "access": "public", "how_to_get": ""}
    return Card.model_validate(
        {
            "cohort": {"name": "own", **about},
            "series": [
                {"technique": name, "where": {"Modality": name}} for name in ("MPRAGE", "SPACE")
            ],
            "annotations": {"rois": [ALL_LESIONS], **annotations},
            "groups": {"NAQ": {"drawn_on": "MPRAGE"}, "HAQ": {"drawn_on": "SPACE"}},
        }
    )


def converted(
    folder: Path, images: Several[PlacedImage], objects: Several[Dataset], card: Card
) -> tuple[SessionAnnotations, Workspace]:
    """Convert structure sets that lie in one series; contours are written below `folder`."""
    workspace = Workspace(folder, folder / "staging")
    session = RawSession([RawSeries("RTSTRUCT", "s1", list(objects), header_of(objects[0]))])
    placed = ConvertedImages(placed=list(images))
    return convert_annotations(UNIT, session, placed, card, workspace), workspace


def contours_of(
    result: SessionAnnotations, workspace: Workspace, status: str = "current"
) -> dict[str, list[str]]:
    """Return the names of the ROIs that were written, by the space that they lie in."""
    return {
        row.space: [roi.name for roi in read_contours(workspace.write(row.path))]
        for row in result.written
        if row.status == status
    }
