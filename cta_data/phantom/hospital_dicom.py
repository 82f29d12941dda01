"""Images as a hospital exports them: classic single-frame MR and CT, Siemens-like headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, MRImageStorage

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.dicom_encoder import SeriesEncoder, decimal_strings, file_meta
from cta_data.phantom.identity import Identity, dicom_time


@dataclass(frozen=True)
class SeriesPlan:
    """What distinguishes one series from another. `start_s` is the time of day in seconds."""

    key: str
    number: int
    description: str
    start_s: float
    frame_uid: str
    elements: dict[str, object]


@dataclass(frozen=True)
class WrittenSeries:
    """A series on disk: its files in slice order, its UIDs, its grid."""

    key: str
    series_uid: str
    study_uid: str
    frame_uid: str
    sop_class: str
    instance_uids: list[str]
    paths: list[Path]
    grid: Grid


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file with preamble."""
    dataset.file_meta = file_meta(dataset.SOPClassUID, dataset.SOPInstanceUID)
    dataset.save_as(path, enforce_file_format=True, overwrite=False)


def new_object(identity: Identity, sop_class: str, modality: str) -> Dataset:
    """The patient and study of an object, MR or, for all other modalities, the planning study."""
    is_mr = modality in ("MR", "PR")
    study = "mr" if is_mr else "ct"
    date = identity.mr_date if is_mr else identity.ct_date
    start = identity.mr_start_s if is_mr else identity.ct_start_s
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = sop_class
    ds.Modality = modality
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = date
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = dicom_time(start)
    ds.InstanceCreationTime = dicom_time(start)
    ds.AccessionNumber = f"A{identity.accession + (0 if is_mr else 1)}"
    ds.InstitutionName = identity.institution
    ds.InstitutionAddress = "Am Forstweg 77, 99999 Hohenwaldstein"
    ds.ReferringPhysicianName = identity.referring_physician
    ds.StudyDescription = "MRT Schaedel KM Stereotaxie" if is_mr else "CT Planung Schaedel"
    ds.PatientName = identity.name
    ds.PatientID = identity.patient_id
    ds.PatientBirthDate = identity.birth_date
    ds.PatientSex = identity.sex
    ds.PatientAge = f"{identity.age_years:03d}Y"
    ds.PatientWeight = identity.weight_kg
    ds.StudyInstanceUID = identity.uid("study", study)
    ds.StudyID = "1" if is_mr else "2"
    return ds


def mprage_elements(phase: str) -> dict[str, object]:
    """Sequence parameters of an MPRAGE series (ms, degrees)."""
    elements: dict[str, object] = {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
        "ScanningSequence": ["GR", "IR"],
        "SequenceVariant": ["SK", "SP", "MP"],
        "ScanOptions": "IR",
        "SequenceName": "*tfl3d1_16ns",
        "ProtocolName": "t1_mprage_sag_iso",
        "RepetitionTime": 2000,
        "EchoTime": 2.44,
        "InversionTime": 900,
        "FlipAngle": 9,
        "EchoTrainLength": 1,
        "PixelBandwidth": 180,
    }
    return elements | (_contrast_agent() if phase != "none" else {})


def space_elements() -> dict[str, object]:
    """Sequence parameters of a T1-weighted SPACE series (ms, degrees)."""
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
        "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "SP"],
        "ScanOptions": "PFP",
        "SequenceName": "*spc_282ns",
        "ProtocolName": "t1_space_sag_iso",
        "RepetitionTime": 700,
        "EchoTime": 12,
        "FlipAngle": 120,
        "EchoTrainLength": 42,
        "PixelBandwidth": 630,
    } | _contrast_agent()


def _contrast_agent() -> dict[str, object]:
    return {
        "ContrastBolusAgent": "Gadavist",
        "ContrastBolusIngredient": "GADOLINIUM",
        "ContrastBolusRoute": "IV",
        "ContrastBolusVolume": 7.5,
    }


def _mr_header(identity: Identity, plan: SeriesPlan) -> Dataset:
    ds = new_object(identity, MRImageStorage, "MR")
    ds.Manufacturer = "SIEMENS"
    ds.ManufacturerModelName = "Skyra"
    ds.StationName = "MRC45311"
    ds.DeviceSerialNumber = "45311"
    ds.SoftwareVersions = "syngo MR E11"
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = "HEAD"
    ds.MagneticFieldStrength = 3
    ds.MRAcquisitionType = "3D"
    ds.AngioFlag = "N"
    ds.ImagingFrequency = 123.249966
    ds.ImagedNucleus = "1H"
    ds.NumberOfAverages = 1
    ds.EchoNumbers = 1
    ds.TransmitCoilName = "Body"
    ds.PercentSampling = 100
    ds.PercentPhaseFieldOfView = 100
    ds.InPlanePhaseEncodingDirection = "ROW"
    ds.PositionReferenceIndicator = ""
    ds.WindowCenter, ds.WindowWidth = 400, 900
    for keyword, value in plan.elements.items():
        setattr(ds, keyword, value)
    return ds


