"""The parts of a card for clinical tables: where a table is, and what its columns mean."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from cta_data.cohorts.clinical.vocabulary import GROUPS, NOT_GIVEN, fold
from cta_data.cohorts.file_card import Label, Pattern
from cta_data.validation import StrictModel


class ClinicalKeys(StrictModel):
    """Which columns say whose row it is, and how a cell becomes an identifier."""

    subject: Pattern
    """Recognises the header of the column that names the patient."""
    subject_value: Pattern = ""
    """What of the cell counts: its first group, or all that matches. Empty for the whole cell."""
    subject_id: str = "{value}"
    """How the identifier of the source is written, in the language of `str.format`.

    `value` is text: `Mets_{value:0>3}` makes `Mets_005` of 5.
    """
    session: Pattern = ""
    """Recognises the header of the column that names the session; empty where none does."""
    session_id: str = "{value}"
    """How the session of the source is written."""

    @field_validator("subject_id", "session_id")
    @classmethod
    def _formats(cls, template: str) -> str:
        try:
            written = template.format(value="1"), template.format(value="2")
        except (LookupError, ValueError, AttributeError) as error:
            raise ValueError(f"{template!r} is no template for {{value}}: {error}") from error
        if written[0] == written[1]:
            raise ValueError(f"{template!r} must hold {{value}}")
        return template


class ClinicalColumns(StrictModel):
    """Recognises the headers of the columns that are taken over; empty where there is none."""

    sex: Pattern = ""
    age_years: Pattern = ""
    primary_tumour: Pattern = ""
    prior_brain_radiotherapy: Pattern = ""

    def given(self) -> dict[str, str]:
        """Return the patterns that are there, by field."""
        return {field: pattern for field, pattern in self if pattern}


class ValuePattern(StrictModel):
    """A group for all spellings in which a regular expression is found."""

    pattern: Pattern
    """Searched in the spelling in lower case, with single blanks."""
    value: str


class ClinicalValues(StrictModel):
    """The group of each spelling, without regard to case and number of blanks.

    `n/a` for a spelling that says that nothing is known.
    """

    sex: dict[str, str] = {}
    age_years: dict[str, str] = {}
    """Codes for an age that is not known, such as `"99" = "n/a"`; nothing else."""
    primary_tumour: dict[str, str] = {}
    prior_brain_radiotherapy: dict[str, str] = {}

    @model_validator(mode="after")
    def _known_groups(self) -> ClinicalValues:
        for field, spellings in self:
            folded: dict[str, str] = {}
            for spelling, group in spellings.items():
                check_group(field, group)
                if folded.setdefault(fold(spelling), group) != group:
                    raise ValueError(f"{field}: {spelling!r} is given twice, with two groups")
        return self

    def folded(self, field: str) -> dict[str, str]:
        """Return folded spellings of a field with their groups."""
        spellings: dict[str, str] = getattr(self, field)
        return {fold(spelling): group for spelling, group in spellings.items()}


class ClinicalPatterns(StrictModel):
    """Groups by regular expressions, tried in their order after the spellings."""

    sex: tuple[ValuePattern, ...] = ()
    primary_tumour: tuple[ValuePattern, ...] = ()
    prior_brain_radiotherapy: tuple[ValuePattern, ...] = ()

    @model_validator(mode="after")
    def _known_groups(self) -> ClinicalPatterns:
        for field, rules in self:
            for rule in rules:
                check_group(field, rule.value)
        return self

    def of(self, field: str) -> tuple[tuple[str, str], ...]:
        """Return the patterns of a field with their groups."""
        rules: tuple[ValuePattern, ...] = getattr(self, field)
        return tuple((rule.pattern, rule.value) for rule in rules)


class Fallback(StrictModel):
    """A second column, which is asked where the field's own says nothing, or `unknown`."""

    column: Pattern
    """Recognises its header."""
    patterns: tuple[ValuePattern, ...] = Field(min_length=1)
    """Groups by regular expressions, in their order; a text that none fits says nothing."""


class ClinicalFallbacks(StrictModel):
    """Second columns, by field."""

    sex: Fallback | None = None
    primary_tumour: Fallback | None = None
    prior_brain_radiotherapy: Fallback | None = None

    @model_validator(mode="after")
    def _known_groups(self) -> ClinicalFallbacks:
        for field, fallback in self.given().items():
            for rule in fallback.patterns:
                check_group(field, rule.value)
        return self

    def given(self) -> dict[str, Fallback]:
        """Return those that are there, by field."""
        return {field: fallback for field, fallback in self if fallback}


class ClinicalLesions(StrictModel):
    """Columns of a lesion table, by patterns for their headers."""

    number: Pattern = ""
    """Number of the lesion in the table; empty for the position of the row."""
    name: Pattern
    """What the lesion's file or ROI is called."""
    location: Pattern = ""
    publish: tuple[Pattern, ...] = ()
    """Columns that leave the raw data with the lesion's row; no others of such a table do."""


class ClinicalTable(StrictModel):
    """One sheet of one file."""

    file: Pattern
    """Searched in the path of a file, relative to the cohort's raw data, with `/` between."""
    sheet: str = ""
    """Name of the sheet, without regard to case; empty for the first. CSV and TSV have none."""
    name: Label
    """Name of the table in `phenotype/`."""
    keys: ClinicalKeys
    columns: ClinicalColumns = ClinicalColumns()
    values: ClinicalValues = ClinicalValues()
    patterns: ClinicalPatterns = ClinicalPatterns()
    fallback: ClinicalFallbacks = ClinicalFallbacks()
    lesions: ClinicalLesions | None = None
    publish: tuple[Pattern, ...] = ()
    """Headers of columns that leave the raw data for `phenotype/`; no others do."""


class TargetRule(StrictModel):
    """What was outlined, where the name of the outline or its place says so."""

    pattern: Pattern
    type: Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")]


def check_group(field: str, group: str) -> None:
    """Refuse what is no group of a field.

    Raises
    ------
    ValueError
        With the groups that there are.
    """
    known = GROUPS.get(field, ())
    if group not in (*known, NOT_GIVEN):
        groups = ", ".join(known) or "none"
        raise ValueError(f"{group!r} is no {field}; there are {groups}, and {NOT_GIVEN}")
