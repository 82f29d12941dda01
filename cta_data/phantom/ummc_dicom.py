"""UMMC as NBIA gives it: folders by patient, study and series, and a table of all series."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import MRImageStorage, RTDoseStorage

from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom.dicom_encoder import SeriesEncoder, decimal_strings
from cta_data.phantom.ummc_patient import UmmcPatient
from cta_data.phantom.ummc_structure_set import structure_set
from cta_data.phantom.ummc_study import DESCRIPTION, Study, save, series_folder

MANIFEST = "manifest-1678464337678"
COLLECTION = "Brain-TR-GammaKnife"

_CLASS_NAMES = {
    "MR": "MR Image Storage",
    "RTSTRUCT": "RT Structure Set Storage",
    "RTDOSE": "RT Dose Storage",
}
_MR: dict[str, object] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Aera",
    "SeriesDescription": "t1_mpr_tra_iso",
    "ProtocolName": "t1_mpr_tra_iso",
    "BodyPartExamined": "BRAIN",
    "ContrastBolusAgent": "Gadavist",
    "ScanningSequence": ["GR", "IR"],
    "SequenceVariant": ["SK", "SP", "MP"],
    "ScanOptions": "IR",
    "SequenceName": "*tfl3d1_16",
    "MRAcquisitionType": "3D",
    "MagneticFieldStrength": 1.5,
    "RepetitionTime": 2200,
    "EchoTime": 2.67,
    "InversionTime": 900,
    "FlipAngle": 8,
    "PatientPosition": "HFS",
    "AcquisitionNumber": 1,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": 400,
    "WindowWidth": 900,
}
_VARYING = (
    "SOPInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "SliceLocation",
    "PixelData",
)


def write_studies(raw: Path, patient: UmmcPatient) -> tuple[list[Path], list[dict[str, object]]]:
    """Write all courses of a patient; return the folders of their MR series, and table rows."""
    images: list[Path] = []
    rows: list[dict[str, object]] = []
    for course in patient.courses:
        study = Study(patient, course)
        folder = raw / MANIFEST / COLLECTION / study.subject / study.folder
        mr = _mr_header(study, course.view.grid)
        images.append(folder / series_folder(mr))
        images[-1].mkdir(parents=True)
        instance_uids = _write_mr(study, mr, images[-1])
        rois = structure_set(study, str(mr.SeriesInstanceUID), instance_uids)
        dose = _dose(study, str(rois.SOPInstanceUID))
        save(rois, folder / series_folder(rois) / "1-1.dcm")
        save(dose, folder / series_folder(dose) / "1-1.dcm")
        rows += [_row(ds, folder / series_folder(ds), raw / MANIFEST) for ds in (mr, rois, dose)]
    return images, rows


def write_metadata(raw: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write NBIA's table of all series."""
    records = [dict(row) for row in rows]
    with (raw / MANIFEST / "metadata.csv").open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def _mr_header(study: Study, grid: Grid) -> Dataset:
    ds = study.new_object(MRImageStorage, "MR", "MR", 4)
    for keyword, value in _MR.items():
        setattr(ds, keyword, value)
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, "081900"
    ds.Rows, ds.Columns = grid.size[1], grid.size[0]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [f"{grid.spacing[1]:.6g}", f"{grid.spacing[0]:.6g}"]
    ds.SliceThickness = f"{grid.spacing[2]:.6g}"
    return ds


def _write_mr(study: Study, header: Dataset, folder: Path) -> list[str]:
    """Write a file a slice, from below upwards; return their UIDs in that order."""
    grid, image = study.course.view.grid, study.course.image
    encoder = SeriesEncoder(header, [tag_for_keyword(keyword) or 0 for keyword in _VARYING])
    digits = len(str(len(image)))
    uids = []
    for k, plane in enumerate(image):
        position = grid.origin + np.array([0.0, 0.0, grid.spacing[2] * k])
        own = Dataset()
        own.SOPInstanceUID = study.uid("MR", k)
        own.InstanceNumber = k + 1
        own.ImagePositionPatient = decimal_strings(position, 10)
        own.SliceLocation = f"{position[2] + 0.0:.6g}"
        own.PixelData = np.ascontiguousarray(plane, dtype="<u2").tobytes()
        own["PixelData"].VR = "OW"
        (folder / f"1-{k + 1:0{digits}d}.dcm").write_bytes(encoder.encode(own))
        uids.append(str(own.SOPInstanceUID))
    return uids


def _dose(study: Study, structure_set_uid: str) -> Dataset:
    """Return the dose of a course: one multi-frame object on its own grid."""
    image = study.course.dose
    gray = sitk.GetArrayViewFromImage(image)
    scaling = float(f"{float(gray.max()) / 60000.0:.8g}")
    ds = study.new_object(RTDoseStorage, "RTDOSE", "dose", 28641)
    ds.SOPInstanceUID = study.uid("dose")
    ds.InstanceNumber = 1
    ds.Manufacturer = "Elekta"
    ds.ManufacturerModelName = "Leksell GammaPlan"
    ds.SeriesDescription = "Comp Dose"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.NumberOfFrames, ds.Rows, ds.Columns = gray.shape
    ds.FrameIncrementPointer = tag_for_keyword("GridFrameOffsetVector")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = decimal_strings(image.GetOrigin(), 10)
    x, y, z = image.GetSpacing()
    ds.PixelSpacing = [f"{y:.6g}", f"{x:.6g}"]
    ds.SliceThickness = f"{z:.6g}"
    ds.GridFrameOffsetVector = [f"{z * k:.6g}" for k in range(len(gray))]
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    ds.DoseGridScaling = f"{scaling:.8g}"
    structures = Dataset()
    structures.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    structures.ReferencedSOPInstanceUID = structure_set_uid
    ds.ReferencedStructureSetSequence = Sequence([structures])
    ds.PixelData = np.round(gray / scaling).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def _row(ds: Dataset, folder: Path, root: Path) -> dict[str, object]:
    """Return a series' row, in the columns and the spelling of NBIA Data Retriever on Windows."""
    files = sorted(folder.iterdir())
    return {
        "Series UID": str(ds.SeriesInstanceUID),
        "Collection": COLLECTION,
        "3rd Party Analysis": "",
        "Data Description URI": "https://doi.org/10.7937/xb6d-py67",
        "Subject ID": str(ds.PatientID),
        "Study UID": str(ds.StudyInstanceUID),
        "Study Description": DESCRIPTION,
        "Study Date": "-".join((ds.StudyDate[4:6], ds.StudyDate[6:], ds.StudyDate[:4])),
        "Series Description": str(ds.get("SeriesDescription", "")),
        "Manufacturer": str(ds.Manufacturer),
        "Modality": str(ds.Modality),
        "SOP Class Name": _CLASS_NAMES[str(ds.Modality)],
        "SOP Class UID": str(ds.SOPClassUID),
        "Number of Images": len(files),
        "File Size": f"{sum(path.stat().st_size for path in files) / 1e6:.2f} MB",
        "File Location": ".\\" + "\\".join(folder.relative_to(root).parts),
        "Download Timestamp": "2023-03-10T11:05:37.678",
    }
