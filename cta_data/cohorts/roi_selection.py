"""Which ROIs of a structure set are lesions, by the ordered rules of the card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cta_data.cohorts.card import AnnotationSection, PairingSection, RoiRule
from cta_data.cohorts.conditions import holds
from cta_data.patterns import search
from cta_data.reasons import Reason, together


@dataclass(frozen=True)
class RoiName:
    """What the rules look at: the ROI's number, name, interpreted type and filled contours.

    `unreadable` is why its contours cannot be trusted; empty where they can. `published` is what it
    is called in tables and messages; a number where the name is `withheld`.
    """

    number: int
    name: str
    interpreted_type: str
    n_contours: int
    unreadable: str = ""
    published: str = ""
    withheld: bool = False

    def __str__(self) -> str:
        return self.published if self.withheld else f"ROI {self.published or self.name!r}"


@dataclass(frozen=True)
class RoiDecision:
    """What was decided about one ROI, and by which rule."""

    roi: RoiName
    selected: bool
    rule: str
    rejected: Reason | None


@dataclass(frozen=True)
class Selections:
    """Decisions about all ROIs, and what keeps the structure set from being used.

    `unfilled` are ROIs that the rules call lesions, without a contour that is filled: they have
    none, or points and lines that mark a place.
    """

    decisions: tuple[RoiDecision, ...]
    problems: tuple[Reason, ...]
    unfilled: tuple[RoiName, ...] = ()


def select_rois(rois: list[RoiName], section: AnnotationSection) -> Selections:
    """Decide for every ROI whether it is a lesion.

    A selected ROI without a filled contour is rejected with that reason: it cannot become a mask.
    One whose contours cannot be read keeps the structure set from being used: it is not empty.
    """
    decisions, problems, unfilled = [], [], []
    for roi in rois:
        matching = [rule for rule in section.rois if _matches(rule, roi)]
        if not matching:
            reason = Reason("roi_matches_no_rule")
            decisions.append(RoiDecision(roi, False, "", reason))
            if section.no_match == "refuse":
                problems.append(Reason("roi_of_unknown_meaning", roi=roi, cause=reason))
            continue
        if len({rule.lesion for rule in matching}) > 1 and section.several_matches == "refuse":
            patterns = ", ".join(rule.pattern for rule in matching)
            problems.append(Reason("roi_rules_contradict", roi=roi, patterns=patterns))
        decisions.append(_decide(roi, matching[0]))
        if matching[0].lesion and roi.unreadable:
            problems.append(Reason("roi_unreadable", roi=roi, fault=roi.unreadable))
        elif matching[0].lesion and roi.n_contours == 0:
            unfilled.append(roi)
    if section.pairing:
        missing = _unpaired(decisions, section.pairing)
        decisions = [_with_note(d, missing) for d in decisions]
        if section.pairing.unpaired == "refuse":
            lesion = section.pairing.lesion
            problems += [Reason("roi_unpaired", roi=roi, lesion=lesion) for roi in missing]
    return Selections(tuple(decisions), tuple(problems), tuple(unfilled))


def technique_drawn_on(
    section: AnnotationSection,
    header: Mapping[str, str],
    referenced: str | None,
    listed: str | None = None,
) -> tuple[str | None, Reason]:
    """Return the source technique of a structure set, and how it was determined.

    A table of the cohort decides first, then the structure set's header, then the image that the
    contours lie on, then the card's default. A header that speaks for several techniques decides
    nothing: NAQ and HAQ must not be a matter of the order of rules.

    Parameters
    ----------
    header
        Header of the structure set.
    referenced
        Technique of the MR series that the contours lie on, where they do.
    listed
        Technique in the cohort's table (`drawn_on_table`), where it lists the subject.
    """
    if listed:
        return listed, Reason("technique_listed")
    named = {r.technique for r in section.drawn_on if holds(r.where, header)}
    if len(named) > 1:
        return None, Reason("annotation_technique_contradicts", named=sorted(named))
    if named:
        return named.pop(), Reason("technique_in_header")
    if referenced:
        return referenced, Reason("technique_of_contoured_series")
    if section.drawn_on_default:
        return section.drawn_on_default, Reason("technique_default")
    return None, Reason("annotation_technique_unknown")


def _matches(rule: RoiRule, roi: RoiName) -> bool:
    if not search(rule.pattern, roi.name.strip()):
        return False
    return not rule.interpreted_type or bool(search(rule.interpreted_type, roi.interpreted_type))


def _decide(roi: RoiName, rule: RoiRule) -> RoiDecision:
    if not rule.lesion:
        return RoiDecision(
            roi,
            False,
            rule.pattern,
            Reason("no_lesion_by_card", text=rule.reason or "the card says it is no lesion"),
        )
    if roi.unreadable:
        return RoiDecision(
            roi, False, rule.pattern, Reason("roi_contours_damaged", unreadable=roi.unreadable)
        )
    if roi.n_contours == 0:
        return RoiDecision(roi, False, rule.pattern, Reason("roi_without_closed_contour"))
    return RoiDecision(roi, True, rule.pattern, None)


def _unpaired(decisions: list[RoiDecision], pairing: PairingSection) -> list[RoiName]:
    """Return the target volumes whose lesion volume is not there."""
    tokens: dict[str, set[str]] = {}
    named: dict[str, list[RoiName]] = {}
    for decision in decisions:
        match = search(pairing.pattern, decision.roi.name.strip())
        if match:
            token = re.sub(r"[\W_]+", "", match["token"]).lower()
            tokens.setdefault(token, set()).add(match["kind"].upper())
            named.setdefault(token, []).append(decision.roi)
    return [
        roi
        for token, kinds in sorted(tokens.items())
        if pairing.lesion.upper() not in kinds
        for roi in named[token]
    ]


def _with_note(decision: RoiDecision, missing: list[RoiName]) -> RoiDecision:
    if decision.roi not in missing:
        return decision
    missing_lesion = Reason("roi_lesion_volume_missing")
    reasons = [decision.rejected, missing_lesion] if decision.rejected else [missing_lesion]
    return RoiDecision(decision.roi, decision.selected, decision.rule, together(reasons))
