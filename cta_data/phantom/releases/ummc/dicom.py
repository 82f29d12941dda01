"""UMMC as NBIA gives it: folders by patient, study and series, and a table of all series."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom.datadict import tag_for_keyword
from pydicom.uid import MRImageStorage, RTDoseStorage, RTStructureSetStorage

from cta_data.phantom.export.dicom import (
    PIXELS,
    Elements,
    WrittenSeries,
    decimal_strings,
    save,
    write_slices,
)
from cta_data.phantom.export.structure_set import (
    PlannedRoi,
    head_outline,
    shape_contours,
    structure_set_elements,
)
from cta_data.phantom.head.anatomy import anatomical_point
from cta_data.phantom.head.lesions import StarShape
from cta_data.phantom.releases.ummc.patient import Course, UmmcPatient, stored
from cta_data.phantom.scanner import sampling
from cta_data.phantom.tables import table

MANIFEST = "manifest-1678464337678"
SKULL, STARRED = "Skull", "*Rt thalamus"
"""Regions that are no lesions."""
_ROOT = "1.3.6.1.4.1.14519.5.2.1.2612."
_STRUCTURE_SET, _DOSE = "structure set", "dose"


@dataclass(frozen=True)
class CourseStudy:
    """The DICOM study of one course."""

    patient: UmmcPatient
    course: Course

    def uid(self, *parts: object) -> str:
        """Return a UID that depends on seed, patient, course and `parts` alone."""
        who = (self.patient.seed, self.patient.number, self.course.number, *parts)
        digest = hashlib.sha256(repr(who).encode()).digest()
        return _ROOT + str(10**33 + int.from_bytes(digest, "big") % 10**33)

    def folder(self, raw: Path) -> Path:
        """Return the folder of the study in an NBIA download."""
        described = table("ummc", "object", "StudyDescription")
        date = f"{self.course.date:%m-%d-%Y}"
        collection = raw / MANIFEST / table("ummc", "metadata", "Collection")
        return collection / self.patient.name / f"{date}-NA-{described}-{self.uid('study')[-5:]}"

    def elements(self, sop_class: str, modality: str, name: str) -> dict[str, Any]:
        """Return patient, study and the UIDs of the object `name`, with what its table holds."""
        person = self.patient.person
        date = f"{self.course.date:%Y%m%d}"
        return {
            **table("ummc", "object"),
            "SOPClassUID": sop_class,
            "SOPInstanceUID": self.uid(name),
            "Modality": modality,
            **dict.fromkeys(("StudyDate", "SeriesDate", "ContentDate"), date),
            **dict.fromkeys(("PatientName", "PatientID"), self.patient.name),
            "PatientSex": person.sex,
            "PatientAge": f"{person.age_years:03d}Y",
            "StudyInstanceUID": self.uid("study"),
            "SeriesInstanceUID": self.uid("series", name),
            "FrameOfReferenceUID": self.uid("frame"),
            **table("ummc", name),
        }


def write_studies(raw: Path, patient: UmmcPatient) -> tuple[list[Path], list[dict[str, object]]]:
    """Write all courses of a patient; return the folders of their MR series, and table rows."""
    images: list[Path] = []
    rows: list[dict[str, object]] = []
    for course in patient.courses:
        study = CourseStudy(patient, course)
        folder = study.folder(raw)
        header = study.elements(MRImageStorage, "MR", "MR")
        header["AcquisitionDate"] = header["StudyDate"]
        images.append(folder / _series_folder(header))
        series = _write_mr(study, header, images[-1])
        drawn = study.elements(RTStructureSetStorage, "RTSTRUCT", _STRUCTURE_SET)
        drawn |= {"StructureSetDate": drawn["StudyDate"]}
        drawn |= structure_set_elements(series, build_rois(study))
        dose = _dose(study, drawn["SOPInstanceUID"])
        for written in (drawn, dose):
            save(written, folder / _series_folder(written) / "1-1.dcm")
        rows += [_row(e, folder / _series_folder(e), raw / MANIFEST) for e in (header, drawn, dose)]
    return images, rows


def write_metadata(raw: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write NBIA's table of all series."""
    records = [dict(row) for row in rows]
    with (raw / MANIFEST / "metadata.csv").open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def build_rois(study: CourseStudy) -> list[PlannedRoi]:
    """Return the regions of a course: the skull first, then lesions, then the starred one."""
    anatomy, view = study.patient.anatomy, study.course.view
    starred = StarShape(anatomical_point(anatomy, (12.0, -18.0, 8.0)), 5.5, np.zeros(12))
    rings = shape_contours(starred, view.grid, view.pose)
    skin = anatomy.skin - np.float32(100.0)
    skull = head_outline(
        -sampling.sample(anatomy, skin, view.grid, view.pose), 100.0, view.grid, 0.0
    )
    rois = [
        PlannedRoi(SKULL, "EXTERNAL", skull, (220, 220, 220)),
        *(PlannedRoi(d.name.roi, "", d.contours, (255, 0, 0)) for d in study.course.drawn),
        PlannedRoi(STARRED, "", rings, (0, 0, 255)),
    ]
    # Adding zero turns −0 into 0.
    return [
        replace(roi, contours=[(k, stored(points) + 0.0) for k, points in roi.contours])
        for roi in rois
    ]


