"""Which delineations of a session are one annotation, which are its earlier versions.

What one reader delineated on one technique is one annotation. Another reader or another technique
makes another annotation. Of several objects of one reader on one technique the card says whether
the latest counts and the others are earlier versions, whether they are parts of one, or whether
somebody has to choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cta_data.cohorts.card import Card
from cta_data.formats.dicom.time import Moment, in_order, is_later
from cta_data.pipeline.convert.annotation_choice import one_is_latest
from cta_data.pipeline.convert.session_annotations import NewAnnotation, new_annotation
from cta_data.reasons import Reason


class Delineation(Protocol):
    """What one reader delineated on one technique in one object."""

    @property
    def number(self) -> int:
        """Number of the object within the session."""

    @property
    def made(self) -> Moment | None:
        """When the object was made; None where it does not say."""

    @property
    def reader(self) -> str:
        """Code of the reader."""

    @property
    def drawn_on(self) -> str:
        """Source technique."""


Found = TypeVar("Found", bound=Delineation)


@dataclass(frozen=True)
class AnnotationVersions(Generic[Found]):
    """The versions of one annotation, oldest first: the last counts.

    A version has several parts where the card puts all objects together. `problem` is why it is
    not known which counts; `left` the reason of those that do not count then.
    """

    reader: str
    drawn_on: str
    versions: tuple[tuple[Found, ...], ...]
    problem: Reason | None = None
    left: Reason | None = None

    @property
    def latest(self) -> int:
        """Number of the version that counts, from 1."""
        return len(self.versions)

    def named(self, card: Card, version: int, space: str) -> NewAnnotation:
        """Return one version as an annotation on an image; earlier ones are superseded."""
        return new_annotation(
            card,
            reader=self.reader,
            drawn_on=self.drawn_on,
            space=space,
            version=version,
            latest=self.latest,
            made=self.versions[version - 1][-1].made,
        )

    @property
    def earlier(self) -> tuple[Found, ...]:
        """The delineations of all versions that do not count."""
        return tuple(one for version in self.versions[:-1] for one in version)


def is_replaced(made: Moment | None, others: Iterable[Moment | None], policy: str) -> bool:
    """Return whether an object need not be readable, since a later one that is counts for certain.

    Parameters
    ----------
    others
        When the objects that can be read were made.
    policy
        The card's `annotations.structure_sets`.
    """
    return policy == "latest" and any(is_later(other, made) for other in others)


def annotation_versions(
    found: Iterable[Found], policy: str, what: str, keywords: tuple[str, str]
) -> list[AnnotationVersions[Found]]:
    """Put the delineations of a session together to annotations and their versions.

    Parameters
    ----------
    policy
        `latest`, `all` or `refuse`: the card's `annotations.structure_sets`.
    what
        The objects in words, in the plural.
    keywords
        Attributes of their date and their time.
    """
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.reader, one.drawn_on), []).append(one)
    return [
        _versions(*names, sorted(group, key=_order), policy, what, keywords)
        for names, group in groups.items()
    ]


def _order(one: Delineation) -> tuple[object, int]:
    return in_order(one.made), one.number


def _versions(
    reader: str,
    drawn_on: str,
    group: Sequence[Found],
    policy: str,
    what: str,
    keywords: tuple[str, str],
) -> AnnotationVersions[Found]:
    if len(group) == 1 or policy == "all":
        return AnnotationVersions(reader, drawn_on, (tuple(group),))
    if policy == "refuse":
        problem = Reason("annotation_choice_undefined", n_numbered=len(group), what=what)
        left = Reason("annotation_not_chosen")
    elif one_is_latest([one.made for one in group]):
        return AnnotationVersions(reader, drawn_on, tuple((one,) for one in group))
    else:
        problem = Reason(
            "latest_annotation_unknown", keywords=keywords, n_numbered=len(group), what=what
        )
        left = Reason("annotation_order_unknown")
    return AnnotationVersions(reader, drawn_on, (tuple(group),), problem, left)
