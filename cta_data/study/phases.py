"""Contrast phases of a technique: which image is worked on, and the spaces of the others.

Images of several phases are images of their own: the patient may have moved between them. The
space of the image that is worked on is named after its technique, that of any other image after
technique and phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cta_data.cohorts.card import Card

LATEST_FIRST = ("late", "post", "early", "none")


def phase_order(card: Card, technique: str) -> tuple[str, ...]:
    """Return the names of a technique's contrast phases, the latest first.

    Names of the card's own stand in the order of time that its rule gives them.
    """
    own = [
        phase
        for rule in card.series
        if rule.technique == technique and rule.phases
        for phase in reversed(rule.phases.post)
    ]
    if set(own) <= set(LATEST_FIRST):
        return LATEST_FIRST
    return (*dict.fromkeys(own), *(phase for phase in LATEST_FIRST if phase not in own))


def phase_rank(phase: str, order: Sequence[str] = LATEST_FIRST) -> int:
    """Return the place of a contrast phase, the latest first."""
    return order.index(phase) if phase in order else len(order)


def space_of(technique: str, phase: str, phases: Iterable[str], order: Sequence[str]) -> str:
    """Return the space of an image, such as `MPRAGE` for the latest phase, else `MPRAGEEarly`.

    Parameters
    ----------
    phases
        All phases of the technique in the session.
    order
        Their names, the latest first.
    """
    latest = min(phases, key=lambda name: phase_rank(name, order))
    return technique if phase == latest else f"{technique}{phase.capitalize()}"
