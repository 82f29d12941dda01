"""Plan the addition of a hospital's files to a cohort; `execution` carries it out."""

from __future__ import annotations

import glob
import os
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.intake.archives import UnpackBudget
from cta_data.intake.discover import Discovery, Problem, discover
from cta_data.intake.expected import Expected
from cta_data.intake.instances import Instance
from cta_data.intake.likeness import likenesses, without_withdrawn
from cta_data.intake.persons import persons_elsewhere
from cta_data.intake.plain_files import CohortFile, recognise_nothing
from cta_data.intake.plan_model import NEW, NOT_NEEDED, REFUSE, AdditionOptions, AdditionPlan
from cta_data.intake.pseudonyms import (
    Labelling,
    assign_labels,
    check_label,
    check_labels,
    read_or_make_salt,
    read_subject_map,
)
from cta_data.intake.subject_plan import DeliveredPatient, PatientPlan, plan_patient
from cta_data.intake.withdrawn import is_withdrawn_label, withdrawal_of
from cta_data.reasons import Reason
from cta_data.study.sourcedata import (
    ACCEPTED,
    CLINICAL,
    SESSION_STUDY,
    Inventory,
    PersonRow,
    read_inventory,
)

WORK = "cta-intake"
IMAGE_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".png", ".mha", ".mhd", ".hdr")
"""Of files that are images: a source of nothing but such that no rule knows is the wrong one."""


def work_prefix() -> str:
    """Return how the names of this process' folders of unpacked files begin."""
    return f"{WORK}-{platform.node()}-{os.getpid()}-"


def remove_abandoned_work(folder: Path) -> None:
    """Remove what additions that were killed on this machine had unpacked into a work folder."""
    for path in folder.glob(f"{WORK}-{glob.escape(platform.node())}-*"):
        process = path.name.rsplit("-", 2)[-2]
        if process.isdigit() and not _is_running(int(process)):
            shutil.rmtree(path)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def plan_addition(
    source: Path,
    sourcedata: Path,
    options: AdditionOptions | None = None,
    expected: Expected | None = None,
) -> AdditionPlan:
    """Find out what a source holds and what adding it would do; ``sourcedata`` is only read.

    Parameters
    ----------
    source
        A folder, or a zip or tar file.
    sourcedata
        The cohort's folder; need not exist yet.
    options
        See `AdditionOptions`.
    expected
        What may enter the cohort; without it, anything.

    Returns
    -------
    AdditionPlan
        A context manager: close it to remove what was unpacked. Where the cohort has no salt
        yet, a new one was drawn, and with it the order in which newcomers are numbered.

    Raises
    ------
    CtaError
        If the source does not exist, or holds no DICOM.
    DataRefused
        If the source is an archive that is not safe to unpack or is damaged, or holds nothing that
        is expected.
    ConfigurationError
        If an option makes no sense for this source.
    """
    options, expected = options or AdditionOptions(), expected or Expected()
    work = TemporaryDirectory(prefix=work_prefix(), dir=options.work_folder)
    try:
        found = _discover_something(source, Path(work.name), options)
        inventory = read_inventory(sourcedata)
        salt = read_or_make_salt(
            sourcedata, known_subjects=bool(inventory.subjects), given=options.salt
        )
        patients, plans = _plan_patients(source, found, inventory, options, expected, salt)
        persons = _persons_elsewhere(patients, plans, options)
        readmitted = _readmitted(patients, plans, options)
    except OSError as error:
        work.cleanup()
        raise CtaError(
            "source_read_failed",
            where=error.filename or work.name,
            error=error.strerror or str(error),
        ) from error
    except BaseException:
        work.cleanup()
        raise
    plan = _assemble(source, sourcedata, options, found, plans, salt, inventory, work)
    plan.persons = persons
    plan.readmitted = readmitted
    return plan


def _readmitted(
    patients: list[DeliveredPatient], plans: list[PatientPlan], options: AdditionOptions
) -> frozenset[str]:
    """Return the withdrawals of accepted patients, who gave consent again."""
    found = (
        withdrawal_of(one.numbers, options.identity_attributes, options.withdrawn)
        for one, planned in zip(patients, plans, strict=True)
        if planned.subject.status == ACCEPTED
    )
    return frozenset(row.withdrawal for row in found if row is not None)


def _persons_elsewhere(
    patients: list[DeliveredPatient], plans: list[PatientPlan], options: AdditionOptions
) -> list[PersonRow]:
    """Return which of the accepted patients are subjects of other cohorts as well."""
    return [
        row
        for one, planned in zip(patients, plans, strict=True)
        if planned.subject.status == ACCEPTED
        for row in persons_elsewhere(
            one.label, one.numbers, options.others, options.identity_attributes
        )
    ]


