"""The list of all that a reader is asked to look at, worst first, and what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cta_data.engine import Selection
from cta_data.engine.acceptance import FINDING
from cta_data.engine.sessions import selected_cohorts
from cta_data.errors import ConfigurationError
from cta_data.review.annotation_items import annotation_items
from cta_data.review.finding_items import finding_items
from cta_data.review.items import KINDS, ReviewItem, about_key
from cta_data.review.transfer_items import transfer_items
from cta_data.study import layout
from cta_data.study.layout import PREDICTIONS
from cta_data.study.study import Study
from cta_data.study.tables import CaseScoreRow, DecisionRow

OPEN, DECIDED, VOID = "open", "decided", "void"
"""State of an item for one reader; `void`: decided, and what was looked at has changed since."""


@dataclass(frozen=True)
class Asked:
    """What a reader wants to look at.

    Attributes
    ----------
    of
        `transfers`, `findings` or `annotations`; empty for all.
    convention
        Of the evaluation that findings are of.
    blinded
        Whether a reader of findings sees neither model nor reference.
    """

    selection: Selection = Selection()
    of: str = ""
    convention: str = "article"
    blinded: bool = True


@dataclass(frozen=True)
class Worklist:
    """Items, worst first, and by their id."""

    items: tuple[ReviewItem, ...]
    by_id: dict[str, ReviewItem] = field(repr=False, compare=False)


def worklist(study: Study, asked: Asked) -> Worklist:
    """Return all that is to be looked at.

    Raises
    ------
    ConfigurationError
        A cohort is not in the study, or findings are asked for and nothing was evaluated.
    """
    selected_cohorts(study, asked.selection)
    chosen = [kind for name, kind in KINDS.items() if asked.of in ("", name)]
    items = sorted(
        (item for kind in chosen for item in _of_kind(study, asked, kind)),
        key=lambda item: (-item.urgency, item.id),
    )
    return Worklist(tuple(items), {item.id: item for item in items})


def _of_kind(study: Study, asked: Asked, kind: str) -> Iterator[ReviewItem]:
    if kind != FINDING:
        makers: dict[str, Callable[[Study, Selection], Iterator[ReviewItem]]]
        makers = {"transfer": transfer_items, "annotation": annotation_items}
        return makers[kind](study, asked.selection)
    scored = {row.convention for row in study.tables.rows(CaseScoreRow)}
    if asked.convention in scored:
        study.require(PREDICTIONS)
    elif asked.of:
        raise ConfigurationError(
            "convention_not_evaluated",
            where=study.root / layout.table(CaseScoreRow.TABLE),
            convention=asked.convention,
        )
    return finding_items(study, asked.selection, asked.convention, blinded=asked.blinded)


def decisions_of(study: Study, reader: str) -> dict[tuple[object, ...], DecisionRow]:
    """Return what a reader said, by what it is about."""
    rows = study.tables.rows(DecisionRow)
    return {about_key(row): row for row in rows if row.reader == reader}


def state_of(item: ReviewItem, decision: DecisionRow | None) -> str:
    """Return the state of an item for the reader of a decision about it."""
    if decision is None:
        return OPEN
    return DECIDED if decision.content_key == item.about.content_key else VOID
