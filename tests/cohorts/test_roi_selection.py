"""ROIs to lesions: exactly one decision each, by the first rule that matches."""

from __future__ import annotations

import pytest
from helpers.refusals import require_reason
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cta_data.cohorts import RoiName, select_rois, technique_drawn_on
from cta_data.cohorts.card import AnnotationSection, DrawnOnRule, PairingSection, RoiRule

RULES = (
    RoiRule(pattern="(?i)^gtv", lesion=True),
    RoiRule(pattern="(?i)^[cp]tv", lesion=False, reason="a margin"),
    RoiRule(pattern="target", lesion=True, interpreted_type="^GTV$"),
)


def section(**changes: object) -> AnnotationSection:
    return AnnotationSection.model_validate({"rois": RULES, **changes})


def roi(name: str, number: int = 1, kind: str = "", contours: int = 3) -> RoiName:
    return RoiName(number, name, kind, contours)


ROIS = st.lists(
    st.builds(
        RoiName,
        st.integers(0, 99),
        st.sampled_from(["GTV 1", "PTV 1", "CTV2", "PTV", "target", "Liver", ""])
        | st.text(max_size=8),
        st.sampled_from(["", "GTV", "ORGAN"]),
        st.integers(0, 3),
    ),
    max_size=10,
)


@given(
    ROIS,
    st.sampled_from(["refuse", "reject"]),
    st.sampled_from(["first", "refuse"]),
    st.sampled_from([None, "refuse", "report"]),
)
def test_every_roi_gets_exactly_one_decision(
    rois: list[RoiName], no_match: str, several: str, unpaired: str | None
) -> None:
    """Decisions are the ROIs, in their order; each is selected by a rule or has a reason."""
    pairing = PairingSection(unpaired=unpaired) if unpaired else None  # type: ignore[arg-type]
    given_section = section(no_match=no_match, several_matches=several, pairing=pairing)
    result = select_rois(rois, given_section)
    assert [d.roi for d in result.decisions] == rois
    for decision in result.decisions:
        assert decision.selected or decision.rejected
        assert decision.rule or not decision.selected
        assert not (decision.selected and decision.roi.n_contours == 0)
    assert select_rois(rois, given_section) == result


def test_only_a_lesion_that_cannot_be_read_stops_the_subject() -> None:
    """Its row has the cause, and not that it is empty; what is no lesion stops nobody."""
    cause = "contour 3 has 119 coordinates"
    lesion = RoiName(1, "GTV 1", "", 5, cause)
    result = select_rois([lesion, RoiName(2, "PTV 1", "", 0, cause)], section())
    [problem] = result.problems
    require_reason(problem, "roi_unreadable", fault=cause)
    assert [d.selected for d in result.decisions] == [False, False]
    require_reason(result.decisions[0].rejected, "roi_contours_damaged", unreadable=cause)
    require_reason(result.decisions[1].rejected, "no_lesion_by_card", text="a margin")


def test_a_name_that_no_rule_matches_stops_the_subject_and_is_named() -> None:
    """It could be a lesion: refused with its name, unless the card says to leave it out."""
    result = select_rois([roi("Met left")], section())
    require_reason(result.problems[0], "roi_of_unknown_meaning", roi="ROI 'Met left'")
    left_out = select_rois([roi("Met left")], section(no_match="reject"))
    assert left_out.problems == ()
    require_reason(left_out.decisions[0].rejected, "roi_matches_no_rule")


def test_the_interpreted_type_can_be_part_of_a_rule() -> None:
    """The same name is a lesion with one type and unknown with another."""
    assert select_rois([roi("target", kind="GTV")], section()).decisions[0].selected
    assert select_rois([roi("target", kind="ORGAN")], section()).problems


def test_an_empty_roi_is_rejected_with_that_reason() -> None:
    """A lesion's ROI without a closed contour cannot become a mask and is never lost in silence."""
    decision = select_rois([roi("GTV", contours=0)], section()).decisions[0]
    assert not decision.selected
    require_reason(decision.rejected, "roi_without_closed_contour")


def test_blanks_around_a_name_do_not_matter() -> None:
    """Planning systems pad names."""
    assert select_rois([roi("  GTV 1 ")], section()).decisions[0].selected


def test_rules_that_disagree_are_ordered_or_refused() -> None:
    """The first rule decides; where the card says so, disagreement stops the subject."""
    rules = (*RULES, RoiRule(pattern="old", lesion=False))
    assert select_rois([roi("GTV old")], section(rois=rules)).decisions[0].selected
    refused = select_rois([roi("GTV old")], section(rois=rules, several_matches="refuse"))
    require_reason(refused.problems[0], "roi_rules_contradict")
    agreeing = (*RULES, RoiRule(pattern="1", lesion=True))
    result = select_rois([roi("GTV 1")], section(rois=agreeing, several_matches="refuse"))
    assert result.problems == ()


def test_a_margin_without_its_lesion_is_noted_or_refused() -> None:
    """PTV 2 without GTV 2 may mean that a lesion is missing; spelling of the rest is free."""
    rois = [roi("GTV_1 front li"), roi("PTV 1-FRONT LI"), roi("PTV 3"), roi("PTV 2")]
    noted = select_rois(rois, section(pairing=PairingSection()))
    reasons = [decision.rejected for decision in noted.decisions]
    assert reasons[0] is None
    require_reason(reasons[1], "no_lesion_by_card", text="a margin")
    for reason in reasons[2:]:
        require_reason(reason, "roi_lesion_volume_missing")
    assert noted.problems == ()
    refused = select_rois(rois, section(pairing=PairingSection(unpaired="refuse")))
    named = [(one.code, one.values["roi"], one.values["lesion"]) for one in refused.problems]
    expected = [("roi_unpaired", roi, "GTV") for roi in ("ROI 'PTV 2'", "ROI 'PTV 3'")]
    assert named == expected


def test_a_pairing_pattern_without_its_groups_is_refused_when_the_card_is_read() -> None:
    """A pattern that cannot pair anything is a mistake of the card, not of a subject."""
    with pytest.raises(ValidationError, match="kind"):
        PairingSection(pattern="^(GTV|PTV)(.*)$")


def test_the_technique_drawn_on_is_told_by_header_then_reference_then_default() -> None:
    """The structure set's header wins, then the MR series it refers to, then the card's default."""
    rules = (DrawnOnRule(technique="SPACE", where={"StructureSetLabel": "SPACE"}),)
    plain = section(drawn_on=rules)
    assert technique_drawn_on(plain, {"StructureSetLabel": "T1 SPACE"}, "MPRAGE")[0] == "SPACE"
    assert technique_drawn_on(plain, {}, "MPRAGE")[0] == "MPRAGE"
    default = section(drawn_on=rules, drawn_on_default="CUBE")
    assert technique_drawn_on(default, {}, None)[0] == "CUBE"
    technique, why = technique_drawn_on(plain, {}, None)
    assert technique is None
    require_reason(why, "annotation_technique_unknown")
