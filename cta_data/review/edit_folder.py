"""A folder that goes out to an editor: what it holds, and the record by which it comes back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cta_data.errors import DataRefused
from cta_data.files import write_text
from cta_data.formats.dicom.derived_objects import colour_of
from cta_data.formats.segmentation_nrrd import ENDING, NamedSegment
from cta_data.study.session_id import SessionId
from cta_data.validation import StrictModel

RECORD = "edit.json"
README = "README.txt"
PAGE = "changes.html"


class EditRecord(StrictModel):
    """What was given to the editor.

    Attributes
    ----------
    annotation, version
        The annotation that is edited.
    drawn_on, grid
        Technique that it was delineated on, and technique on whose grid it is edited.
    labels
        File of the labels, and the same as a segmentation of 3D Slicer, from this folder.
    labels_key
        Content key of the labels in the study.
    voxels
        Digest of the labels as they were given.
    lesions
        Names of lesions by id.
    """

    cohort: str
    subject: str
    session: str
    annotation: str
    version: int
    drawn_on: str
    grid: str
    labels: str
    segmentation: str
    labels_path: str
    labels_key: str
    voxels: str
    lesions: dict[int, str]

    @property
    def id(self) -> SessionId:
        """The session."""
        return SessionId(self.cohort, self.subject, self.session)

    def write(self, folder: Path) -> None:
        """Write the record into its folder."""
        write_text(self.model_dump_json(indent=1) + "\n", folder / RECORD)


def read_edit_record(folder: Path) -> EditRecord:
    """Read the record of a folder.

    Raises
    ------
    DataRefused
        It is not there, or not usable.
    """
    path = folder / RECORD
    try:
        return EditRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataRefused("edit_record_missing", where=folder) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise DataRefused("edit_record_invalid", where=path, message=first["msg"]) from error


def label_files(annotation: str, grid: str) -> tuple[str, str]:
    """Return the names of the labels and of the segmentation of an annotation on a grid."""
    stem = f"{annotation}_on_{grid}"
    return f"{stem}.nii.gz", f"{stem}{ENDING}"


def voxel_digest(labels: NDArray[np.generic]) -> str:
    """Return a digest of label values (z, y, x), whatever type they are kept in."""
    plain = np.ascontiguousarray(labels, dtype="<i8")
    return hashlib.sha256(repr(plain.shape).encode() + plain.tobytes()).hexdigest()


def segments_of(lesions: dict[int, str]) -> list[NamedSegment]:
    """Return a segment of a colour of its own for each lesion."""
    return [
        NamedSegment(number, name, colour_of(number)) for number, name in sorted(lesions.items())
    ]
