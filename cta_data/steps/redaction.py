"""Names of ROIs without the patient's: who draws a lesion may type anything into its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pydicom

from cta_data.imaging.contours import StructureSet

REMOVED = "***"
SHORTEST = 4
"""Characters; shorter parts of a name, such as `Li`, are ordinary words of ROI names."""
ATTRIBUTES = (
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientID",
    "AccessionNumber",
)


def without_identity(structure_set: StructureSet, dataset: pydicom.Dataset) -> StructureSet:
    """Return the structure set with the patient's name, number and birth date cut from ROI names.

    Parameters
    ----------
    dataset
        The object that the structure set was read from; its header says who the patient is.
    """
    parts = list(identity_parts(dataset))
    rois = tuple(replace(roi, name=cut_out(roi.name, parts)) for roi in structure_set.rois)
    return replace(structure_set, rois=rois)


def cut_out(name: str, parts: Iterable[str]) -> str:
    """Return a name without pieces of identity, whatever their case; the longest go first."""
    ordered = sorted(set(parts), key=lambda part: (-len(part), part))
    if not ordered:
        return name
    return re.sub("|".join(map(re.escape, ordered)), REMOVED, name, flags=re.IGNORECASE)


def identifier_parts(identifier: str, *, public: bool = False) -> Iterator[str]:
    """Yield what is to be cut out for an identifier in the source.

    That is the identifier however its pieces are joined, and the pieces alone, as a folder may be
    called after a name: `Li_Wu` is `Li Wu` too. Of a `public` identifier nothing is: labels lead
    back to it, and names of files and rows hold it.
    """
    if public:
        return
    pieces = [piece for piece in re.split(r"[\W_]+", identifier) if piece]
    joined = [joint.join(pieces) for joint in ("", " ", "_", "-", ".", "^", ", ")]
    for part in (identifier, *joined, *pieces):
        if len(part) >= SHORTEST:
            yield part


def is_public(pattern: str, identifier: str) -> bool:
    """Tell whether an identifier is one of a public collection (`subjects.pattern` of its card)."""
    return bool(pattern and re.fullmatch(pattern, identifier))


def identity_parts(dataset: pydicom.Dataset) -> Iterator[str]:
    """Yield the pieces of name, number and birth date in a header."""
    for keyword in ATTRIBUTES:
        for part in re.split(r"[\^=\\\s,;]+", str(dataset.get(keyword) or "")):
            if len(part) >= SHORTEST:
                yield part
    birth = str(dataset.get("PatientBirthDate") or "")
    if len(birth) == 8:
        year, month, day = birth[:4], birth[4:6], birth[6:]
        yield from (birth, f"{year}-{month}-{day}", f"{day}.{month}.{year}")
