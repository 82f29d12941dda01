"""Who delineated a structure set, a segmentation or one of its regions, by the rules of a card."""

from __future__ import annotations

from collections.abc import Mapping

from cta_data.cohorts.card import AnnotationSection
from cta_data.cohorts.conditions import holds
from cta_data.errors import DataRefused
from cta_data.patterns import search

UNKNOWN_READER = "unknown"
"""Reader of an annotation whose reader nothing identifies."""


def reader_of(section: AnnotationSection, header: Mapping[str, str], roi: str = "") -> str:
    """Return the code of the reader who delineated a region.

    A rule on the names of regions decides first, then a rule on the header alone.

    Parameters
    ----------
    header
        Header of the structure set or segmentation.
    roi
        Name of the region as delivered.

    Raises
    ------
    DataRefused
        Rules name several readers.
    """
    rules = [rule for rule in section.readers if holds(rule.where, header)]
    by_name = {rule.code for rule in rules if rule.roi and search(rule.roi, roi.strip())}
    by_header = {rule.code for rule in rules if not rule.roi}
    codes = by_name or by_header or {UNKNOWN_READER}
    if len(codes) > 1:
        raise DataRefused("reader_ambiguous", readers=sorted(codes))
    return codes.pop()