def _ct_header(identity: Identity) -> Dataset:
    ds = new_object(identity, CTImageStorage, "CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    ds.Manufacturer = "SIEMENS"
    ds.ManufacturerModelName = "SOMATOM Definition AS"
    ds.StationName = "CT75390"
    ds.DeviceSerialNumber = "75390"
    ds.ProtocolName = "Stereotaxie_Schaedel"
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = "HEAD"
    ds.KVP = 120
    ds.XRayTubeCurrent = 310
    ds.ExposureTime = 1000
    ds.GantryDetectorTilt = 0
    ds.ConvolutionKernel = "H31s"
    ds.RescaleIntercept = -1024
    ds.RescaleSlope = 1
    ds.RescaleType = "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 100
    ds.PositionReferenceIndicator = ""
    return ds


def _describe_series(ds: Dataset, identity: Identity, plan: SeriesPlan, image: sitk.Image) -> None:
    """Attributes that all images of a series share."""
    nx, ny, _ = image.GetSize()
    direction = np.array(image.GetDirection()).reshape(3, 3)
    spacing = image.GetSpacing()
    ds.SeriesInstanceUID = identity.uid("series", plan.key)
    ds.SeriesNumber = plan.number
    ds.SeriesDescription = plan.description
    ds.FrameOfReferenceUID = plan.frame_uid
    ds.AcquisitionNumber = 1
    date = str(ds.StudyDate)
    ds.AcquisitionDate = date
    ds.AcquisitionTime = dicom_time(plan.start_s)
    ds.SeriesTime = dicom_time(plan.start_s + 0.5)
    ds.ImageOrientationPatient = decimal_strings(direction[:, :2].T.ravel(), 12)
    ds.Rows, ds.Columns = ny, nx
    ds.PixelSpacing = [f"{spacing[1]:.6g}", f"{spacing[0]:.6g}"]
    ds.SliceThickness = f"{spacing[2]:.6g}"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0


_VARYING = (
    "SOPInstanceUID",
    "InstanceNumber",
    "ContentTime",
    "InstanceCreationTime",
    "SliceLocation",
    "ImagePositionPatient",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "PixelData",
)
"""Attributes in which the images of one series differ."""


def write_series(
    identity: Identity, plan: SeriesPlan, image: sitk.Image, grid: Grid, paths: list[Path]
) -> WrittenSeries:
    """Write one series, a file per slice along the image's third axis.

    `image` holds 12-bit stored values for MR, HU for CT; `paths` name the files in slice order.
    """
    is_ct = plan.key == "CT"
    ds = _ct_header(identity) if is_ct else _mr_header(identity, plan)
    _describe_series(ds, identity, plan, image)
    stored = sitk.GetArrayViewFromImage(image)
    encoder = SeriesEncoder(ds, [tag_for_keyword(keyword) or 0 for keyword in _VARYING])
    normal = grid.direction[:, 2]
    uids = []
    for k, path in enumerate(paths):
        position = grid.origin + normal * (grid.spacing[2] * k)
        plane: npt.NDArray[np.integer] = stored[k]
        if is_ct:
            plane = plane + np.int16(1024)
        uid = identity.uid("instance", plan.key, k)
        uids.append(uid)
        own = Dataset()
        own.SOPInstanceUID = uid
        own.InstanceNumber = k + 1
        own.ContentTime = own.InstanceCreationTime = dicom_time(plan.start_s + 20.0 + 0.01 * k)
        own.SliceLocation = f"{float(position @ normal):.6g}"
        own.ImagePositionPatient = decimal_strings(position, 10)
        own.SmallestImagePixelValue = int(plane.min())
        own.LargestImagePixelValue = int(plane.max())
        own.PixelData = np.ascontiguousarray(plane, dtype="<u2").tobytes()
        own["PixelData"].VR = "OW"
        own["SmallestImagePixelValue"].VR = own["LargestImagePixelValue"].VR = "US"
        with path.open("xb") as file:
            file.write(encoder.encode(own))
    return WrittenSeries(
        plan.key, ds.SeriesInstanceUID, ds.StudyInstanceUID, plan.frame_uid,
        str(ds.SOPClassUID), uids, paths, grid,
    )  # fmt: skip


def reference(sop_class: str, instance_uid: str) -> Dataset:
    """An item that references one instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = instance_uid
    return item


def series_reference(series: WrittenSeries) -> Dataset:
    """An item that references all instances of a series."""
    item = Dataset()
    item.SeriesInstanceUID = series.series_uid
    item.ReferencedInstanceSequence = Sequence(
        [reference(series.sop_class, uid) for uid in series.instance_uids]
    )
    return item
