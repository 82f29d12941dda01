"""What an object is, by its SOP class: kept under a kind, or skipped with a reason.

UIDs are those of DICOM PS3.6 (registry of unique identifiers), names as in PS3.4 table B.5-1.
"""

from __future__ import annotations

from collections.abc import Mapping

from cta_data.reasons import Reason

_STORAGE = "1.2.840.10008.5.1.4.1.1."

FILE_CLASS = "file:"
"""Begins the class of plain files, where DICOM has a SOP class; their container follows."""

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

KINDS: Mapping[str, str] = {
    _STORAGE + "4": "MR",
    _STORAGE + "4.1": "MR",  # enhanced
    _STORAGE + "4.4": "MR",  # legacy converted enhanced
    _STORAGE + "2": "CT",
    _STORAGE + "2.1": "CT",  # enhanced
    _STORAGE + "2.2": "CT",  # legacy converted enhanced
    _STORAGE + "128": "PT",
    _STORAGE + "130": "PT",  # enhanced
    _STORAGE + "128.1": "PT",  # legacy converted enhanced
    _STORAGE + "20": "NM",
    _STORAGE + "481.2": "RTDOSE",
    _STORAGE + "481.3": "RTSTRUCT",
    _STORAGE + "481.5": "RTPLAN",
    _STORAGE + "481.8": "RTPLAN",  # ion
    _STORAGE + "66.1": "REG",
    _STORAGE + "66.3": "REG",  # deformable
    _STORAGE + "66.4": "SEG",
    _STORAGE + "66.7": "SEG",  # label map
    # Nothing here reads these two. They are annotations, so that they are kept regardless: a
    # session whose latest annotation cannot be read must not go on with an older one.
    _STORAGE + "66.5": "SEG",  # surfaces
    _STORAGE + "481.11": "SEG",  # RT Segment Annotation
}
"""Kind of each SOP class that is kept."""

IMAGE_KINDS = frozenset({"MR", "CT", "PT", "NM"})
"""Kinds that are images of a series."""

_CONTENTS: Mapping[str, str] = {
    _STORAGE + "66": "raw data",
    _STORAGE + "66.2": "spatial fiducials",
    _STORAGE + "67": "real world value mapping",
    _STORAGE + "4.2": "spectroscopy",
    _STORAGE + "481.1": "radiotherapy image",
    _STORAGE + "481.4": "treatment record",
    _STORAGE + "481.6": "treatment record",
    _STORAGE + "481.7": "treatment record",
    _STORAGE + "481.9": "treatment record",
    _STORAGE + "88.59": "key object selection",
    _STORAGE + "88.67": "dose report",
    _STORAGE + "88.68": "dose report",
    _STORAGE + "88.76": "dose report",
}

_CONTENTS_BY_PREFIX: tuple[tuple[str, str], ...] = (
    (_STORAGE + "7", "secondary capture"),
    (_STORAGE + "11", "presentation state"),
    (_STORAGE + "88", "structured report"),
    (_STORAGE + "104", "encapsulated document"),
    (_STORAGE + "9", "waveform"),
)


def kind_of(sop_class: str, extra_kinds: Mapping[str, str]) -> str:
    """Kind of a SOP class, or an empty string for one that is skipped.

    ``extra_kinds`` (SOP class UID to kind) adds to the table, or replaces its entries; an empty
    kind there sets a class aside.
    """
    if sop_class.startswith(FILE_CLASS):
        return sop_class.removeprefix(FILE_CLASS)
    return extra_kinds.get(sop_class, KINDS.get(sop_class, ""))


def reason_set_aside(sop_class: str) -> Reason:
    """Why objects of this class are not kept."""
    if sop_class in KINDS:
        return Reason("object_excluded_by_configuration")
    if sop_class in _CONTENTS:
        return Reason("object_not_kept", content=_CONTENTS[sop_class])
    for prefix, content in _CONTENTS_BY_PREFIX:
        if sop_class == prefix or sop_class.startswith(prefix + "."):
            return Reason("object_not_kept", content=content)
    if not sop_class.startswith("1.2.840.10008."):
        return Reason("object_private")
    return Reason("object_not_tomographic")
