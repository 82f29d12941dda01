"""A DICOM header as plain text values, for rules and sidecars."""

from __future__ import annotations

import pydicom
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue

BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "SQ", "UN"})

# Enhanced objects renamed some attributes that rules know by their classic keyword.
CLASSIC_KEYWORD = {"EffectiveEchoTime": "EchoTime", "InversionTimes": "InversionTime"}


def header_as_text(dataset: pydicom.Dataset) -> dict[str, str]:
    """Values of a dataset by DICOM keyword, as decimal strings and text.

    Several values are joined with one backslash. Private and binary elements, sequences and empty
    values are left out. For an enhanced multi-frame object the values of its shared functional
    groups and of its first frame are lifted to the top, under the classic keyword too. Units are
    those of DICOM (ms for RepetitionTime).
    """
    header = _texts(dataset)
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for groups in dataset.get(name, [])[:1]:
            _lift(groups, header)
    return header


def _lift(groups: pydicom.Dataset, header: dict[str, str]) -> None:
    for element in groups:
        if element.VR != "SQ" or element.tag.is_private or not element.value:
            continue
        for keyword, text in _texts(element.value[0]).items():
            header.setdefault(keyword, text)
            if keyword in CLASSIC_KEYWORD:
                header.setdefault(CLASSIC_KEYWORD[keyword], text.split("\\")[0])


def _texts(dataset: pydicom.Dataset) -> dict[str, str]:
    result: dict[str, str] = {}
    for tag in dataset.keys():  # noqa: SIM118  # iterating a Dataset would decode private elements
        if tag.is_private:
            continue
        element = dataset[tag]
        if element.VR in BINARY_VRS or not element.keyword:
            continue
        text = _text(element)
        if text:
            result[element.keyword] = text
    return result


def _text(element: DataElement) -> str:
    value = element.value
    if value is None:
        return ""
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(item) for item in value)
    return str(value)
