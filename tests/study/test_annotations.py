"""Which of several annotations counts: never one that nothing but an order of names speaks for."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.annotation_rows import annotation_columns
from helpers.refusals import require_reason
from helpers.typed_rows import typed

from cta_data.reasons import Reason
from cta_data.study.annotations import annotation_name, choose_annotation, corrected_name, settled
from cta_data.study.configuration import AnnotationChoice
from cta_data.study.tables import AnnotationRow

SESSION = {"cohort": "internal", "subject": "001", "session": "1"}


def row(name: str, **more: Any) -> AnnotationRow:
    return typed(AnnotationRow, SESSION | annotation_columns("HAQ", annotation=name, **more))


R1 = row("HAQR1", reader="R1", made_rank=2)
R2 = row("HAQR2", reader="R2", made_rank=1)
OLD = row("HAQR3", reader="R3", status="superseded")
MAJORITY = row("HAQmajority", reader="majority", origin="consensus")
NAQ = typed(AnnotationRow, SESSION | annotation_columns("NAQ"))


def chosen(*rows: AnnotationRow, quality: str = "HAQ", **choice: Any) -> str | Reason:
    found = choose_annotation(rows, quality, AnnotationChoice(**choice))
    return found if isinstance(found, Reason) else found.annotation


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"reader": "R2"}, "HAQR2"),
        ({"annotation": "newest"}, "HAQR1"),
        ({"annotation": "consensus"}, "HAQmajority"),
        ({"annotation": "consensus", "reader": "majority"}, "HAQmajority"),
        ({"reader": "R3", "version": 1}, "HAQR3"),
    ],
)
def test_a_stated_choice_names_one(choice: dict[str, Any], expected: str) -> None:
    """By reader, by the order of making, the consensus, or a version that counts no longer."""
    assert chosen(R1, R2, OLD, MAJORITY, NAQ, **choice) == expected


def test_one_alone_needs_no_choice() -> None:
    """Of its quality, current and no consensus."""
    assert chosen(R1, OLD, MAJORITY, NAQ) == "HAQR1"
    assert chosen(R1, NAQ, quality="NAQ") == "NAQ"


def test_several_or_none_are_refused_with_their_names() -> None:
    """Nothing is guessed: the reason names what there is."""
    several = chosen(R1, R2)
    assert isinstance(several, Reason)
    require_reason(several, "annotations_several", annotations=("HAQR1", "HAQR2"))
    none = chosen(NAQ, OLD)
    assert isinstance(none, Reason)
    require_reason(none, "annotation_not_there", quality="HAQ")


def test_an_unknown_order_has_no_newest() -> None:
    """A missing rank is no early one."""
    undated = row("HAQR2", reader="R2", made_rank=None)
    assert isinstance(chosen(R1, undated, annotation="newest"), Reason)


def test_a_correction_supersedes_its_parent_and_is_newest() -> None:
    """Whatever conversion says of the parent; the next correction has the next name."""
    first = row("HAQR2c1", reader="R2", origin="corrected", parents=("HAQR2",), date="2026-01-01")
    rows = settled([R1, R2, first])
    assert [one.status for one in rows] == ["current", "superseded", "current"]
    assert chosen(*rows, annotation="newest") == "HAQR2c1"
    assert chosen(*rows, reader="R2") == "HAQR2c1"
    assert corrected_name(first, rows) == "HAQR2c2"
    rejected = row(
        "HAQR2c1", reader="R2", origin="corrected", parents=("HAQR2",), status="rejected"
    )
    assert [one.status for one in settled([R2, rejected])] == ["current", "rejected"]


def test_names_say_quality_reader_and_version() -> None:
    """The first version of an unknown reader is the quality alone."""
    assert annotation_name("HAQ", "unknown", 1) == "HAQ"
    assert annotation_name("HAQ", "R1", 1) == "HAQR1"
    assert annotation_name("NAQ", "R1", 3) == "NAQR1v3"
