"""A DICOM header as plain data, for rules that recognise series."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import UID

from cta_data.errors import DataRefused, without_text
from cta_data.redaction.identity import KEYWORDS

_NOT_TEXT = frozenset(
    {"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"}
)
# Names of people: no rule needs them, and what is not copied cannot leak.
_LEFT_OUT_VR = frozenset({"PN"})
_LEFT_OUT = frozenset(
    {
        "PatientID",
        "OtherPatientIDs",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "PatientMotherBirthName",
        "PatientBirthName",
        "MedicalRecordLocator",
        "PixelData",
    }
)
NO_QUANTITY = 1e6
_NESTING = 3
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    struct.error,
    zlib.error,
)
"""What pydicom raises for elements that are damaged."""
UNREADABLE_ELEMENTS = "UnreadableElements"


def header_of(dataset: Dataset) -> dict[str, str]:
    """Header of one instance as ``{keyword: text}``.

    Multi-valued elements are joined with one backslash, numbers are their decimal strings.
    Private, binary and sequence elements are left out, and so are names of people and patient
    numbers. For an enhanced multi-frame object the elements of the shared functional groups and
    of the first frame's are lifted to the top under their own keyword, and the classic names of
    renamed elements are added where they are absent (``EffectiveEchoTime`` as ``EchoTime``,
    ``InversionTimes`` as ``InversionTime``, ``PulseSequenceName`` as ``SequenceName``,
    ``EchoPulseSequence`` and ``InversionRecovery`` as ``ScanningSequence``,
    ``AcquisitionDateTime`` as ``AcquisitionDate`` and ``AcquisitionTime``).
    Elements whose value breaks their value representation are named under
    ``UnreadableElements``.
    """
    header: dict[str, str] = {}
    _collect(header, dataset)
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in _items(header, dataset, name)[:1]:
            _lift(header, item, _NESTING)
    _add_contrast(header, dataset)
    _add_classic_names(header)
    return header


def measured(header: Mapping[str, str], keyword: str, *, may_be_zero: bool = False) -> float | None:
    """First value of a quantity in the header; None where it is not given.

    Scanners write 0 or -1 for what does not apply, such as Philips an InversionTime of 0 where
    nothing was inverted: of a quantity that is above 0 wherever it means something, that is none.
    A million or more of anything is a date or a person's number in the wrong place.

    Parameters
    ----------
    may_be_zero
        Whether 0 and less mean something, as for an angle.
    """
    try:
        number = float(header.get(keyword, "").split("\\")[0])
    except ValueError:
        return None
    if not math.isfinite(number) or abs(number) >= NO_QUANTITY:
        return None
    return number if number > 0 or may_be_zero else None


@contextmanager
def damage_refused(what: str, where: str = "") -> Iterator[None]:
    """Refuse an object whose elements turn out to be damaged when they are read.

    pydicom reads an element when it is asked for. A length that is wrong makes one element swallow
    another, so what it says of the value may be a name: it is not repeated.
    """
    try:
        yield
    except UNREADABLE as error:
        raise DataRefused(
            "dicom_element_damaged", where=where, what=what, error_type=without_text(error)
        ) from error


def object_name(dataset: Dataset) -> str:
    """Return what kind of object a data set is; a UID that is in no register is not repeated."""
    uid = UID(str(dataset.get("SOPClassUID") or ""))
    if not uid:
        return "an object without SOP class"
    return "an object of an unknown SOP class" if uid.name == str(uid) else uid.name


def identity_of(dataset: Dataset) -> dict[str, str]:
    """What `header_of` leaves out on purpose, ``{keyword: text}``: to look for, never to keep.

    With the names of those who interpreted the regions of a structure set.
    """
    texts = {keyword: _readable_text(dataset, keyword) for keyword in KEYWORDS}
    observations = _items({}, dataset, "RTROIObservationsSequence")
    texts["ROIInterpreter"] = "\\".join(
        filter(None, (_readable_text(item, "ROIInterpreter") for item in observations))
    )
    return {keyword: text for keyword, text in texts.items() if text}


def _readable_text(dataset: Dataset, keyword: str) -> str:
    """Text of an element; empty where it is absent or damaged, and so cannot be looked for."""
    try:
        element = dataset.data_element(keyword)
    except UNREADABLE:
        return ""
    return _text(element.value, element.VR) if element is not None else ""


def _collect(header: dict[str, str], dataset: Dataset) -> None:
    for tag in sorted(dataset.keys()):
        keyword = keyword_for_tag(tag)
        if not keyword or keyword in _LEFT_OUT:
            continue
        try:
            element = dataset[tag]
            if element.VR not in _NOT_TEXT and element.VR not in _LEFT_OUT_VR:
                header.setdefault(keyword, _text(element.value, element.VR))
        except UNREADABLE:
            _name_unreadable(header, keyword)


def _lift(header: dict[str, str], item: Dataset, nesting: int) -> None:
    _collect(header, item)
    for tag in sorted(item.keys()):
        keyword = keyword_for_tag(tag)
        if nesting and keyword.endswith("Sequence"):
            for first in _items(header, item, keyword)[:1]:
                _lift(header, first, nesting - 1)


def _items(header: dict[str, str], dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; none where it is absent, or damaged (which is then named)."""
    try:
        return list(dataset.get(keyword) or ())
    except UNREADABLE:
        _name_unreadable(header, keyword)
        return []


def _name_unreadable(header: dict[str, str], keyword: str) -> None:
    named = header.get(UNREADABLE_ELEMENTS, "").split("\\")
    header[UNREADABLE_ELEMENTS] = "\\".join(sorted({*named, keyword} - {""}))


def _text(value: object, vr: str) -> str:
    if value is None:
        return ""
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(_text(part, vr) for part in value)
    if vr == "AT":
        return keyword_for_tag(value) or str(value)  # type: ignore[arg-type]
    return str(value).strip(" \0")


def _add_contrast(header: dict[str, str], dataset: Dataset) -> None:
    """Enhanced objects name the contrast agent by code, classic ones by text."""
    agents = _items(header, dataset, "ContrastBolusAgentSequence")
    meanings = [str(agent.get("CodeMeaning", "")) for agent in agents]
    if any(meanings):
        _fill(header, "ContrastBolusAgent", "\\".join(meanings))


def _add_classic_names(header: dict[str, str]) -> None:
    _fill(header, "EchoTime", header.get("EffectiveEchoTime", ""))
    _fill(header, "InversionTime", header.get("InversionTimes", ""))
    _fill(header, "SequenceName", header.get("PulseSequenceName", ""))
    moment = header.get("AcquisitionDateTime", "") or header.get("FrameAcquisitionDateTime", "")
    _fill(header, "AcquisitionDate", moment[:8])
    _fill(header, "AcquisitionTime", moment[8:].split("+")[0].split("-")[0])
    echo = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["GR", "SE"]}.get(
        header.get("EchoPulseSequence", "").upper(), []
    )
    if echo and header.get("InversionRecovery", "").upper() == "YES":
        echo = [*echo, "IR"]
    _fill(header, "ScanningSequence", "\\".join(echo))


def _fill(header: dict[str, str], keyword: str, value: str) -> None:
    if value and not header.get(keyword):
        header[keyword] = value
