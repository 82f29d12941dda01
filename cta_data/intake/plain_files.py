"""Files that are no DICOM: what the caller says of their paths makes instances of them.

The same tables and the same decisions then serve them: a NIfTI or NRRD file is a series of one
instance, a stack of PNG slices a series of many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cta_data.intake.instances import LARGER, Instance, Unreadable
from cta_data.intake.sop_classes import FILE_CLASS
from cta_data.size_limit import largest_image_bytes
from cta_data.study.sourcedata import SESSION_STUDY, SOURCE_FILE

BEGINS: Mapping[str, tuple[bytes, ...]] = {
    "NIFTI": (
        b"\x1f\x8b",
        *(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big")),
    ),
    "NRRD": (b"NRRD",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
}
"""How files begin, by container: NIfTI compressed, or with the size of its header."""


@dataclass(frozen=True)
class FilePlace:
    """What a path says of a plain file.

    Attributes
    ----------
    use
        ``subject`` (one subject's), ``cohort`` (a table about all) or ``ignored``.
    place
        The part of the path that names it wherever the source lies.
    series
        What the files of one stack share; else the place.
    container
        ``NIFTI``, ``NRRD`` or ``PNG``.
    extension
        With its dot, as it is kept: ``.tar`` for a stack.
    subject
        Identifier in the source.
    session
        Session label.
    number
        Number of a slice; 0 where there is no stack.
    fault
        Why the path does not say enough, or empty.
    is_image
        Whether its content distinguishes subjects: an image does, a mask may be empty in many.
    """

    use: str
    place: str
    series: str = ""
    container: str = ""
    extension: str = ""
    subject: str = ""
    session: str = ""
    number: int = 0
    fault: str = ""
    is_image: bool = False


Recognise = Callable[[str], FilePlace | None]
"""From a path (relative to the source, with ``/``) to what it says, or None."""


@dataclass(frozen=True)
class CohortFile:
    """A file about the whole cohort, such as a clinical workbook."""

    path: Path
    name: str
    digest: str


def recognise_nothing(name: str) -> FilePlace | None:
    """Recognise no file: for cohorts of DICOM alone."""
    return None


def read_plain_file(path: Path, name: str, place: FilePlace) -> Instance:
    """Read one file of a subject; of its content only the first bytes are looked at.

    One whose path says too little is not opened. One that cannot be read is a fault of its session,
    which else would seem to be without it.
    """
    content = b""
    try:
        if place.fault:
            fault = place.fault
        elif path.is_symlink() and not path.exists():
            fault = "is a link whose content is not here"
        elif not path.is_file():
            fault = "is no file"
        elif path.stat().st_size > largest_image_bytes():
            fault = LARGER
        else:
            content = path.read_bytes()
            fault = _fault_of(content, place) if content else "is empty"
    except OSError as error:
        fault = f"cannot be read: {error.strerror or error}"
    digest = hashlib.sha256(content).hexdigest()
    return Instance(
        path=path,
        name=name,
        digest=digest,
        sop_class=f"{FILE_CLASS}{place.container}",
        sop_uid=place.place,
        study_uid=f"{SESSION_STUDY}{place.session}",
        series_uid=place.series,
        patient_id=place.subject,
        modality="",
        instance_number=place.number,
        study_date="",
        frame_of_reference_uid="",
        acquired="",
        identity={},
        fault=fault,
        extension=place.extension,
        header={SOURCE_FILE: place.place},
        pixels=digest if place.is_image and content else "",
    )


def _fault_of(content: bytes, place: FilePlace) -> str:
    """Return why a file is not what its name says, by its first bytes."""
    begins = BEGINS.get(place.container, ())
    if not begins or content.startswith(begins):
        return ""
    return f"is no {place.container}, whatever it is called"


def read_cohort_file(path: Path, name: str) -> CohortFile:
    """Read a file about the whole cohort.

    Raises
    ------
    Unreadable
        It is larger than the limit.
    OSError
        It cannot be read.
    """
    if path.stat().st_size > largest_image_bytes():
        raise Unreadable(LARGER)
    return CohortFile(path, name, hashlib.sha256(path.read_bytes()).hexdigest())
