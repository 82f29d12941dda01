"""Lesions that two annotations of a session do not agree about."""

from __future__ import annotations

from collections.abc import Iterator

from cta_data.engine import Selection
from cta_data.engine.acceptance import ANNOTATION
from cta_data.engine.sessions import Upstream
from cta_data.review.items import (
    ReviewItem,
    Stop,
    in_words,
    lesions_in_words,
    two_annotations,
)
from cta_data.review.transfer_items import variant_masks
from cta_data.scoring.lesion_links import PAIRED
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, DecisionRow, LesionLinkRow
from cta_data.versioning.keys import digest

LOW_DICE = 0.5
"""Pairs of lesions below this are shown."""
_WORDS = {
    "first_only": "only {first} has it",
    "second_only": "only {second} has it",
    "split": "one lesion of {first}, several of {second}",
    "merge": "several lesions of {first}, one of {second}",
    "overlap": "both have it",
    "distance": "both have it, without a common voxel",
}


def annotation_items(study: Study, selection: Selection) -> Iterator[ReviewItem]:
    """Yield the lesions that one annotation alone has, or that two delineated differently."""
    upstream = Upstream(study)
    for session in upstream.sessions(selection):
        for link in study.tables.of_session(LesionLinkRow, session):
            if link.how not in PAIRED or (link.dice or 0.0) < LOW_DICE:
                yield _item(upstream, session, link)


def _item(upstream: Upstream, session: SessionId, link: LesionLinkRow) -> ReviewItem:
    first, second = link.first_annotation, link.second_annotation
    own = [row for row in upstream.variants(session) if row.annotation in (first, second)]
    masks = tuple(variant_masks(own))
    numbers = {first: link.first_lesion, second: link.second_lesion}
    lesions = tuple(
        (mask, number)
        for mask in sorted(masks, key=lambda one: one.grid != link.grid)
        for annotation, number in numbers.items()
        if number is not None and mask.name == f"{annotation} on {mask.grid}"
    )
    about = DecisionRow(
        kind=ANNOTATION,
        session=session,
        first_annotation=first,
        second_annotation=second,
        first_lesion=link.first_lesion or 0,
        second_lesion=link.second_lesion or 0,
        reader="",
        verdict="",
        decided_on="",
        content_key=annotations_key(upstream.study, session, first, second),
    )
    alone = link.how not in PAIRED
    volume = max(link.first_volume_mm3 or 0.0, link.second_volume_mm3 or 0.0)
    facts = [
        ("Annotations", f"{first} and {second}"),
        ("Finding", _WORDS[link.how].format(first=first, second=second)),
        (f"Volume in {first}", in_words(_cm3(link.first_volume_mm3), " cm³", 3)),
        (f"Volume in {second}", in_words(_cm3(link.second_volume_mm3), " cm³", 3)),
        ("Dice", in_words(link.dice)),
        ("Distance of centroids", in_words(link.centroid_distance_mm, " mm")),
    ]
    told = tuple((name, value) for name, value in facts if value != "not known")
    urgency = 1 + (1 + volume / (volume + 500) if alone else 1 - (link.dice or 0.0))
    stop = Stop(lesions_in_words(about), lesions)
    return ReviewItem(about, two_annotations(about), told, urgency, (stop,), masks)


def _cm3(volume_mm3: float | None) -> float | None:
    return None if volume_mm3 is None else volume_mm3 / 1000


def annotations_key(study: Study, session: SessionId, first: str, second: str) -> str:
    """Return the digest of the content of two annotations."""
    keys = {
        row.annotation: row.annex_key or ""
        for row in study.tables.of_session(AnnotationRow, session)
    }
    return digest([keys.get(first, ""), keys.get(second, "")])
