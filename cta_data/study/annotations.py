"""What annotations of a session are called, and which of several counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import count

from cta_data.cohorts.readers import UNKNOWN_READER
from cta_data.reasons import Reason
from cta_data.study.configuration import AnnotationChoice
from cta_data.study.tables import AnnotationRow

CURRENT, SUPERSEDED, REJECTED = "current", "superseded", "rejected"
"""Status of an annotation."""
DELIVERED, CORRECTED, CONSENSUS = "delivered", "corrected", "consensus"
"""Origin of an annotation."""


def joined(names: Iterable[str] | None) -> str:
    """Return qualities or techniques of several annotations in one text."""
    return "" if names is None else " + ".join(names)


def settled(annotations: Iterable[AnnotationRow]) -> list[AnnotationRow]:
    """Return the annotations of a session with their status: who was corrected is superseded.

    A conversion does not know of corrections, and writes what it delivers as current.
    """
    rows = list(annotations)
    corrected = {
        parent: f"corrected as {one.annotation}"
        for one in rows
        if one.origin == CORRECTED and one.status != REJECTED
        for parent in one.parents or ()
    }
    return [
        replace(row, status=SUPERSEDED, reason=row.reason or corrected[row.annotation])
        if row.status == CURRENT and row.annotation in corrected
        else row
        for row in rows
    ]


def corrected_name(parent: AnnotationRow, annotations: Iterable[AnnotationRow]) -> str:
    """Return the name of the next correction of an annotation, such as HAQc1, HAQc2."""
    stem = parent.annotation if parent.origin != CORRECTED else parent.annotation.rpartition("c")[0]
    taken = {one.annotation for one in annotations}
    numbers = (f"{stem}c{number}" for number in count(1))
    return next(name for name in numbers if name not in taken)


def annotation_name(group: str, reader: str, version: int) -> str:
    """Return the name of an annotation within its session, as it stands in names of files.

    Parameters
    ----------
    group
        Its quality; its source technique where no group of the card has that.
    """
    by = "" if reader == UNKNOWN_READER else reader
    return f"{group}{by}{f'v{version}' if version > 1 else ''}"


def choose_annotation(
    annotations: Iterable[AnnotationRow], quality: str, choice: AnnotationChoice
) -> AnnotationRow | Reason:
    """Return the annotation of a quality that counts for a session, or why there is none.

    A consensus counts only where it is asked for.
    """
    of_quality = [one for one in annotations if one.quality == quality]
    found = [one for one in of_quality if _is_meant(one, choice)]
    if choice.annotation == "newest" and len(found) > 1:
        found = _newest(found)
    if len(found) == 1:
        return found[0]
    names = tuple(one.annotation for one in found)
    if names:
        return Reason("annotations_several", quality=quality, annotations=names)
    return Reason(
        "annotation_not_there",
        quality=quality,
        wanted=_in_words(choice),
        annotations=tuple(one.annotation for one in of_quality) or ("none",),
    )


def _newest(found: list[AnnotationRow]) -> list[AnnotationRow]:
    """Return the last of several annotations; all where their order is unknown.

    A correction is made after what was delivered.
    """
    corrections = [one for one in found if one.origin == CORRECTED]
    if corrections:
        latest = max(one.date or "" for one in corrections)
        return [one for one in corrections if one.date == latest]
    if any(one.made_rank is None for one in found):
        return found
    return [max(found, key=lambda one: one.made_rank or 0)]


def versions_wanted(choices: Iterable[AnnotationChoice]) -> frozenset[int]:
    """Return the versions of annotations that are asked for by number."""
    return frozenset(one.version for one in choices if one.version is not None)


def wanted_annotations(
    annotations: Iterable[AnnotationRow], versions: Collection[int]
) -> list[AnnotationRow]:
    """Return the annotations that are transferred.

    These are the current ones, those of a version that is asked for, and those that were corrected:
    what a correction changed can be told only where both are on one grid.
    """
    rows = [one for one in annotations if one.status != REJECTED]
    corrected = {parent for one in rows if one.origin == CORRECTED for parent in one.parents or ()}
    return [
        one
        for one in rows
        if one.status == CURRENT or one.version in versions or one.annotation in corrected
    ]


def at_version(
    annotations: Iterable[AnnotationRow], annotation: AnnotationRow, version: int
) -> AnnotationRow | Reason:
    """Return an annotation as it was in an earlier version, or why that is not known.

    Corrections lead back to what was corrected; a delivery, to the one before it of the same reader
    and technique. An annotation that is not newer than the version is returned as it is.
    """
    rows = list(annotations)
    by_name = {one.annotation: one for one in rows}
    found = annotation
    while found.version > version and found.origin == CORRECTED:
        found = by_name[(found.parents or ())[0]]
    if found.version <= version:
        return found
    line = [one for one in rows if _is_same_line(one, found) and one.version == version]
    if len(line) == 1:
        return line[0]
    return Reason("annotation_version_not_there", annotation=annotation.annotation, version=version)


def _is_same_line(one: AnnotationRow, other: AnnotationRow) -> bool:
    return (one.reader, one.drawn_on, one.origin) == (other.reader, other.drawn_on, other.origin)


def _is_meant(one: AnnotationRow, choice: AnnotationChoice) -> bool:
    if (one.origin == CONSENSUS) != (choice.annotation == "consensus"):
        return False
    if choice.reader and one.reader != choice.reader:
        return False
    if choice.version is None:
        return one.status == CURRENT
    return one.version == choice.version and one.status != REJECTED


def _in_words(choice: AnnotationChoice) -> str:
    parts = [f"reader {choice.reader}"] if choice.reader else []
    parts += [f"version {choice.version}"] if choice.version is not None else []
    parts += ["consensus"] if choice.annotation == "consensus" else []
    return ", ".join(parts) or "current"
