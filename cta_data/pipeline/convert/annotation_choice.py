"""The annotation objects of a session, in what order they were made, and which were rejected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from cta_data.formats.dicom.header import header_of
from cta_data.formats.dicom.time import Moment, in_order, is_later, moment_of
from cta_data.pipeline.convert.image_rows import RawSeries
from cta_data.reasons import Reason


@dataclass(frozen=True)
class Numbered:
    """One object, and its number within the session, in the order of dates."""

    number: int
    raw: RawSeries


@dataclass(frozen=True)
class Objects:
    """The annotation objects of a session, in the order in which they were made.

    `rejected` are those that their author rejected; `problem` is why none counts.
    """

    counting: tuple[Numbered, ...]
    rejected: tuple[Numbered, ...] = ()
    problem: Reason | None = None


def numbered_objects(series: Iterable[RawSeries], what: str, keywords: tuple[str, str]) -> Objects:
    """Number the annotation objects of a session in the order in which they were made.

    What was rejected (ApprovalStatus) does not count.

    Parameters
    ----------
    what
        The objects in words, in the plural.
    keywords
        Attributes of their date and their time.
    """
    single = [
        RawSeries(s.kind, s.identifier, [d], header_of(d)) for s in series for d in s.datasets
    ]
    ordered = sorted(
        single, key=lambda raw: (in_order(made_at(raw.datasets[0], keywords)), _identifier(raw))
    )
    numbered = tuple(Numbered(n, raw) for n, raw in enumerate(ordered, start=1))
    rejected = tuple(one for one in numbered if is_rejected(one.raw.datasets[0]))
    counting = tuple(one for one in numbered if not is_rejected(one.raw.datasets[0]))
    if rejected and not counting:
        problem = Reason("annotations_all_rejected", n_rejected=len(rejected), what=what)
        return Objects(counting, rejected, problem)
    return Objects(counting, rejected)


def made_at(dataset: Dataset, keywords: tuple[str, str]) -> Moment | None:
    """Return when an object was made, by date, time and time zone; None where it does not say."""
    names = (*keywords, "TimezoneOffsetFromUTC")
    date, time, zone = (str(dataset.get(keyword) or "") for keyword in names)
    return moment_of(date, time, zone)


def is_rejected(dataset: Dataset) -> bool:
    """Tell whether its author rejected an object: it never counts (PS3.3 C.8.8.16)."""
    return str(dataset.get("ApprovalStatus") or "").strip().upper() == "REJECTED"


def one_is_latest(stamps: Sequence[Moment | None]) -> bool:
    """Tell whether the last of several moments is after all others, for certain."""
    return all(is_later(stamps[-1], other) for other in stamps[:-1])


def _identifier(raw: RawSeries) -> str:
    return str(raw.datasets[0].get("SOPInstanceUID", ""))
