"""When a DICOM object was made, as far as its date, its time and its time zone tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_DAY, LAST_DAY = datetime(1, 1, 3), datetime(9999, 12, 28)
"""Days that every time zone has a date for."""
TIME = re.compile(r"^(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?$")
ZONE = re.compile(r"^([+-])(\d\d)(\d\d)$")
WEST, EAST = timedelta(hours=-12), timedelta(hours=14)
"""Time zones lie between these offsets from UTC (PS3.3 C.12.1.1.8)."""
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Moment:
    """A span of time on one clock, from `start` to before `end`.

    `zone` is the clock's offset from UTC; None where the object does not name it.
    """

    start: datetime
    end: datetime
    zone: timedelta | None = None

    def in_utc(self) -> tuple[datetime, datetime]:
        """Return the span in UTC, as wide as a zone that is not known makes it."""
        if self.zone is not None:
            return self.start - self.zone, self.end - self.zone
        return self.start - EAST, self.end - WEST


def moment_of(date: str, time: str, zone: str = "") -> Moment | None:
    """Read DA, TM and TimezoneOffsetFromUTC (``+0100``); None where the date is none.

    A time that cannot be read leaves the whole day.
    """
    try:
        day = datetime.strptime(date.replace(".", ""), "%Y%m%d")
    except ValueError:
        return None
    start, end = _span(min(max(day, FIRST_DAY), LAST_DAY), time.replace(":", ""))
    return Moment(start, end, zone_of(zone))


def zone_of(text: str) -> timedelta | None:
    """Return an offset from UTC that is written as ``+0100``; None for anything else."""
    found = ZONE.match(text.strip())
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset


def is_later(first: Moment | None, second: Moment | None) -> bool | None:
    """Whether the first moment is after the second; None where they do not tell.

    Two that name no zone are taken to be on one clock.
    """
    if first is None or second is None:
        return None
    if first.zone == second.zone:
        spans = (first.start, first.end), (second.start, second.end)
    else:
        spans = first.in_utc(), second.in_utc()
    (start, end), (other_start, other_end) = spans
    if start >= other_end:
        return True
    return False if end <= other_start else None


def in_order(moment: Moment | None) -> tuple[bool, datetime]:
    """Return what sorts moments: those that are not known first."""
    return moment is not None, moment.in_utc()[0] if moment else datetime.min


def _span(day: datetime, time: str) -> tuple[datetime, datetime]:
    found = TIME.match(time)
    hours, minutes, seconds, fraction = found.groups() if found else (None,) * 4
    if hours is None or int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 60:
        return day, day + timedelta(days=1)
    start = day + timedelta(
        hours=int(hours),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(6, "0")),
    )
    unit = INSTANT if seconds else timedelta(minutes=1) if minutes else timedelta(hours=1)
    return start, start + unit
