"""Registrations and transfers to look at: on hold, near their limits, or decided about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cta_data.engine import Selection, UnitId
from cta_data.engine.acceptance import TRANSFER, decision_about, decisions_about, is_held_back
from cta_data.engine.sessions import Upstream
from cta_data.review.acceptance import JUDGED
from cta_data.review.items import MaskSource, ReviewItem, Stop, in_words
from cta_data.review.lesion_entry import LesionEntry
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import (
    DecisionRow,
    MeasuredLesionRow,
    TransferCheckRow,
    UnitRow,
    VariantRow,
)

NEAR_LIMIT = 1.0
"""Score of a lesion's transfer from which its session is shown though all checks passed."""
MOST_STOPS = 12
ON_HOLD_FIRST, DECIDED_LAST = 1000.0, 0.0


def transfer_items(study: Study, selection: Selection) -> Iterator[ReviewItem]:
    """Yield the sessions whose registration or transfer needs eyes.

    Raises
    ------
    ConfigurationError
        A cohort is not in the study.
    """
    upstream = Upstream(study)
    for session in upstream.sessions(selection):
        row = _unit(upstream, session)
        if row is None:
            continue
        lesions = sorted(_lesions(study, session), key=lambda one: -_badness(one))
        worst = _badness(lesions[0]) if lesions else 0.0
        known = decisions_about(study.tables, row.id)
        if is_held_back(row) or known or worst >= NEAR_LIMIT:
            yield _item(upstream, row, lesions, worst)


def _unit(upstream: Upstream, session: SessionId) -> UnitRow | None:
    """Return the last step of a session that a person can decide about."""
    rows = [upstream.unit(step, session) for step in JUDGED]
    found = [row for row in rows if row and (row.status == "ok" or is_held_back(row))]
    return found[-1] if found else None


def _item(upstream: Upstream, row: UnitRow, lesions: list[LesionEntry], worst: float) -> ReviewItem:
    session = row.id.session
    variants = upstream.variants(session)
    masks = tuple(variant_masks(variants))
    decision = decision_about(upstream.study.tables, row.id, row.key)
    finding, code = _checks(row, decision)
    is_open = is_held_back(row) and decision is None
    about = DecisionRow(
        kind=TRANSFER,
        step=row.step,
        session=session,
        reader="",
        verdict="",
        decided_on="",
        content_key=row.key,
        finding=finding,
        finding_code=code,
    )
    return ReviewItem(
        about,
        f"{row.step.capitalize()} of {session}",
        (*_registrations(upstream, session), ("Checks", finding or "passed"), *_told(lesions)),
        worst + ON_HOLD_FIRST * is_open,
        tuple(_stops(lesions, variants)),
        masks,
    )


def _registrations(upstream: Upstream, session: SessionId) -> Iterator[tuple[str, str]]:
    for one in upstream.transforms(session):
        told = "passed" if one.accepted else f"not accepted: {one.rejection_reason}"
        yield f"Registration {one.moving} to {one.fixed}", told


def _checks(row: UnitRow, decision: DecisionRow | None) -> tuple[str | None, str | None]:
    """Return what the checks found, and its code; None where they passed.

    The row of what a reader decided about says what the reader decided, which others are not told.
    """
    if decision:
        return decision.finding, decision.finding_code
    return (row.reason, row.reason_code) if is_held_back(row) else (None, None)


def _told(lesions: Iterable[LesionEntry]) -> Iterator[tuple[str, str]]:
    """Yield what the transfer did to the lesions that it changed most."""
    for one in list(lesions)[:MOST_STOPS]:
        ratio = in_words(one.transfer_volume_ratio)
        shift = in_words(one.centroid_shift_mm, " mm")
        found = f"; {one.found}" if one.found else ""
        name = f"{one.annotation} lesion {one.lesion_id} on {one.grid}"
        yield name, f"volume ratio {ratio}, centroid shift {shift}{found}"


def _lesions(study: Study, session: SessionId) -> Iterator[LesionEntry]:
    """Yield the lesions of a session on each grid, as checks and measurements have them."""
    measured = {
        (row.annotation, row.grid, row.lesion_id): row
        for row in study.tables.of_session(MeasuredLesionRow, session)
    }
    for row in study.tables.of_session(TransferCheckRow, session):
        own = measured.get((row.annotation, row.grid, row.lesion_id))
        yield LesionEntry(
            row.lesion_id,
            row.annotation,
            row.grid,
            volume_cm3=(own.volume_cm3 if own else None) or 0.0,
            transfer_volume_ratio=row.volume_ratio,
            centroid_shift_mm=row.centroid_shift_mm,
            flags=(own.flags if own else None) or (),
            lost_reason=(own.lost_reason if own else None) or "",
            failed=row.reasons,
        )


def _badness(one: LesionEntry) -> float:
    return one.score + 100 * bool(one.lost_reason) + 10 * bool(one.failed)


def _stops(lesions: Iterable[LesionEntry], variants: Iterable[VariantRow]) -> Iterator[Stop]:
    grids: dict[str, list[VariantRow]] = {}
    for variant in variants:
        grids.setdefault(variant.annotation, []).append(variant)
    for annotation, lesion in list(dict.fromkeys(one.lesion for one in lesions))[:MOST_STOPS]:
        own = [(mask, lesion) for mask in variant_masks(grids.get(annotation, []))]
        yield Stop(f"{annotation} lesion {lesion}", tuple(own))


def variant_masks(variants: Iterable[VariantRow]) -> Iterator[MaskSource]:
    """Yield the masks of variants, in the order of their names."""
    for one in sorted(variants, key=lambda row: (row.annotation, row.grid)):
        yield MaskSource(f"{one.annotation} on {one.grid}", one.labels_path, one.grid)


def unit_key_now(study: Study, about: DecisionRow) -> str | None:
    """Return the key of the result that a decision is about, as it is now."""
    row = study.tables.by_key(UnitRow).get(UnitId(about.step, about.session).key)
    return row.key if row else None
