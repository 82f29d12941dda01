"""Which of several annotation objects of a session count, and in what order they were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cta_data.formats.dicom_header import header_of
from cta_data.steps.image_rows import RawSeries

OLDER = "of several the latest counts (annotations.structure_sets)"
NOT_CHOSEN = "the session has several and the card does not say which to take"


@dataclass(frozen=True)
class Numbered:
    """One object, and its number within the session, in the order of dates."""

    number: int
    raw: RawSeries


@dataclass(frozen=True)
class Choice:
    """What is taken, what is left with the reason, and what keeps all from being used."""

    taken: tuple[Numbered, ...]
    left: tuple[Numbered, ...] = ()
    reason: str = ""
    problem: str = ""


def choose_objects(
    series: Iterable[RawSeries], policy: str, what: str, keywords: tuple[str, str]
) -> Choice:
    """Choose by the card's policy: the `latest`, `all`, or `refuse` where there are several.

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
    ordered = sorted(single, key=lambda raw: (made_at(raw, keywords), _identifier(raw)))
    numbered = tuple(Numbered(n, raw) for n, raw in enumerate(ordered, start=1))
    if len(numbered) <= 1 or policy == "all":
        return Choice(numbered)
    if policy == "refuse":
        problem = (
            f"the session has {len(numbered)} {what} and the card does not say which to take "
            "(annotations.structure_sets)"
        )
        return Choice((), numbered, NOT_CHOSEN, problem)
    if not _one_is_latest([made_at(n.raw, keywords) for n in numbered]):
        problem = (
            f"{' and '.join(keywords)} do not tell which of {len(numbered)} {what} is the latest; "
            "take away those that do not count, and add the subject again"
        )
        return Choice((), numbered, "nothing tells which of several is the latest", problem)
    return Choice(numbered[-1:], numbered[:-1], OLDER)


def made_at(raw: RawSeries, keywords: tuple[str, str]) -> tuple[str, str]:
    """Return date and time of an object; empty where it does not say."""
    date, time = (str(raw.datasets[0].get(keyword) or "") for keyword in keywords)
    return date, time


def is_later(first: tuple[str, str], second: tuple[str, str]) -> bool | None:
    """Whether the first date and time are after the second; None where they do not tell."""
    if not (first[0] and second[0]):
        return None
    if first[0] != second[0]:
        return first[0] > second[0]
    known = first[1] and second[1] and first[1] != second[1]
    return first[1] > second[1] if known else None


def _one_is_latest(stamps: Sequence[tuple[str, str]]) -> bool:
    return all(is_later(stamps[-1], other) for other in stamps[:-1])


def _identifier(raw: RawSeries) -> str:
    return str(raw.datasets[0].get("SOPInstanceUID", ""))