def _plan_patients(
    source: Path,
    found: Discovery,
    inventory: Inventory,
    options: AdditionOptions,
    expected: Expected,
    salt: str,
) -> tuple[list[DeliveredPatient], list[PatientPlan]]:
    """Plan every patient of a source who may enter the cohort.

    Raises
    ------
    DataRefused
        Nothing in the source is expected.
    """
    there = len(found.instances)
    found.instances, strangers = expected.sift(found.instances)
    found.problems += strangers
    found.counts["unexpected"] += there - len(found.instances)
    patients = _patients(found.instances, inventory, options, salt)
    if not options.consent_again:
        patients = without_withdrawn(
            patients, found, options.identity_attributes, options.withdrawn
        )
    shared = _shared_uids(patients, inventory, options)
    alike = likenesses(patients, inventory, options, salt)
    plans = [
        plan_patient(one, inventory, options, salt, shared, expected, alike.get(one.label, ()))
        for one in patients
    ]
    if there and not found.counts["withdrawn"] and all(one.unexpected for one in plans):
        raise _nothing_expected(source, len(plans), strangers)
    return _without_unexpected(patients, plans, found) if expected.is_public else (patients, plans)


def _discover_something(source: Path, work: Path, options: AdditionOptions) -> Discovery:
    """Read what is in a source; a table about the cohort alone will do, the wrong images will not.

    Raises
    ------
    CtaError, DataRefused
        The source does not exist, or holds nothing that is known.
    """
    budget = UnpackBudget(options.limits)
    found = discover(
        source, work, budget, options.identity_attributes, options.recognise, options.jobs
    )
    images = any(name.lower().endswith(IMAGE_ENDINGS) for name in found.unmatched)
    if not found.instances and (images or not found.cohort_files):
        raise _nothing_found(source, found, options)
    return found


def _assemble(
    source: Path,
    sourcedata: Path,
    options: AdditionOptions,
    found: Discovery,
    plans: list[PatientPlan],
    salt: str,
    inventory: Inventory,
    work: TemporaryDirectory[str],
) -> AdditionPlan:
    counts: Counter[str] = Counter(found.counts)
    for one in plans:
        counts.update(one.counts)
        counts["subjects"] += 1
        counts[f"subjects_{one.subject.status}"] += 1
    return AdditionPlan(
        source=source,
        sourcedata=sourcedata,
        options=options,
        series=[series for one in plans for series in one.series],
        subjects=[one.subject for one in plans],
        set_aside=[row for one in plans for row in one.set_aside],
        problems=found.problems,
        counts=counts,
        salt=salt,
        inventory=inventory,
        cohort_files=_plan_cohort_files(found.cohort_files, sourcedata, replace=options.replace),
        unmatched=found.unmatched,
        work=work,
    )


def _plan_cohort_files(
    files: list[CohortFile], sourcedata: Path, *, replace: bool
) -> list[tuple[CohortFile, str]]:
    """Decide about files about the whole cohort; one of a name is kept."""
    planned: dict[str, tuple[CohortFile, str]] = {}
    for one in files:
        name = Path(one.name).name
        there = sourcedata / CLINICAL / name
        if name in planned and planned[name][0].digest != one.digest:
            planned[name] = (one, REFUSE)
        elif name in planned:
            continue
        elif not there.exists():
            planned[name] = (one, NEW)
        elif there.read_bytes() == one.path.read_bytes():
            planned[name] = (one, NOT_NEEDED)
        else:
            planned[name] = (one, NEW if replace else REFUSE)
    return list(planned.values())


def _nothing_found(source: Path, found: Discovery, options: AdditionOptions) -> CtaError:
    files = found.counts["files"]
    if not files:
        return CtaError("source_empty", where=source)
    why = f"{files} files, {found.counts['not_dicom']} of them not DICOM"
    if found.problems:
        first = found.problems[0]
        why += f", {len(found.problems)} problems: the first is {first.file} {first.reason}"
    if options.recognise is not recognise_nothing:
        why += "".join(f"; such as {name}" for name in found.unmatched[:1])
        return DataRefused("source_without_known_files", where=source, why=why)
    return DataRefused("source_without_dicom", where=source, why=why)


def _nothing_expected(source: Path, patients: int, strangers: list[Problem]) -> DataRefused:
    told = [f"{patients} patients without such an image"] if patients else []
    told += [f"{one.file} {one.reason}" for one in strangers[:1]]
    return DataRefused("source_without_known_images", where=source, found=tuple(told))


