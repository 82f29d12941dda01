"""Decide whether one patient's files are taken in, and what becomes of each series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from cta_data.errors import DataRefused
from cta_data.intake.expected import Expected
from cta_data.intake.group import Grouping, SeriesGroup, group_series, split_series
from cta_data.intake.identity import SHORTER, check_identity
from cta_data.intake.instances import Instance
from cta_data.intake.persons import NAME, SEX, placeholders
from cta_data.intake.plan_model import (
    REFUSE,
    AdditionOptions,
    SeriesPlan,
    SetAside,
    SubjectPlan,
)
from cta_data.intake.series_plan import (
    KnownSeries,
    known_series,
    plan_series,
    refused_series,
    series_hash,
    stored_conflicts,
)
from cta_data.intake.session_labels import numbered_sessions
from cta_data.intake.sessions import assign_sessions
from cta_data.intake.sop_classes import FILE_CLASS, reason_set_aside
from cta_data.reasons import Reason, together
from cta_data.study.sourcedata import ACCEPTED, REFUSED, SESSION_STUDY, Inventory, SubjectRow

_FILES_NAMED = 10


@dataclass
class DeliveredPatient:
    """The files of one subject of the source.

    Attributes
    ----------
    label
        Subject label, or empty for data without a patient number and without a label.
    numbers
        Its files, by patient number.
    chosen_ids
        Every patient number that the caller gave this label to.
    refusal
        Why it is refused before anything else was looked at, or None.
    """

    label: str
    numbers: Mapping[str, list[Instance]]
    newcomer: bool = False
    refusal: Reason | None = None
    chosen_ids: frozenset[str] = frozenset()

    @property
    def source_ids(self) -> tuple[str, ...]:
        """Its patient numbers in the source."""
        return tuple(sorted(self.numbers))

    @property
    def instances(self) -> list[Instance]:
        """All of its files."""
        return [one for number in self.source_ids for one in self.numbers[number]]


@dataclass
class PatientPlan:
    """Plan of one patient: the subject, its series, what is skipped, and counts.

    `unexpected` is whether nothing of the patient is what the cohort's card expects.
    """

    subject: SubjectPlan
    series: list[SeriesPlan]
    set_aside: list[SetAside]
    counts: Counter[str]
    unexpected: bool = False


@dataclass
class _Refusals:
    reasons: list[Reason] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def add(self, reason: Reason, files: Collection[str] = ()) -> None:
        self.reasons.append(reason)
        self.files.extend(sorted(files)[:_FILES_NAMED])

    def together(self) -> Reason | None:
        """All reasons, then what can be done about them; None without one."""
        return together(self.reasons, most=len(self.reasons)) if self.reasons else None


def plan_patient(
    patient: DeliveredPatient,
    inventory: Inventory,
    options: AdditionOptions,
    salt: str,
    shared_uids: Mapping[str, frozenset[str]],
    expected: Expected,
    likenesses: Iterable[Reason] = (),
) -> PatientPlan:
    """Plan the addition of one patient.

    Parameters
    ----------
    patient
        Its files.
    inventory
        What the cohort holds.
    options, salt
        See `AdditionOptions` and `read_or_make_salt`.
    shared_uids
        Study and series UIDs that more than one subject has, with the subjects.
    expected
        What may enter the cohort.
    likenesses
        Why the patient seems to be another subject of the cohort.
    """
    grouping = group_series(patient.instances, options.extra_kinds)
    kept = [group for group in grouping.series if group.kind]
    known = known_series(inventory, patient.label)
    shorts = {id(group): series_hash(salt, group) for group in kept}
    rows = [row for row in inventory.subjects if row.subject == patient.label and patient.label]
    refusals = _Refusals()
    if patient.refusal:
        refusals.add(patient.refusal, sorted(one.name for one in patient.instances)[:1])
    identities = _check_numbers(patient, rows, options, salt, refusals)
    for likeness in likenesses:
        refusals.add(likeness)
    _check_headers(patient, grouping, kept, shared_uids, refusals)
    _check_conflicts(grouping, kept, shorts, known, options, refusals)
    sessions = _sessions(kept, known, options, refusals)

    set_aside = _set_aside(patient.label, grouping)
    if (reason := refusals.together()) is not None:
        files = tuple(refusals.files)
        series = [refused_series(group, patient.label, "", reason, files) for group in kept]
    else:
        series = [
            plan_series(
                group, shorts[id(group)], known, inventory, patient.label, sessions[group.study_uid]
            )
            for group in kept
        ]
        if not known.rows and all(one.action == REFUSE for one in series):
            _check_nothing_left(series, set_aside, refusals)
    unexpected = not known.rows and not expected.has_image(series)
    if unexpected:
        refusals.add(no_image := Reason("known_images_missing"))
        series = [refused_series(group, patient.label, "", no_image, ()) for group in kept]
    subject = _subject_plan(patient, identities, refusals)
    return PatientPlan(subject, series, set_aside, _counts(grouping, series), unexpected)


def _check_numbers(
    patient: DeliveredPatient,
    rows: list[SubjectRow],
    options: AdditionOptions,
    salt: str,
    refusals: _Refusals,
) -> dict[str, Mapping[str, str]]:
    """Compare the identity attributes within and between a subject's patient numbers.

    Returns
    -------
    dict
        Fingerprints to remember, by patient number.
    """
    own = {row.source_id: row.identity for row in rows}
    named = {*patient.source_ids, *patient.chosen_ids}
    holders = [row for row in rows if row.source_id and row.source_id not in named]
    of_holders = {name: text for row in holders for name, text in row.identity.items()}
    nobody = placeholders(salt)
    found: dict[str, Mapping[str, str]] = {}
    for number in patient.source_ids:
        stranger = bool(number) and number not in own
        remembered = of_holders if stranger or not number else own[number]
        attributes = options.identity_attributes
        identity = check_identity(patient.numbers[number], remembered, attributes, salt)
        found[number] = identity.fingerprints
        if identity.differing:
            refusals.add(
                Reason("patient_number_shared", attributes=identity.differing),
                identity.files,
            )
        elif identity.against_inventory:
            differing = ", ".join(identity.against_inventory)
            refusals.add(
                Reason("patient_differs_from_before", attributes=differing),
                identity.files,
            )
        elif stranger and holders:
            shown = [n for n in identity.agreeing if identity.fingerprints[n] not in nobody]
            if not {*shown} - {SEX}:
                refusals.add(Reason("label_of_another_patient_number"))
    _check_between({**own, **found}, nobody, refusals)
    return found


def _check_between(
    identities: Mapping[str, Mapping[str, str]], nobody: Collection[str], refusals: _Refusals
) -> None:
    """A name may be written in two ways; who was born on another day is another person."""
    values: dict[str, set[str]] = {}
    for one in identities.values():
        for attribute, value in one.items():
            if attribute not in (NAME, SHORTER) and value not in nobody:
                values.setdefault(attribute, set()).add(value)
    differing = [attribute for attribute, different in values.items() if len(different) > 1]
    if differing and not refusals.reasons:
        refusals.add(Reason("label_shared_by_patients", attributes=differing))


def _check_headers(
    patient: DeliveredPatient,
    grouping: Grouping,
    kept: list[SeriesGroup],
    shared_uids: Mapping[str, frozenset[str]],
    refusals: _Refusals,
) -> None:
    shared = [one for one in patient.instances if one.series_uid in shared_uids]
    shared = shared or [one for one in patient.instances if one.study_uid in shared_uids]
    if shared:
        what = "series" if shared[0].series_uid in shared_uids else "study"
        owners = frozenset().union(
            *(shared_uids.get(uid, ()) for one in shared for uid in (one.series_uid, one.study_uid))
        )
        named = " and ".join(f"sub-{label}" for label in sorted(owners))
        refusals.add(
            Reason("uid_of_several_patients", kind=what, subjects=named),
            {one.name for one in shared},
        )
    split = split_series(kept)
    if split:
        files = {one.name for one in patient.instances if one.series_uid in split}
        refusals.add(Reason("series_in_several_studies", n_series=len(split)), files)


def _check_conflicts(
    grouping: Grouping,
    kept: list[SeriesGroup],
    shorts: Mapping[int, str],
    known: KnownSeries,
    options: AdditionOptions,
    refusals: _Refusals,
) -> None:
    if grouping.conflicts:
        count = len(grouping.conflicts)
        plain = all(group.sop_class.startswith(FILE_CLASS) for group in kept)
        what = "files" if plain else "SOP Instance UIDs"
        refusals.add(
            Reason("instances_contradict", count=count, kind=what),
            grouping.conflicts[0],
        )
    stored: list[Instance] = []
    for group in kept:
        short = shorts[id(group)]
        for one in stored_conflicts(group, short, known):
            if not (options.replace and known.series_of[one.sop_uid] == short):
                stored.append(one)
    if stored:
        refusals.add(
            Reason("stored_instances_differ", n_instances=len(stored)),
            {one.name for one in stored},
        )


def _check_nothing_left(
    series: list[SeriesPlan], set_aside: list[SetAside], refusals: _Refusals
) -> None:
    for one in series:
        refusals.add(Reason("only_series_refused", kind=one.kind, cause=one.reason), one.files)
    if not series:
        counts: Counter[str] = Counter()
        for row in set_aside:
            counts[str(row.reason)] += row.n_instances
        what = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        refusals.add(Reason("series_to_keep_missing", found=what or "damaged files only"))


def _sessions(
    kept: list[SeriesGroup], known: KnownSeries, options: AdditionOptions, refusals: _Refusals
) -> dict[str, str]:
    dates: dict[str, list[str]] = {}
    told: dict[str, str] = {}
    for group in kept:
        if group.study_uid.startswith(SESSION_STUDY):
            told[group.study_uid] = group.study_uid.removeprefix(SESSION_STUDY)
        else:
            dates.setdefault(group.study_uid, []).append(group.study_date())
    try:
        told = _labels_of(told, known, options)
    except DataRefused as error:
        refusals.add(error.reason)
        return {}
    labels = {*told.values(), *(row.session for row in known.rows.values())}
    if len({label.casefold() for label in labels}) < len(labels):
        refusals.add(Reason("session_labels_differ_in_case"))
    new = {study: min((d for d in found if d), default="") for study, found in dates.items()}
    before = {
        row.study_uid: (row.study_date, row.session)
        for row in known.rows.values()
        if not row.study_uid.startswith(SESSION_STUDY)
    }
    if not new:
        return told
    try:
        ranked = assign_sessions(
            new, before, rule=options.session_rule, gap_days=options.session_gap_days
        )
        return told | ranked
    except DataRefused as error:
        refusals.add(error.reason)
        return {}


def _labels_of(
    told: Mapping[str, str], known: KnownSeries, options: AdditionOptions
) -> dict[str, str]:
    """Return the label of every session of plain files, by its study, as it may be published."""
    if not options.number_sessions:
        return dict(told)
    before = {
        row.study_uid: row.session
        for row in known.rows.values()
        if row.study_uid.startswith(SESSION_STUDY)
    }
    delivered = {study: study.removeprefix(SESSION_STUDY) for study in before}
    return numbered_sessions(delivered | dict(told), before)


def _set_aside(label: str, grouping: Grouping) -> list[SetAside]:
    return [
        SetAside(
            label,
            group.study_uid,
            group.series_uid,
            group.sop_class,
            reason_set_aside(group.sop_class),
            len(group.instances),
        )
        for group in grouping.series
        if not group.kind and group.instances
    ]


def _subject_plan(
    patient: DeliveredPatient, identities: Mapping[str, Mapping[str, str]], refusals: _Refusals
) -> SubjectPlan:
    return SubjectPlan(
        subject=patient.label,
        source_ids=patient.source_ids,
        status=REFUSED if refusals.reasons else ACCEPTED,
        reason=refusals.together(),
        files=tuple(dict.fromkeys(refusals.files)),
        newcomer=patient.newcomer,
        study_uids=tuple(sorted({one.study_uid for one in patient.instances})),
        identities={} if refusals.reasons else identities,
    )


def _counts(grouping: Grouping, series: list[SeriesPlan]) -> Counter[str]:
    counts: Counter[str] = Counter()
    counts["duplicates"] = grouping.duplicates
    counts["conflicts"] = len(grouping.conflicts)
    for group in grouping.series:
        counts["damaged"] += len(group.damaged)
        if not group.kind:
            counts["set_aside"] += len(group.instances)
    for one in series:
        counts["series"] += 1
        counts[f"series_{one.action}"] += 1
        what = "refused_instances" if one.action == REFUSE else "kept_instances"
        counts[what] += one.n_instances
    return counts
