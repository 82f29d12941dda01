"""Rows of a table of lesions beside the regions of a session: each is joined or listed."""

from __future__ import annotations

import pytest

from cta_data.cohorts import Card, parse_card, shipped_card_text
from cta_data.engine import Unit, UnitId
from cta_data.engine.inputs import Files
from cta_data.pipeline.convert.clinical import link_rows
from cta_data.pipeline.convert.inputs import ConvertInputs
from cta_data.redaction import Identity, Redactor
from cta_data.study.session_id import SessionId
from cta_data.study.tables import RoiRow

SESSION = SessionId("ummc", "103", "1")


def card() -> Card:
    return parse_card(shipped_card_text("ummc"), "ummc", "card.toml")


def unit(rows: list[tuple[int, str, str]] | None) -> Unit:
    listed = [
        {"number": n, "name": name, "location": place, "values": {"mri_type": "stable"}}
        for n, name, place in rows or ()
    ]
    told = tuple(listed) if rows is not None else None
    given = ConvertInputs({}, "dicom", 0, None, Files(), lesion_rows=told)
    return Unit.of(UnitId("convert", SESSION), 1, given, {})


def regions(*named: tuple[int, str, bool], structure_set: int = 1) -> list[RoiRow]:
    return [
        RoiRow(
            session=SESSION,
            structure_set=structure_set,
            roi_number=number,
            source_roi=name,
            n_contours=1,
            selected=chosen,
        )
        for number, name, chosen in named
    ]


def test_every_row_and_every_lesion_is_joined_or_listed() -> None:
    """Names that differ in case and by a date are joined; what has no partner is there alone."""
    rows = [
        (7, "GK.103_1_Lr atrium", "R atrium"),
        (8, "GK.103_1_LRtOccipital", "Rt Occipital"),
        (9, "GK.103_1_LGone", "Gone"),
    ]
    found = regions(
        (1, "Skull", False),
        (2, "R atrium", True),
        (3, "RtOccipital11302018", True),
        (4, "New", True),
    )
    _, links = link_rows(unit(rows), card(), found)
    told = {(one.clinical_row, one.roi_number): (one.status, one.rule) for one in links}
    assert told == {
        (7, 2): ("matched", "case"),
        (8, 3): ("matched", "date"),
        (9, 0): ("row_without_roi", None),
        (0, 4): ("roi_without_row", None),
    }
    assert links[0].clinical_values == '{"mri_type": "stable"}'


def test_equal_numbers_of_two_structure_sets_are_two_regions() -> None:
    """Each has its own row, place and kind of target."""
    rows = [(1, "GK.103_1_LA", "Post op cavity"), (2, "GK.103_1_LB", "R atrium")]
    found = regions((1, "A", True)) + regions((1, "B", True), structure_set=2)
    found, links = link_rows(unit(rows), card(), found)
    told = [(link.clinical_row, link.structure_set, link.roi_number) for link in links]
    assert told == [(1, 1, 1), (2, 2, 1)]
    assert [row.target_type for row in found] == ["resection_cavity", "metastasis"]


def test_kinds_of_target_follow_from_name_and_place() -> None:
    """A cavity and a lesion of the skull's bone are flagged, whichever of the two says so."""
    rows = [(1, "GK.103_1_LA", "Post op cavity")]
    found = regions((1, "A", True), (2, "2_Lt_Front_Calv", True), (3, "R atrium", True))
    found, _ = link_rows(unit(rows), card(), found)
    kinds = [row.target_type for row in found]
    assert kinds == ["resection_cavity", "calvarial", "metastasis"]


def test_without_a_table_there_is_nothing_to_join() -> None:
    """A cohort whose workbook is not here has lesions without rows, which is no finding."""
    found = regions((1, "R atrium", True))
    assert link_rows(unit(None), card(), found)[1] == []


@pytest.mark.parametrize("public", [True, False])
def test_rows_are_joined_with_their_identifier_and_without(public: bool) -> None:
    """What stands before a lesion's name is known whether or not the identifier is cut out."""
    redactor = Redactor(Identity.of_identifier("GK_103", public=public))
    names = ("GK.103_1_LR atrium", "GK.103_1_L2_Lt_Front_Calv")
    told = [(n, redactor.redact(name), "") for n, name in enumerate(names, start=1)]
    assert all(("103" in name) == public for _, name, _ in told)
    annotations = regions((2, "2_Lt_Front_Calv", True), (3, "R atrium", True))
    _, links = link_rows(unit(told), card(), annotations)
    assert [(link.status, link.roi_number) for link in links] == [
        ("matched", 3),
        ("matched", 2),
    ]


def test_names_that_are_withheld_still_join() -> None:
    """Rows are joined by the names, and none of them is in the table."""
    withholding = card().model_copy(
        update={"annotations": card().annotations.model_copy(update={"roi_names": "withheld"})}
    )
    rows = [(7, "GK.103_1_Lr atrium", "R atrium")]
    found = regions((2, "ROI 2", True))
    _, (link,) = link_rows(unit(rows), withholding, found, {(1, "ROI 2"): "r atrium"})
    assert (link.status, link.source_roi, link.clinical_name) == ("matched", "ROI 2", None)
