"""A cohort as data: the card that says where it comes from and how its raw files are read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from cta_data.cohorts.clinical.card import ClinicalTable, TargetRule
from cta_data.cohorts.file_card import (
    FileRule,
    GeometrySection,
    Label,
    MaskSection,
    Pattern,
    ReaderCode,
    Suffix,
)
from cta_data.patterns import CardPattern, groups_of
from cta_data.validation import StrictModel


class Range(StrictModel):
    """A range of numbers, both ends included."""

    min: float = float("-inf")
    max: float = float("inf")


Conditions = dict[str, Pattern | Range]
"""Header attribute (or several with | between) to a pattern that is found in it, or a range."""


class CohortSection(StrictModel):
    """What the cohort is, and under which terms it may be used."""

    name: Label
    title: str
    description: str = ""
    licence: str
    access: Literal["public", "registered", "restricted"]
    doi: str = ""
    citation: str = ""
    agreement: str = ""
    """The agreement that a user has to accept; restricted files are marked with it."""
    url: str = ""
    """Where to obtain the data."""
    form: str = ""
    """The forms in which it is distributed, in a few words."""
    how_to_get: str
    partition: Literal["trial", "external"] = "trial"
    """`trial` cohorts are split into train and test; `external` ones only test."""


class SubjectSection(StrictModel):
    """How patients are distinguished."""

    same_patient: tuple[str, ...] = ("PatientName", "PatientBirthDate", "PatientSex")
    """Attributes that must agree, where they are given, among files of one PatientID."""
    pattern: Pattern = ""
    """Matches an identifier of the source; its group `id` distinguishes patients.

    Empty for a hospital's numbers, which become labels that do not lead back.
    """
    source_id: str = "{id}"
    """How the source's identifier is written, whatever the spelling in which it was found."""
    label: str = "{id}"
    """Subject label; with `pattern` alone."""

    @model_validator(mode="after")
    def _names_the_part(self) -> SubjectSection:
        if self.pattern and "id" not in groups_of(self.pattern):
            raise ValueError("pattern needs the group (?P<id>…)")
        for template in (self.source_id, self.label):
            if "{id}" not in template or "{" in template.replace("{id}", ""):
                raise ValueError(f"{template!r} must hold {{id}} and no other braces")
        return self


class SessionSection(StrictModel):
    """How studies become sessions."""

    rule: Literal["single", "study_date_rank"] = "single"
    labels: Literal["", "published", "numbered"] = ""
    """Whether labels in paths of plain files leave the raw data as they are.

    `numbered`: those that do more than count become numbers in the order of time. Empty: so in a
    restricted cohort, where they may be dates or names; others are published.
    """
    refused_series: Literal["refuse", "ignore"] = "refuse"
    """What a series that could not be taken in, as it is damaged, means for its session.

    Without it the others may be mistaken for it: an early phase would pass for the late one.
    """
    evaluated: Pattern = ""
    """Sessions that are evaluated, by label; the others are excluded with `not_evaluated`."""
    not_evaluated: str = "not a session that is evaluated"
    delineated: Literal["all", "treated"] = "all"
    """What a later annotation holds: all lesions, or only those that are treated then.

    With `treated`, a lesion of an earlier session that a later one lacks is not taken as gone.
    """


class PhaseSection(StrictModel):
    """How contrast phases of one technique are determined."""

    contrast: tuple[Conditions, ...] = ()
    """A series that meets any of these was acquired after contrast.

    A ContrastBolusAgent that names none (`0 ml`, `-`, `keine`) meets nothing.
    """
    no_contrast: tuple[Conditions, ...] = ()
    """A series that meets any of these was acquired before contrast; this wins."""
    post: tuple[str, ...] = Field(default=("early", "late"), min_length=1)
    """Names of the phases after contrast, in the order of acquisition time."""
    single_post: str = "late"
    """Name of the phase when there is one after contrast."""
    timed_by: str = ""
    """Technique whose phases tell by time whether a series was acquired after contrast.

    Where neither the header nor the time tells, the session is refused.
    """
    post_required: bool = False
    """Whether a session that has this technique before contrast alone is refused."""


class SeriesRule(StrictModel):
    """How the series of one technique are recognised: by their headers, never by folder names."""

    technique: Label
    where: Conditions = Field(min_length=1)
    unless: Conditions = {}
    """Any one of these excludes a series; all of `where` must hold."""
    phase: str = ""
    """The contrast phase when it is always the same."""
    phases: PhaseSection | None = None
    """How phases are determined otherwise."""
    suffix: Suffix = "T1w"
    """BIDS suffix of an MR image."""
    several: Literal["refuse", "first", "last"] = "refuse"
    """What to do with several series of one technique and phase."""
    required: bool = True
    """Whether a session without it is refused."""


class RepairSection(StrictModel):
    """Which deviations of a series' geometry may be repaired instead of refused."""

    gantry_tilt: bool = False
    uneven_steps: bool = False
    identical_slices: bool = False
    step_tolerance_mm: float = Field(default=0.1, gt=0)
    maximum_gap_mm: float = Field(default=10.0, gt=0)


class RoiRule(StrictModel):
    """One rule of the ordered list that decides which ROIs are lesions."""

    pattern: Pattern
    lesion: bool
    reason: str = ""
    interpreted_type: Pattern = ""


