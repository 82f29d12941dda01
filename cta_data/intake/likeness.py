"""Which patients of a source seem to be another subject of the cohort, or withdrew consent."""

from __future__ import annotations

from collections.abc import Iterable

from cta_data.intake.discover import Discovery, Problem
from cta_data.intake.identity import fingerprints_of
from cta_data.intake.persons import (
    Fingerprints,
    Pair,
    image_digest,
    pairs_of_alike_images,
    pairs_of_one_identity,
    pairs_of_one_image,
    pixels_of_images,
    sample_of_slices,
)
from cta_data.intake.plan_model import AdditionOptions
from cta_data.intake.subject_plan import DeliveredPatient
from cta_data.intake.withdrawn import WithdrawnCohort, withdrawal_of
from cta_data.reasons import Reason
from cta_data.study.sourcedata import ACCEPTED, Inventory

MOST_NAMED = 5


def likenesses(
    patients: Iterable[DeliveredPatient], inventory: Inventory, options: AdditionOptions, salt: str
) -> dict[str, list[Reason]]:
    """Return why patients of a source seem to be another subject, by label.

    Who was accepted before stays so: of a pair, the newcomer waits. Pairs that the user states to
    be different persons are left alone.
    """
    mine = [one for one in patients if one.label]
    attributes = options.identity_attributes
    accepted = {row.subject for row in inventory.subjects if row.status == ACCEPTED}
    waiting = {one.label for one in mine} - accepted
    people: list[tuple[str, Fingerprints]] = [
        (one.label, fingerprints_of(files, attributes, salt))
        for one in mine
        for files in one.numbers.values()
    ]
    people += [(r.subject, r.identity) for r in inventory.subjects if r.status == ACCEPTED]
    pixels = [(one.label, found) for one in mine for found in pixels_of_images(one.instances)]
    images = [(label, image_digest(found)) for label, found in pixels]
    images += [(row.subject, row.pixels) for row in inventory.series]
    slices = [(label, sample_of_slices(found)) for label, found in pixels]
    slices += [(row.subject, row.slices.split()) for row in inventory.series]
    same = pairs_of_one_image(lambda: images)
    reasons: dict[str, list[Reason]] = {}
    for code, pairs in (
        ("person_of_another_subject", pairs_of_one_identity(people, salt)),
        ("image_of_another_subject", same),
        ("slices_of_another_subject", pairs_of_alike_images(lambda: slices) - same),
    ):
        for label, others in _partners(pairs - options.different, waiting).items():
            shown = " and ".join(f"sub-{other}" for other in others[:MOST_NAMED])
            more = f" and {len(others) - MOST_NAMED} more" if others[MOST_NAMED:] else ""
            reasons.setdefault(label, []).append(Reason(code, subjects=shown + more))
    return reasons


def _partners(pairs: Iterable[Pair], waiting: set[str]) -> dict[str, list[str]]:
    """Whom each waiting subject looks like."""
    found: dict[str, set[str]] = {}
    for pair in pairs:
        for label in pair & waiting:
            found.setdefault(label, set()).update(pair - {label})
    return {label: sorted(others) for label, others in found.items()}


def without_withdrawn(
    patients: Iterable[DeliveredPatient],
    found: Discovery,
    attributes: tuple[str, ...],
    cohorts: Iterable[WithdrawnCohort],
) -> list[DeliveredPatient]:
    """Return the patients who may be taken in; the others are listed among the problems.

    No table is to hold a number of theirs, so that they are no refused subjects either.
    """
    known = tuple(cohorts)
    kept = []
    for one in patients:
        withdrawal = withdrawal_of(one.numbers, attributes, known)
        if withdrawal is None:
            kept.append(one)
            continue
        files = sorted(instance.name for instance in one.instances)
        more = f", and {len(files) - 1} more files," if files[1:] else ""
        reason = Reason("patient_withdrew_consent", withdrawn_on=withdrawal.withdrawn_on)
        found.problems.append(Problem(f"{files[0]}{more}", f"not taken in: {reason}"))
        found.counts["withdrawn"] += len(files)
    return kept