def _without_unexpected(
    patients: list[DeliveredPatient], plans: list[PatientPlan], found: Discovery
) -> tuple[list[DeliveredPatient], list[PatientPlan]]:
    """Leave out patients who do not belong: a public cohort does not even list their numbers."""
    kept = [(one, plan) for one, plan in zip(patients, plans, strict=True) if not plan.unexpected]
    for one, plan in zip(patients, plans, strict=True):
        if plan.unexpected:
            found.counts["unexpected"] += len(one.instances)
            name = min(instance.name for instance in one.instances)
            more = f", and {len(one.instances) - 1} more files," if one.instances[1:] else ""
            found.problems.append(
                Problem(f"{name}{more}", f"not taken in: {Reason('known_images_missing')}")
            )
    return [one for one, _ in kept], [plan for _, plan in kept]


def _patients(
    instances: list[Instance], inventory: Inventory, options: AdditionOptions, salt: str
) -> list[DeliveredPatient]:
    by_id: dict[str, list[Instance]] = {}
    for one in instances:
        by_id.setdefault(options.naming.canonical(one.patient_id), []).append(one)
    chosen = read_subject_map(options.subject_map) if options.subject_map else {}
    if options.subject:
        if len(by_id) > 1:
            raise ConfigurationError(
                "source_of_several_patients", where=options.subject, n_patients=len(by_id)
            )
        chosen = {next(iter(by_id)): check_label(options.subject)}
    unnamed = [] if "" in chosen else by_id.pop("", [])
    named = options.naming.labels([source_id for source_id in by_id if source_id not in chosen])
    named, misnamed = check_labels(named)
    chosen = named | chosen
    labelling = assign_labels(
        by_id.keys() - misnamed.keys(),
        inventory.subjects,
        salt,
        chosen=chosen,
        separate_labels=options.separate_labels,
        is_withdrawn=_withdrawn_labels(options),
        consent_again=bool(options.consent_again),
    )
    labelling.refused |= {source_id: ("", reason) for source_id, reason in misnamed.items()}
    return [
        *_named_patients(by_id, labelling, chosen),
        *_unnamed_patients(unnamed),
    ]


def _withdrawn_labels(options: AdditionOptions) -> Callable[[str], bool]:
    """Return what tells whether a label was that of a patient of this cohort who withdrew."""
    own = [one for one in options.withdrawn if one.is_own]
    known = [is_withdrawn_label(one.rows, one.salt) for one in own]
    return lambda label: any(is_withdrawn(label) for is_withdrawn in known)


def _named_patients(
    by_id: dict[str, list[Instance]], labelling: Labelling, chosen: Mapping[str, str]
) -> list[DeliveredPatient]:
    ids_of: dict[str, list[str]] = {}
    for source_id, label in labelling.labels.items():
        ids_of.setdefault(label, []).append(source_id)
    patients = [
        DeliveredPatient(
            label,
            {source_id: by_id[source_id] for source_id in ids},
            newcomer=label in labelling.newcomers,
            chosen_ids=frozenset(key for key, value in chosen.items() if value == label),
        )
        for label, ids in sorted(ids_of.items())
    ]
    for source_id, (label, reason) in sorted(labelling.refused.items()):
        patients.append(DeliveredPatient(label, {source_id: by_id[source_id]}, refusal=reason))
    return patients


def _unnamed_patients(instances: list[Instance]) -> list[DeliveredPatient]:
    """Files without a patient number: one refused patient a study."""
    studies: dict[str, list[Instance]] = {}
    for one in instances:
        studies.setdefault(one.study_uid, []).append(one)
    reason = Reason("patient_number_missing")
    return [
        DeliveredPatient("", {"": files}, refusal=reason) for _, files in sorted(studies.items())
    ]


def _shared_uids(
    patients: Iterable[DeliveredPatient], inventory: Inventory, options: AdditionOptions
) -> dict[str, frozenset[str]]:
    owners: dict[str, set[str]] = {}
    for patient in patients:
        for one in patient.instances:
            if patient.label:
                if not one.study_uid.startswith(SESSION_STUDY):
                    owners.setdefault(one.study_uid, set()).add(patient.label)
                owners.setdefault(one.series_uid, set()).add(patient.label)
    if not options.separate_labels:
        for row in inventory.series:
            for uid in (row.study_uid, row.series_uid):
                if uid in owners:
                    owners[uid].add(row.subject)
    return {uid: frozenset(labels) for uid, labels in owners.items() if len(labels) > 1}
