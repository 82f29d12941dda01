"""The order in which series were acquired, and what keeps their headers from telling it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from cta_data.formats.dicom.time import Moment, moment_of, zone_of

DAY = 8
"""Digits of the date that an acquisition time begins with."""
ZONE = "TimezoneOffsetFromUTC"
PAIRS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("SeriesDate", "SeriesTime"),
    ("ContentDate", "ContentTime"),
    ("StudyDate", "StudyTime"),
)
HALF_A_DAY = timedelta(hours=12)
"""Series of one session lie closer together: clocks farther apart stand on both sides of
midnight, or in two sessions."""
Header = Mapping[str, str]


def acquisition_time(header: Header) -> str:
    """Return a text that sorts series by when they were acquired, as far as the header tells."""
    joined = header.get("AcquisitionDateTime", "")
    if joined:
        return joined
    date = next((header[d] for d, _ in PAIRS if header.get(d)), "")
    return date + next((header[t] for _, t in PAIRS if header.get(t)), "")


def why_uncertain(headers: Iterable[Header]) -> str:
    """Return what keeps the headers of a technique from telling the order, or an empty text."""
    known = [header for header in headers if acquisition_time(header)]
    if len(known) < 2:
        return ""
    zones = {_zone(header) for header in known}
    if "" in zones and len(zones) > 1:
        return f"{ZONE} stands in some of them alone"
    lacking = [date for date in map(_lacking_date, known) if date]
    clocks = [clock for clock in map(_clock, known) if clock is not None]
    if lacking and clocks and max(clocks) - min(clocks) >= HALF_A_DAY:
        return f"their times may stand on both sides of midnight, and {lacking[0]} is missing"
    return ""


def in_one_zone(header: Header, zone: str) -> Header:
    """Return a header whose acquisition time is by the clock of a zone (`+0100`)."""
    own, wanted = zone_of(_zone(header)), zone_of(zone)
    moment = _moment(header)
    if own is None or wanted is None or own == wanted or moment is None:
        return header
    if moment.end - moment.start > HALF_A_DAY:
        return header  # a date without a time
    moved = moment.start - own + wanted
    return {**header, "AcquisitionDateTime": moved.strftime("%Y%m%d%H%M%S.%f")}


def zone_named(headers: Iterable[Header]) -> str:
    """Return the first time zone that headers name, or an empty text."""
    return next((zone for zone in map(_zone, headers) if zone), "")


def _zone(header: Header) -> str:
    joined = header.get("AcquisitionDateTime", "")
    return joined[-5:] if zone_of(joined[-5:]) is not None else header.get(ZONE, "")


def _moment(header: Header) -> Moment | None:
    text = acquisition_time(header)
    text = text[:-5] if zone_of(text[-5:]) is not None else text
    date, time = (text[:10], text[10:]) if "." in text[:DAY] else (text[:DAY], text[DAY:])
    return moment_of(date, time)


def _lacking_date(header: Header) -> str:
    """The date that belongs to the time of a series and is not there; empty where it is."""
    if header.get("AcquisitionDateTime"):
        return ""
    date, time = next((pair for pair in PAIRS if header.get(pair[1])), ("", ""))
    return "" if not time or header.get(date) else date


def _clock(header: Header) -> timedelta | None:
    """Time of day, whatever the day."""
    pair = next((header[t] for _, t in PAIRS if header.get(t)), "")
    moment = _moment(header) if header.get("AcquisitionDateTime") else moment_of("20000101", pair)
    if moment is None:
        return None
    return moment.start - moment.start.replace(hour=0, minute=0, second=0, microsecond=0)