class PairingSection(StrictModel):
    """Target volumes that belong together by the rest of their names."""

    pattern: Pattern = r"(?i)^(?P<kind>GTV|CTV|PTV)[ _-]*(?P<token>.*)$"
    lesion: str = "GTV"
    unpaired: Literal["refuse", "report"] = "report"
    """What a PTV or CTV without its GTV means: a lesion may be missing."""

    @field_validator("pattern")
    @classmethod
    def _has_both_parts(cls, pattern: str) -> str:
        if not {"kind", "token"} <= groups_of(pattern):
            raise ValueError("the pattern needs the groups (?P<kind>…) and (?P<token>…)")
        return pattern


class DrawnOnRule(StrictModel):
    """A rule on the header of the structure set that determines its source technique."""

    technique: Label
    where: Conditions = Field(min_length=1)


class ReaderRule(StrictModel):
    """A rule that determines who delineated: a code that does not lead to a person."""

    code: ReaderCode
    where: Conditions = {}
    """Conditions on the header of the structure set or segmentation; all must hold."""
    roi: Pattern = ""
    """Pattern of the names of the ROIs or segments that the reader delineated."""

    @model_validator(mode="after")
    def _decides_by_something(self) -> ReaderRule:
        if not self.where and not self.roi:
            raise ValueError(f"the rule for reader {self.code} needs `where` or `roi`")
        return self


class AnnotationSection(StrictModel):
    """How structure sets are read."""

    required: bool = True
    structure_sets: Literal["latest", "all", "refuse"] = "latest"
    """Which of several structure sets (or segmentations) of one reader on one technique count."""
    readers: tuple[ReaderRule, ...] = ()
    """How readers are recognised; a reader whom no rule recognises is `unknown`."""
    objects: Literal["", "structure_sets", "segmentations"] = ""
    """Which count where a session has both; empty refuses segmentations that are the later ones."""
    fraction_threshold: float | None = Field(default=None, gt=0, le=1)
    """Voxels of fractional segmentations belong to a segment from here on; None refuses these."""
    roi_names: Literal["", "published", "withheld"] = ""
    """Whether names of regions leave the raw data, or a number in their place.

    Empty: names of a restricted cohort are withheld, those of others published.
    """
    rois: tuple[RoiRule, ...] = ()
    no_match: Literal["refuse", "reject"] = "refuse"
    """What a ROI that no rule matches means."""
    several_matches: Literal["first", "refuse"] = "first"
    pairing: PairingSection | None = None
    drawn_on: tuple[DrawnOnRule, ...] = ()
    drawn_on_table: str = ""
    """TSV in sourcedata with the columns source_id and technique."""
    drawn_on_default: str = ""


class Group(StrictModel):
    """Patients with one source technique."""

    drawn_on: Label


class Card(StrictModel):
    """Everything in a card.toml."""

    cohort: CohortSection
    subjects: SubjectSection = SubjectSection()
    sessions: SessionSection = SessionSection()
    series: tuple[SeriesRule, ...] = ()
    files: tuple[FileRule, ...] = ()
    geometry: GeometrySection = GeometrySection()
    repairs: RepairSection = RepairSection()
    annotations: AnnotationSection = AnnotationSection()
    masks: MaskSection = MaskSection()
    clinical: tuple[ClinicalTable, ...] = ()
    targets: tuple[TargetRule, ...] = ()
    groups: dict[Label, Group] = {}

    @model_validator(mode="after")
    def _reads_something(self) -> Card:
        if not self.series and not self.files:
            raise ValueError("a card needs rules: [[series]] for DICOM, [[files]] for other files")
        return self

    @model_validator(mode="after")
    def _patterns_know_their_place(self) -> Card:
        _tell_places(self, f"the card of {self.cohort.name}, ")
        return self

    @model_validator(mode="after")
    def _one_quality_for_a_technique(self) -> Card:
        drawn_on = [group.drawn_on for group in self.groups.values()]
        twice = sorted({technique for technique in drawn_on if drawn_on.count(technique) > 1})
        if twice:
            raise ValueError(f"several groups are drawn on {', '.join(twice)}")
        return self

    @property
    def withholds_roi_names(self) -> bool:
        """Whether a number takes the place of a region's name outside of the raw data."""
        said = self.annotations.roi_names
        return said == "withheld" or (not said and self.cohort.access == "restricted")

    @property
    def numbers_sessions(self) -> bool:
        """Whether labels of sessions that do more than count stay with the raw data."""
        said = self.sessions.labels
        return said == "numbered" or (not said and self.cohort.access == "restricted")

    def quality_of(self, technique: str | None) -> str | None:
        """Return the quality of annotations on a source technique; None if no group has it."""
        return next((q for q, group in self.groups.items() if group.drawn_on == technique), None)


def _tell_places(part: Any, before: str) -> None:
    """Tell the patterns of a card by which keys they stand, so that a message can say it."""
    if isinstance(part, CardPattern):
        part.where = before.rstrip(".")
    elif isinstance(part, BaseModel):
        for key, value in part:
            _tell_places(value, f"{before}{key}.")
    elif isinstance(part, dict):
        for key, value in part.items():
            _tell_places(value, f"{before}{key}.")
    elif isinstance(part, tuple):
        for number, value in enumerate(part):
            _tell_places(value, f"{before}{number}.")
