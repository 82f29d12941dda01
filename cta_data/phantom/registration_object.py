"""The Spatial Registration object: how the MR frames of reference lie in that of the CT."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SpatialRegistrationStorage

from cta_data.phantom.dicom_encoder import decimal_strings
from cta_data.phantom.geometry import Rigid, identity
from cta_data.phantom.hospital_dicom import (
    WrittenSeries,
    new_object,
    reference,
    save,
    series_reference,
)
from cta_data.phantom.identity import Identity


def _item(series: WrittenSeries, to_registered: Rigid) -> Dataset:
    """One frame of reference: the matrix takes its coordinates to the registered ones (LPS mm)."""
    matrix = Dataset()
    matrix.FrameOfReferenceTransformationMatrixType = "RIGID"
    values = to_registered.matrix().ravel()
    matrix.FrameOfReferenceTransformationMatrix = decimal_strings(values, 12)
    registration = Dataset()
    registration.MatrixSequence = Sequence([matrix])
    registration.RegistrationTypeCodeSequence = Sequence([])
    item = Dataset()
    item.FrameOfReferenceUID = series.frame_uid
    item.ReferencedImageSequence = Sequence(
        [reference(series.sop_class, uid) for uid in series.instance_uids]
    )
    item.MatrixRegistrationSequence = Sequence([registration])
    return item


def write_registration(
    who: Identity,
    ct: WrittenSeries,
    moving: list[tuple[WrittenSeries, Rigid]],
    others: list[WrittenSeries],
    path: Path,
) -> str:
    """Write the object; `moving` pairs one series of each MR frame with its mapping onto the CT's.

    `others` are further series that the object references. Returns the SOP Instance UID.
    """
    ds = new_object(who, SpatialRegistrationStorage, "REG")
    ds.SOPInstanceUID = who.uid("registration")
    ds.SeriesInstanceUID = who.uid("series", "registration")
    ds.SeriesNumber = 9002
    ds.SeriesDescription = "MR-CT Fusion"
    ds.InstanceNumber = 1
    ds.Manufacturer = "Accuray Incorporated"
    ds.ManufacturerModelName = "MultiPlan"
    ds.SoftwareVersions = "5.3.0"
    ds.FrameOfReferenceUID = ct.frame_uid
    ds.PositionReferenceIndicator = ""
    ds.ContentLabel = "FUSION"
    ds.ContentDescription = "MR auf Planungs-CT"
    ds.ContentCreatorName = "Physik^Brigitta"
    items = [_item(ct, identity())]
    items += [_item(series, to_ct) for series, to_ct in moving]
    ds.RegistrationSequence = Sequence(items)
    ds.ReferencedSeriesSequence = Sequence([series_reference(ct)])
    study = Dataset()
    mr = [series for series, _ in moving] + others
    study.StudyInstanceUID = mr[0].study_uid
    study.ReferencedSeriesSequence = Sequence([series_reference(series) for series in mr])
    ds.StudiesContainingOtherReferencedInstancesSequence = Sequence([study])
    save(ds, path)
    return str(ds.SOPInstanceUID)
