"""What all DICOM objects of a UMMC study have in common, as TCIA's de-identification leaves it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from cta_data.phantom.dicom_encoder import file_meta
from cta_data.phantom.ummc_patient import Course, UmmcPatient

DESCRIPTION = "MR GAMMA KNIFE PLANNING BRAIN W IV CONTRAST"
_ROOT = "1.3.6.1.4.1.14519.5.2.1.2612."


@dataclass(frozen=True)
class Study:
    """The study of one course."""

    patient: UmmcPatient
    course: Course

    @property
    def subject(self) -> str:
        """The PatientID."""
        return f"GK_{self.patient.number:03d}"

    @property
    def study_uid(self) -> str:
        """The Study Instance UID."""
        return self.uid("study")

    @property
    def frame_uid(self) -> str:
        """The frame of reference that all objects of the study share."""
        return self.uid("frame")

    @property
    def folder(self) -> str:
        """The folder of the study in an NBIA download."""
        return f"{self.course.date:%m-%d-%Y}-NA-{DESCRIPTION}-{self.study_uid[-5:]}"

    def uid(self, *parts: object) -> str:
        """Return a UID that depends on seed, patient, course and `parts` alone."""
        who = (self.patient.seed, self.patient.number, self.course.number, *parts)
        digest = hashlib.sha256(repr(who).encode()).digest()
        return _ROOT + str(10**33 + int.from_bytes(digest, "big") % 10**33)

    def new_object(self, sop_class: str, modality: str, key: str, number: int) -> Dataset:
        """Return a dataset with patient, study and the UIDs of a series called `key`."""
        person = self.patient.person
        ds = Dataset()
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.SOPClassUID = sop_class
        ds.Modality = modality
        date = f"{self.course.date:%Y%m%d}"
        ds.StudyDate = ds.SeriesDate = ds.ContentDate = date
        ds.StudyTime, ds.SeriesTime, ds.ContentTime = "081500", "082100", "082100"
        ds.AccessionNumber = ""
        ds.ReferringPhysicianName = ""
        ds.StudyDescription = DESCRIPTION
        ds.PatientName = ds.PatientID = self.subject
        ds.PatientBirthDate = ""
        ds.PatientSex = person.sex
        ds.PatientAge = f"{person.age_years:03d}Y"
        ds.PatientIdentityRemoved = "YES"
        ds.DeidentificationMethod = "Per DICOM PS 3.15 AnnexE. Details in 0012,0064"
        ds.LongitudinalTemporalInformationModified = "MODIFIED"
        ds.StudyInstanceUID = self.study_uid
        ds.StudyID = ""
        ds.SeriesInstanceUID = self.uid("series", key)
        ds.SeriesNumber = number
        ds.FrameOfReferenceUID = self.frame_uid
        ds.PositionReferenceIndicator = ""
        return ds


def series_folder(ds: Dataset) -> str:
    """Return the folder of a series in an NBIA download."""
    described = re.sub(r"[^A-Za-z0-9 ]", "", str(ds.get("SeriesDescription", ""))) or "NA"
    return f"{ds.SeriesNumber}.000000-{described}-{str(ds.SeriesInstanceUID)[-5:]}"


def save(ds: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file with preamble."""
    path.parent.mkdir(parents=True)
    ds.file_meta = file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
    ds.save_as(path, enforce_file_format=True, overwrite=False)
