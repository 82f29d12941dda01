"""Which of several annotation objects of a session count, and in what order they were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
class Choice:
    """What is taken, what is left with the reason, and what keeps all from being used.

    `rejected` are objects that their author rejected, whatever the policy.
    """

    taken: tuple[Numbered, ...]
    left: tuple[Numbered, ...] = ()
    reason: Reason | None = None
    problem: Reason | None = None
    rejected: tuple[Numbered, ...] = ()


def choose_objects(
    series: Iterable[RawSeries], policy: str, what: str, keywords: tuple[str, str]
) -> Choice:
    """Choose by the card's policy: the `latest`, `all`, or `refuse` where there are several.

    What was rejected (ApprovalStatus) is none of them.

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
    choice = _by_policy(counting, policy, what, keywords)
    if rejected and not counting:
        problem = Reason("annotations_all_rejected", n_rejected=len(rejected), what=what)
        choice = Choice((), problem=problem)
    return replace(choice, rejected=rejected)


def _by_policy(
    numbered: tuple[Numbered, ...], policy: str, what: str, keywords: tuple[str, str]
) -> Choice:
    if len(numbered) <= 1 or policy == "all":
        return Choice(numbered)
    if policy == "refuse":
        problem = Reason("annotation_choice_undefined", n_numbered=len(numbered), what=what)
        return Choice(
            (),
            numbered,
            Reason("annotation_not_chosen"),
            problem,
        )
    if not one_is_latest([made_at(n.raw.datasets[0], keywords) for n in numbered]):
        problem = Reason(
            "latest_annotation_unknown",
            keywords=tuple(keywords),
            n_numbered=len(numbered),
            what=what,
        )
        return Choice((), numbered, Reason("annotation_order_unknown"), problem)
    return Choice(
        numbered[-1:],
        numbered[:-1],
        Reason("annotation_older"),
    )


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
