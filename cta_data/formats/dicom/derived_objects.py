"""What DICOM objects that this program makes of a series share: whose they are, who made them.

The same input gives the same bytes. UIDs follow from the content, the version of this program
included, and no date is that of the clock.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from uuid import UUID, uuid5

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from cta_data.errors import DataRefused
from cta_data.formats.dicom.header import UNREADABLE, damage_refused

MANUFACTURER = "cta_data"
MODEL_NAME = "cta_data export"
"""ManufacturerModelName of what this program exports: what it wrote is known by it."""
_UIDS = UUID("5f1b7c39-0f1c-5d0e-9c7e-0d3a6f4b8e21")
"""Namespace of the UIDs that follow from content (PS3.5 B.2, version 5 of RFC 4122)."""
IMPLEMENTATION = UID(f"2.25.{uuid5(_UIDS, 'implementation').int}")
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID")
"""Attributes of type 2: written empty where the series has none."""
_SHORT, _SHORTEST = ("AccessionNumber", "StudyID"), 16
"""Of VR SH: a value that is longer than DICOM allows is not passed on."""
_WHERE_GIVEN = (
    *("IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription"),
    *(
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "LongitudinalTemporalInformationModified",
    ),
)
_GOLDEN = 0.618034
_UTF8 = "ISO_IR 192"


@dataclass(frozen=True)
class Origin:
    """Who or what delineated lesions.

    Attributes
    ----------
    model, model_version
        A model that predicted them; empty where a person delineated them.
    reader
        Code of the person.
    date
        Day on which they were delineated, YYYY-MM-DD; empty where it is not known.
    note
        What else is to be told of them.
    """

    model: str = ""
    model_version: str = ""
    reader: str = ""
    date: str = ""
    note: str = ""

    @property
    def is_prediction(self) -> bool:
        """Whether a model made them."""
        return bool(self.model)

    @property
    def person_name(self) -> str:
        """The reader's code as the name of a person, whose parts DICOM divides by a caret."""
        return f"{self.reader}^" if self.reader else ""

    @property
    def day(self) -> str:
        """The day as DICOM writes it."""
        return self.date.replace("-", "")

    @property
    def sentence(self) -> str:
        """Who or what delineated them, in words."""
        if self.is_prediction:
            version = f", version {self.model_version}" if self.model_version else ""
            return f"predicted by model {self.model}{version}, not reviewed"
        return f"delineated by reader {self.reader}" if self.reader else "delineated by a person"


@dataclass(frozen=True)
class MadeObject:
    """A DICOM object, ready to be written.

    Attributes
    ----------
    content
        Bytes of the file.
    n_lesions, n_regions, n_voxels
        Lesions; ROIs or segments; voxels in them.
    """

    content: bytes
    sop_instance_uid: str
    n_lesions: int
    n_regions: int
    n_voxels: int


def program_version() -> str:
    """Return the version of this program, as it stands in what it exports."""
    return f"{MANUFACTURER} {metadata.version('cta_data')}"


def is_exported(dataset: Dataset) -> bool:
    """Return whether this program exported a data set."""
    return str(dataset.get("ManufacturerModelName") or "").strip() == MODEL_NAME


def set_context(made: Dataset, image: Dataset) -> None:
    """Give an object the patient, study and frame of reference of an image, and its equipment.

    Raises
    ------
    DataRefused
        The header of the image is damaged there.
    """
    with damage_refused("the header of the series"):
        values = {name: _text(image, name) for name in (*_PATIENT, *_STUDY)}
        values |= {name: "" for name in _SHORT if len(values[name]) > _SHORTEST}
        values |= {name: text for name in _WHERE_GIVEN if (text := _text(image, name))}
        character_set = image.get("SpecificCharacterSet")
    for name, text in values.items():
        setattr(made, name, text)
    if not all(text.isascii() for text in values.values()):
        kept = _can_encode(character_set, values.values())
        made.SpecificCharacterSet = character_set if kept else _UTF8
    made.StudyInstanceUID = str(image.StudyInstanceUID)
    made.FrameOfReferenceUID = str(image.FrameOfReferenceUID)
    made.PositionReferenceIndicator = _text(image, "PositionReferenceIndicator")
    made.Manufacturer, made.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    made.SoftwareVersions = program_version()


def require_text(made: Dataset, texts: Iterable[str]) -> None:
    """Choose a character set that can write further texts as well.

    Raises
    ------
    DataRefused
        A text holds a backslash, at which DICOM divides values, or a control character.
    """
    texts = list(texts)
    for text in texts:
        if "\\" in text or any(ord(one) < 32 for one in text):
            raise DataRefused("export_text_unwritable", text=text)
    if not all(text.isascii() for text in texts):
        made.SpecificCharacterSet = _UTF8


def colour_of(number: int) -> tuple[int, int, int]:
    """Return a colour that differs from those of neighbouring numbers: red, green, blue."""
    rgb = colorsys.hsv_to_rgb((number - 1) * _GOLDEN % 1.0, 0.85, 1.0)
    red, green, blue = (round(255 * one) for one in rgb)
    return red, green, blue


def uid_of(*parts: object) -> str:
    """Return the UID that follows from texts, numbers or bytes."""
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        digest.update(f"{len(content)}:".encode() + content)
    return f"2.25.{uuid5(_UIDS, digest.hexdigest()).int}"


def finished(made: Dataset, transfer_syntax: UID) -> tuple[bytes, str]:
    """Give an object the UIDs that follow from its content; return its file and instance UID."""
    for name in ("SOPInstanceUID", "SeriesInstanceUID"):
        setattr(made, name, "2.25.0")
    content = _file(made, transfer_syntax)
    made.SOPInstanceUID = uid_of("instance", content)
    made.SeriesInstanceUID = uid_of("series", content)
    return _file(made, transfer_syntax), str(made.SOPInstanceUID)


def _file(made: Dataset, transfer_syntax: UID) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "CTA_DATA"
    made.file_meta = meta
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _text(image: Dataset, keyword: str) -> str:
    value = image.get(keyword)
    if isinstance(value, MultiValue):
        return "\\".join(map(str, value))
    return "" if value is None else str(value)


def _can_encode(character_set: object, texts: Iterable[str]) -> bool:
    """Return whether the character set of an image can write what was read with it."""
    if not isinstance(character_set, str) or not character_set:
        return False
    try:
        encoding = convert_encodings(character_set)[0]
        for text in texts:
            text.encode(encoding)
    except (*UNREADABLE, LookupError):
        return False
    return True


def require_day(origin: Origin) -> None:
    """Refuse a day that DICOM cannot write.

    Raises
    ------
    DataRefused
        It is not of the form YYYY-MM-DD.
    """
    if origin.date and not (len(origin.day) == 8 and origin.day.isdigit()):
        raise DataRefused("export_date_invalid", date=origin.date)
