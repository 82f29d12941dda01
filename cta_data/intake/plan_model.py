"""What an addition was asked to do, and what it would do: data, no decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from cta_data.intake.archives import UnpackLimits
from cta_data.intake.discover import Problem
from cta_data.intake.identity import IDENTITY_ATTRIBUTES
from cta_data.intake.instances import Instance
from cta_data.intake.naming import SubjectNaming
from cta_data.intake.persons import OtherCohort, Pair
from cta_data.intake.plain_files import CohortFile, Recognise, recognise_nothing
from cta_data.intake.sessions import SINGLE
from cta_data.intake.withdrawn import WithdrawnCohort
from cta_data.reasons import Reason
from cta_data.study.sourcedata import InstanceRow, Inventory, PersonRow

NEW = "new"
MERGE = "merge"
NOT_NEEDED = "notneeded"
REFUSE = "refuse"


@dataclass(frozen=True)
class AdditionOptions:
    """How a source is taken in.

    Attributes
    ----------
    subject
        Label for the one patient of the source (``--id``), or empty.
    subject_map
        TSV with the columns ``source_id`` and ``subject``, or None.
    separate_labels
        See `assign_labels`.
    session_rule, session_gap_days
        See `assign_sessions`.
    number_sessions
        Whether labels of sessions in paths may identify a patient (see `session_labels`).
    identity_attributes
        DICOM keywords that must agree within one patient.
    replace
        Whether an instance that is known with other content is replaced by the new one.
    extra_kinds
        SOP class UID to kind, for classes that would be skipped otherwise.
    limits
        Of archives.
    work_folder
        Where archives are unpacked (default: the system's temporary folder).
    salt
        64 hex digits for a new cohort instead of random ones; for tests and demonstrations.
    recognise
        What the paths of files that are no DICOM say.
    naming
        How a public collection's identifiers become subject labels.
    different
        Pairs of subjects of this cohort that are different persons, on the user's word.
    others
        Other cohorts whose patients are looked for in the source.
    withdrawn
        Patients of this and of other cohorts who withdrew consent.
    consent_again
        Day on which patients who withdrew consent gave it again; empty where they are refused.
    jobs
        Processes that read the headers of the source's files.
    """

    subject: str = ""
    subject_map: Path | None = None
    separate_labels: bool = False
    session_rule: str = SINGLE
    session_gap_days: int = 0
    number_sessions: bool = False
    identity_attributes: tuple[str, ...] = IDENTITY_ATTRIBUTES
    replace: bool = False
    extra_kinds: Mapping[str, str] = field(default_factory=dict)
    limits: UnpackLimits = field(default_factory=UnpackLimits)
    work_folder: Path | None = None
    salt: str = ""
    recognise: Recognise = recognise_nothing
    naming: SubjectNaming = SubjectNaming()
    different: frozenset[Pair] = frozenset()
    others: tuple[OtherCohort, ...] = ()
    withdrawn: tuple[WithdrawnCohort, ...] = ()
    consent_again: str = ""
    jobs: int = 1


@dataclass(frozen=True)
class SeriesPlan:
    """One series of the source and what becomes of it.

    Attributes
    ----------
    action
        ``new``, ``merge``, ``notneeded`` or ``refuse``.
    reason
        Why, without names, numbers, dates or UIDs of a patient.
    files
        Files (relative to the source) that the reason is about.
    file
        Tar relative to ``sourcedata``; empty for a refused series.
    n_instances
        Whole instances of the source.
    n_total
        Instances after the addition.
    header
        `header_of` the first instance after the addition.
    rows
        Instances after the addition, in the order of the tar.
    sources
        SOP instance UID to the file to take it from; the others come from the existing tar.
    needs_content
        Whether the existing tar's content has to be there.
    """

    subject: str
    session: str
    kind: str
    modality: str
    sop_class: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    study_date: str
    acquired: str
    action: str
    reason: Reason | None
    files: tuple[str, ...]
    series: str
    file: str
    n_instances: int
    n_total: int
    header: Mapping[str, str]
    rows: tuple[InstanceRow, ...] = ()
    sources: Mapping[str, Instance] = field(default_factory=dict)
    needs_content: bool = False


@dataclass(frozen=True)
class SubjectPlan:
    """One patient of the source.

    Attributes
    ----------
    subject
        Label; empty for data without a patient number and without a label (always refused).
    source_ids
        Patient numbers in the source (identity: for ``sourcedata`` alone).
    status
        ``accepted`` or ``refused``.
    reason
        Why it is refused, without identity.
    files
        Files (relative to the source) that the reason is about.
    newcomer
        Whether no table held the label before.
    study_uids
        Studies of the source.
    identities
        Fingerprints to remember, by patient number.
    """

    subject: str
    source_ids: tuple[str, ...]
    status: str
    reason: Reason | None
    files: tuple[str, ...]
    newcomer: bool
    study_uids: tuple[str, ...]
    identities: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class SetAside:
    """Objects of one series and SOP class that are not kept."""

    subject: str
    study_uid: str
    series_uid: str
    sop_class: str
    reason: Reason
    n_instances: int


@dataclass
class AdditionPlan:
    """What an addition would do; a context manager that owns the unpacked files.

    Attributes
    ----------
    cohort_files
        Files about the whole cohort, and whether each is ``new``, ``notneeded`` or ``refuse``.
    unmatched
        Files that are no DICOM and that nothing recognises.
    persons
        Subjects of this addition who are a subject of another cohort as well.
    readmitted
        Withdrawals of patients who are taken in on new consent.
    counts
        ``files``, ``dicom``, ``recognised``, ``not_dicom``, ``dicomdir``, ``archives``,
        ``unreadable`` (see `Discovery`); of ``dicom`` and ``recognised``: ``kept_instances``,
        ``refused_instances``, ``duplicates``, ``set_aside``, ``damaged``, ``conflicts``,
        ``unexpected``, ``withdrawn`` (their sum is that of both); ``subjects``,
        ``subjects_accepted``, ``subjects_refused``; ``series`` and ``series_<action>``.
    """

    source: Path
    sourcedata: Path
    options: AdditionOptions
    series: list[SeriesPlan]
    subjects: list[SubjectPlan]
    set_aside: list[SetAside]
    problems: list[Problem]
    counts: Counter[str]
    salt: str
    inventory: Inventory
    cohort_files: list[tuple[CohortFile, str]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    persons: list[PersonRow] = field(default_factory=list)
    readmitted: frozenset[str] = frozenset()
    work: TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Remove the unpacked files; the plan cannot be executed afterwards."""
        if self.work is not None:
            self.work.cleanup()
            self.work = None

    def __enter__(self) -> AdditionPlan:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def needed_content(plan: AdditionPlan) -> list[Path]:
    """Tars (below ``sourcedata``) whose content has to be there before the plan is executed."""
    return [plan.sourcedata / one.file for one in plan.series if one.needs_content]