def _series_folder(elements: Elements) -> str:
    """Return the folder of a series in an NBIA download."""
    described = re.sub(r"[^A-Za-z0-9 ]", "", elements.get("SeriesDescription", "")) or "NA"
    uid = elements["SeriesInstanceUID"]
    return f"{elements['SeriesNumber']}.000000-{described}-{uid[-5:]}"


def _write_mr(study: CourseStudy, header: Elements, folder: Path) -> WrittenSeries:
    """Write a file a slice, from below upwards."""
    image = study.course.image
    count = len(image)
    folder.mkdir(parents=True)
    paths = [folder / f"1-{k + 1:0{len(str(count))}d}.dcm" for k in range(count)]
    uids = [study.uid("MR", k) for k in range(count)]
    return write_slices(header, study.course.view.grid, image, uids, paths)


def _dose(study: CourseStudy, structure_set_uid: str) -> dict[str, Any]:
    """Return the dose of a course: one multi-frame object on its own grid."""
    image = study.course.dose
    gray = sitk.GetArrayViewFromImage(image)
    scaling = float(f"{float(gray.max()) / 60000.0:.8g}")
    x, y, z = image.GetSpacing()
    structures = {
        "ReferencedSOPClassUID": RTStructureSetStorage,
        "ReferencedSOPInstanceUID": structure_set_uid,
    }
    return {
        **PIXELS,
        **study.elements(RTDoseStorage, "RTDOSE", _DOSE),
        **dict(zip(("NumberOfFrames", "Rows", "Columns"), gray.shape, strict=True)),
        "FrameIncrementPointer": tag_for_keyword("GridFrameOffsetVector"),
        "ImagePositionPatient": decimal_strings(image.GetOrigin(), 10),
        "PixelSpacing": [f"{y:.6g}", f"{x:.6g}"],
        "SliceThickness": f"{z:.6g}",
        "GridFrameOffsetVector": [f"{z * k:.6g}" for k in range(len(gray))],
        "DoseGridScaling": f"{scaling:.8g}",
        "ReferencedStructureSetSequence": [structures],
        "PixelData": np.round(gray / scaling).astype("<u2").tobytes(),
    }


def _row(elements: Elements, folder: Path, root: Path) -> dict[str, object]:
    """Return a series' row, in the columns and the spelling of NBIA Data Retriever on Windows."""
    files = sorted(folder.iterdir())
    date = elements["StudyDate"]
    same = table("ummc", "metadata")
    return {
        "Series UID": elements["SeriesInstanceUID"],
        "Collection": same["Collection"],
        "3rd Party Analysis": same["3rd Party Analysis"],
        "Data Description URI": same["Data Description URI"],
        "Subject ID": elements["PatientID"],
        "Study UID": elements["StudyInstanceUID"],
        "Study Description": elements["StudyDescription"],
        "Study Date": "-".join((date[4:6], date[6:], date[:4])),
        "Series Description": elements.get("SeriesDescription", ""),
        "Manufacturer": elements["Manufacturer"],
        "Modality": elements["Modality"],
        "SOP Class Name": table("ummc", "class_names", elements["Modality"]),
        "SOP Class UID": str(elements["SOPClassUID"]),
        "Number of Images": len(files),
        "File Size": f"{sum(path.stat().st_size for path in files) / 1e6:.2f} MB",
        "File Location": ".\\" + "\\".join(folder.relative_to(root).parts),
        "Download Timestamp": same["Download Timestamp"],
    }
